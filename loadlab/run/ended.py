"""A run's load after its end, with all that is needed to make a result of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from loadlab.errors import ClusterError
from loadlab.measurement.ledger_judge import Fate
from loadlab.measurement.slab import ACK_LANE, Counter, Phase
from loadlab.run.consumer_group import ConsumerGroup
from loadlab.run.producer_group import ProducerGroup
from loadlab.run.readings import total
from loadlab.run.samples import read_by_others

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from loadlab.cluster import Cluster
    from loadlab.results.artifacts import Interval
    from loadlab.results.model_environment import HostEnvironment
    from loadlab.run.account import Account, Found
    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.load import Load
    from loadlab.run.samples import Group, Partition, Sample
    from loadlab.run.timeline import Timeline
    from loadlab.scenario import Scenario


_UNREAD = [Fate.LOST, Fate.UNSEEN, Fate.EVICTED, Fate.UNKNOWN]


@dataclass(frozen=True)
class EndedRun:
    """A run's load after its end, with all that is needed to make a result of it.

    Attributes:
        run_id: the run's.
        started_at: when it began, UTC.
        started_ns: the same on CLOCK_MONOTONIC.
        scenario: the scenario as resolved.
        load: what happened.
        ended_ns: when the load ended.
        baseline: log ends before the start, by partition.
        host: the machine before the start.
        cluster_ready_ns: when the cluster answered, and
        workers_begun_ns: when its workers were told to connect, CLOCK_MONOTONIC.
        late: events booked into an interval after it had been drained.
        rows: the interval series.
        account: the run's ledger; None where it has none.
        changed: what others did to topics meanwhile, in words.
    """

    run_id: str
    started_at: datetime
    started_ns: int
    scenario: Scenario
    load: Load
    ended_ns: int
    baseline: Mapping[Partition, int]
    host: HostEnvironment
    cluster_ready_ns: int
    workers_begun_ns: int
    late: int
    rows: Sequence[Interval]
    account: Account | None = None
    changed: Sequence[str] = ()

    @property
    def cluster(self) -> Cluster:
        """The cluster that was used."""
        return self.load.cluster

    @cached_property
    def log_starts(self) -> Mapping[Partition, int]:
        """The first offset that can still be read in each partition that answers.

        A cluster that did not tell its log ends is not asked: that would only hold up the end of the run.
        """
        if self.load.final is None or not self.load.final.ends:
            return {}
        try:
            return self.cluster.start_offsets(list(self.baseline)).offsets
        except ClusterError as error:
            told = f"the cluster did not tell where its logs begin: {error}"
            self.load.events.note("log_starts_unknown", told)
            return {}

    @cached_property
    def found(self) -> Found | None:
        """What the ledger says; None where there is none, or it had to be given up."""
        return None if self.account is None else self.account.found(self)

    def read_by_others(self, group: Group) -> npt.NDArray[np.bool_]:
        """By partition of a group, whether others read in it: only one that the user named can have them."""
        planned = next(consumer for consumer in self.load.plan.consumers if consumer.name == group.name)
        final = self.load.final
        if planned.group_id is None or final is None:
            return np.zeros(len(group.partitions), dtype=np.bool_)
        return read_by_others([*self.load.sampler.samples, final, final], group)

    def producers(self) -> dict[str, ProducerGroup]:
        """The producer groups by name."""
        return producer_groups(self.load, self.scenario, self.load.timeline, ended=True)

    def consumers(self) -> dict[str, ConsumerGroup]:
        """The consumer groups by name."""
        groups = consumer_groups(self.load, self.scenario, self.load.timeline, ended=True)
        if self.account is None or self.found is None:
            return groups
        counts = dict(zip(self.account.groups, self.found.counts, strict=True))
        return {
            name: replace(
                group,
                unread_by_ledger=int(counts[name][_UNREAD].sum()),
                lost_by_ledger=int(counts[name][Fate.LOST]),
            )
            for name, group in groups.items()
        }


def producer_groups(
    load: Load, scenario: Scenario, timeline: Timeline, *, ended: bool
) -> dict[str, ProducerGroup]:
    """The producer groups of a load by name, with what they did by the end of a timeline."""
    return {
        plan.name: ProducerGroup(
            plan=plan,
            spec=scenario.producers[plan.name],
            workers=load.fleet.group(plan.name, produces=True),
            timeline=timeline,
            ended=ended,
        )
        for plan in load.plan.producers
    }


def consumer_groups(
    load: Load, scenario: Scenario, timeline: Timeline, *, ended: bool
) -> dict[str, ConsumerGroup]:
    """The consumer groups of a load by name, with what they did by the end of a timeline."""
    samples = tuple(load.sampler.samples)  # of one moment for all groups: they are taken meanwhile
    groups = [_consumer(load, scenario, timeline, group, samples) for group in load.sampler.groups]
    if ended:
        groups = [replace(group, acked=_acked(load, group.group)) for group in groups]
    return {group.group.name: group for group in groups}


def _acked(load: Load, group: Group) -> int:
    """Records of the measure phase, by intent, that were acked to those who send what a group reads."""
    senders = load.fleet.senders_to(group.producers)
    return total(senders, ACK_LANE, Counter.ACKED, Phase.MEASURE, by="by_intent")


def _consumer(
    load: Load, scenario: Scenario, timeline: Timeline, group: Group, samples: Sequence[Sample]
) -> ConsumerGroup:
    senders = load.fleet.senders_to(group.producers)
    sent_ns = max((int(worker.slab.record["last_acked_ns"][0]) for worker in senders), default=0)
    workers = load.fleet.group(group.name, produces=False)
    return ConsumerGroup(
        group=group,
        workers=workers,
        timeline=timeline,
        samples=samples,
        final=load.final,
        drained_ns=_drained_ns(workers, load.drained_ns.get(group.name)),
        # Nobody drains while records are still to be sent, though the last of them came long before the end.
        sent_ns=max(sent_ns, timeline.measure_end_ns),
        stamped=any(scenario.producers[sender].stamped for sender in group.producers),
    )


def _drained_ns(workers: Sequence[WorkerProcess], seen_ns: int | None) -> int | None:
    """When a group that was seen to have read all had done so: when it got the last of it."""
    last_ns = max((int(worker.slab.record["last_consumed_ns"][0]) for worker in workers), default=0)
    return min(seen_ns, last_ns) if seen_ns is not None and last_ns else seen_ns

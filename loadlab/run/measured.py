"""A run's load after its end, with all that is needed to make a result of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.run.consumer_group import ConsumerGroup
from loadlab.run.producer_group import ProducerGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from loadlab.cluster import Cluster
    from loadlab.results.artifacts import Interval
    from loadlab.results.model_environment import HostEnvironment
    from loadlab.run.load import Load
    from loadlab.run.offsets import Partition
    from loadlab.scenario import Scenario


@dataclass(frozen=True)
class Measured:
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

    @property
    def cluster(self) -> Cluster:
        """The cluster that was used."""
        return self.load.cluster

    def producers(self) -> dict[str, ProducerGroup]:
        """The producer groups by name."""
        fleet, specs = self.load.fleet, self.scenario.producers
        return {
            plan.name: ProducerGroup(
                plan=plan,
                spec=specs[plan.name],
                workers=fleet.group(plan.name, produces=True),
                timeline=self.load.timeline,
                seed=self.scenario.seed,
            )
            for plan in self.load.plan.producers
        }

    def consumers(self) -> dict[str, ConsumerGroup]:
        """The consumer groups by name."""
        return {group.name: self._consumer(group.name) for group in self.load.sampler.groups}

    def _consumer(self, name: str) -> ConsumerGroup:
        load = self.load
        group = next(group for group in load.sampler.groups if group.name == name)
        specs = self.scenario.producers
        senders = [worker for worker in load.fleet.producers if worker.order.group in group.producers]
        sent_ns = max((int(worker.slab.record["last_acked_ns"][0]) for worker in senders), default=0)
        return ConsumerGroup(
            group=group,
            workers=load.fleet.group(name, produces=False),
            timeline=load.timeline,
            samples=load.sampler.samples,
            final=load.final,
            drained_ns=load.drained_ns.get(name),
            sent_ns=sent_ns or load.timeline.measure_end_ns,
            stamped=any(specs[sender].records.stamped for sender in group.producers),
        )

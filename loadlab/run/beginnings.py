"""Where logs and groups stand before the load: what a run adds and lags by is counted from there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.analysis import numbers
from loadlab.client.settings import LATEST
from loadlab.errors import ClusterError
from loadlab.run.orders import group_id
from loadlab.run.samples import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadlab.cluster import Cluster, OffsetSample
    from loadlab.run.events import Events
    from loadlab.run.plan import PlannedConsumer, RunPlan
    from loadlab.run.samples import Partition
    from loadlab.scenario import Scenario

_AGAIN_S: Final = 0.2
_FOR_GOOD: Final = frozenset({"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"})
_PATIENCE_S: Final = 30.0
"""A failover takes about nine seconds."""


def all_partitions(counts: Mapping[str, int]) -> list[Partition]:
    """All partitions of topics, by how many each has, in the order in which a ledger numbers them."""
    return [(name, number) for name, count in counts.items() for number in range(count)]


@dataclass(frozen=True)
class Beginnings:
    """Asks a cluster where what a run sends to and reads stands, before its load.

    Attributes:
        cluster: is asked.
        scenario: as resolved.
        plan: of the run.
        run_id: the run's.
        partitions: their number by topic.
        events: is told where that takes long.
    """

    cluster: Cluster
    scenario: Scenario
    plan: RunPlan
    run_id: str
    partitions: Mapping[str, int]
    events: Events

    def log_ends(self) -> OffsetSample:
        """The log ends of all partitions.

        Raises:
            ClusterError: a leader did not tell them.
        """
        return self._whole(self.cluster.end_offsets, all_partitions(self.partitions))

    def groups(self, ends: Mapping[Partition, int]) -> list[Group]:
        """The consumer groups, and where each begins: at what it committed, else by auto.offset.reset.

        Args:
            ends: the log ends.

        Raises:
            ClusterError: a leader did not tell where its log begins, or a coordinator what was committed.
        """
        return [self._group(planned, ends) for planned in self.plan.consumers]

    def _group(self, planned: PlannedConsumer, ends: Mapping[Partition, int]) -> Group:
        read = all_partitions({topic: self.partitions[topic] for topic in planned.topics})
        identity = group_id(self.run_id, planned)
        begins_late = planned.config.get("auto.offset.reset") in LATEST
        named = planned.group_id is not None
        first = {} if begins_late and not named else self._whole(self.cluster.start_offsets, read).offsets
        committed = self._committed(identity, read, first) if named else {}
        starts = {**(ends if begins_late else first), **committed}
        senders = tuple(
            producer.name for producer in self.plan.producers if set(producer.topics) & set(planned.topics)
        )
        sent = [self.scenario.producers[sender] for sender in senders]
        return Group(
            name=planned.name,
            group_id=identity,
            partitions=tuple(read),
            start=np.array([starts[partition] for partition in read], dtype=np.int64),
            producers=senders,
            existing=self.scenario.topics[self.scenario.consumers[planned.name].topic].existing,
            stamped=all(spec.stamped and not spec.records.tombstones for spec in sent),
            late=np.array([begins_late and partition not in committed for partition in read], dtype=bool),
        )

    def _committed(
        self, identity: str, read: Sequence[Partition], first: Mapping[Partition, int]
    ) -> dict[Partition, int]:
        """The commits at which a group can go on; one that is out of range is as good as none."""
        told = self.cluster.committed_offsets(identity, read)
        # Asked for after the commits: another member may have gone on meanwhile.
        last = self._whole(self.cluster.end_offsets, read).offsets
        return {
            partition: offset
            for partition, offset in told.items()
            if offset is not None and first[partition] <= offset <= last[partition]
        }

    def _whole(
        self, ask: Callable[[Sequence[Partition]], OffsetSample], partitions: Sequence[Partition]
    ) -> OffsetSample:
        """Offsets of all partitions; a leader that is silent, as one that starts again, is waited for."""
        until_s = time.monotonic() + _PATIENCE_S
        is_told = False
        while (told := ask(partitions)).failed:
            (topic, number), error = next(iter(told.failed.items()))
            where = f"where {topic} {number} begins and ends ({error or 'no answer'})"
            if time.monotonic() > until_s or error in _FOR_GOOD:
                others = numbers.counted(len(told.failed), "partition")
                raise ClusterError(
                    f"the brokers do not tell {where}; {others} of the run's without an answer",
                    fix="wait until each partition has a leader, and the client may describe the topic",
                )
            if not is_told:
                self.events.note("waiting", f"waiting until the brokers tell {where}")
            is_told = True
            time.sleep(_AGAIN_S)
        return told

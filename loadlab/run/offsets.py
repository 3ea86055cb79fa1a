"""Log ends, positions and committed offsets over time: lag as the brokers see it.

A thread of its own asks the brokers, because a request to a dead one takes its whole timeout, and the run
must go on meanwhile.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.errors import ClusterError
from loadlab.measurement.slab import ACK_LANE, CONSUME_LANE, NO_POSITION, Counter
from loadlab.run.beat import Beat
from loadlab.run.readings import total
from loadlab.run.samples import GroupSample, Sample, begins, positions
from loadlab.run.told import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy.typing as npt

    from loadlab.cluster import Cluster, OffsetSample
    from loadlab.run.fleet import Fleet, WorkerProcess
    from loadlab.run.samples import Group, Partition

_TIMEOUT_S: Final = 3.0
_HURRIED_TIMEOUT_S: Final = 1.0
_SILENT_COORDINATOR_S: Final = 30.0


@dataclass(frozen=True)
class _Held:
    """What the workers of a group tell beside the log ends, before its coordinator is asked.

    Attributes:
        group: whose.
        log_ends: by partition, the last that is known.
        all_told: whether all partitions have told theirs now.
        start: where the group begins by partition.
        lag: as of GroupSample.
        backlog: likewise.
    """

    group: Group
    log_ends: npt.NDArray[np.int64]
    all_told: bool
    start: npt.NDArray[np.int64]
    lag: npt.NDArray[np.int64]
    backlog: int


def _not_begun(workers: Sequence[WorkerProcess], group: Group) -> npt.NDArray[np.bool_]:
    """The partitions of which the group does not read yet what is there already."""
    none = np.zeros(len(group.partitions), dtype=bool) if group.late is None else group.late.copy()
    for worker in workers:
        none &= worker.slab.begins == NO_POSITION
    return none


def _unanswered(failed: Mapping[Partition, str]) -> str:
    (topic, number), error = next(iter(failed.items()))
    return f"no log end of {len(failed)} partitions, {topic} {number} among them: {error}"


def _acked(workers: Sequence[WorkerProcess]) -> int:
    return total(workers, ACK_LANE, Counter.ACKED, None, by="by_moment")


def _consumed(workers: Sequence[WorkerProcess], counter: Counter) -> int:
    return total(workers, CONSUME_LANE, counter, None, by="by_moment")


@dataclass(eq=False)
class OffsetSampler:
    """Asks for offsets once a second and at the ends of phases, until it is stopped.

    Attributes:
        cluster: is asked.
        fleet: whose positions are read.
        partitions: all partitions of the run's topics.
        groups: whose lag is followed.
        samples: in the order of time.
        failures: rounds that got no answer, with the error.
        before: log ends before the load; None where nobody has asked.
        written: the topics that the run sends to; None for all.
        read_again: tells of a group, by its name, how many records it has read that it had read before; None
            without a ledger.
        hurried: the run is being ended before its time: nobody is waited for longer than a moment, or twice.
    """

    cluster: Cluster
    fleet: Fleet
    partitions: Sequence[Partition]
    groups: Sequence[Group]
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    before: OffsetSample | None = None
    written: Collection[str] | None = None
    read_again: Callable[[str], int] | None = None
    hurried: bool = False
    _answered: bool = True
    _ask_coordinator_from_s: dict[str, float] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _before_it_came: dict[str, tuple[int, npt.NDArray[np.int64]]] = field(default_factory=dict)
    _acked_before: dict[str, int] = field(default_factory=dict)
    _last_ends: dict[Partition, int] = field(default_factory=dict)
    _taking: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Prepares the thread that asks."""
        self._beat = Beat("offsets", self.take, spread=True)
        self._places = {partition: place for place, partition in enumerate(self.partitions)}
        self._sent_to = [one for one in self.partitions if self.written is None or one[0] in self.written]

    def start(self, start_ns: int, marks_ns: Sequence[int]) -> None:
        """Begins at the common start.

        Args:
            start_ns: the common start.
            marks_ns: further moments at which a sample is wanted: the ends of phases.
        """
        self._beat.start(start_ns, marks_ns)

    def stop(self) -> None:
        """Ends the sampling; a request under way is waited for."""
        self._beat.stop()

    def cancel(self) -> None:
        """Ends the sampling after the request under way, which is not waited for."""
        self._beat.cancel()

    def release(self) -> None:
        """Ends what asked for the groups' commits, after the last sample: a cluster may see many runs."""
        for group in self.groups:
            self.cluster.forget_group(group.group_id)

    def kept_leader(self, sample: Sample, partition: Partition) -> bool:
        """Whether a partition has had one leader since before the load, so that it lacks nothing acked."""
        begun = -1 if self.before is None else self.before.epochs.get(partition, -1)
        return 0 <= begun == sample.epochs.get(partition)

    def kept_leaders(self, sample: Sample) -> bool:
        """Whether each partition that the run sends to has."""
        return all(self.kept_leader(sample, partition) for partition in self._sent_to)

    def own_ends(self, sample: Sample) -> dict[Partition, int]:
        """The log ends of the partitions that the run sends to: those of others may go on moving."""
        return {partition: sample.ends[partition] for partition in self._sent_to if partition in sample.ends}

    def holds_all_acked(self, sample: Sample) -> bool:
        """Whether the logs have grown by as many records as were acked."""
        if self.before is None:
            return True
        ends = self.own_ends(sample)
        grown = sum(end - self.before.offsets.get(partition, end) for partition, end in ends.items())
        return grown >= _acked(self.fleet.producers)

    @property
    def _timeout_s(self) -> float:
        return _HURRIED_TIMEOUT_S if self.hurried else _TIMEOUT_S

    def take_last(self) -> Sample | None:
        """Takes the last sample of a run; coordinators that were silent are asked once more."""
        if not self.hurried:
            self._ask_coordinator_from_s.clear()
        return self.take() if self._answered or not self.hurried else None

    def take(self) -> Sample | None:
        """Takes one sample; None (and a failure noted) where the cluster did not answer."""
        with self._taking:
            try:
                ends = self.cluster.end_offsets(self.partitions, timeout_s=self._timeout_s)
                self._answered = bool(ends.offsets)
                sample = self._sample(ends)
                if ends.failed:
                    self.failures.append(_unanswered(ends.failed))
            except Exception as error:  # noqa: BLE001 (a sample that fails must not end what is measured)
                self._answered = False
                self.failures.append(str(error) or repr(error))
                return None
            self.samples.append(sample)
            return sample

    def _sample(self, ends: OffsetSample) -> Sample:
        # Positions of all groups first: while one's coordinator is waited for, the others read on.
        held = [self._held(group, ends) for group in self.groups]
        # One wait for all, as several coordinators may be silent; those that were are asked last.
        until_s = time.monotonic() + self._timeout_s
        asked = sorted(held, key=lambda each: each.group.name in self._silent)
        groups = {each.group.name: self._group_sample(each, until_s) for each in asked}
        at_ns = (ends.before_ns + ends.after_ns) // 2
        return Sample(at_ns, Told(self._places, ends.offsets), groups, Told(self._places, ends.epochs))

    def _held(self, group: Group, ends: OffsetSample) -> _Held:
        workers = self.fleet.group(group.name, produces=False)
        # What is sent before a group that begins at the end has come is no lag of it.
        waiting = _not_begun(workers, group)
        at = positions(workers, group)
        self._last_ends |= ends.offsets
        log_ends = np.array([self._last_ends.get(partition, NO_POSITION) for partition in group.partitions])
        start = np.where(waiting, log_ends, begins(workers, group))
        return _Held(
            group=group,
            log_ends=log_ends,
            all_told=all(partition in ends.offsets for partition in group.partitions),
            start=start,
            lag=np.where(waiting, 0, np.maximum(log_ends - at, 0)),
            backlog=max(0, self._unread(group) - self._never_read(group, start, waiting, log_ends)),
        )

    def _never_read(
        self,
        group: Group,
        start: npt.NDArray[np.int64],
        waiting: npt.NDArray[np.bool_],
        log_ends: npt.NDArray[np.int64],
    ) -> int:
        """What was sent before a group that begins at the log's end came.

        Where others write too, offsets do not tell: then it is what was acked while it had not come at all,
        and of what was acked between that sample and this one as much as came into the logs before it.
        """
        if not group.existing:
            return int(np.maximum(start - group.start, 0).sum())
        acked = self._acked_by_senders(group)
        if waiting.all():
            self._before_it_came[group.name] = acked, log_ends
            return acked
        if group.name not in self._acked_before:
            before, ends = self._before_it_came.get(group.name, (0, start))
            grown, missed = (int(np.maximum(at - ends, 0).sum()) for at in (log_ends, start))
            self._acked_before[group.name] = before + (acked - before) * min(missed, grown) // max(grown, 1)
        return self._acked_before[group.name]

    def _acked_by_senders(self, group: Group) -> int:
        return sum(_acked(self.fleet.group(name, produces=True)) for name in group.producers)

    def _group_sample(self, held: _Held, until_s: float) -> GroupSample:
        told = self._committed(held.group, until_s) if held.all_told else None
        committed = None if told is None else np.where(told == NO_POSITION, held.start, told)
        return GroupSample(
            lag=held.lag,
            committed_lag=(
                None if committed is None else int(np.maximum(held.log_ends - committed, 0).sum())
            ),
            backlog=held.backlog,
            committed=committed,
            has_committed=told is not None and bool((told != NO_POSITION).any()),
        )

    def _committed(self, group: Group, until_s: float) -> npt.NDArray[np.int64] | None:
        """What the group committed, NO_POSITION where it has not; None where the coordinator does not answer.

        It is left alone for a while then.
        """
        left_s = until_s - time.monotonic()
        if left_s <= 0 or time.monotonic() < self._ask_coordinator_from_s.get(group.name, 0.0):
            return None
        try:
            offsets = self.cluster.committed_offsets(group.group_id, group.partitions, left_s)
        except ClusterError as error:
            self.failures.append(str(error))
            self._silent.add(group.name)
            self._ask_coordinator_from_s[group.name] = time.monotonic() + _SILENT_COORDINATOR_S
            return None
        self._silent.discard(group.name)
        known = (offsets.get(partition) for partition in group.partitions)
        return np.array([NO_POSITION if offset is None else offset for offset in known], dtype=np.int64)

    def _unread(self, group: Group) -> int:
        """Records acked less records consumed; the consumer may hold one before its ack is served.

        In a topic of the run's own, a record without this run's stamp is one that was sent without.
        """
        workers = self.fleet.group(group.name, produces=False)
        again = self.read_again(group.name) if self.read_again else 0
        consumed = _consumed(workers, Counter.CONSUMED) - again
        if group.existing:
            others = [Counter.FOREIGN, *([Counter.UNSTAMPED] if group.stamped else [])]
            consumed -= sum(_consumed(workers, other) for other in others)
        return self._acked_by_senders(group) - consumed

"""What is known of a run's logs and groups at one moment, and what follows from several of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import numpy as np

from loadlab.measurement.slab import NO_POSITION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.timeline import Timeline

Partition = tuple[str, int]

_NONE: Final = np.iinfo(np.int64).max
_MARGIN_NS: Final = 250_000_000


@dataclass(frozen=True)
class Group:
    """A consumer group whose lag is followed.

    Attributes:
        name: in the scenario.
        group_id: Kafka's.
        partitions: what it reads, in the order of its workers' positions.
        start: where it begins in each of them.
        producers: the groups that send what it reads.
        existing: whether its topics were there before, so that others may write to them.
        stamped: whether each record that the run sends it has a stamp.
        late: by partition, whether it begins where the log ends when it comes; None: nowhere.
    """

    name: str
    group_id: str
    partitions: tuple[Partition, ...]
    start: npt.NDArray[np.int64]
    producers: tuple[str, ...]
    existing: bool = False
    stamped: bool = False
    late: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class GroupSample:
    """One consumer group at one moment.

    Attributes:
        lag: log end - position by partition; positions were read after the log ends, so it is never too
            large by records that came meanwhile. A partition whose leader does not answer counts with the
            last log end that was known of it.
        committed_lag: log end - committed offset, all partitions; None where a log end is unknown.
        backlog: records acked and not yet consumed.
        committed: committed offset by partition, where it is known of all; its start where there is none.
        has_committed: whether the group has an offset of its own in any partition.
    """

    lag: npt.NDArray[np.int64]
    committed_lag: int | None
    backlog: int
    committed: npt.NDArray[np.int64] | None = None
    has_committed: bool = False

    @cached_property
    def total_lag(self) -> int:
        """Of all partitions; a long run asks each second for that of all samples."""
        return int(self.lag.sum())


@dataclass(frozen=True)
class Sample:
    """What one round of questions gave.

    Attributes:
        at_ns: CLOCK_MONOTONIC in the middle of the request for log ends.
        ends: log end by partition; those that answered.
        groups: by consumer name.
        epochs: of the leaders that answered, by partition.
    """

    at_ns: int
    ends: Mapping[Partition, int]
    groups: Mapping[str, GroupSample]
    epochs: Mapping[Partition, int] = field(default_factory=dict)


class _Taken(Protocol):
    @property
    def at_ns(self) -> int: ...


_Some = TypeVar("_Some", bound=_Taken)


def in_measure_phase(samples: Sequence[_Some], timeline: Timeline) -> list[_Some]:
    """The samples of the measure phase, the last being the one nearest to its end.

    That one was due at the end and is taken a little after it; but the drain phase asks soon, too.
    """
    end_ns = timeline.measure_end_ns
    if end_ns <= timeline.warmup_end_ns:
        return []
    begun = [sample for sample in samples if timeline.warmup_end_ns <= sample.at_ns <= end_ns + _MARGIN_NS]
    nearest = min(range(len(begun)), key=lambda place: abs(begun[place].at_ns - end_ns), default=-1)
    return begun[: nearest + 1]


def read_by_others(samples: Sequence[Sample], group: Group) -> npt.NDArray[np.bool_]:
    """By partition, whether somebody else read in the group: committed beyond where its workers are later."""
    found = np.zeros(len(group.partitions), dtype=np.bool_)
    for before, after in pairwise(samples):
        committed = before.groups[group.name].committed
        if committed is None:
            continue
        ends = np.array([after.ends.get(partition, _NONE) for partition in group.partitions])
        found |= committed > ends - after.groups[group.name].lag
    return found


def positions(workers: Sequence[WorkerProcess], group: Group) -> npt.NDArray[np.int64]:
    """The group's position by partition: the furthest of its workers, its start where none has read."""
    furthest = np.full(len(group.partitions), NO_POSITION, dtype=np.int64)
    for worker in workers:
        furthest = np.maximum(furthest, worker.slab.positions)
    return np.where(furthest == NO_POSITION, group.start, furthest)


def begins(workers: Sequence[WorkerProcess], group: Group) -> npt.NDArray[np.int64]:
    """The first offset that concerns the group by partition.

    Where a group begins at the log's end only its members' first record shows it, or their first end of the
    log; its start where there was neither yet. A member that handed the partition on before it had read a
    record left no commit: the next one begins at the log's end anew.
    """
    if group.late is None:
        return group.start
    came = np.full(len(group.partitions), NO_POSITION, dtype=np.int64)
    read = np.full(len(group.partitions), _NONE, dtype=np.int64)
    for worker in workers:
        began, at = worker.slab.begins, worker.slab.positions
        came = np.maximum(came, began)
        read = np.minimum(read, np.where((began == NO_POSITION) | (at <= began), _NONE, began))
    first = np.where(read == _NONE, came, read)
    return np.where(group.late & (first != NO_POSITION), first, group.start)


def passed_over(workers: Sequence[WorkerProcess], group: Group) -> npt.NDArray[np.bool_]:
    """By partition, whether members of a group that begins at the log's end handed it on with a gap.

    One that goes before its first commit leaves the next to begin at the log's end again.
    """
    found = np.zeros(len(group.partitions), dtype=np.bool_)
    if group.late is None:
        return found
    for place in np.flatnonzero(group.late):
        slabs = [each.slab for each in workers]
        spans = sorted((int(slab.begins[place]), int(slab.positions[place])) for slab in slabs)
        read = [(began, at) for began, at in spans if began != NO_POSITION and at > began]
        furthest = read[0][1] if read else 0
        for began, at in read[1:]:
            found[place] |= began > furthest
            furthest = max(furthest, at)
    return found

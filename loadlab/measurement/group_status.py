"""How a consumer group does, judged as Burrow does: OK, WARN, STALL or STOP by partition, without a limit.

Burrow (its wiki's "Consumer Lag Evaluation Rules") looks at the last ten commits of a partition and at the
lag that each had. Here the last ten samples of the committed offsets are looked at, one a second, as often as
groups of loadlab commit. A sample does not show a commit that repeats an offset (librdkafka sends none), so
STALL and STOP are told apart by whether the group commits anywhere.

The lag of a sample is what was in the log two seconds before and is not committed yet. A group that keeps up
has none then: its commits are a second old at most. Against the log end of the moment it always has some.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

WINDOW: Final = 10
GRACE_NS: Final = 2_000_000_000


class GroupStatus(enum.IntEnum):
    """What a partition's window shows; the worst partition is the group's.

    OK: the lag was zero at some sample, or it shrank from one commit to the next.
    WARN: the lag never shrinks from one commit to the next: the group falls behind.
    STALL: nothing was committed here, though there is lag; the group commits elsewhere.
    STOP: the group committed nowhere, though there is lag here.
    """

    OK = 0
    WARN = 1
    STALL = 2
    STOP = 3


NOT_JUDGED: Final = -1


def judge(
    at_ns: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], committed: npt.NDArray[np.int64]
) -> npt.NDArray[np.int8]:
    """Judges each partition at each sample.

    Args:
        at_ns: when the samples were taken, ascending, shape (n,).
        ends: log ends, shape (n, partitions).
        committed: committed offsets, likewise.

    Returns:
        GroupStatus by sample and partition, shape (n, partitions); NOT_JUDGED for samples that have fewer
        than ten before and with them, of which each has one from two seconds before.
    """
    before = np.searchsorted(at_ns, at_ns - GRACE_NS, side="right") - 1
    lag = np.maximum(ends[before] - committed, 0)
    first = int(np.searchsorted(before, 0))  # the first sample that has one from before
    found = np.full(ends.shape, NOT_JUDGED, dtype=np.int8)
    for last in range(first + WINDOW - 1, len(at_ns)):
        window = slice(last - WINDOW + 1, last + 1)
        found[last] = _judge_window(lag[window], committed[window])
    return found


def _judge_window(lag: npt.NDArray[np.int64], committed: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    commits = np.diff(committed, axis=0) != 0
    moved = commits.any(axis=0)
    behind = (lag > 0).all(axis=0)
    falls_behind = (commits.sum(axis=0) > 1) & ~_shrinks(lag[1:], commits)
    standing = GroupStatus.STALL if moved.any() else GroupStatus.STOP
    worse = np.where(moved, np.where(falls_behind, GroupStatus.WARN, GroupStatus.OK), standing)
    return np.where(behind, worse, GroupStatus.OK).astype(np.int8)


def _shrinks(lag: npt.NDArray[np.int64], commits: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether a partition's lag is smaller at a commit than at the one before.

    Between commits it grows by what comes in, and a group that reads partition by partition commits in turns.
    """
    shrank = np.zeros(lag.shape[1], dtype=np.bool_)
    before = np.full(lag.shape[1], -1, dtype=np.int64)
    for now, committed in zip(lag, commits, strict=True):
        shrank |= committed & (now < before)
        before = np.where(committed, now, before)
    return shrank

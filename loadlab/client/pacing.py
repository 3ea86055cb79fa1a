"""When each record is due, as the produce loop asks for it.

A schedule is a table of SEGMENTs over the time since the common start. Within a segment the rate changes
linearly, so that constant rates, steps, ramps and bursts are all of one form. With L(t) for the integral of
the rate from 0 to t, record n of a group (counted from 0) is due at the last t with L(t) <= n: while the rate
is zero nothing is due, and what has not been sent by then is due when it rises again. The group's
workers deal its records out in turn: worker w of W sends the records n with n mod W = w.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.compiled import Record, compiled, inlined

if TYPE_CHECKING:
    import numpy.typing as npt

SEGMENT: Final = np.dtype(
    [
        ("start_ns", "<i8"),  # since the common start
        ("first", "<f8"),  # L(start): how many records the segments before it hold
        ("rate_per_ns", "<f8"),  # at its start
        ("slope", "<f8"),  # change of the rate, per ns²
    ],
)

_NEVER_NS: Final = 4_000_000_000_000_000_000


@inlined
def _reached_ns(segment: Record, records: float) -> float:
    """How long after its start a segment has `records` records due; solves r·t + s·t²/2 = records."""
    rate, slope = segment.rate_per_ns, segment.slope
    if slope == 0.0:
        return records / rate if rate > 0.0 else math.inf
    if records <= 0.0:
        return 0.0
    root = rate * rate + 2.0 * slope * records
    # The form without cancellation: it also holds where the slope is tiny.
    return 2.0 * records / (rate + math.sqrt(root)) if root >= 0.0 else math.inf


@inlined
def _last_at(begins: npt.NDArray[np.generic], wanted: float) -> int:
    """The last segment that begins at a point or before it, by bisection.

    Args:
        begins: where each segment begins: a field of the table.
        wanted: the point, of the same kind.
    """
    low, high = 0, len(begins)
    while high - low > 1:
        middle = (low + high) // 2
        if begins[middle] <= wanted:
            low = middle
        else:
            high = middle
    return low


@inlined
def due_ns(schedule: npt.NDArray[np.void], record: int) -> int:
    """When record number `record` of the group is due, in nanoseconds since the common start."""
    place = _last_at(schedule["first"], record)
    segment = schedule[place]
    reached = _reached_ns(segment, record - segment.first)
    # Rounding may put a record's turn a hair behind the segment's end.
    if place + 1 < len(schedule) and segment.start_ns + reached > schedule[place + 1].start_ns:
        return schedule[place + 1].start_ns
    return segment.start_ns + math.ceil(reached) if reached < _NEVER_NS else _NEVER_NS


@compiled
def count_due(schedule: npt.NDArray[np.void], elapsed_ns: int) -> int:
    """How many records of the group are due by a time since the common start (that moment included)."""
    if elapsed_ns < 0:
        return 0
    segment = schedule[_last_at(schedule["start_ns"], elapsed_ns)]
    inside = float(elapsed_ns - segment.start_ns)
    estimate = segment.first + segment.rate_per_ns * inside + 0.5 * segment.slope * inside * inside
    count = int(estimate) + 1
    # Rounding may put the estimate one record off; due_ns decides.
    while count > 0 and due_ns(schedule, count - 1) > elapsed_ns:
        count -= 1
    while due_ns(schedule, count) <= elapsed_ns:
        count += 1
    return count


@inlined
def share_of_worker(records: int, worker: int, workers: int) -> int:
    """How many of the group's first `records` records are this worker's."""
    return (records - worker + workers - 1) // workers

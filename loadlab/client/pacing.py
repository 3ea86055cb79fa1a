"""When a rate over time reaches a record, as the produce loop asks for it.

A rate is a table of SEGMENTs over the time since the common start. Within a segment the rate changes
linearly, so that constant rates, steps, ramps and bursts are all of one form. With L(t) for the integral of
the rate from 0 to t, what belongs at u is due at the last t with L(t) <= u: while the rate is zero nothing is
due, and what has not been sent by then is due when it rises again. With uniform arrivals, record n of a group
(counted from 0) belongs at n. The group's workers deal its records out in turn: worker w of W sends the
records n with n mod W = w.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.compiled import Record, inlined

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

NEVER_NS: Final = 4_000_000_000_000_000_000
"""When a record is due that is not: 126 years after the start."""


@inlined
def _inside_ns(segment: Record, records: float) -> float:
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
def last_at(begins: npt.NDArray[np.generic], wanted: float) -> int:
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
def reached_ns(segments: npt.NDArray[np.void], wanted: float) -> int:
    """When the rate's integral has reached `wanted` records, in nanoseconds since the common start."""
    place = last_at(segments["first"], wanted)
    segment = segments[place]
    reached = _inside_ns(segment, wanted - segment.first)
    # Rounding may put a record's turn a hair behind the segment's end.
    if place + 1 < len(segments) and segment.start_ns + reached > segments[place + 1].start_ns:
        return segments[place + 1].start_ns
    return segment.start_ns + math.ceil(reached) if reached < NEVER_NS else NEVER_NS


@inlined
def records_by(segments: npt.NDArray[np.void], elapsed_ns: int) -> float:
    """The rate's integral from the common start to a time, which must not be before it."""
    segment = segments[last_at(segments["start_ns"], elapsed_ns)]
    inside = float(elapsed_ns - segment.start_ns)
    return segment.first + segment.rate_per_ns * inside + 0.5 * segment.slope * inside * inside


@inlined
def share_of_worker(records: int, worker: int, workers: int) -> int:
    """How many of the group's first `records` records are this worker's."""
    return (records - worker + workers - 1) // workers

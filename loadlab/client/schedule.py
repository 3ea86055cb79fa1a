"""When each record of a group is due: rate and arrivals together, as loops and parent ask for it.

Record n is due when the rate's integral reaches n (uniform arrivals), when it reaches the place where a
Poisson process of unit rate has its arrival n (`loadlab.client.arrivals`), or when a trace says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client.arrivals import MOST_ARRIVALS, arrival, arrivals_by, new_arrivals
from loadlab.client.pacing import NEVER_NS, SEGMENT, last_at, reached_ns, records_by
from loadlab.client.trace import TRACE_ROW
from loadlab.compiled import Record, compiled, inlined
from loadlab.measurement.intrinsics import carray, pointer_to

if TYPE_CHECKING:
    import numpy.typing as npt

SCHEDULE: Final = np.dtype(
    [
        ("segments", "<u8"),  # address of SEGMENT records in the order of time
        ("segment_count", "<i8"),
        ("arrivals", "<u8"),  # address of an ARRIVALS record; 0: uniform arrivals
        ("rows", "<u8"),  # address of a trace's TRACE_ROW records; 0: there is no trace
        ("row_count", "<i8"),
    ],
)
"""A group's schedule, by addresses: whoever fills it in keeps the arrays alive."""


@inlined
def _segments_of(schedule: Record) -> npt.NDArray[np.void]:
    return carray(pointer_to(schedule.segments), schedule.segment_count, SEGMENT)


@inlined
def _rows_of(schedule: Record) -> npt.NDArray[np.void]:
    return carray(pointer_to(schedule.rows), schedule.row_count, TRACE_ROW)


@inlined
def place_of(schedule: Record, record: int) -> float:
    """What the rate's integral must reach until a record is due."""
    return arrival(schedule.arrivals, record) if schedule.arrivals else float(record)


@inlined
def due_ns(schedule: Record, record: int) -> int:
    """When record number `record` of the group is due, in nanoseconds since the common start."""
    if schedule.rows:
        return _rows_of(schedule)[record].due_ns if record < schedule.row_count else NEVER_NS
    if schedule.arrivals and record >= MOST_ARRIVALS:
        return NEVER_NS
    return reached_ns(_segments_of(schedule), place_of(schedule, record))


@inlined
def _estimate(schedule: Record, elapsed_ns: int) -> int:
    """How many records are due by a time, off by a few where rounding has it."""
    if schedule.rows:
        return last_at(_rows_of(schedule)["due_ns"], elapsed_ns) + 1
    reached = records_by(_segments_of(schedule), elapsed_ns)
    return arrivals_by(schedule.arrivals, reached) if schedule.arrivals else int(reached) + 1


@compiled
def count_due(address: int, elapsed_ns: int) -> int:
    """How many records of the group are due by a time since the common start (that moment included).

    Args:
        address: of a SCHEDULE record.
        elapsed_ns: the time.
    """
    if elapsed_ns < 0:
        return 0
    schedule = carray(pointer_to(address), 1, SCHEDULE)[0]
    count = _estimate(schedule, elapsed_ns)
    # due_ns decides.
    while count > 0 and due_ns(schedule, count - 1) > elapsed_ns:
        count -= 1
    while due_ns(schedule, count) <= elapsed_ns:
        count += 1
    return count


@compiled
def _due_at(address: int, record: int) -> int:
    return due_ns(carray(pointer_to(address), 1, SCHEDULE)[0], record)


@compiled
def _place_at(address: int, record: int) -> float:
    return place_of(carray(pointer_to(address), 1, SCHEDULE)[0], record)


@dataclass(frozen=True, eq=False)
class GroupSchedule:
    """A group's schedule with the memory behind it.

    Attributes:
        segments: its rate: SEGMENT records in the order of time; none for a trace.
        arrivals: an ARRIVALS record, shape (1,), for Poisson arrivals.
        rows: a trace's TRACE_ROW records.
        record: the SCHEDULE record, shape (1,).
    """

    segments: npt.NDArray[np.void]
    arrivals: npt.NDArray[np.void] | None
    rows: npt.NDArray[np.void] | None
    record: npt.NDArray[np.void]

    @property
    def address(self) -> int:
        """Where the SCHEDULE record lies."""
        return int(self.record.ctypes.data)

    def segment_rows(self) -> tuple[tuple[int, float, float, float], ...]:
        """The segments as settings carry them."""
        return tuple(tuple(row.item()) for row in self.segments)

    def due_ns(self, record: int) -> int:
        """When a record of the group is due, in nanoseconds since the common start."""
        return _due_at(self.address, record)

    def count_due(self, elapsed_ns: int) -> int:
        """How many records of the group are due by a time since the common start (that moment included)."""
        return count_due(self.address, elapsed_ns)

    def limited(self, limit: int) -> GroupSchedule:
        """The same schedule, which ends when `limit` records are due."""
        if self.rows is not None:
            return trace_schedule(self.rows[:limit])
        # The rest of it gets rate zero.
        end_ns = self.due_ns(limit - 1) + 1
        between = (_place_at(self.address, limit - 1) + _place_at(self.address, limit)) / 2.0
        kept = self.segments[self.segments["start_ns"] < end_ns]
        end = np.array([(end_ns, between, 0.0, 0.0)], dtype=SEGMENT)
        return _schedule(np.concatenate([kept, end]), self.arrivals)


def make_schedule(segments: npt.NDArray[np.void], poisson_seed: int | None = None) -> GroupSchedule:
    """A schedule of a rate.

    Args:
        segments: SEGMENT records in the order of time.
        poisson_seed: of Poisson arrivals; None for uniform ones.
    """
    return _schedule(segments, None if poisson_seed is None else new_arrivals(poisson_seed))


def trace_schedule(rows: npt.NDArray[np.void]) -> GroupSchedule:
    """A trace's schedule; behind its last row nothing is due.

    Args:
        rows: TRACE_ROW records in the order of time.
    """
    return _schedule(np.zeros(0, dtype=SEGMENT), None, rows)


def _schedule(
    segments: npt.NDArray[np.void],
    arrivals: npt.NDArray[np.void] | None,
    rows: npt.NDArray[np.void] | None = None,
) -> GroupSchedule:
    record = np.zeros(1, dtype=SCHEDULE)
    record["segments"] = segments.ctypes.data
    record["segment_count"] = len(segments)
    record["arrivals"] = 0 if arrivals is None else arrivals.ctypes.data
    if rows is not None:
        record["rows"] = rows.ctypes.data
        record["row_count"] = len(rows)
    return GroupSchedule(segments, arrivals, rows, record)

"""From the scenario's schedule to the one that the produce loop reads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from loadlab.client.pacing import SEGMENT
from loadlab.client.schedule import GroupSchedule, make_schedule, trace_schedule
from loadlab.scenario import BurstsRate, RampRate, StepsRate, TraceRate
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from loadlab.scenario import Schedule


_ROUNDING: Final = 1e-6

Piece = tuple[float, float, float]
"""A stretch of a schedule: its length in seconds, its rate per second at the start and at the end."""


def group_schedule(schedule: Schedule, sending_s: float, seed: int) -> GroupSchedule:
    """The schedule of a group as the produce loop reads it.

    Args:
        schedule: the scenario's.
        sending_s: how long the group sends at most: warm-up and measure phase.
        seed: of the group's arrivals, from `group_seed`.

    Returns:
        After the last piece the rate stays what it was at its end; where `schedule.records` limits the group,
        or the rate ends at zero, nothing more is due. At the maximum rate no record is due at a time of its
        own, and the schedule holds one empty segment. A trace's records are due at its own times.
    """
    if isinstance(schedule.rate, TraceRate):
        made = trace_schedule(schedule.rate.trace.trace.rows)
    else:
        segments = table(list(_pieces(schedule.rate, sending_s)))
        made = make_schedule(segments, seed if schedule.arrivals == "poisson" else None)
    return made if schedule.records is None else made.limited(schedule.records)


def group_seed(seed: int, group: str) -> int:
    """The seed of a group's arrivals and records, 0 to 2^63 - 1.

    Groups of one scenario have seeds of their own: the sum of their arrivals would be no Poisson process if
    they all sent at the same moments, and equal keys at the same moments would meet in one partition.

    Args:
        seed: the scenario's.
        group: the group's name.
    """
    digest = hashlib.sha256(f"{seed} {group}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _pieces(
    rate: Literal["max"] | float | RampRate | StepsRate | BurstsRate, sending_s: float
) -> Iterator[Piece]:
    match rate:
        case "max":
            yield sending_s, 0.0, 0.0
        case RampRate(ramp=ramp):
            yield ramp.over_s, ramp.from_per_s, ramp.to_per_s
            yield sending_s, ramp.to_per_s, ramp.to_per_s
        case StepsRate(steps=steps):
            for step in steps:
                yield step.for_s, step.rate_per_s, step.rate_per_s
            yield sending_s, steps[-1].rate_per_s, steps[-1].rate_per_s
        case BurstsRate(bursts=bursts):
            for _ in range(int(sending_s / bursts.every_s) + 1):
                yield bursts.for_s, bursts.rate_per_s, bursts.rate_per_s
                yield bursts.every_s - bursts.for_s, 0.0, 0.0
        case constant:
            yield sending_s, constant, constant


def table(pieces: Sequence[Piece]) -> npt.NDArray[np.void]:
    """Lays pieces end to end.

    Args:
        pieces: in the order of time.

    Returns:
        SEGMENT records; behind the last piece its final rate goes on.
    """
    rows, start_s, first = [], 0.0, 0.0
    for length_s, rate, end_rate in pieces:
        slope = (end_rate - rate) / length_s if length_s > 0.0 else 0.0
        rows.append((round(start_s * NS_PER_S), first, rate / NS_PER_S, slope / NS_PER_S**2))
        start_s += length_s
        first = _snapped(first + length_s * (rate + end_rate) / 2.0)
    last = pieces[-1][2]
    rows.append((round(start_s * NS_PER_S), first, last / NS_PER_S, 0.0))
    return np.array(rows, dtype=SEGMENT)


def _snapped(records: float) -> float:
    """A sum of records, without the rounding that would put the last one of a piece into the next."""
    whole = round(records)
    return float(whole) if abs(records - whole) < _ROUNDING else records


def records_due(schedule: GroupSchedule, from_s: float, to_s: float) -> int:
    """How many records of a group are due from one time (included) to another (not included)."""
    start, end = round(from_s * NS_PER_S), round(to_s * NS_PER_S)
    return schedule.count_due(end - 1) - schedule.count_due(start - 1)

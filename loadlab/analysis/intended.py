"""What a schedule asked for over time, from the scenario as it is stored with a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from loadlab.scenario import BurstsRate, RampRate, Schedule, StepsRate, TraceRate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pydantic import JsonValue

    from loadlab.results.model import RunResult

_Shape = float | RampRate | StepsRate | BurstsRate


def intended_records(result: RunResult, edges_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """How many records the schedules of all producers together asked for between each two times.

    Args:
        result: of the run.
        edges_s: ascending times since the common start, shape (n + 1,).

    Returns:
        Records, shape (n,); None where a group sends at `rate: max`, which asks for nothing, or replays a
        trace, whose file a result does not hold.
    """
    start_s, end_s = 0.0, max((each.end_s for each in result.phases if each.name != "drain"), default=0.0)
    within = np.clip(edges_s, start_s, end_s)
    asked = np.zeros(len(edges_s) - 1)
    for name in result.producers:
        schedule = _schedule(result, name)
        if schedule is None or schedule.rate == "max" or isinstance(schedule.rate, TraceRate):
            return None
        due = np.array([_due_by(schedule.rate, at_s) for at_s in within])
        asked += np.diff(due if schedule.records is None else np.minimum(due, schedule.records))
    return asked


def _schedule(result: RunResult, name: str) -> Schedule | None:
    producers = result.scenario.get("producers")
    group = producers.get(name) if isinstance(producers, dict) else None
    schedule = group.get("schedule") if isinstance(group, dict) else None
    return (
        None if not isinstance(schedule, dict) or _is_trace(schedule) else Schedule.model_validate(schedule)
    )


def _is_trace(schedule: Mapping[str, JsonValue]) -> bool:
    rate = schedule.get("rate")
    return isinstance(rate, dict) and "trace" in rate


def _due_by(rate: _Shape | Literal["max"], at_s: float) -> float:
    """The integral of a rate from the common start to a time."""
    match rate:
        case RampRate(ramp=ramp):
            on_ramp_s = min(at_s, ramp.over_s)
            reached = ramp.from_per_s + (ramp.to_per_s - ramp.from_per_s) * on_ramp_s / ramp.over_s
            return on_ramp_s * (ramp.from_per_s + reached) / 2 + (at_s - on_ramp_s) * ramp.to_per_s
        case StepsRate(steps=steps):
            due, left_s = 0.0, at_s
            for step in steps:
                due += min(left_s, step.for_s) * step.rate_per_s
                left_s -= min(left_s, step.for_s)
            return due + left_s * steps[-1].rate_per_s
        case BurstsRate(bursts=bursts):
            whole, rest_s = divmod(at_s, bursts.every_s)
            return (whole * bursts.for_s + min(rest_s, bursts.for_s)) * bursts.rate_per_s
        case "max":
            return 0.0
    return at_s * rate

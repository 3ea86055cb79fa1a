"""What a run says of the assignment that it measured: objectives, constraints, and why it may not count."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from loadlab.analysis.thresholds import all_thresholds
from loadlab.measurement.generator import granted_share
from loadlab.results.model_study import ConstraintFigure, Measurement
from loadlab.tuning.objectives import value_of
from loadlab.tuning.study_model import CAPACITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.results.model import RunResult
    from loadlab.results.model import Threshold as Judged
    from loadlab.scenario import Scenario, Threshold

_JUST_BROKEN = sys.float_info.epsilon
_LEAST: Final[Mapping[str, float]] = {
    **{f"{name}.{of}": 0.5 for name in ("lag", "committed_lag", "backlog") for of in ("max", "mean")},
    "drain_s": 0.01,
}
"""What stands for a 0 that may well be, and for what is less: objectives are compared by their ratios."""

_THROUGHPUT: Final = (".throughput.records_per_s", ".throughput.bytes_per_s")
"""The ends of objectives that are of interest at a rate that is not reached, too."""


def read_run(
    result: RunResult,
    scenario: Scenario,
    objectives: Sequence[str],
    took_s: float,
    capacity_per_s: float | None = None,
) -> Measurement:
    """Reads a run.

    Args:
        result: what it measured.
        scenario: what was run; its thresholds are the study's constraints.
        objectives: their places in result.json, or CAPACITY.
        took_s: how long it took.
        capacity_per_s: what a capacity search found, of which this is the run that holds.
    """
    values = [capacity_per_s if field == CAPACITY else _value(result, field) for field in objectives]
    constraints = [
        constraint_figure(threshold, judged)
        for threshold, judged in zip(all_thresholds(scenario), result.thresholds, strict=True)
    ]
    ended_early = any(judged.ended_run_at_s is not None for judged in result.thresholds)
    # A run that was ended early may be too short for its numbers: that it broke a constraint stands.
    failure = _invalid(result) if ended_early else _failure(result, scenario, objectives, values)
    counts = failure is None and not ended_early
    return Measurement(
        run_id=result.run_id,
        status=result.verdict.status,
        values=tuple(value for value in values if value is not None) if counts else (),
        constraints=tuple(figure for figure in constraints if figure is not None),
        ended_early=ended_early,
        failure=failure,
        took_s=took_s,
    )


def _value(result: RunResult, field: str) -> float | None:
    """An objective as it is compared; None where the run could not tell it."""
    value = value_of(result, field)
    least = next((least for name, least in _LEAST.items() if field.endswith(f".{name}")), None)
    return value if value is None or least is None else max(value, least)


def _invalid(result: RunResult) -> str | None:
    """Why a run is invalid; None where it is not."""
    if result.verdict.status != "invalid":
        return None
    reasons = (reason for reason in result.verdict.reasons if reason.severity == "invalid")
    return "; ".join(f"{reason.code}: {reason.message}" for reason in reasons)


def _failure(
    result: RunResult, scenario: Scenario, objectives: Sequence[str], values: Sequence[float | None]
) -> str | None:
    """Why a run does not count; None where it does."""
    if (invalid := _invalid(result)) is not None:
        return invalid
    # What is given up at the end of an overload is no part of a throughput either.
    is_of_throughput = all(field.endswith(_THROUGHPUT) for field in objectives)
    if _is_slower(result, scenario) and not is_of_throughput:
        return "saturated: the cluster did not take the scenario's rate, so it was measured at a lower one"
    losses = ("records_lost",) if is_of_throughput else ("records_lost", "delivery_errors")
    if lost := [reason for reason in result.verdict.reasons if reason.code in losses]:
        return f"{lost[0].code}: {lost[0].message}"
    return _unreadable(result, objectives, values)


def _unreadable(result: RunResult, objectives: Sequence[str], values: Sequence[float | None]) -> str | None:
    """The constraint or the objective that a run can't tell; None where it tells all."""
    for judged in result.thresholds:
        if judged.not_measurable is not None:
            return f"{judged.expression} could not be measured: {judged.not_measurable}"
    for field, value in zip(objectives, values, strict=True):
        if value is None:
            return f"the run tells no {field}: too few records have it, or some never came through"
        if value <= 0:
            return f"{field} is {value:g}: nothing can be compared with that"
    return None


def _is_slower(result: RunResult, scenario: Scenario) -> bool:
    """Whether the cluster was the limit of a producer that has a rate to keep."""
    if not result.verdict.saturated:
        return False
    paced = {name for name, spec in scenario.producers.items() if spec.schedule.rate != "max"}
    if len(paced) == len(scenario.producers):
        return True
    least = 1.0 - granted_share(result.measured_s) if result.measured_s else 1.0
    return any((result.producers[name].achieved_ratio or 0.0) < least for name in paced)


def constraint_figure(threshold: Threshold, judged: Judged) -> ConstraintFigure | None:
    """By how much a run kept or broke a constraint; None where it could not be measured.

    The violation is the distance to the limit as a share of it, or in the metric's unit where the limit is 0.
    Samplers learn from its size; whether it holds is what the run's judgement says.
    """
    if judged.measured is None or judged.limit is None:
        return None
    apart = judged.measured - judged.limit
    violation = {"<": apart, "<=": apart, ">": -apart, ">=": -apart, "==": abs(apart)}[threshold.condition.op]
    violation /= abs(judged.limit) or 1.0
    return ConstraintFigure(
        expression=judged.expression,
        measured=judged.measured,
        limit=judged.limit,
        unit=judged.unit,
        violation=min(violation, 0.0) if judged.passed else max(violation, _JUST_BROKEN),
    )

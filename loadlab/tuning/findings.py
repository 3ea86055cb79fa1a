"""What the runs of a study say by now: pure functions of what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from loadlab.analysis.statistics import LEVEL
from loadlab.tuning.confirm import ConfirmRules, ConfirmRun
from loadlab.tuning.drift import PlacedValue, drift_of
from loadlab.tuning.noise import NoiseRules, deviation, noise_of
from loadlab.tuning.ranking import leaders, middle_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model_study import Purpose, StudyResult, StudyRun
    from loadlab.tuning.drift import Drift
    from loadlab.tuning.study_model import Study


def noise_rules(study: Study) -> NoiseRules:
    """How the study finds out its noise."""
    return NoiseRules(study.noise.runs, study.noise.max_cv)


def confirm_rules(study: Study, result: StudyResult | None) -> ConfirmRules:
    """How the study confirms a winner; the noise of a run is 0 until it is known."""
    settings = study.confirm
    known = [] if result is None else baseline_values(result)
    return ConfirmRules(
        blocks=settings.blocks,
        p_value=settings.p_value,
        effect_floor=settings.effect_floor,
        screen_blocks=settings.screen_blocks,
        candidates=settings.candidates,
        extend=settings.extend,
        noise=noise_of(known).cv if len(known) > 1 else 0.0,
    )


def baseline_runs(result: StudyResult) -> list[StudyRun]:
    """The default's runs before the first trial that count, of the present length."""
    return [run for run in result.settled("baseline") if _is_counted(result, run)]


def default_run(result: StudyResult) -> StudyRun | None:
    """The middle one of them, by which the default is known beside the trials; None where there is none."""
    runs = baseline_runs(result)
    return middle_run(runs) if runs else None


def _is_counted(result: StudyResult, run: StudyRun) -> bool:
    return run.measured.counts and run.measure_scale == result.measure_scale


def broken_by_default(result: StudyResult) -> tuple[str, ...]:
    """The constraints that most of those runs break."""
    figures = zip(*(run.measured.constraints for run in baseline_runs(result)), strict=True)
    return tuple(each[0].expression for each in figures if 2 * sum(not one.holds for one in each) > len(each))


def baseline_values(result: StudyResult) -> list[float]:
    """The first objective of the default's runs before the first trial, of the present length."""
    return [placed.value for placed in _placed(result, "baseline")]


def drift(result: StudyResult) -> Drift:
    """How the default moved from before the first trial to the last of its repetitions."""
    return drift_of(_placed(result, "baseline"), _placed(result, "default"))


def _placed(result: StudyResult, purpose: Purpose) -> list[PlacedValue]:
    """The first objective of the runs for a purpose that count, of the present length, with their places."""
    return [
        PlacedValue(place, run.measured.values[0])
        for place, run in enumerate(result.runs)
        if run.purpose == purpose and _is_counted(result, run)
    ]


def corrected_values(result: StudyResult, *purposes: Purpose) -> dict[int, list[float]]:
    """The first objective by trial, freed from drift, over its feasible runs for these purposes."""
    moved = drift(result)
    values: dict[int, list[float]] = {}
    for place, run in enumerate(result.runs):
        if run.purpose in purposes and run.measured.feasible:
            values.setdefault(run.trial, []).append(moved.corrected(run.measured.values[0], place))
    return values


@dataclass(frozen=True)
class Best:
    """The trial that did best until now, by its one run.

    Attributes:
        trial: its number.
        value: its first objective, freed from drift.
        low: the lower end of the 95 % interval that the noise of the default's runs leaves, and
        high: its upper one. They know nothing of its having been chosen: the best of many is flattered.
    """

    trial: int
    value: float
    low: float
    high: float


def best_so_far(result: StudyResult) -> Best | None:
    """The best trial until now; None where none met all constraints."""
    values = {trial: each[0] for trial, each in corrected_values(result, "trial").items()}
    logs = np.log(baseline_values(result))
    for trial in leaders(values, result.objectives[0].direction, 1):
        reach = float(np.exp(scipy.stats.t.ppf(0.5 + LEVEL / 2, len(logs) - 1) * deviation(logs)))
        return Best(trial, values[trial], values[trial] / reach, values[trial] * reach)
    return None


def confirm_runs(result: StudyResult, order: Sequence[int]) -> list[ConfirmRun]:
    """The confirmation's runs, in their order; a failed one of the default ended a session and is made again.

    Args:
        result: the study.
        order: the contenders, in the order in which they are tried.
    """
    default = result.default.number
    return [
        ConfirmRun(
            candidate=order.index(run.contender),
            side="default" if run.trial == default else "contender",
            value=run.measured.values[0] if run.measured.counts else None,
            holds=all(one.holds for one in run.measured.constraints),
        )
        for run in result.settled("confirm")
        if run.contender is not None and (run.trial != default or run.measured.counts)
    ]

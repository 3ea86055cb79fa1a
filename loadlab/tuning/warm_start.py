"""What an earlier study found, as trials for a new one."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.errors import UsageError

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyResult
    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.space import Assignment, SearchSpace
    from loadlab.tuning.study_model import Objective

_MOST: Final = 3


def warm_starts(
    earlier: StoredStudy, space: SearchSpace, objective: Objective
) -> list[tuple[str, Assignment]]:
    """The best trials of an earlier study, as near to them as the new search space allows.

    The one that was confirmed goes first; then those with the best mean of all their runs.

    Args:
        earlier: of a similar workload; it may have other knobs.
        space: of the new study.
        objective: its first one.

    Raises:
        UsageError: the earlier study says nothing of what this one looks for.
    """
    result = earlier.result
    _refuse_unlike(result, space, objective)
    maximized = result.objectives[0].direction == "maximize"
    best = sorted(_values(result).items(), key=lambda item: item[1], reverse=maximized)
    order = dict.fromkeys(
        [*([result.confirmed] if result.confirmed else []), *(number for number, _ in best)]
    )
    return [
        (result.study_id, space.fitted(result.trial(number).assignment)) for number in list(order)[:_MOST]
    ]


def _refuse_unlike(result: StudyResult, space: SearchSpace, objective: Objective) -> None:
    """Refuses a study by another objective, of other knobs, or without a good trial."""
    before = result.objectives[0]
    knobs = {knob.name for knob in space.knobs}
    if (before.field, before.direction) != (objective.field, objective.direction):
        why = f"its objective was to {before.direction} {before.field}"
    elif not any(knobs & set(trial.assignment) for trial in result.trials):
        why = "it has none of this study's knobs"
    elif result.confirmed is None and not _values(result):
        why = "none of its trials was good"
    else:
        return
    raise UsageError(
        f"{result.study_id} can't be begun from: {why}",
        fix="name a study of a similar workload, or leave --warm-start out",
    )


def _values(result: StudyResult) -> dict[int, float]:
    """The first objective of each trial but the default, over its runs; not of one that failed later."""
    lost = {run.trial for run in result.settled("candidate", "confirm") if not run.measured.feasible}
    values: dict[int, list[float]] = {}
    for run in result.settled("trial", "candidate"):
        if run.measured.feasible and run.trial not in lost:
            values.setdefault(run.trial, []).append(float(np.log(run.measured.values[0])))
    return {trial: fmean(each) for trial, each in values.items()}

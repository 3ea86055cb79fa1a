"""What an earlier study found, as trials for a new one."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyResult
    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.space import Assignment, SearchSpace

_MOST: Final = 3


def warm_starts(earlier: StoredStudy, space: SearchSpace) -> list[tuple[str, Assignment]]:
    """The best trials of an earlier study, as near to them as the new search space allows.

    The one that was confirmed goes first; then those with the best mean of all their runs.

    Args:
        earlier: of a similar workload; it may have other knobs.
        space: of the new study.
    """
    result = earlier.result
    maximized = result.objectives[0].direction == "maximize"
    best = sorted(_values(result).items(), key=lambda item: item[1], reverse=maximized)
    order = dict.fromkeys(
        [*([result.confirmed] if result.confirmed else []), *(number for number, _ in best)]
    )
    return [
        (result.study_id, space.fitted(result.trial(number).assignment)) for number in list(order)[:_MOST]
    ]


def _values(result: StudyResult) -> dict[int, float]:
    """The first objective of each trial but the default, over its feasible runs."""
    values: dict[int, list[float]] = {}
    for run in result.settled("trial", "candidate"):
        if run.measured.feasible:
            values.setdefault(run.trial, []).append(float(np.log(run.measured.values[0])))
    return {trial: fmean(each) for trial, each in values.items()}

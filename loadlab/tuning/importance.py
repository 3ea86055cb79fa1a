"""How much of a study's good results is due to each knob, and how sure that is."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState

from loadlab.analysis.statistics import LEVEL
from loadlab.results.model_study_answer import StudyImportance
from loadlab.tuning.proposals import REFUSED
from loadlab.tuning.ranking import holds_all
from loadlab.tuning.space import special_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from loadlab.tuning.space import SearchSpace

_FEWEST: Final = 12
"""Of fewer trials the best third is too few to tell where the good values lie."""

_GOOD: Final = 1 / 3
_RESAMPLES: Final = 200
_SEED: Final = 1


def importances(study: optuna.Study, space: SearchSpace) -> tuple[StudyImportance, ...]:
    """The share that each knob has in reaching the best third of the trials; none of too few trials.

    Those that were ended early count among the worst. Where fewer than a third hold the constraints, the best
    third is not told from the others.

    By PED-ANOVA (S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces", IJCAI 2023), as Optuna has it; with several objectives of the first.
    The interval is the percentile bootstrap's over trials: what a few lucky ones seem to say has a wide one.

    Args:
        study: Optuna's.
        space: of the study; a knob's special values count as the knob's.
    """
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    trials = [trial for trial in ended if REFUSED not in trial.user_attrs]
    if len(trials) < _FEWEST or len(space.knobs) < 2:  # noqa: PLR2004 - one knob has all of it
        return ()
    if sum(map(holds_all, trials)) < _GOOD * len(trials):
        return ()
    rng = np.random.default_rng(_SEED)
    sign = 1.0 if study.directions[0] == optuna.study.StudyDirection.MINIMIZE else -1.0
    estimate = _shares(trials, space, sign)
    resampled = (
        _shares([trials[place] for place in rng.integers(0, len(trials), len(trials))], space, sign)
        for _ in range(_RESAMPLES)
    )
    # Where nearly all trials that were drawn are as bad as the worst, they tell nothing of any knob.
    drawn = [shares for shares in resampled if any(shares.values())]
    if not drawn:
        return ()
    edges = (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)
    low, high = np.quantile([[each[knob.name] for knob in space.knobs] for each in drawn], edges, axis=0)
    return tuple(
        StudyImportance(
            knob=knob.name,
            share=estimate[knob.name],
            low=min(float(low[place]), estimate[knob.name]),
            high=max(float(high[place]), estimate[knob.name]),
        )
        for place, knob in enumerate(space.knobs)
    )


def _shares(trials: Sequence[FrozenTrial], space: SearchSpace, sign: float) -> dict[str, float]:
    """The share of each knob by these trials; they sum to 1, unless no knob has any.

    A trial that breaks a constraint is as bad as the worst: how it got there is nothing to learn from.
    """
    values = [sign * (trial.values or [0.0])[0] for trial in trials]
    worst = max(values)
    ranked = [value if holds_all(trial) else worst for trial, value in zip(trials, values, strict=True)]
    # PED-ANOVA is fewer lines in Optuna than in a copy, but asks for a study: one in memory does.
    study = optuna.create_study()
    study.add_trials(
        optuna.trial.create_trial(value=value, params=trial.params, distributions=trial.distributions)
        for trial, value in zip(trials, ranked, strict=True)
    )
    with warnings.catch_warnings():
        # Of trials that are all alike, which are told by no share.
        warnings.simplefilter("ignore", UserWarning)
        found = PedAnovaImportanceEvaluator(target_quantile=_GOOD).evaluate(study)
    raw = {
        knob.name: found.get(knob.name, 0.0) + found.get(special_name(knob.name), 0.0) for knob in space.knobs
    }
    total = sum(raw.values())
    return {name: value / total if total else 0.0 for name, value in raw.items()}

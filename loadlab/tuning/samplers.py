"""Who proposes the next trial: a model of loadlab's own, or one of Optuna's samplers."""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import GPSampler, RandomSampler, TPESampler
from optuna.trial import FixedTrial

from loadlab.errors import UsageError
from loadlab.tuning.additive import AdditiveSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from loadlab.tuning.space import SearchSpace
    from loadlab.tuning.study_model import Sampler

STARTUP_TRIALS: Final = 4
"""How many trials there must be before a model is trusted; what was planned counts among them."""

# TPE's own defaults are for hundreds of trials. A study here has tens, so its model stays near what was good.
# docs/tuning.md has what that was worth on a recorded surface.
_PRIOR_WEIGHT: Final = 0.1
_CANDIDATES: Final = 200


def sampler_of(kind: Sampler, seed: int, number: int, noise: float | None, space: SearchSpace) -> BaseSampler:
    """The sampler that proposes one trial.

    Each trial has a sampler of its own, seeded by its number: so what is proposed depends on the study's seed
    and the trials so far, and not on when the study was interrupted.

    Args:
        kind: which.
        seed: the study's.
        number: of the trial that is to be proposed.
        noise: of the first objective, the standard deviation of a run's logarithm; None: not known.
        space: what may be proposed.

    Raises:
        UsageError: it needs what is not installed.
    """
    drawn = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint32)[0])
    if kind == "random":
        return RandomSampler(seed=drawn)
    if kind == "additive":
        return AdditiveSampler(
            drawn, STARTUP_TRIALS, noise, lambda params: space.suggest(FixedTrial(dict(params)))
        )
    if kind == "gp":
        require_available(kind)
    with warnings.catch_warnings():
        # Of GPSampler as a whole, and of TPE's prior_weight, which Optuna 6 will not have any more.
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)
        if kind == "gp":
            return GPSampler(seed=drawn, n_startup_trials=STARTUP_TRIALS)
        return TPESampler(
            seed=drawn,
            n_startup_trials=STARTUP_TRIALS,
            multivariate=True,
            prior_weight=_PRIOR_WEIGHT,
            n_ei_candidates=_CANDIDATES,
        )


def require_available(kind: Sampler) -> None:
    """Refuses a sampler that can't work here, before any time is spent.

    Raises:
        UsageError: it needs what is not installed.
    """
    if kind == "gp" and importlib.util.find_spec("torch") is None:
        raise UsageError("the sampler gp needs torch", fix='pip install "loadlab[gp]", or sampler: additive')

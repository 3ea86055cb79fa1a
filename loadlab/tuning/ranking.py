"""Which trials are measured again, in what order, and which of them then leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from loadlab.results.model_study import StudyRun

Direction = Literal["maximize", "minimize"]


def holds_all(trial: FrozenTrial) -> bool:
    """Whether one of Optuna's trials broke no constraint."""
    return all(broken_by <= 0.0 for broken_by in trial.constraints.values())


def log_gain(default: float, contender: float, direction: Direction) -> float:
    """By how much a contender is better: the logarithm of its ratio to the default, above 0 where better."""
    return float(np.log(contender / default)) * (1 if direction == "maximize" else -1)


def middle_run(runs: Sequence[StudyRun]) -> StudyRun:
    """The run whose first objective is nearest to the median of all: by it several runs are known as one."""
    median = float(np.median([run.measured.values[0] for run in runs]))
    return min(runs, key=lambda run: abs(run.measured.values[0] - median))


def leaders(values: Mapping[int, float], direction: Direction, count: int) -> tuple[int, ...]:
    """The best trials, best first.

    Args:
        values: the objective by trial, freed from drift; of trials that hold all constraints.
        direction: which way is better.
        count: how many are wanted.
    """
    ranked = sorted(values, key=lambda trial: (values[trial], trial), reverse=direction == "maximize")
    return tuple(ranked[:count])


def shuffled(trials: Sequence[int], seed: int) -> tuple[int, ...]:
    """The trials in random order: so that no drift speaks for the one that led."""
    return tuple(int(trial) for trial in np.random.default_rng(seed).permutation(trials))


def ranked_again(values: Mapping[int, Sequence[float]], direction: Direction) -> tuple[int, ...]:
    """Trials by the geometric mean of all their runs, best first.

    The first value of a trial is flattered, because it was chosen for it; but so is that of its rivals, and
    less variance is worth more than that.

    Args:
        values: of each trial, from its first run and from those that repeat it.
        direction: which way is better.
    """
    means = {trial: float(np.exp(np.mean(np.log(each)))) for trial, each in values.items()}
    return leaders(means, direction, len(means))

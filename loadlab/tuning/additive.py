"""A sampler for studies of tens of trials: it goes by what each knob does by itself first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import intersection_search_space
from optuna.study import StudyDirection
from optuna.trial import TrialState

from loadlab.tuning.ranking import holds_all
from loadlab.tuning.surrogate import predict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from loadlab.tuning.surrogate import Array

    Space = Mapping[str, BaseDistribution]
    Params = Mapping[str, Any]
    Numbers = IntDistribution | FloatDistribution

_DRAWN: Final = 1_000
"""Candidates from all of the space, and as many near the best trials."""

_BEST: Final = 3
"""So many trials have candidates near them."""

_MOST_CHANGED: Final = 3
"""In so many parameters at most a candidate differs from the trial that it is near to."""

_STEP: Final = 0.15
"""Standard deviation of a change of a number, in the width of its range."""

_FAR: Final = 0.3
"""How often a change does not stay near."""

_MARGIN: Final = 0.03
"""A gain of less is not worth looking for, in logarithms."""

_LIKELY: Final = 0.1
"""What is less likely to hold the constraints is not tried while there is anything else."""

_SPREAD: Final = 0.5
"""What a constraint's figures are made to spread by, in logarithms: between the effects of `predict`."""

_SUM: Final = 0.05
"""What counts, of several objectives, of those that are not a trial's worst: Knowles' figure."""

_MOST_TRIALS: Final = 500
"""So many are modelled, the last ones: time grows with their square."""

_LEAST: Final = 0.1
"""A figure of less than this share of its limit holds it as well as one of this."""


class AdditiveSampler(BaseSampler):
    """Proposes the candidate with the greatest expected improvement, by `surrogate.predict`.

    Objectives are modelled by their logarithms, so they have to be above 0; of several, each proposal weighs
    them anew (J. Knowles, "ParEGO", IEEE Transactions on Evolutionary Computation 10, 2006). By how much runs
    break a constraint is modelled too, and the improvement counts by the chance that all hold (M. Schonlau,
    W. J. Welch and D. R. Jones, "Global versus local search in constrained optimization of computer models",
    1998). Trials that are under way count as what is expected of them.

    Args:
        seed: of what is drawn.
        startup_trials: until there are so many finished ones, trials are drawn at random.
        noise: of the first objective, the standard deviation of a run's logarithm; None: not known.
        effect: what a trial's parameters come to, so that nothing is tried twice.
    """

    def __init__(
        self,
        seed: int,
        startup_trials: int,
        noise: float | None = None,
        effect: Callable[[Params], object] = dict,
    ) -> None:
        """Nothing is drawn yet."""
        self._effect = effect
        self._noise = noise
        self._rng = np.random.default_rng(seed)
        self._random = RandomSampler(seed=seed)
        self._startup_trials = startup_trials

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002 - as Optuna calls it
        """What all trials have, without what can't be varied."""
        trials = study.get_trials(deepcopy=False)
        space = intersection_search_space(trials, include_pruned=True)
        return {name: one for name, one in sorted(space.items()) if not one.single()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - as Optuna has it
        """What no model is for is drawn at random."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The best candidate; nothing where there is too little to go by."""
        states = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
        finished = _having(study, search_space, *states)[-_MOST_TRIALS:]
        complete = [one for one in finished if one.state == TrialState.COMPLETE]
        if len(finished) < self._startup_trials or not complete or not search_space:
            return {}
        running = [
            one for one in _having(study, search_space, TrialState.RUNNING) if one.number != trial.number
        ]
        scores = self._scores(study, complete)
        holds = np.asarray([holds_all(one) for one in complete])
        order = np.lexsort((-scores, ~holds))[:_BEST]
        drawn = self._candidates(search_space, [complete[place].params for place in order])
        tried = [{name: one.params[name] for name in search_space} for one in (*finished, *running)]
        candidates = [one for one in drawn if one not in tried] or drawn
        # Of several objectives, weighed anew each time, it would be another noise.
        model = _Model(search_space, candidates, self._noise if len(study.directions) == 1 else None)
        worth = np.ones(len(candidates))
        for told in _constraints(finished):
            worth *= model.chance(*told)
        if holds.any():
            # Where little is to be gained at all, most would be hoped for of what is known to break one.
            worth[worth < min(_LIKELY, float(worth.max()))] = 0.0
            worth *= model.improvement(complete, scores, holds, running)
        return self._untried(candidates, worth, [one.params for one in (*finished, *running)])

    def _untried(
        self, candidates: Sequence[dict[str, Any]], worth: Array, tried: Sequence[Params]
    ) -> dict[str, Any]:
        """The best candidate that comes to something new; the best of all where none does."""
        known = [self._effect(params) for params in tried]
        best = np.argsort(-worth, kind="stable")
        # What can't be varied is in all trials alike, and in no candidate.
        new = (place for place in best if self._effect({**tried[0], **candidates[place]}) not in known)
        return candidates[int(next(new, best[0]))]

    def _scores(self, study: Study, complete: Sequence[FrozenTrial]) -> Array:
        """One number for each trial, more is better: a logarithm, or of several objectives a weighed one."""
        signs = np.asarray([1 if one == StudyDirection.MAXIMIZE else -1 for one in study.directions])
        logs = signs * np.log([one.values for one in complete])
        if logs.shape[1] == 1:
            return logs[:, 0]
        spread = np.ptp(logs, axis=0)
        behind = (logs.max(axis=0) - logs) / np.where(spread > 0, spread, 1.0)
        weighed = behind * self._rng.dirichlet(np.ones(len(signs)))
        return np.asarray(-(weighed.max(axis=1) + _SUM * weighed.sum(axis=1)))

    def _candidates(self, space: Space, best: Sequence[Params]) -> list[dict[str, Any]]:
        anywhere = [{name: self._drawn(one) for name, one in space.items()} for _ in range(_DRAWN)]
        return anywhere + [self._changed(space, best[place % len(best)]) for place in range(_DRAWN)]

    def _changed(self, space: Space, params: Params) -> dict[str, Any]:
        """A trial's parameters with some of them changed."""
        changed = {name: params[name] for name in space}
        count = self._rng.integers(1, min(_MOST_CHANGED, len(space)) + 1)
        for name in self._rng.permutation(list(space))[:count]:
            near = None if self._rng.random() < _FAR else changed[name]
            changed[str(name)] = self._drawn(space[name], near)
        return changed

    def _drawn(self, one: BaseDistribution, near: Any = None) -> Any:  # noqa: ANN401 - any choice
        """A value; of a range one that is near to another where that is given."""
        if isinstance(one, CategoricalDistribution):
            return one.choices[self._rng.integers(len(one.choices))]
        share = self._rng.random() if near is None else _coordinate(one, near) + self._rng.normal(0.0, _STEP)
        return _number(one, min(max(float(share), 0.0), 1.0))


class _Model:
    """Predicts at the candidates."""

    def __init__(self, space: Space, candidates: Sequence[Params], noise: float | None) -> None:
        self._space = space
        self._noise = noise
        self._points = self._rows(candidates)
        self._categories = np.asarray([isinstance(one, CategoricalDistribution) for one in space.values()])

    def improvement(
        self,
        trials: Sequence[FrozenTrial],
        scores: Array,
        holds: NDArray[np.bool_],
        running: Sequence[FrozenTrial],
    ) -> Array:
        """The expected improvement on the best trial that holds all constraints, or is expected to be it."""
        known = self._rows([one.params for one in trials])
        if running:
            under_way = self._rows([one.params for one in running])
            expected = predict(known, scores, under_way, self._categories, self._noise).mean
            known, scores = np.vstack([known, under_way]), np.concatenate([scores, expected])
        found = predict(known, scores, np.vstack([self._points, known]), self._categories, self._noise)
        counts = np.concatenate([holds, np.ones(len(running), bool)])
        best = found.means[:, len(self._points) :][:, counts].max(axis=1)
        return found.improvement(best, _MARGIN)[: len(self._points)]

    def chance(self, trials: Sequence[FrozenTrial], shares: Array) -> Array:
        """How probable the candidates hold a constraint."""
        known = self._rows([one.params for one in trials])
        # Only the sign is asked for, so their spread is made one that `predict` thinks likely.
        scaled = shares * (_SPREAD / (float(shares.std()) or _SPREAD))
        return predict(known, scaled, self._points, self._categories).chance_below(0.0)

    def _rows(self, params: Sequence[Params]) -> Array:
        """Points as `predict` takes them."""
        return np.asarray(
            [[_coordinate(one, each[name]) for name, one in self._space.items()] for each in params]
        )


def _having(study: Study, space: Space, *states: TrialState) -> list[FrozenTrial]:
    """The trials in some states that have all parameters of a space."""
    trials = study.get_trials(deepcopy=False, states=states)
    return [one for one in trials if all(name in one.params for name in space)]


def _constraints(finished: Sequence[FrozenTrial]) -> list[tuple[list[FrozenTrial], Array]]:
    """For each constraint the trials that were told of it, and by what factor they break it, as a logarithm.

    Up to 0 it holds. A complete trial without a figure did not break it; one that was ended early may have.
    That a trial can be measured at all is one more constraint.
    """
    failed = np.asarray([1.0 if one.state == TrialState.FAIL else -1.0 for one in finished])
    found = [(list(finished), failed)] if failed.max() > 0 else []
    for name in sorted({name for one in finished for name in one.constraints}):
        told = [one for one in finished if name in one.constraints or one.state == TrialState.COMPLETE]
        broken_by = np.asarray([one.constraints.get(name, -1.0) for one in told])
        found.append((told, np.log(np.maximum(1.0 + broken_by, _LEAST))))
    return found


def _coordinate(one: BaseDistribution, value: Any) -> float:  # noqa: ANN401 - any choice
    """Where a value is: a number from 0 to 1 on its scale, a category by its place."""
    if isinstance(one, CategoricalDistribution):
        return float(one.choices.index(value))
    low, high, scaled = _scale(one)
    return (scaled(value) - low) / (high - low)


def _number(one: BaseDistribution, share: float) -> float | int:
    """The value that can be drawn and is nearest to a share of the range."""
    numbers = cast("Numbers", one)
    low, high, _ = _scale(one)
    value = low + share * (high - low)
    if numbers.log:
        value = math.exp(value)
    elif numbers.step is not None:
        value = numbers.low + round((value - numbers.low) / numbers.step) * numbers.step
    value = min(max(value, numbers.low), numbers.high)
    return round(value) if isinstance(one, IntDistribution) else value


def _scale(one: BaseDistribution) -> tuple[float, float, Callable[[float], float]]:
    """Both ends of a range on its scale, and what puts a value on it."""
    numbers = cast("Numbers", one)
    scaled = math.log if numbers.log else float
    return scaled(numbers.low), scaled(numbers.high), scaled

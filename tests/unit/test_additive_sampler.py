from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from loadlab.tuning.additive import AdditiveSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optuna.trial import Trial

SPACE = {
    "size": IntDistribution(16, 1024, log=True),
    "wait": FloatDistribution(0.0, 100.0, step=5.0),
    "codec": CategoricalDistribution(["none", "lz4", "zstd"]),
}
CODECS = {"none": 1.0, "lz4": 1.5, "zstd": 0.4}


def truth(params: dict[str, Any]) -> float:
    """Best at size 1024, wait 50 and lz4, where it is 6."""
    return float(
        math.log2(params["size"]) / 2.5 * (1 - ((params["wait"] - 50) / 100) ** 2) * CODECS[params["codec"]]
    )


def searched(
    trials: int,
    seed: int,
    measure: Callable[[Trial], float | Sequence[float] | None] = lambda trial: truth(trial.params),
    directions: Sequence[str] = ("maximize",),
    sampler: type[optuna.samplers.BaseSampler] = AdditiveSampler,
) -> optuna.Study:
    """A study whose trials have each a sampler of its own, as loadlab's have; None: ended early."""
    study = optuna.create_study(directions=list(directions))
    for number in range(trials):
        chosen = 1000 * seed + number
        study.sampler = sampler(chosen, 4) if sampler is AdditiveSampler else sampler(seed=chosen)  # type: ignore[call-arg]
        trial = study.ask(SPACE)
        value = measure(trial)
        study.tell(trial, value, state=TrialState.PRUNED if value is None else None)
    return study


def test_fifteen_trials_find_what_is_best_where_random_ones_do_not() -> None:
    found = [searched(15, seed).best_value for seed in range(10)]
    by_chance = [searched(15, seed, sampler=optuna.samplers.RandomSampler).best_value for seed in range(10)]
    assert np.median(found) > 0.95 * 6.0
    assert np.median(found) > np.median(by_chance)


def test_less_is_sought_where_less_is_better() -> None:
    study = searched(15, 1, lambda trial: 1 / truth(trial.params), ["minimize"])
    assert study.best_value < 1 / (0.9 * 6.0)


def test_only_what_can_be_drawn_is_proposed() -> None:
    for trial in searched(25, 3).trials:
        assert isinstance(trial.params["size"], int)
        assert 16 <= trial.params["size"] <= 1024
        assert trial.params["wait"] % 5.0 == 0.0
        assert trial.params["codec"] in CODECS


def test_the_same_trials_and_seed_propose_the_same() -> None:
    one, other = (searched(10, 4).trials for _ in range(2))
    assert [trial.params for trial in one] == [trial.params for trial in other]


def test_what_breaks_a_constraint_is_left_alone() -> None:
    """lz4, the best codec, breaks it at any wait above 20; every other such trial is ended early."""

    def measure(trial: Trial) -> float | None:
        share = (trial.params["wait"] + 1) / 20 * (1.0 if trial.params["codec"] == "lz4" else 0.2)
        trial.set_constraint("p99 < 50ms", share - 1)
        return None if share > 1 and trial.number % 2 else truth(trial.params)

    trials = searched(25, 5, measure).trials
    held = [trial.constraints["p99 < 50ms"] <= 0 for trial in trials]
    broken = [tuple(trial.params.values()) for trial, holds in zip(trials, held, strict=True) if not holds]
    assert len(set(broken)) == len(broken) > 0  # none is tried again
    best = max(truth(trial.params) for trial, holds in zip(trials, held, strict=True) if holds)
    assert best > 0.95 * truth({"size": 1024, "wait": 15, "codec": "lz4"})


def test_where_nothing_holds_it_looks_for_what_does() -> None:
    def measure(trial: Trial) -> float:
        trial.set_constraint("cpu < 1", math.log2(trial.params["size"] / 20))
        return truth(trial.params)

    trials = searched(20, 6, measure).trials
    assert any(trial.constraints["cpu < 1"] <= 0 for trial in trials[4:])


def test_trials_that_are_under_way_are_not_proposed_again() -> None:
    study = searched(10, 7)
    asked = []
    for number in range(4):
        study.sampler = AdditiveSampler(number, 4)
        asked.append(study.ask(SPACE).params)
    assert len({tuple(params.values()) for params in asked}) == 4


def test_several_objectives_spread_over_the_front() -> None:
    def measure(trial: Trial) -> tuple[float, float]:
        return truth(trial.params), trial.params["size"] + 1.0

    front = searched(25, 8, measure, ["maximize", "minimize"]).best_trials
    sizes = [trial.params["size"] for trial in front]
    assert len(front) >= 4
    assert min(sizes) < 64
    assert max(sizes) > 512


@pytest.mark.parametrize("trials", [1, 4])
def test_the_first_trials_are_drawn_at_random(trials: int) -> None:
    drawn = [tuple(trial.params.values()) for trial in searched(trials, 9).trials]
    assert len(set(drawn)) == trials


def test_trials_that_all_say_the_same_are_no_fault() -> None:
    assert len(searched(8, 10, lambda _: 5.0).trials) == 8


def test_what_can_not_be_measured_is_left_alone() -> None:
    """Whatever is best can't be: its runs fail."""
    study = optuna.create_study(direction="maximize")
    failed = 0
    for number in range(25):
        study.sampler = AdditiveSampler(number, 4)
        trial = study.ask(SPACE)
        fails = trial.params["codec"] == "lz4" and trial.params["size"] > 300
        study.tell(trial, None if fails else truth(trial.params), state=TrialState.FAIL if fails else None)
        failed += fails and number >= 15
    assert failed < 8
    assert study.best_value > 0.9 * truth({"size": 300, "wait": 50, "codec": "lz4"})


def test_nothing_is_tried_twice_while_there_is_anything_else() -> None:
    space = {"codec": SPACE["codec"], "partitions": IntDistribution(1, 4)}
    study = optuna.create_study(direction="maximize")
    for number in range(12):
        study.sampler = AdditiveSampler(number, 4)
        trial = study.ask(space)
        study.tell(trial, CODECS[trial.params["codec"]] + trial.params["partitions"])
    drawn = [tuple(trial.params.values()) for trial in study.trials[4:]]
    assert len(set(drawn)) == len(drawn)
    study.sampler = AdditiveSampler(99, 4)
    for _ in range(8):
        study.tell(study.ask(space), 1.0)
    assert len(study.trials) == 20

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from loadlab.analysis import statistics
from loadlab.analysis.statistics import BOOTSTRAP_FROM, effect, holm, median_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Few runs, several shapes of noise: what a distribution of run results may look like, on the log scale.
NOISE = {
    "normal": lambda rng, count: rng.normal(0.0, 0.1, count),
    "skewed": lambda rng, count: rng.exponential(0.2, count),
    "heavy tails": lambda rng, count: 0.1 * rng.standard_t(3, count),
    "outliers": lambda rng, count: (
        rng.normal(0.0, 0.05, count) + (rng.random(count) < 0.1) * rng.exponential(0.7, count)
    ),
}


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation makes thousands of intervals; the last digit of each does not matter there."""
    monkeypatch.setattr(statistics, "_RESAMPLES", 499)


def noisy(kind: str, seed: int) -> Callable[[int], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return lambda count: np.exp(NOISE[kind](rng, count))


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("runs", [2, 4, 8])
def test_an_interval_holds_a_ratio_of_one_where_nothing_differs(kind: str, runs: int) -> None:
    """95 % are promised: of 300 trials, fewer than 273 would hold in one of 500 such simulations."""
    draw = noisy(kind, seed=runs)
    held = 0
    for _ in range(300):
        interval = effect(draw(runs), draw(runs), paired=False, seed=1).interval
        assert interval is not None
        held += interval.low <= 1.0 <= interval.high
    assert held >= 300 * 0.91


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("runs", [3, 6, 12])
def test_a_family_of_numbers_claims_a_difference_of_nothing_in_five_of_a_hundred(
    kind: str, runs: int
) -> None:
    """Eight independent numbers, the hardest case; 200 trials of 5 % give 18 or fewer in 99 of 100."""
    draw = noisy(kind, seed=100 + runs)
    claims = 0
    for _ in range(200):
        p_values = [effect(draw(runs), draw(runs), paired=False, seed=1).p_value for _ in range(8)]
        claims += any(p is not None and p <= 0.05 for p in holm(p_values))
    assert claims <= 11


@pytest.mark.parametrize("runs", [3, 8])
@pytest.mark.parametrize("paired", [False, True])
def test_a_clear_difference_is_found_with_its_size(runs: int, *, paired: bool) -> None:
    rng = np.random.default_rng(3)
    baseline = np.exp(rng.normal(0.0, 0.01, runs))
    found = effect(baseline, 1.5 * np.exp(rng.normal(0.0, 0.01, runs)), paired=paired, seed=1)

    assert found.ratio == pytest.approx(1.5, rel=0.03)
    assert found.interval is not None
    assert found.interval.low < 1.5 < found.interval.high
    assert found.interval.method == ("bootstrap" if runs >= BOOTSTRAP_FROM else "t of logarithms")
    assert found.excludes_one
    assert found.higher
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_few_runs_give_welch_s_interval() -> None:
    """SciPy's own test of logarithms has the same interval."""
    sides = [0.0, 0.1, 0.2], [0.3, 0.5]
    found = effect(*map(np.exp, sides), paired=False, seed=1)

    theirs = stats.ttest_ind(sides[1], sides[0], equal_var=False).confidence_interval()
    assert found.ratio == pytest.approx(math.exp(0.3))
    assert found.interval is not None
    assert math.log(found.interval.low) == pytest.approx(theirs.low)
    assert math.log(found.interval.high) == pytest.approx(theirs.high)


def test_pairs_see_through_noise_that_both_have() -> None:
    common = [1.0, 3.0, 2.0, 5.0]
    contender = [1.2 * value for value in (1.001, 3.0, 1.999, 5.002)]

    assert not effect(common, contender, paired=False, seed=1).excludes_one
    assert effect(common, contender, paired=True, seed=1).excludes_one


def test_one_run_a_side_makes_a_ratio_and_no_interval() -> None:
    found = effect([2.0], [3.0], paired=False, seed=1)

    assert found.ratio == pytest.approx(1.5)
    assert (found.interval, found.p_value) == (None, None)


@pytest.mark.parametrize("runs", [3, 20])
def test_what_is_nearer_than_a_histogram_s_bucket_is_no_difference(runs: int) -> None:
    found = effect([100.0] * runs, [100.9] * runs, paired=False, seed=1)

    assert found.p_value == 1.0
    assert not found.excludes_one


@pytest.mark.parametrize("runs", [3, 8])
def test_values_without_any_spread_differ_where_that_is_more_than_their_steps(runs: int) -> None:
    found = effect([100.0] * runs, [110.0] * runs, paired=False, seed=1)

    assert found.p_value is not None
    assert 0.0 < found.p_value < 0.001
    assert found.interval is not None
    assert 1.08 < found.interval.low < 1.1 < found.interval.high < 1.12


@pytest.mark.parametrize(
    ("baseline", "contender", "step"), [(1.0, 2.0, 1.0), (1_000.0, 1_015.7, 0.0)], ids=["lag", "bucket"]
)
@pytest.mark.parametrize("paired", [False, True])
def test_two_runs_that_agree_by_steps_are_not_certain(
    baseline: float, contender: float, step: float, *, paired: bool
) -> None:
    found = effect([baseline] * 2, [contender] * 2, paired=paired, seed=1, step=step)

    assert found.p_value is not None
    assert found.p_value > 0.05
    assert found.interval is not None
    assert found.interval.low < 1.0
    assert not found.excludes_one


@pytest.mark.parametrize("runs", [2, 8])
def test_the_median_of_values_without_spread_is_known_to_their_steps(runs: int) -> None:
    of_records, of_latencies = (median_interval([20.0] * runs, 1, step=step) for step in (1.0, 0.0))

    assert of_records is not None
    assert (of_records.low < 19.6, of_records.high > 20.4) == (True, True)
    assert of_latencies is not None
    assert (of_latencies.low < 19.95, of_latencies.high > 20.05) == (True, True)


def test_a_zero_leaves_no_ratio_but_ranks_can_be_told_apart() -> None:
    found = effect([0, 0, 0, 1, 0, 2], [900, 1_100, 700, 3_000, 800, 950], paired=False, seed=1)

    assert (found.ratio, found.interval) == (None, None)
    assert (found.baseline, found.contender) == (0.0, 925.0)
    assert found.higher
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_three_runs_with_zeros_say_nothing() -> None:
    found = effect([0, 0, 0], [900, 1_100, 700], paired=False, seed=1)

    assert found.p_value is not None
    assert found.p_value > 0.05


def test_no_value_is_no_figure() -> None:
    found = effect([], [1.0], paired=False, seed=1)

    assert (found.baseline, found.contender, found.ratio, found.p_value) == (None, 1.0, None, None)


def test_pairs_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match="can't be paired"):
        effect([1.0], [1.0, 2.0], paired=True, seed=1)


def test_the_same_seed_draws_the_same() -> None:
    rng = np.random.default_rng(8)
    sides = np.exp(rng.normal(size=10)), np.exp(rng.normal(size=9))

    assert effect(*sides, paired=False, seed=4) == effect(*sides, paired=False, seed=4)
    assert median_interval(sides[0], 4) == median_interval(sides[0], 4)


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("runs", [2, 4, 8])
def test_a_median_s_interval_holds_the_true_median(runs: int) -> None:
    draw = noisy("normal", seed=200 + runs)
    held = 0
    for _ in range(300):
        interval = median_interval(draw(runs), 1)
        assert interval is not None
        held += interval.low <= 1.0 <= interval.high
    assert held >= 300 * 0.90


def test_one_value_and_few_with_a_zero_have_no_interval() -> None:
    assert median_interval([3.0], 1) is None
    assert median_interval([0.0, 3.0, 4.0], 1) is None


def test_many_values_with_zeros_have_an_interval() -> None:
    interval = median_interval([0.0] * 4 + [1.0, 2.0, 3.0, 4.0], 1)

    assert interval is not None
    assert interval.low == 0.0


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == [pytest.approx(0.03), pytest.approx(0.06), 0.06, None]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]

from __future__ import annotations

import numpy as np
import pytest

from loadlab.tuning.drift import PlacedValue, drift_of
from loadlab.tuning.noise import NoiseRules, judge_noise, noise_of
from loadlab.tuning.ranking import leaders, log_gain, ranked_again, shuffled

RULES = NoiseRules()
QUIET = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8, 100.0]
WILD = [100.0, 140.0, 80.0, 120.0, 90.0, 150.0, 70.0, 110.0]


def test_the_coefficient_of_variation_is_deviation_over_mean() -> None:
    noise = noise_of([90.0, 100.0, 110.0])
    assert noise.mean == pytest.approx(100.0)
    assert noise.cv == pytest.approx(0.1)


def test_its_interval_holds_the_true_one_in_95_of_100_cases() -> None:
    """Of 1,000 simulated eights at 10 %; 20 fewer or more than 950 come once in 300 times."""
    rng = np.random.default_rng(1)
    found = [noise_of(rng.normal(1.0, 0.1, 8)) for _ in range(1000)]
    assert 930 < sum(one.cv_low <= 0.1 <= one.cv_high for one in found) < 970


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 0.0], [1.0, -1.0, 2.0]])
def test_noise_of_too_few_or_of_no_positive_values_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="noise needs 2 values above 0"):
        noise_of(values)


def test_a_quiet_default_lets_the_study_go_on() -> None:
    verdict = judge_noise(QUIET, RULES, doubled=False)
    assert verdict.step == "go on"
    assert verdict.reason == "the default varies by 0.6% from run to run"


def test_a_noisy_default_is_measured_longer_once_and_then_stops_the_study() -> None:
    assert judge_noise(WILD, RULES, doubled=False).step == "measure longer"
    stopped = judge_noise(WILD, RULES, doubled=True)
    assert stopped.step == "stop"
    assert "more than 10%: the runs scatter without a trend" in stopped.reason


def test_forcing_goes_on_and_says_so() -> None:
    assert judge_noise(WILD, RULES, doubled=False, forced=True).step == "measure longer"
    verdict = judge_noise(WILD, RULES, doubled=True, forced=True)
    assert verdict.step == "go on"
    assert verdict.reason.endswith("going on because it was forced")


def test_a_trend_is_named_as_the_reason() -> None:
    rising = [100.0 * 1.1**run for run in range(8)]
    assert "it rises by 10.0%" in judge_noise(rising, RULES, doubled=True).reason


def test_a_single_odd_run_is_named_as_the_reason() -> None:
    odd = [*QUIET[:3], 50.0, *QUIET[3:7]]
    assert "run 4 alone is off, at 0.50 times the median" in judge_noise(odd, RULES, doubled=True).reason


def test_two_runs_are_judged_without_a_pattern() -> None:
    assert "scatter" in judge_noise([1.0, 2.0], RULES, doubled=True).reason


def default_runs(slope: float, cv: float, seed: int = 1) -> tuple[list[PlacedValue], list[PlacedValue]]:
    rng = np.random.default_rng(seed)
    places = [*range(8), 13, 19, 25]
    runs = [PlacedValue(at, 1000.0 * float(np.exp(slope * at + rng.normal(0, cv)))) for at in places]
    return runs[:8], runs[8:]


def test_a_drift_is_found_and_taken_out_of_trials() -> None:
    drift = drift_of(*default_runs(slope=-0.01, cv=0.005))
    assert drift.seen
    assert drift.log_per_run == pytest.approx(-0.01, abs=0.001)
    measured = 2000.0 * np.exp(-0.01 * (20 - 3.5))
    assert drift.corrected(measured, 20) == pytest.approx(2000.0, rel=0.02)
    assert "trials are corrected for it" in drift.sentence()
    assert "moved by -2" in drift.sentence()


def test_one_odd_run_of_the_default_does_not_bend_the_drift() -> None:
    before, between = default_runs(slope=0.0, cv=0.005)
    odd = [between[0], PlacedValue(19, 400.0), between[2]]
    assert abs(drift_of(before, odd).log_per_run) < 0.002


def test_without_a_drift_trials_stay_as_they_were_measured() -> None:
    """Of 400 studies without a drift, 5 % see one; more than 32 would once in 200 times."""
    seen = 0
    for seed in range(400):
        drift = drift_of(*default_runs(slope=0.0, cv=0.05, seed=seed))
        seen += drift.seen
        assert drift.seen or drift.corrected(1234.0, 20) == 1234.0
    assert seen <= 32


def test_a_drift_needs_the_default_to_be_run_again() -> None:
    before, _ = default_runs(slope=0.1, cv=0.0)
    drift = drift_of(before, [])
    assert drift.corrected(5.0, 9) == 5.0
    assert drift.sentence() == "no drift could be seen: the default was run too seldom"


def test_four_runs_of_the_default_show_no_drift_though_all_rise() -> None:
    """Without any drift they rise or fall one after the other in a twelfth of all studies."""
    rising = [PlacedValue(place, 100.0 + place) for place in range(5)]
    assert not drift_of(rising[:3], rising[3:4]).seen
    assert drift_of(rising[:3], rising[3:]).seen


def test_the_least_leads_where_less_is_better() -> None:
    values = {1: 5.0, 2: 3.0, 3: 4.0, 4: 9.0}
    assert leaders(values, "minimize", 3) == (2, 3, 1)
    assert leaders(values, "maximize", 2) == (4, 1)
    assert log_gain(100.0, 50.0, "minimize") == pytest.approx(np.log(2))
    assert log_gain(100.0, 50.0, "maximize") == pytest.approx(-np.log(2))


def test_repeated_trials_are_ranked_by_all_their_runs() -> None:
    assert ranked_again({1: [120.0, 80.0], 2: [110.0, 108.0]}, "maximize") == (2, 1)


def test_the_order_of_repetitions_depends_on_the_seed_alone() -> None:
    orders = {shuffled((4, 7, 9), seed) for seed in range(50)}
    assert len(orders) == 6
    assert shuffled((4, 7, 9), 3) == shuffled((4, 7, 9), 3)

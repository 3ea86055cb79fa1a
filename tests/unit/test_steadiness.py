"""Trends and steps are found in noise, and noise alone is called steady."""

from __future__ import annotations

import numpy as np
import pytest

from loadlab.measurement.steadiness import FEWEST_INTERVALS, find_drift

SERIES = 300


def noise(length: int, spread: float, seed: int = 7) -> np.ndarray:
    return 1_000.0 * np.exp(np.random.default_rng(seed).normal(0.0, spread, (SERIES, length)))


def found(series: np.ndarray, limit: float) -> float:
    """The share of the series in which a change beyond the limit was found."""
    drifts = [find_drift(one) for one in series]
    return sum(drift is not None and abs(drift.change) > limit for drift in drifts) / len(series)


@pytest.mark.parametrize("length", [10, 15, 30, 120])
def test_noise_alone_is_rarely_called_a_drift(length: int) -> None:
    assert found(noise(length, 0.1), 0.1) <= 0.05
    assert found(noise(length, 0.3), 0.5) <= 0.05


@pytest.mark.parametrize("length", [20, 60])
def test_a_trend_of_thirty_percent_is_found_in_noise(length: int) -> None:
    assert found(noise(length, 0.05) * np.linspace(1.0, 1.3, length), 0.1) >= 0.95


@pytest.mark.parametrize("length", [20, 60])
def test_a_step_of_thirty_percent_is_found_in_noise(length: int) -> None:
    assert found(noise(length, 0.05) * np.where(np.arange(length) < length // 2, 1.0, 1.3), 0.1) >= 0.9


def test_a_trend_is_told_with_its_size_and_direction() -> None:
    drift = find_drift(np.linspace(1_200.0, 800.0, 30))

    assert drift is not None
    assert drift.kind == "trend"
    assert drift.change == pytest.approx(-0.4)


def test_a_step_is_told_with_its_size() -> None:
    drift = find_drift(np.repeat([100.0, 100.0, 100.0, 100.0, 150.0], 4) + np.tile([0.0, 0.5], 10))

    assert drift is not None
    assert drift.kind == "step"
    assert drift.change == pytest.approx(0.5, abs=0.02)


def test_one_pause_is_no_drift() -> None:
    series = np.full(30, 100.0) + np.tile([0.0, 1.0, 2.0], 10)
    series[12:14] = 5_000.0

    drift = find_drift(series)

    assert drift is None or abs(drift.change) < 0.05


def test_too_few_intervals_tell_nothing() -> None:
    assert find_drift(np.linspace(1.0, 2.0, FEWEST_INTERVALS - 1)) is None


@pytest.mark.parametrize("level", [0.0, 5.0])
def test_a_series_that_never_changes_is_steady(level: float) -> None:
    assert find_drift(np.full(20, level)) is None


def test_an_hour_of_intervals_is_thinned_and_its_trend_still_found() -> None:
    drift = find_drift(np.linspace(1_000.0, 1_500.0, 3_600))

    assert drift is not None
    assert drift.change == pytest.approx(0.4, rel=0.05)


def test_a_stall_of_more_than_half_the_time_is_a_step() -> None:
    drift = find_drift(np.array([1_000.0, 1_000.0, 0, 0, 0, 0, 0, 0, 4_000.0, 4_000.0]))

    assert drift is not None
    assert (drift.kind, drift.change) == ("step", 4.0)


def test_nothing_at_all_is_steady() -> None:
    assert find_drift(np.zeros(30)) is None


@pytest.mark.parametrize("rate", [0.5, 1.5, 9.5])
@pytest.mark.parametrize("length", [10, 30, 31])
def test_a_rate_that_is_no_whole_number_is_steady(rate: float, length: int) -> None:
    counts = np.diff(np.floor(rate * np.arange(length + 1)))

    drift = find_drift(counts, resolution=1.0)

    assert drift is None


def test_a_cliff_of_whole_counts_is_found() -> None:
    drift = find_drift(np.repeat([100.0, 60.0], [20, 10]), resolution=1.0)

    assert drift is not None
    assert drift.change == pytest.approx(-0.4)

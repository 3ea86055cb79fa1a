"""Runs of one scenario, real and simulated, on two sides: what a comparison claims then, it makes up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loadlab.analysis import statistics
from loadlab.analysis.comparison import compare_values
from loadlab.analysis.headline import Headline, Unit
from loadlab.results.runset import read_set

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RECORDED = sorted((Path(__file__).parents[1] / "data").glob("repetitions-*.json"))
TRIALS = 60


def numbers(path: Path) -> dict[Headline, tuple[float | None, ...]]:
    return {
        Headline(place, figure.group, figure.label, figure.unit, "lower"): figure.values
        for place, figure in read_set(path).headline.items()
    }


def claims(
    values: dict[Headline, tuple[float | None, ...]], first: Sequence[int], second: Sequence[int]
) -> bool:
    sides = (
        {headline: [each[run] for run in side] for headline, each in values.items()}
        for side in (first, second)
    )
    return any(row.finding in {"higher", "lower"} for row in compare_values(*sides, paired=False))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
@pytest.mark.parametrize("runs", [3, 6])
def test_no_difference_is_claimed_in_95_percent_of_splits(
    path: Path, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of the headline numbers counts. Of 60 splits, 5 % are 3; more than 8 come once in 200 times."""
    monkeypatch.setattr(statistics, "_RESAMPLES", 499)
    values = numbers(path)
    rng = np.random.default_rng(runs)
    wrong = 0
    for _ in range(TRIALS):
        chosen = rng.permutation(len(next(iter(values.values()))))
        wrong += claims(values, chosen[:runs], chosen[runs : 2 * runs])
    assert wrong <= 8


def lag_of_one_or_two(rng: np.random.Generator, runs: int) -> list[float]:
    return [float(value) for value in rng.integers(1, 3, runs)]


def latency_in_buckets(rng: np.random.Generator, runs: int) -> list[float]:
    """Noise of half a bucket's width, so that most runs fall on one bucket or its neighbour."""
    return [float(np.exp(np.floor(value * 128) / 128)) for value in rng.normal(7.0, 0.004, runs)]


@pytest.mark.parametrize(
    ("unit", "draw"), [("records", lag_of_one_or_two), ("µs", latency_in_buckets)], ids=["lag", "latency"]
)
@pytest.mark.parametrize("runs", [2, 3, 5, 8])
@pytest.mark.parametrize("paired", [False, True])
def test_no_difference_is_claimed_of_numbers_that_fall_on_few_steps(
    unit: Unit,
    draw: Callable[[np.random.Generator, int], list[float]],
    runs: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    paired: bool,
) -> None:
    monkeypatch.setattr(statistics, "_RESAMPLES", 499)
    number = Headline("x", "group", "x", unit, "lower")
    rng = np.random.default_rng(runs)
    wrong = 0
    for _ in range(200):
        sides = {number: draw(rng, runs)}, {number: draw(rng, runs)}
        (row,) = compare_values(*sides, paired=paired)
        wrong += row.finding in {"higher", "lower"}
    assert wrong <= 10


@pytest.mark.parametrize(("name", "factor"), [("quickstart", 1.1), ("max", 2.0)])
def test_more_on_one_side_of_real_runs_is_found(name: str, factor: float) -> None:
    """The other half of the promise: what is there is seen. At the maximum rate, runs vary much more."""
    (path,) = (path for path in RECORDED if path.stem.endswith(name))
    values = numbers(path)
    (rate,) = (headline for headline in values if headline.label == "throughput")
    known = [value for value in values[rate] if value is not None]
    half = len(known) // 2
    baseline, contender = known[:half], [factor * value for value in known[half : 2 * half]]
    (row,) = compare_values({rate: baseline}, {rate: contender}, paired=False)
    assert row.finding == "higher"

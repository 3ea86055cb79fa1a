"""Intervals and ratios of numbers that vary from run to run. Pure functions, and deterministic.

A run is one observation: records within a run are not independent of each other, so nothing here ever counts
records. How far the intervals can be believed with few runs was simulated; docs/measurement.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Method = Literal["t of logarithms", "bootstrap"]

LEVEL: Final = 0.95
RESOLUTION: Final = 0.01
"""Ratios nearer to 1 than this are never called different.

Two percentiles from histograms may differ by a bucket, 0.8 %, though their samples do not.
"""
BUCKET: Final = 0.008
"""As a share, the step in which every number is taken to be known: the widest bucket of a histogram."""
BOOTSTRAP_FROM: Final = 8
"""Fewer runs than this on a side hold too little to draw from again: a bootstrap interval of five or six is
too narrow (docs/measurement.md). Student's t of the logarithms is honest there, and wide."""

_FEWEST: Final = 2
_RESAMPLES: Final = 9_999


@dataclass(frozen=True)
class Interval:
    """A 95 % interval.

    Attributes:
        low: its lower end, and
        high: its upper end, in the unit of what it is of.
        method: how it was made.
    """

    low: float
    high: float
    method: Method


@dataclass(frozen=True)
class Effect:
    """What a contender has of a baseline.

    Attributes:
        baseline: its figure: the median where the method is the bootstrap or a value is 0 or infinite, else
            the geometric mean; None without a value.
        contender: its figure, likewise.
        ratio: contender over baseline; None where a value is 0 or infinite.
        interval: of the ratio; None where a side has but one run, or there is no ratio.
        p_value: how probable a difference as clear as this is where the true ratio is within RESOLUTION of 1;
            None where nothing can be said.
        higher: whether the contender has more; None where neither has, or nothing is known.
    """

    baseline: float | None
    contender: float | None
    ratio: float | None
    interval: Interval | None
    p_value: float | None
    higher: bool | None

    @property
    def excludes_one(self) -> bool:
        """Whether the interval is clear of every ratio that is as good as 1."""
        margin = 1 + RESOLUTION
        return self.interval is not None and (self.interval.low > margin or self.interval.high < 1 / margin)


@dataclass(frozen=True)
class _Estimate:
    """A mean of logarithms, its standard error and its degrees of freedom."""

    mean: float
    error: float
    freedom: float

    def interval(self) -> Interval:
        reach = float(scipy.stats.t.ppf(0.5 + LEVEL / 2, self.freedom)) * self.error
        low, high = np.exp([self.mean - reach, self.mean + reach])
        return Interval(float(low), float(high), "t of logarithms")

    def p_value(self) -> float:
        beyond = abs(self.mean) - np.log1p(RESOLUTION)
        if beyond <= 0:
            return 1.0
        return min(1.0, 2 * float(scipy.stats.t.sf(beyond / self.error, self.freedom)))


def median_interval(values: Sequence[float], seed: int, *, step: float = 0.0) -> Interval | None:
    """A 95 % interval of the median that further runs would have.

    From BOOTSTRAP_FROM values on by the percentile bootstrap; with fewer by Student's t of the logarithms,
    which takes them for normal: the median is the geometric mean then. Values that agree are no more exact
    than their steps, see `effect`.

    Args:
        values: one for each run.
        seed: of what the bootstrap draws.
        step: in which they are known at best, in their unit: 1 for whole numbers.

    Returns:
        The interval; None for one value, or for few of which one is not above 0.
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) >= BOOTSTRAP_FROM:
        drawn = _medians((sample,), _median, seed)
        half = np.maximum(step / 2, drawn * BUCKET / 2)
        return _percentiles(np.maximum(drawn + half * _within(1.0, len(drawn), seed), 0.0))
    if len(sample) < _FEWEST or sample.min() <= 0:
        return None
    logs = np.log(sample)
    return _one_sample(logs, _half_step(logs, step)).interval()


def effect(
    baseline: Sequence[float], contender: Sequence[float], *, paired: bool, seed: int, step: float = 0.0
) -> Effect:
    """How many times the baseline the contender has.

    From BOOTSTRAP_FROM runs a side on: the ratio of the medians and its percentile bootstrap (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13); each side is drawn from by itself, or
    pairs as such. With fewer: Welch's t ("The generalization of 'Student's' problem when several different
    population variances are involved", Biometrika 34, 1947) of the logarithms, for pairs Student's of their
    differences. Where a value is 0 or infinite, there is no ratio, and only a permutation test of the ranks
    is made.

    Runs that agree to the last digit are not without noise: it may be smaller than the step in which a number
    is known, or few runs may have fallen on one step by chance. So no side's deviation is taken for less than
    half a step, which is that of values that fall on two neighbouring steps with equal chance, and a drawn
    median lies anywhere within half a step.

    Args:
        baseline: its values, one for each run.
        contender: its values; paired with the baseline's, in this order, where `paired`.
        paired: whether the k-th values belong together.
        seed: of what is drawn.
        step: in which values are known at best, in their unit: 1 for whole numbers; at least BUCKET of them.

    Raises:
        ValueError: paired values of which one side has more.
    """
    first, second = (np.asarray(side, dtype=np.float64) for side in (baseline, contender))
    if paired and len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values can't be paired")
    if not len(first) or not len(second) or not _has_ratio(first) or not _has_ratio(second):
        return _by_ranks(first, second, paired=paired, seed=seed)
    logs = np.log(first), np.log(second)
    halves = _half_step(logs[0], step), _half_step(logs[1], step)
    fewest = min(len(first), len(second))
    if fewest >= BOOTSTRAP_FROM:
        return _by_bootstrap(*logs, halves, paired=paired, seed=seed)
    shift = float(logs[1].mean() - logs[0].mean())
    centers = float(logs[0].mean()), float(logs[1].mean())
    if fewest < _FEWEST:
        return _effect(centers, shift, None, None)
    if paired:
        estimate = _one_sample(logs[1] - logs[0], float(np.hypot(*halves)))
    else:
        estimate = _welch(_one_sample(logs[0], halves[0]), _one_sample(logs[1], halves[1]))
    return _effect(centers, shift, estimate.interval(), estimate.p_value())


def _has_ratio(side: NDArray[np.float64]) -> bool:
    return bool(side.min() > 0 and np.isfinite(side.max()))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusts p-values for their number, so that 5 % of whole families claim anything where nothing differs.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979: it needs no independence, which headline numbers of the same runs don't have.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = highest
    return adjusted


def _effect(
    centers: tuple[float, float], shift: float, interval: Interval | None, p_value: float | None
) -> Effect:
    """Of logarithms: what the sides have, and by how much they differ."""
    first, second, ratio = (float(np.exp(value)) for value in (*centers, shift))
    return Effect(first, second, ratio, interval, p_value, None if shift == 0 else shift > 0)


def _half_step(logs: NDArray[np.float64], step: float) -> float:
    """Half of the step in which values are known, as a share of their median: nearly one of logarithms."""
    return max(step / float(np.exp(np.median(logs))), BUCKET) / 2


def _within(half: float, count: int, seed: int) -> NDArray[np.float64]:
    """As many numbers from -half to half, any as probable as another."""
    return np.random.default_rng((seed, count)).uniform(-half, half, count)


def _one_sample(values: NDArray[np.float64], half_step: float) -> _Estimate:
    """The mean of logarithms, whose standard deviation is not taken for less than half a step."""
    count = len(values)
    deviation = max(float(values.std(ddof=1)), half_step)
    return _Estimate(float(values.mean()), deviation / count**0.5, count - 1)


def _welch(one: _Estimate, other: _Estimate) -> _Estimate:
    variance = one.error**2 + other.error**2
    freedom = variance**2 / (one.error**4 / one.freedom + other.error**4 / other.freedom)
    return _Estimate(other.mean - one.mean, variance**0.5, freedom)


def _median(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return np.median(values, axis=axis)


def _shift(first: NDArray[np.float64], second: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return np.median(second, axis=axis) - np.median(first, axis=axis)


def _medians(
    samples: tuple[NDArray[np.float64], ...], statistic: Callable[..., NDArray[np.float64]], seed: int
) -> NDArray[np.float64]:
    """The statistic of samples that are drawn from the given ones again and again."""
    drawn = scipy.stats.bootstrap(
        samples,
        statistic,
        n_resamples=_RESAMPLES,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return np.asarray(drawn.bootstrap_distribution)


def _percentiles(drawn: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(float(low), float(high), "bootstrap")


def _by_bootstrap(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    halves: tuple[float, float],
    *,
    paired: bool,
    seed: int,
) -> Effect:
    centers = float(np.median(first)), float(np.median(second))
    if paired:
        shift = float(np.median(second - first))
        drawn = _medians((second - first,), _median, seed)
    else:
        shift = centers[1] - centers[0]
        drawn = _medians((first, second), _shift, seed)
    drawn = drawn + _within(halves[0], len(drawn), seed) + _within(halves[1], len(drawn), seed + 1)
    margin = np.log1p(RESOLUTION)
    contrary = np.count_nonzero(drawn <= margin if shift > 0 else drawn >= -margin)
    p_value = min(1.0, 2 * (contrary + 1) / (_RESAMPLES + 1))
    return _effect(centers, shift, _percentiles(np.exp(drawn)), float(p_value))


def _by_ranks(first: NDArray[np.float64], second: NDArray[np.float64], *, paired: bool, seed: int) -> Effect:
    """Without a ratio: are the ranks of one side higher than chance would have them?"""
    one, other = (float(np.median(side)) if len(side) else None for side in (first, second))
    if min(len(first), len(second)) < _FEWEST:
        return Effect(one, other, ratio=None, interval=None, p_value=None, higher=None)
    ranks = scipy.stats.rankdata(np.concatenate([first, second]))
    tested = scipy.stats.permutation_test(
        (ranks[: len(first)], ranks[len(first) :]),
        lambda low, high, axis: np.mean(high, axis=axis) - np.mean(low, axis=axis),
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=_RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    shift = float(tested.statistic)
    return Effect(
        one,
        other,
        ratio=None,
        interval=None,
        p_value=float(tested.pvalue),
        higher=None if shift == 0 else shift > 0,
    )

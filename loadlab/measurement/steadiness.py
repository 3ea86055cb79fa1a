"""Was a series steady? Its trend and its largest step, told apart from its noise.

Both are robust, because one garbage collection must not decide: the trend is the Theil-Sen slope (the median
of the slopes between all pairs, Sen 1968), trusted where the Mann-Kendall test finds it (Mann 1945, Kendall
1975); the step is the largest distance between the medians before and after a point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

FEWEST_INTERVALS: Final = 10
"""With fewer values neither a trend nor a step can be told from noise."""

TREND_P_VALUE: Final = 0.01
"""A trend counts where noise alone would show one as clear at most this often."""

STEP_SPREADS: Final = 5.0
"""A step counts where it is this many times the spread of the values on its two sides."""

_MOST_VALUES: Final = 500
_SHORTEST_SIDE: Final = 3
_SIDE_SHARE: Final = 0.2
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class Drift:
    """The largest change of a series that its noise does not explain.

    Attributes:
        kind: "trend" or "step".
        change: from the beginning to the end, or before and after the step, relative to the series' median,
            or to its mean where it is 0 most of the time.
    """

    kind: Literal["trend", "step"]
    change: float


def find_drift(series: npt.NDArray[np.float64], resolution: float = 0.0) -> Drift | None:
    """Looks for a change in a series of one value an interval.

    Args:
        series: shape (intervals,), in the order of time, not negative.
        resolution: in which values are known: 1 for counts, of which 1.5 an interval are 1 and 2 in turns.

    Returns:
        The larger of trend and step; None where there is neither, or the series is too short to tell.
    """
    if len(series) < FEWEST_INTERVALS:
        return None
    values = _thinned(series)
    level = float(np.median(values) or np.mean(values))
    if level <= 0.0:
        return None
    found = [Drift("trend", _trend(values) / level), Drift("step", _step(values, resolution) / level)]
    largest = max(found, key=lambda drift: abs(drift.change))
    return largest if largest.change else None


def _thinned(series: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """At most _MOST_VALUES values: neighbours' medians, because pairs grow with the square."""
    together = math.ceil(len(series) / _MOST_VALUES)
    whole = len(series) // together * together
    return np.asarray(np.median(series[:whole].reshape(-1, together), axis=1))


def _trend(values: npt.NDArray[np.float64]) -> float:
    """The change along the Theil-Sen line from first to last value; 0 where noise explains it."""
    first, second = np.triu_indices(len(values), k=1)
    differences = values[second] - values[first]
    if _mann_kendall_p(values, float(np.sign(differences).sum())) > TREND_P_VALUE:
        return 0.0
    return float(np.median(differences / (second - first))) * (len(values) - 1)


def _mann_kendall_p(values: npt.NDArray[np.float64], score: float) -> float:
    """How often noise gives a score at least as far from 0: two-sided, normal approximation, ties minded."""
    n = len(values)
    ties = np.unique(values, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18.0
    if variance <= 0.0:
        return 1.0
    return math.erfc(max(0.0, abs(score) - 1.0) / math.sqrt(2.0 * variance))


def _step(values: npt.NDArray[np.float64], resolution: float) -> float:
    """The largest difference of medians before and after a point; 0 where the spread explains it."""
    shortest = max(_SHORTEST_SIDE, math.ceil(len(values) * _SIDE_SHARE))
    points = range(shortest, len(values) - shortest + 1)
    steps = [float(np.median(values[point:]) - np.median(values[:point])) for point in points]
    place = int(np.argmax(np.abs(steps)))
    point, step = points[place], steps[place]
    sides = (values[:point], values[point:])
    residuals = np.concatenate([side - np.median(side) for side in sides])
    spread = max(_MAD_TO_SIGMA * float(np.median(np.abs(residuals))), resolution)
    return step if abs(step) > STEP_SPREADS * spread else 0.0

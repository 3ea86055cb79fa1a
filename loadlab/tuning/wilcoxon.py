"""Wilcoxon's signed-rank test, one-sided and exact also where values tie, and what it can see.

SciPy's is exact only without ties and zeros. This one counts the sums of ranks under all signs, which is
exact for any ranks (F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_EFFICIENCY: Final = 3 / math.pi
_MOST: Final = 1_000_000
_FARTHEST: Final = 10.0  # where two values would do; the distribution fails with more


def p_above_zero(values: Sequence[float]) -> float:
    """How probable ranks as high as these are where the values lie symmetrically about 0.

    A value of 0 keeps its rank and speaks for neither side.
    """
    sample = np.asarray(values, dtype=np.float64)
    doubled = np.rint(2 * scipy.stats.rankdata(np.abs(sample))).astype(int)  # ranks of ties end in .5
    doubled[sample == 0] = 0
    reached = int(doubled[sample > 0].sum())
    return float(_tails(doubled)[reached])


def attained(level: float, count: int) -> float:
    """The highest p-value not above a level that so many values can have; 0 where there is none."""
    tails = _tails(np.arange(1, count + 1))
    return float(max(tails[tails <= level], default=0.0))


def fewest(level: float) -> int:
    """How many values are needed for a p-value not above a level: all of them above 0."""
    return math.ceil(-math.log2(level))


def needed(spread: float, shift: float, level: float, power: float) -> int:
    """How many normal values a test needs to see a shift of their median, with a power.

    Student's test needs as many as its noncentral distribution says (J. Cohen, "Statistical Power Analysis
    for the Behavioral Sciences", 1988, chapter 2); Wilcoxon's needs π/3 times as many (J. L. Hodges and E. L.
    Lehmann, "The efficiency of some nonparametric competitors of the t-test", Annals of Mathematical
    Statistics 27, 1956).

    Args:
        spread: the values' standard deviation, above 0.
        shift: above 0, in the values' unit.
        level: the p-value at which the shift is seen.
        power: how probable that is to be.
    """
    away = min(shift / spread, _FARTHEST)
    normal = float(scipy.stats.norm.isf(level) + scipy.stats.norm.ppf(power)) / away
    count = min(max(2, math.floor(normal**2)), _MOST)
    while count < _MOST and not _power_of_t(count, away, level) >= power:
        count += 1
    return max(math.ceil(count / _EFFICIENCY), fewest(level))


def _power_of_t(count: int, away: float, level: float) -> float:
    limit = scipy.stats.t.isf(level, count - 1)
    return float(scipy.stats.nct.sf(limit, count - 1, away * math.sqrt(count)))


def _tails(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each sum from 0 on: how probable it is that random signs make the positive ranks reach it."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[: len(chances) - rank]
        chances = (chances + shifted) / 2
    return chances[::-1].cumsum()[::-1]

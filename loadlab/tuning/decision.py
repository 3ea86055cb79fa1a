"""What a confirmation says: the contender beats the default, or what it would take to see that it does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import scipy

from loadlab.analysis.statistics import LEVEL, Interval, Method
from loadlab.tuning.confirm import attempts
from loadlab.tuning.wilcoxon import needed, p_above_zero

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from loadlab.tuning.confirm import Attempt, ConfirmRules, ConfirmRun
    from loadlab.tuning.noise import Noise
    from loadlab.tuning.ranking import Direction

Finding = Literal["beats the default", "too small", "not seen"]

POWER: Final = 0.9
"""How probable a gain that could be seen is to be seen."""

_SEED: Final = 1  # of what the bootstrap draws: the same runs give the same interval
_RESAMPLES: Final = 9_999
_PAIRS_OF_BLOCK: Final = 2
_ENOUGH: Final = 5
_RESAMPLED: Final = 8
_VISIBLE: Final = 0.05
_FARTHEST: Final = math.log(1000.0)
"""Of blocks that are alike but for one, Student's ratio knows no end, and a ratio has to be a number."""


@dataclass(frozen=True)
class Decision:
    """What a confirmation says.

    Attributes:
        finding: "too small": the contender is better, but by less than the floor; "not seen": nothing is
            known to be better.
        candidate: the one that was measured to the end, None where none was.
        ratio: what it has of the default's objective: the geometric mean over its blocks. Below 1 is better
            where less is.
        interval: the ratio's, 95 %.
        p_value: of the one-sided test that it is better.
        level: at which p-value it counts as better.
        floor: the least gain that is claimed, as a share.
        noise: half the width of the 95 % interval that a ratio of 1 would have with the noise that was seen,
            as a share.
        more_pairs: how many more pairs of a default's and a contender's run would show a gain of `visible`; 0
            where those that were made would.
        visible: the gain, as a share, that `more_pairs` is about.
        attempts: what became of each candidate that was tried.
    """

    finding: Finding
    candidate: int | None
    ratio: float | None
    interval: Interval | None
    p_value: float | None
    level: float
    floor: float
    noise: float
    more_pairs: int
    visible: float
    attempts: tuple[Attempt, ...]


def decide(
    runs: Sequence[ConfirmRun],
    candidates: int,
    direction: Direction,
    rules: ConfirmRules,
    noise: Noise,
) -> Decision:
    """What a confirmation says that is done.

    A gain is claimed where the exact one-sided signed-rank test of the blocks' logarithms is at or below the
    candidate's level, and the estimate at or above the floor: the study's, or the coefficient of variation of
    a run where that is more; of fewer than eight blocks the interval must hold gains only, too. Gains are
    symmetric: for "minimize", a floor of 5 % is a ratio of 1/1.05.

    Args:
        runs: those of the confirmation, in their order.
        candidates: how many candidates there were.
        direction: which way is better.
        rules: how they were confirmed.
        noise: of the default before the first trial.

    Raises:
        ValueError: the confirmation is not done.
    """
    tried = attempts(runs, candidates, direction, rules)
    if tried and tried[-1].state == "under way":
        raise ValueError("the confirmation is not done")
    measured = tried[-1] if tried and tried[-1].state == "measured" else None
    level = measured.level if measured else rules.p_value
    spread = block_spread(tried, noise)
    visible = rules.floor or _VISIBLE
    blocks = len(measured.log_gains) if measured else 0
    wanted = needed(spread, math.log1p(visible), level, POWER) if spread else blocks
    common = (level, rules.floor, _half_width(spread, blocks or rules.blocks))
    more_pairs = _PAIRS_OF_BLOCK * max(0, wanted - blocks)
    if measured is None:
        return Decision("not seen", None, None, None, None, *common, more_pairs, visible, tried)
    gain = float(np.mean(measured.log_gains))
    p_value = p_above_zero(measured.log_gains)
    finding: Finding = "not seen"
    if p_value <= level and not _is_open(measured.log_gains):
        finding = "beats the default" if gain >= math.log1p(rules.floor) else "too small"
    ratio, interval = _ratio(measured.log_gains, direction)
    return Decision(
        finding, measured.candidate, ratio, interval, p_value, *common, more_pairs, visible, tried
    )


def _is_open(gains: Sequence[float]) -> bool:
    """Whether few blocks, at a level that a study may set so high, leave an interval that holds no gain."""
    return len(gains) < _RESAMPLED and studentized_interval(gains)[0] <= 0.0


def block_spread(tried: Sequence[Attempt], noise: Noise) -> float:
    """The standard deviation of a block's logarithm: of the blocks, and of the default where they are few.

    A block is the difference of two means of two runs each, so it varies as one run does; and the standard
    deviation of a logarithm is, as long as it is small, the coefficient of variation.
    """
    gains = [np.asarray(attempt.log_gains) for attempt in tried if attempt.log_gains]
    freedom = sum(len(each) - 1 for each in gains)
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in gains)
    if freedom < _ENOUGH:
        logs = np.log(noise.values)
        squares += float(((logs - logs.mean()) ** 2).sum())
        freedom += len(logs) - 1
    return math.sqrt(squares / freedom)


def studentized_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean, by the bootstrap of Student's ratio.

    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 12.5. With eight values the
    plain percentile bootstrap is much too narrow (docs/tuning.md); with fewer there are too few different
    resamples for either, and Student's ratio is taken to be what it is of a normal distribution.
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < _RESAMPLED:
        edge = _reach(len(sample)) * float(scipy.stats.sem(sample))
        return float(sample.mean()) - edge, float(sample.mean()) + edge
    rng = np.random.default_rng(_SEED)
    drawn = rng.choice(sample, (_RESAMPLES, len(sample)))
    spread = drawn.std(axis=1, ddof=1)
    known = spread > 0
    students = (drawn.mean(axis=1)[known] - sample.mean()) / spread[known]
    if not len(students):
        return float(sample.mean()), float(sample.mean())
    low, high = sample.mean() - sample.std(ddof=1) * _edges(students)
    return float(low), float(high)


def _edges(students: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper and the lower quantile: the upper one bounds the mean from below."""
    return np.quantile(students, [0.5 + LEVEL / 2, 0.5 - LEVEL / 2])


def _ratio(gains: Sequence[float], direction: Direction) -> tuple[float, Interval]:
    """The contender's objective over the default's, with its interval."""
    mean = float(np.mean(gains))
    low, high = np.clip(studentized_interval(gains), mean - _FARTHEST, mean + _FARTHEST)
    ends = (mean, float(low), float(high))
    ratio, one, other = (math.exp(end if direction == "maximize" else -end) for end in ends)
    method: Method = "t of logarithms" if len(gains) < _RESAMPLED else "bootstrap"
    return ratio, Interval(min(one, other), max(one, other), method)


def _half_width(spread: float, blocks: int) -> float:
    return math.expm1(min(_reach(blocks) * spread / math.sqrt(blocks), _FARTHEST)) if spread else 0.0


def _reach(values: int) -> float:
    """Student's t at the ends of an interval, in standard errors of the mean; infinite for one value."""
    return float(scipy.stats.t.ppf(0.5 + LEVEL / 2, values - 1)) if values > 1 else math.inf

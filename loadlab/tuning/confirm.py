"""Confirms a winner: it and the default take turns, until the order of their runs can't be the reason.

What comes next follows from the runs so far and nothing else, so a confirmation that was killed goes on. A
block is four runs: default, contender, contender, default. Whatever drifts in a line moves both sides of a
block alike, and each block gives one number: the logarithm of the ratio of the sides' geometric means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from loadlab.tuning.ranking import log_gain
from loadlab.tuning.wilcoxon import attained, fewest, p_above_zero

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.tuning.ranking import Direction

Side = Literal["default", "contender"]
State = Literal["under way", "does not lead", "fails", "breaks a constraint", "measured"]

BLOCK: Final[tuple[Side, ...]] = ("default", "contender", "contender", "default")


@dataclass(frozen=True)
class ConfirmRules:
    """How a winner is confirmed.

    Attributes:
        blocks: how many blocks the first candidate is measured in.
        p_value: the chance that a study may have of claiming a gain of nothing, all candidates together.
        effect_floor: the least gain, as a share, that is ever claimed; the noise of a run, if that is more.
        noise: of a run, the coefficient of variation.
        screen_blocks: after how many blocks a candidate has to lead in the median.
        candidates: how many are tried at most.
        extend: whether a candidate that is ahead by the floor is measured in as many blocks again where it
            is not so beyond chance, or where runs are noisy.
    """

    blocks: int = 8
    p_value: float = 0.01
    effect_floor: float = 0.05
    screen_blocks: int = 3
    candidates: int = 3
    extend: bool = True
    noise: float = 0.0

    @property
    def floor(self) -> float:
        """The least gain that is claimed, as a share."""
        return max(self.effect_floor, self.noise)

    @property
    def is_noisy(self) -> bool:
        """Whether a run varies by more than the least gain that the study would claim."""
        return self.noise > self.effect_floor


@dataclass(frozen=True)
class ConfirmRun:
    """One run of a confirmation.

    Attributes:
        candidate: which candidate's block it belongs to; 0 is the first that was tried.
        side: what was run.
        value: the objective's, above 0; None where the run failed: a contender that fails is out, and a block
            in which the default fails does not count.
        holds: whether it held all constraints.
    """

    candidate: int
    side: Side
    value: float | None
    holds: bool = True


@dataclass(frozen=True)
class Attempt:
    """What became of one candidate.

    Attributes:
        candidate: 0 for the first that was tried.
        state: "does not lead": after the screen.
        log_gains: one for each block that is whole: the logarithm of the ratio of the contender's geometric
            mean to the default's, its sign turned where less is better.
        blocks: in how many blocks it is measured, if it leads: twice the first number where it was extended.
        level: the p-value at which it beats the default.
    """

    candidate: int
    state: State
    log_gains: tuple[float, ...]
    blocks: int
    level: float


@dataclass(frozen=True)
class Share:
    """What one candidate has of a confirmation.

    Attributes:
        blocks: in how many it is measured.
        level: the p-value at which it then beats the default.
        last_level: that after as many blocks again; 0 where it gets no more.
    """

    blocks: int
    level: float
    last_level: float


def next_run(
    runs: Sequence[ConfirmRun], candidates: int, direction: Direction, rules: ConfirmRules
) -> tuple[int, Side] | None:
    """The candidate and the side to run next; None where the confirmation is done.

    Args:
        runs: those so far, in their order.
        candidates: how many candidates there are.
        direction: which way is better.
        rules: how they are confirmed.
    """
    tried = attempts(runs, candidates, direction, rules)
    if not tried or tried[-1].state != "under way":
        return None
    last = tried[-1].candidate
    return last, BLOCK[sum(run.candidate == last for run in runs) % len(BLOCK)]


def attempts(
    runs: Sequence[ConfirmRun], candidates: int, direction: Direction, rules: ConfirmRules
) -> tuple[Attempt, ...]:
    """What became of each candidate that was tried, the one under way included."""
    tried: list[Attempt] = []
    for candidate, share in enumerate(shares(rules)[:candidates]):
        own = [run for run in runs if run.candidate == candidate]
        gains = block_gains(own, direction)
        blocks, level = share.blocks, share.level
        if (last_level := _level_of_more(gains[:blocks], share, rules)) is not None:
            blocks, level = 2 * blocks, last_level
        state = _state(own, gains, blocks, rules)
        tried.append(Attempt(candidate, state, gains, blocks, level))
        if state in {"under way", "measured"}:
            break
    return tuple(tried)


def block_gains(runs: Sequence[ConfirmRun], direction: Direction) -> tuple[float, ...]:
    """The logarithm of the gain in each whole block of one candidate."""
    blocks = [runs[first : first + len(BLOCK)] for first in range(0, len(runs), len(BLOCK))]
    whole = [block for block in blocks if len(block) == len(BLOCK) and all(run.value for run in block)]
    return tuple(log_gain(*block_means(block), direction) for block in whole)


def block_means(block: Sequence[ConfirmRun]) -> tuple[float, float]:
    """The geometric means of the default's and of the contender's runs, none of which failed."""
    default, contender = (
        float(np.exp(np.mean([np.log(run.value) for run in block if run.side == side and run.value])))
        for side in ("default", "contender")
    )
    return default, contender


def _state(runs: Sequence[ConfirmRun], gains: Sequence[float], blocks: int, rules: ConfirmRules) -> State:
    contender = [run for run in runs if run.side == "contender"]
    if any(not run.value for run in contender):
        return "fails"
    if len(gains) < rules.screen_blocks:
        return "under way"
    # By whole blocks, so that their order decides nothing; half of the runs are too many, as a median shows.
    judged = contender[: len(runs) // len(BLOCK) * BLOCK.count("contender")]
    if sum(not run.holds for run in judged) * 2 >= len(judged):
        return "breaks a constraint"
    if float(np.median(gains[: rules.screen_blocks])) <= 0:
        return "does not lead"
    return "measured" if len(gains) >= blocks else "under way"


def _level_of_more(gains: Sequence[float], share: Share, rules: ConfirmRules) -> float | None:
    """The p-value at which as many blocks again are judged with these; None where these are enough.

    They are not where they leave open whether a candidate that is ahead by enough is so beyond chance. Nor
    where it is and runs are noisy: then they leave open by how much. It has to be so by all blocks together,
    at the level that these had to meet: that makes a false claim no more probable.
    """
    if not rules.extend or len(gains) < share.blocks or float(np.mean(gains)) < math.log1p(rules.floor):
        return None
    if p_above_zero(gains) > share.level:
        return share.last_level or None
    return share.level if rules.is_noisy else None


@cache
def shares(rules: ConfirmRules) -> tuple[Share, ...]:
    """In how many blocks each candidate is measured, and the p-value at which it beats the default.

    The chance of a false claim, `p_value`, is that of the whole study. The first candidate uses of it what
    its blocks can attain: 2/256 of 0.01, with 8. If no candidate differs from the default, the k-th is tried
    with a chance of 1/2 to the power of k - 1, because each before it had to miss the screen's median; so its
    level is what is left, divided by that chance (alpha spending: K. K. G. Lan and D. L. DeMets, "Discrete
    sequential boundaries for clinical trials", Biometrika 70, 1983; the screens are the looks). For a smaller
    level it is measured in as many blocks as leave room for one that speaks against it: 8, 10 and 13 with the
    defaults. A candidate that would need more than twice the first one's blocks is not tried. Half of what
    each leaves is for the blocks that extend it, which are a look of their own.

    Raises:
        ValueError: so few blocks can't have such a p-value.
    """
    if rules.blocks < fewest(rules.p_value):
        raise ValueError(
            f"{rules.blocks} blocks can't reach a p-value of {rules.p_value:g}; {fewest(rules.p_value)} can"
        )
    found: list[Share] = []
    left, tried = rules.p_value, 1.0
    for _ in range(rules.candidates):
        level = min(left / tried, rules.p_value)
        if level <= 0:
            break
        blocks = max(rules.blocks, fewest(level / 2)) if found else rules.blocks
        if blocks > 2 * rules.blocks:
            break
        left -= tried * attained(level, blocks)
        last_level = left / tried / 2 if rules.extend else 0.0
        last_attained = attained(last_level, 2 * blocks)
        found.append(Share(blocks, level, last_level if last_attained else 0.0))
        left -= tried * last_attained
        tried /= 2
    return tuple(found)


def runs_expected(rules: ConfirmRules) -> int:
    """How many runs a confirmation takes if all but the last just miss the screen, and that one is clear."""
    *others, last = shares(rules)
    return len(BLOCK) * (len(others) * rules.screen_blocks + blocks_expected(last, rules))


def blocks_expected(share: Share, rules: ConfirmRules) -> int:
    """In how many blocks a candidate is measured that beats the default clearly."""
    return share.blocks * (2 if rules.extend and rules.is_noisy else 1)

"""The search for the highest rate that holds: pure, so that the probes so far say what comes next.

The rate is first raised or lowered until one holds and a higher one does not; that bracket is then narrowed.
Where latency is known at both of its ends, the next rate is where it meets its limit: as a power of the rate,
which is too low a guess where latency rises late; or, after a guess that held, by its reciprocal, taken as
linear in the rate, which is too high a guess where it rises early and exact for an M/M/1 queue, whose
percentiles are proportional to 1 / (service rate - arrival rate) (Kleinrock, Queueing Systems I, 1975, 3.2).
Guesses are kept away from the ends of the bracket, and where two probes did not halve it, it is halved on the
logarithm of the rate (the safeguard of Brent's method).

A stall of the machine makes a rate fail that would hold; hardly anything makes one hold that would fail. So
the first rate that fails though it was reached is probed again at once, and each one above a rate that holds.
At last both ends are probed again; a rate is what most of its probes say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.tuning.capacity_levels import MAX_RATE, Probe, Verdict, bracket, levels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.tuning.capacity_levels import Bracket, Level

_OF_MAX: Final = 0.8
_RISE: Final = 2.0
_RISE_LEAST: Final = 1.2
_FALL_FIRST: Final = 2.0
_FALL_LATER: Final = 4.0
_BELOW_ACHIEVED: Final = 0.9
_CLOSEST: Final = 0.1


@dataclass(frozen=True)
class Limits:
    """Where and how finely to search.

    Attributes:
        start_per_s: the first rate; None: from what is reached at the maximum rate, or the highest.
        lowest_per_s: no lower rate is probed, and
        highest_per_s: no higher one.
        precision: the search is done where the bracket's ends differ by no more than this share.
        max_probes: how many probes it may take.
    """

    start_per_s: float | None
    lowest_per_s: float = 1.0
    highest_per_s: float = math.inf
    precision: float = 0.03
    max_probes: int = 10

    @property
    def may_flood(self) -> bool:
        """Whether as much may be sent as goes: not where a highest rate was given."""
        return self.highest_per_s == math.inf

    def within(self, rate_per_s: float) -> float:
        """The nearest rate that may be probed."""
        return max(min(rate_per_s, self.highest_per_s), self.lowest_per_s)


def next_rate(probes: Sequence[Probe], limits: Limits) -> float | None:
    """The rate to probe next, or None where the search is done. Depends on nothing but its arguments."""
    left = limits.max_probes - len(probes)
    if left <= 0:
        return None
    levels = levels_of(probes)
    if not levels:
        return _first(probes, limits)
    undecided = next((level for level in levels if level.is_open), None)
    if undecided is not None:
        return undecided.rate_per_s
    found = bracket(levels)
    doubted = _failed_by_chance(found, levels, _reached(probes))
    if doubted is not None and left > len(found.unsure):
        return doubted.rate_per_s
    further = None if _is_low_doubtful(found) else _further(found, levels, probes, limits)
    if further is not None and left > len(found.unsure):
        return further
    return found.unsure[0].rate_per_s if found.unsure else None


def _first(probes: Sequence[Probe], limits: Limits) -> float:
    """The first rate that is judged."""
    if limits.start_per_s is not None:
        return limits.within(limits.start_per_s)
    if not limits.may_flood:
        return limits.highest_per_s
    reached_per_s = _reached(probes)
    return MAX_RATE if reached_per_s is None else limits.within(rounded(reached_per_s * _OF_MAX))


def _reached(probes: Sequence[Probe]) -> float | None:
    """What was reached at the maximum rate; 0 where that probe said nothing, None before it."""
    return next((one.outcome.achieved_per_s or 0.0 for one in probes if one.rate_per_s == MAX_RATE), None)


def _failed_by_chance(found: Bracket, levels: Sequence[Level], reached_per_s: float | None) -> Level | None:
    """A rate that may have: probed once, it failed though it was reached and the maximum was above it.

    Where several fail and none holds, the edge is lower: then none of them is doubted.
    """
    high = found.high
    if high is None or len(high.outcomes) > 1 or high.verdict is not Verdict.FAILS:
        return None
    if found.low is None and len(levels) > 1:
        return None
    was_reached = high.achieved_per_s is None and high.rate_per_s < (reached_per_s or math.inf)
    return high if was_reached else None


def _is_low_doubtful(found: Bracket) -> bool:
    """Whether more was asked of a higher rate and no more was reached than the rate that seemed to hold."""
    if found.low is None or found.low.is_sure or found.high is None or found.high.achieved_per_s is None:
        return False
    return found.high.achieved_per_s <= found.low.rate_per_s


def _further(
    found: Bracket, levels: Sequence[Level], probes: Sequence[Probe], limits: Limits
) -> float | None:
    """A rate not yet probed that would tell more; None where the bracket is as it should be."""
    if found.low is not None and found.high is not None:
        if found.log_width <= math.log1p(limits.precision):
            return None
        return _narrowed(found.low, found.high, probes, limits.precision)
    if found.low is not None and found.low.rate_per_s < limits.highest_per_s:
        before = levels[-2] if len(levels) > 1 else None
        reached_per_s = _reached(probes)
        if reached_per_s is None and limits.may_flood:
            return MAX_RATE
        rate_per_s = limits.within(_raised(found.low, before, reached_per_s or 0.0, limits.precision))
        return rate_per_s if rate_per_s > found.low.rate_per_s else None
    if found.low is None and found.high is not None:
        rate_per_s = limits.within(_lowered(found.high, len(levels)))
        return rate_per_s if rate_per_s < found.high.rate_per_s else None
    return None


def _raised(low: Level, before: Level | None, reached_per_s: float, precision: float) -> float:
    """A higher rate, when all that were tried hold: by what the maximum reached, then in steps."""
    aside = math.sqrt(1.0 + precision)
    for share in (_OF_MAX, aside):
        if low.rate_per_s * aside < reached_per_s * share:
            return rounded(reached_per_s * share)
    if before is None:
        return rounded(low.rate_per_s * _RISE)
    edge = _meeting(before, low) * aside
    return rounded(min(max(edge, low.rate_per_s * _RISE_LEAST), low.rate_per_s * _RISE))


def _lowered(high: Level, tried: int) -> float:
    """A lower rate, when none that was tried holds."""
    if high.achieved_per_s:
        return rounded(high.achieved_per_s * _BELOW_ACHIEVED)
    return rounded(high.rate_per_s / (_FALL_FIRST if tried == 1 else _FALL_LATER))


def _narrowed(low: Level, high: Level, probes: Sequence[Probe], precision: float) -> float:
    """A rate between the two."""
    width = math.log(high.rate_per_s / low.rate_per_s)
    middle = math.sqrt(low.rate_per_s * high.rate_per_s)
    held = probes[-1].rate_per_s == low.rate_per_s > min(one.rate_per_s for one in probes)
    guess = middle if _is_slow(probes, width) else _guess(low, high, held=held) or middle
    # A little to the far side of the guess, so that the bracket closes from both.
    share = math.log(guess / low.rate_per_s) / width
    share += math.copysign(math.log1p(precision) / 2.0 / width, 0.5 - share) if guess != middle else 0.0
    share = min(max(share, _CLOSEST), 1.0 - _CLOSEST)
    rate_per_s = low.rate_per_s * math.exp(share * width)
    near = rounded(rate_per_s)
    return near if low.rate_per_s < near < high.rate_per_s else rate_per_s


def _guess(low: Level, high: Level, *, held: bool) -> float | None:
    """Where the edge should be: what was reached above it, else where latency would meet its limit.

    Args:
        low: the rate that holds.
        high: the rate that does not.
        held: whether the last guess held, and so may have been too low.
    """
    if high.achieved_per_s is not None:
        return high.achieved_per_s if high.achieved_per_s > low.rate_per_s else None
    edge = _meeting(low, high) if held else _meeting_as_power(low, high)
    return edge if low.rate_per_s < edge < high.rate_per_s else None


def _meeting(one: Level, other: Level) -> float:
    """Where the reciprocal of strain, linear through two levels, is 1; infinity where it does not fall."""
    if one.strain is None or other.strain is None or one.strain >= other.strain:
        return math.inf
    slope = (1.0 / one.strain - 1.0 / other.strain) / (other.rate_per_s - one.rate_per_s)
    return other.rate_per_s + (1.0 / other.strain - 1.0) / slope


def _meeting_as_power(one: Level, other: Level) -> float:
    """Where strain, a power of the rate through two levels, is 1; infinity where it does not rise."""
    if one.strain is None or other.strain is None or one.strain >= other.strain:
        return math.inf
    width = math.log(other.rate_per_s / one.rate_per_s)
    # Of a latency that hardly rises the edge is beyond any rate.
    above = -math.log(one.strain) / math.log(other.strain / one.strain) * width
    return one.rate_per_s * math.exp(above) if above < width else math.inf


def _is_slow(probes: Sequence[Probe], width: float) -> bool:
    """Whether the last two probes left more than half of the bracket."""
    return width > bracket(levels_of(probes[:-2])).log_width / 2.0


def rounded(rate_per_s: float) -> float:
    """A rate with three significant digits, as people write it."""
    return float(f"{rate_per_s:.3g}")

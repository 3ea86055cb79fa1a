"""What probes of rates say: by rate, as a bracket, and as the answer of a search."""

from __future__ import annotations

import enum
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model_capacity import AnswerKind

MAX_RATE: Final = math.inf
"""The rate of a probe that sends as much as goes: it is not judged, and says where to look."""

_ENOUGH: Final = 2
_SHORT_OF: Final = 0.97


class Verdict(enum.StrEnum):
    """What one probe says of its rate; UNMEASURED: the measurement was invalid and says nothing."""

    HOLDS = "holds"
    FAILS = "fails"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True)
class Outcome:
    """What a probe found.

    Attributes:
        verdict: whether everything held.
        achieved_per_s: the rate that was reached; None where that is not known.
        strain: the tightest latency over its limit, at most 1 where it holds; None without such a limit.
        disturbed: it failed while others took of the machine, and may have failed by that.
    """

    verdict: Verdict
    achieved_per_s: float | None = None
    strain: float | None = None
    disturbed: bool = False


@dataclass(frozen=True)
class Probe:
    """One probe.

    Attributes:
        rate_per_s: the rate that was asked for; MAX_RATE: as much as goes.
        outcome: what it found.
    """

    rate_per_s: float
    outcome: Outcome


@dataclass(frozen=True)
class Level:
    """A rate with all its outcomes."""

    rate_per_s: float
    outcomes: tuple[Outcome, ...]

    def votes(self, verdict: Verdict) -> int:
        """How many probes that count said so."""
        return sum(outcome.verdict is verdict for outcome in self._valid)

    @property
    def verdict(self) -> Verdict:
        """What most of the valid probes say; a tie is a rate that does not hold."""
        holds, fails = self.votes(Verdict.HOLDS), self.votes(Verdict.FAILS)
        if not holds + fails:
            return Verdict.UNMEASURED
        return Verdict.HOLDS if holds > fails else Verdict.FAILS

    @property
    def is_open(self) -> bool:
        """Whether it must be probed again before it says anything: a tie, or one that does not count."""
        holds, fails = self.votes(Verdict.HOLDS), self.votes(Verdict.FAILS)
        return holds == fails and (holds > 0 or len(self.outcomes) < _ENOUGH)

    @property
    def is_sure(self) -> bool:
        """Whether it was probed again and is decided; of those that measured anything, two must have."""
        return len(self._valid or self.outcomes) >= _ENOUGH and not self.is_open

    @property
    def strain(self) -> float | None:
        """The median strain of its valid probes."""
        known = [one.strain for one in self._valid if one.strain]
        return statistics.median(known) if known else None

    @property
    def achieved_per_s(self) -> float | None:
        """The median of what its valid probes reached, where that fell short of the rate; else None."""
        known = [one.achieved_per_s for one in self._valid if one.achieved_per_s is not None]
        achieved = statistics.median(known) if known else math.inf
        return achieved if achieved < self.rate_per_s * _SHORT_OF else None

    @property
    def _valid(self) -> list[Outcome]:
        """The probes that count: disturbed ones only where there are no others, and more than one of them."""
        measured = [outcome for outcome in self.outcomes if outcome.verdict is not Verdict.UNMEASURED]
        quiet = [outcome for outcome in measured if not outcome.disturbed]
        return quiet or (measured if len(measured) >= _ENOUGH else [])


@dataclass(frozen=True)
class Bracket:
    """The highest rate that holds below the lowest one that does not; None where there is none yet."""

    low: Level | None
    high: Level | None

    @property
    def log_width(self) -> float:
        """The logarithm of the ends' ratio."""
        if self.low is None or self.high is None or not self.low.rate_per_s:
            return math.inf
        return math.log(self.high.rate_per_s / self.low.rate_per_s)

    @property
    def unsure(self) -> list[Level]:
        """The ends that have yet to be probed again; the answer's own first."""
        return [level for level in (self.low, self.high) if level is not None and not level.is_sure]


@dataclass(frozen=True)
class Answer:
    """What the probes say.

    Attributes:
        kind: between (a rate holds and a higher one fails), at_least (nothing failed), below (nothing
            held), generator (the next above what holds could not be measured), nothing (nothing was).
        bracket: the two rates; below one that fails there may be some that could not be measured.
    """

    kind: AnswerKind
    bracket: Bracket


def answer(probes: Sequence[Probe]) -> Answer:
    """What the probes say, however many there are."""
    levels = levels_of(probes)
    found = bracket(levels)
    if found.low is None and found.high is not None and found.high.verdict is Verdict.UNMEASURED:
        # What could not be measured hides none of what was: a higher rate may have failed.
        found = Bracket(None, next((level for level in levels if level.verdict is Verdict.FAILS), found.high))
    return Answer(_kind(found), found)


def levels_of(probes: Sequence[Probe]) -> list[Level]:
    """The probes by rate, lowest first; one at the maximum rate is none of them, it has no target."""
    by_rate: dict[float, list[Outcome]] = {}
    for probe in probes:
        if probe.rate_per_s == MAX_RATE:
            continue
        by_rate.setdefault(probe.rate_per_s, []).append(probe.outcome)
    return [Level(rate_per_s, tuple(by_rate[rate_per_s])) for rate_per_s in sorted(by_rate)]


def bracket(levels: Sequence[Level]) -> Bracket:
    """The lowest rate that does not hold, and the highest below it that does."""
    high = next((level for level in levels if level.verdict is not Verdict.HOLDS), None)
    below = [level for level in levels if high is None or level.rate_per_s < high.rate_per_s]
    return Bracket(below[-1] if below else None, high)


def _kind(found: Bracket) -> AnswerKind:
    if found.high is None:
        return "at_least" if found.low is not None else "nothing"
    if found.high.verdict is Verdict.UNMEASURED:
        return "generator" if found.low is not None else "nothing"
    return "between" if found.low is not None else "below"

"""What a study recommends: as data, and as the sentences that a user reads."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from loadlab.analysis.comparison import compare_values
from loadlab.analysis.knobs import assignment_text, short_names
from loadlab.analysis.numbers import finite
from loadlab.results.model_study_answer import StudyCost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadlab.analysis.headline import Headline
    from loadlab.analysis.knobs import Value
    from loadlab.results.model_study_answer import StudyImportance, StudyLimit
    from loadlab.tuning.decision import Decision

NOTABLE: Final = 0.05
"""The share above which a knob mattered."""

_COMPARED: Final = ("does not lead", "measured")
_SMALL_RATIO: Final = 0.1
_LATENCY_STEPS: Final = ((1e6, "s"), (1e3, "ms"))


@dataclass(frozen=True)
class Recommendation:
    """What a study recommends.

    Attributes:
        decision: of the confirmation. Only with the finding "beats the default" is anything recommended.
        goal: the objective for people: "records a second".
        use: the values of the configuration that was confirmed, or failed to be, where they are not the
            default's, by path in the scenario.
        weakened: its values that durability hangs on and that promise less than the scenario's own; in both
            UNSET stands for one that it does not set.
        unlocked: what the study searched of that, by path in the scenario, changed or not.
        limits: the constraints.
        costs: what got worse; None where the runs that would tell are gone.
        importances: of the knobs; empty where too few trials were made.
        drift: what the repeated default showed, one sentence without a full stop.
        none_left: why no trial came to be confirmed; empty where one did.
        default_breaks: the constraints that the default itself breaks, as a forced study may have it.
        suspect: how many of the runs that were compared have a verdict with reservations, and
        compared: how many these were.
        baseline_name: what the default is called: `Study.baseline_name`.
    """

    decision: Decision
    goal: str
    use: Mapping[str, Value]
    weakened: Mapping[str, Value]
    unlocked: Sequence[str]
    limits: Sequence[StudyLimit]
    costs: Sequence[StudyCost] | None
    importances: Sequence[StudyImportance]
    drift: str
    none_left: str = ""
    default_breaks: Sequence[str] = ()
    suspect: int = 0
    compared: int = 0
    baseline_name: str = "default"

    @property
    def beats(self) -> bool:
        """Whether anything is recommended."""
        return self.decision.finding == "beats the default"

    def sentences(self) -> str:
        """All of it as a user reads it."""
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        if self.unlocked and self.beats:
            yield f"Warning: durability was searched{self._weakened()}."
        if self.beats:
            yield f"Use {assignment_text(self.use)}: {self._ratio()}{self._limits()}; cost: {self._costs()}."
        elif self.decision.finding == "too small":
            yield (
                f"Nothing beat the {self.baseline_name} by the {self.decision.floor:.1%} that count:"
                f" {assignment_text(self.use)} has {self._ratio()}."
            )
        else:
            yield from self._nothing()
        if self.suspect:
            of = f"{self.suspect} of the {self.compared} runs compared"
            yield f"{of} {'is' if self.suspect == 1 else 'are'} suspect: `loadlab show` says why."
        yield from _knobs(self.importances)
        yield f"{self.drift[:1].upper()}{self.drift[1:]}."

    def _nothing(self) -> Iterator[str]:
        """That nothing is recommended, and whether it was noise that decided."""
        if self.default_breaks:
            yield (
                f"The {self.baseline_name} itself breaks {', '.join(self.default_breaks)}: what holds that is"
                f" recommended only where it beats the {self.baseline_name} as well, and `loadlab study show`"
                " lists it."
            )
        broken = list(self._broken())
        if broken:
            yield f"Nothing is recommended: {'; '.join(broken)}."
        if not broken or any(attempt.state in _COMPARED for attempt in self.decision.attempts):
            if self.decision.noise > 1:
                yield (
                    f"The blocks are too few, or vary too much, to tell whether anything beats the"
                    f" {self.baseline_name}; {self._more()}."
                )
            else:
                noise = f"more than noise (±{self.decision.noise:.1%})"
                yield f"Nothing beat the {self.baseline_name} by {noise}; {self._more()}."

    def _weakened(self) -> str:
        if self.weakened:
            return f", and {assignment_text(self.weakened)} may lose or double records"
        names = ", ".join(short_names(self.unlocked).values())
        return f" ({names}); what is recommended promises no less than the scenario"

    def _broken(self) -> Iterator[str]:
        """What spoke against contenders other than noise."""
        tried = self.decision.attempts
        if not tried:
            yield self.none_left
        broke, failed = (
            sum(attempt.state == state for attempt in tried) for state in ("breaks a constraint", "fails")
        )
        if broke:
            yield f"{_of(broke, len(tried))} broke a constraint in half of its runs or more"
        if failed:
            yield f"{_of(failed, len(tried))} failed"

    def _ratio(self) -> str:
        ratio, interval = self.decision.ratio, self.decision.interval
        if ratio is None or interval is None:
            raise ValueError("nothing was measured to the end")
        low, high = map(_ratio, (interval.low, interval.high))
        return f"{_ratio(ratio)} ({low}–{high}) times the {self.goal} of the {self.baseline_name}"

    def _limits(self) -> str:
        each = [
            f"{limit.label} {figure(limit.measured, limit.unit)} (limit {figure(limit.limit, limit.unit)})"
            for limit in self.limits
        ]
        return f" at {', '.join(each)}" if each else ""

    def _costs(self) -> str:
        if self.costs is None:
            return "not known, as runs of the confirmation are no longer stored"
        return ", ".join(map(_cost, self.costs)) or "none seen"

    def _more(self) -> str:
        gain = f"a gain of {100 * self.decision.visible:.3g}%"
        if not self.decision.more_pairs:
            return f"{gain} would have been seen"
        return f"with {self.decision.more_pairs} more pairs {gain} could be seen"


def _ratio(ratio: float) -> str:
    """With two digits behind the point, or two that say something."""
    return f"{ratio:.2f}" if ratio >= _SMALL_RATIO else f"{ratio:.2g}"


def _of(number: int, all_tried: int) -> str:
    """How many of the contenders."""
    return f"{number} of {all_tried} contenders" if all_tried > 1 else "the only contender"


def costs_of(
    default: Mapping[Headline, Sequence[float | None]],
    recommended: Mapping[Headline, Sequence[float | None]],
    objectives: Sequence[str],
) -> tuple[StudyCost, ...]:
    """The headline numbers that are worse by more than noise, of the confirming runs in their order.

    They are compared as `loadlab compare --paired` does, so that of numbers that did not change one in twenty
    families is called changed.

    Args:
        default: the values of the default's runs, by headline number.
        recommended: those of the recommended configuration's runs.
        objectives: the paths of what was searched for; they are no cost.
    """
    rows = compare_values(default, recommended, paired=True)
    several = len({row.headline.group for row in rows}) > 1
    return tuple(
        StudyCost(
            label=f"{row.headline.group} {row.headline.label}" if several else row.headline.label,
            unit=row.headline.unit,
            default=median(row.baseline),
            recommended=finite(median(row.contender)),
        )
        for row in rows
        if row.better is False and row.headline.path not in objectives
    )


def figure(value: float, unit: str) -> str:
    """A figure for people, two or three digits of it: (41200, "µs") → "41 ms"."""
    if unit in {"µs", "us"}:
        scale, name = next((step for step in _LATENCY_STEPS if abs(value) >= step[0]), (1.0, "µs"))
        return f"{_digits(value / scale, 2)} {name}"
    return f"{_digits(value, 3)} {unit}".rstrip()


def _digits(value: float, digits: int) -> str:
    """So many digits of a number, and all those before its point."""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{float(f'{value:.{digits}g}'):g}"


def _cost(cost: StudyCost) -> str:
    if cost.recommended is None:
        return f"{cost.label} without bound, as records never came through"
    change = cost.recommended - cost.default
    sign = "+" if change > 0 else "-"
    return f"{sign}{figure(abs(change), cost.unit)} {cost.label}"


def _knobs(importances: Sequence[StudyImportance]) -> Iterator[str]:
    """Which knobs mattered: those of which it is clear that they made more than 5 % of the variance."""
    ranked = sorted(importances, key=lambda each: each.share, reverse=True)
    names = short_names([each.knob for each in ranked])
    mattered = [names[each.knob] for each in ranked if each.low > NOTABLE]
    did_not = [names[each.knob] for each in ranked if each.high <= NOTABLE]
    unknown = [names[each.knob] for each in ranked if each.low <= NOTABLE < each.high]
    for words, knobs in (
        ("Knobs that mattered", mattered),
        ("that did not" if mattered else "knobs that did not matter", did_not),
        ("not clear", unknown),
    ):
        if knobs:
            yield f"{words[0].upper()}{words[1:]}: {', '.join(knobs)}."

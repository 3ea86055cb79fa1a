"""Compares the runs of two sides: what B has of A, and whether the difference is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from loadlab.analysis.comparable import Difference, under_test
from loadlab.analysis.headline import headline_values
from loadlab.analysis.statistics import LEVEL, Effect, effect, holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.analysis.headline import Headline
    from loadlab.results.model import RunResult

Finding = Literal["higher", "lower", "unclear", "no difference seen", "not known"]

_SEED: Final = 1  # of what is drawn: the same runs give the same comparison
_COUNTS: Final = ("lost", "duplicated", "reordered", "failed", "indeterminate", "rejected", "unexplained")


@dataclass(frozen=True)
class Row:
    """One headline number of both sides.

    Attributes:
        headline: which.
        baseline: the values of the baseline's runs, and
        contender: those of the contender's; a run that has none is left out. A percentile among records
            that never came through is infinite.
        effect: what the contender has of the baseline.
        adjusted_p: its p-value, adjusted for the number of headline numbers that are compared.
        finding: "unclear": the interval is clear of 1, but with so many numbers one such may be chance.
    """

    headline: Headline
    baseline: tuple[float, ...]
    contender: tuple[float, ...]
    effect: Effect
    adjusted_p: float | None
    finding: Finding

    @property
    def better(self) -> bool | None:
        """Whether what was found speaks for the contender; None where nothing was."""
        return self.finding == self.headline.better if self.finding in {"higher", "lower"} else None


@dataclass(frozen=True)
class Count:
    """Records that should not be there, all runs of a side added: facts, not estimates.

    Attributes:
        name: the field of `reconciliation`.
        baseline: of the runs that tell; None where none does, as is
        contender.
        baseline_unknown: how many runs do not tell, as is
        contender_unknown.
    """

    name: str
    baseline: int | None
    contender: int | None
    baseline_unknown: int = 0
    contender_unknown: int = 0


@dataclass(frozen=True)
class Comparison:
    """A baseline and a contender.

    Attributes:
        paired: the k-th runs of both sides were compared with each other.
        rows: the headline numbers that both sides have.
        counts: lost, duplicated and other records.
        differs: what is not alike in what was run.
    """

    paired: bool
    rows: tuple[Row, ...]
    counts: tuple[Count, ...]
    differs: tuple[Difference, ...]


def compare(baseline: Sequence[RunResult], contender: Sequence[RunResult], *, paired: bool) -> Comparison:
    """Compare the runs of two sides, all of which count.

    Args:
        baseline: its runs, at least one.
        contender: its runs, at least one.
        paired: compare the k-th with the k-th run; both sides have as many.
    """
    first, second = headline_values(baseline), headline_values(contender)
    return Comparison(
        paired=paired,
        rows=compare_values(first, second, paired=paired),
        counts=tuple(_count(name, baseline, contender) for name in _COUNTS),
        differs=tuple(under_test(baseline[0], contender[0])),
    )


def compare_values(
    baseline: Mapping[Headline, Sequence[float | None]],
    contender: Mapping[Headline, Sequence[float | None]],
    *,
    paired: bool,
) -> tuple[Row, ...]:
    """Compare the headline numbers that both sides have: a value for each run."""
    common = [headline for headline in baseline if headline in contender]
    sides = [_known(baseline[headline], contender[headline], paired=paired) for headline in common]
    effects = [
        effect(*side, paired=paired, seed=_SEED, step=headline.step)
        for headline, side in zip(common, sides, strict=True)
    ]
    adjusted = holm([each.p_value for each in effects])
    return tuple(
        Row(headline, tuple(side[0]), tuple(side[1]), each, p_value, _finding(each, p_value))
        for headline, side, each, p_value in zip(common, sides, effects, adjusted, strict=True)
    )


def _known(
    baseline: Sequence[float | None], contender: Sequence[float | None], *, paired: bool
) -> tuple[list[float], list[float]]:
    """The values that there are; of pairs, those that both have."""
    if paired:
        pairs = zip(baseline, contender, strict=True)
        whole = [(one, other) for one, other in pairs if one is not None and other is not None]
        return [one for one, _ in whole], [other for _, other in whole]
    first, second = ([value for value in side if value is not None] for side in (baseline, contender))
    return first, second


def _finding(found: Effect, adjusted_p: float | None) -> Finding:
    if adjusted_p is None:
        return "not known"
    if adjusted_p <= 1 - LEVEL and found.higher is not None and (found.ratio is None or found.excludes_one):
        return "higher" if found.higher else "lower"
    return "unclear" if found.excludes_one else "no difference seen"


def _count(name: str, baseline: Sequence[RunResult], contender: Sequence[RunResult]) -> Count:
    (first, first_unknown), (second, second_unknown) = (_added(name, side) for side in (baseline, contender))
    return Count(name, first, second, first_unknown, second_unknown)


def _added(name: str, results: Sequence[RunResult]) -> tuple[int | None, int]:
    """The sum over the runs that tell, None where none does; and how many do not.

    Of lost records a run that does not know all may know some. What is unexplained has a sign, by which a
    surplus would hide what is missing in another run.
    """
    found = [result.reconciliation for result in results]
    known = [abs(number) for each in found if (number := getattr(each, name)) is not None]
    unknown = len(found) - len(known)
    if name == "lost":
        known += [each.lost_at_least for each in found if each.lost is None and each.lost_at_least]
    return sum(known) if known else None, unknown

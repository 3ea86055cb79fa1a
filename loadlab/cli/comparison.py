"""A comparison in words: a sentence, a table and what one has to know, as text, Markdown or data."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.analysis import numbers
from loadlab.analysis.comparison import compare
from loadlab.analysis.omb_result import OmbSide, compare_with_omb, load_omb
from loadlab.analysis.sides import choose, load_side
from loadlab.cli.markdown import plain
from loadlab.cli.output import Line
from loadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from loadlab.analysis.comparable import Kind
    from loadlab.analysis.comparison import Comparison, Row
    from loadlab.analysis.omb_result import ChosenWithOmb
    from loadlab.analysis.sides import Chosen
    from loadlab.cli.output import Style

_RATES: Final = {"throughput": "acks", "consumed": "reads"}
_TABLE_HEAD: Final = ("", "A", "B", "B ÷ A (95 %)", "")
_SCHEMA_VERSION: Final = 1
_FINE: Final = 0.05


@dataclass(frozen=True)
class Compared:
    """A comparison and what it is of.

    Attributes:
        baseline: id of run or set, and
        contender.
        chosen: which runs count, and remarks.
        comparison: what came out.
    """

    baseline: str
    contender: str
    chosen: Chosen | ChosenWithOmb
    comparison: Comparison


def compared(
    baseline: str, contender: str, *, allowed: Collection[Kind], paired: bool, results_dir: Path
) -> Compared:
    """Compare two runs, run sets or results of OpenMessaging Benchmark.

    Args:
        baseline: id, its beginning or end, or path of A, and
        contender: of B.
        allowed: what may differ although it makes figures incomparable.
        paired: compare the k-th run of B with the k-th of A.
        results_dir: where ids are looked up.

    Raises:
        UsageError: there is no such run, or they can't be compared; all reasons are said.
    """
    first, second = (
        load_omb(letter, name) or load_side(letter, name, results_dir)
        for letter, name in (("A", baseline), ("B", contender))
    )
    if isinstance(first, OmbSide) or isinstance(second, OmbSide):
        if paired:
            raise UsageError("--paired is for two run sets of loadlab", fix="compare without --paired")
        chosen, comparison = compare_with_omb(first, second, allowed=allowed)
        return Compared(first.name, second.name, chosen, comparison)
    own = choose(first, second, allowed=allowed, paired=paired)
    return Compared(first.name, second.name, own, compare(own.baseline, own.contender, paired=paired))


def text_lines(compared: Compared) -> list[Line]:
    """For a terminal."""
    rows = list(table_rows(compared.comparison))
    widths = [
        max(map(len, column)) for column in zip(_TABLE_HEAD, *(cells for _, cells in rows), strict=True)
    ]
    return [
        Line(sentence(compared.comparison)),
        Line(""),
        *(Line(f"{letter}  {told}") for letter, told in _sides(compared)),
        *(Line(f"differs  {text}") for text in differences(compared.comparison)),
        Line(""),
        Line(_aligned(_TABLE_HEAD, widths), "dim"),
        *(Line(_aligned(cells, widths), _style(row)) for row, cells in rows),
        *(Line(text, "warn" if alarming else "plain") for text, alarming in counts(compared.comparison)),
        *(Line(text, "warn") for text in missing(compared)),
        Line(""),
        *(Line(remark, "warn") for remark in compared.chosen.remarks),
        Line(method(compared.comparison), "dim"),
    ]


def as_markdown(compared: Compared) -> str:
    """For a pull request."""
    cells = [row for _, row in table_rows(compared.comparison)]
    lines = [
        f"**{plain(sentence(compared.comparison))}**",
        "",
        *(f"- {letter}: {plain(told)}" for letter, told in _sides(compared)),
        *(f"- differs: {plain(text)}" for text in differences(compared.comparison)),
        "",
        f"| {' | '.join(_TABLE_HEAD)} |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(map(plain, row))} |" for row in cells),
        "",
        *(f"- {plain(text)}" for text, _ in counts(compared.comparison)),
        *(f"- {plain(text)}" for text in missing(compared)),
        *(f"- {plain(remark)}" for remark in compared.chosen.remarks),
        f"- {plain(method(compared.comparison))}",
    ]
    return "\n".join(lines)


def as_document(compared: Compared) -> dict[str, object]:
    """As data; docs/results.md describes it."""
    comparison = compared.comparison
    return {
        "schema_version": _SCHEMA_VERSION,
        "sentence": sentence(comparison),
        "baseline": {"id": compared.baseline, "runs": [run.run_id for run in compared.chosen.baseline]},
        "contender": {"id": compared.contender, "runs": [run.run_id for run in compared.chosen.contender]},
        "paired": comparison.paired,
        "rows": [_row_document(row) for row in comparison.rows],
        "counts": [dataclasses.asdict(count) for count in comparison.counts],
        "differs": [dataclasses.asdict(difference) for difference in comparison.differs],
        "remarks": list(compared.chosen.remarks),
    }


def sentence(comparison: Comparison) -> str:
    """What was found, in one sentence: first what differs, then where nothing was seen."""
    labels = Counter(row.headline.label for row in comparison.rows)
    if not comparison.rows:
        return "A and B have no headline number in common: their groups are called otherwise."
    if all(row.finding == "not known" for row in comparison.rows):
        return "No interval can be made of these runs, so no difference is claimed."
    parts = [_claim(row, _name(row, labels)) for row in comparison.rows if row.finding in {"higher", "lower"}]
    for finding, words in (
        ("no difference seen", "no difference seen in"),
        ("unclear", "too unclear to claim:"),
        ("not known", "no interval can be made for"),
    ):
        names = [_name(row, labels) for row in comparison.rows if row.finding == finding]
        if names:
            parts.append(f"{words} {', '.join(names)}")
    told = "; ".join(parts)
    return f"{told[:1].upper()}{told[1:]}."


def _claim(row: Row, name: str) -> str:
    if row.effect.ratio is None:
        return f"B's {name} is {row.finding}"
    ratio = _ratio(row)
    verb = _RATES.get(row.headline.label)
    if verb is None:
        return f"B's {name} is {ratio} times A's"
    group = name.removeprefix(row.headline.label)
    return f"B{group} {verb} {ratio} times as many records a second"


def _name(row: Row, labels: Counter[str]) -> str:
    """The label, with its group where several have one."""
    headline = row.headline
    return f"{headline.label} ({headline.group})" if labels[headline.label] > 1 else headline.label


def _ratio(row: Row) -> str:
    """As hyperfine writes it: 1.18 (1.12–1.25)."""
    found = row.effect
    if found.ratio is None:
        return numbers.MISSING
    if found.interval is None:
        return f"{numbers.ratio(found.ratio)} (no interval)"
    low, high = found.interval.low, found.interval.high
    fine = max(abs(each - 1) for each in (found.ratio, low, high)) < _FINE
    ratio, low_text, high_text = (numbers.ratio(each, fine=fine) for each in (found.ratio, low, high))
    return f"{ratio} ({low_text}–{high_text})"


def table_rows(comparison: Comparison) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Each number of the comparison, and the cells of its row: name, A, B, ratio and what was found."""
    labels = Counter(row.headline.label for row in comparison.rows)
    for row in comparison.rows:
        unit = row.headline.unit
        sides = (numbers.of_unit(value, unit) for value in (row.effect.baseline, row.effect.contender))
        yield row, (_name(row, labels), *sides, _ratio(row), _told(row))


def _told(row: Row) -> str:
    if row.better is None:
        return row.finding
    return f"{row.finding}: {'better' if row.better else 'worse'}"


def _style(row: Row) -> Style:
    return "plain" if row.better is None else "good" if row.better else "bad"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _sides(compared: Compared) -> Iterator[tuple[str, str]]:
    for letter, name, runs in (
        ("A", compared.baseline, compared.chosen.baseline),
        ("B", compared.contender, compared.chosen.contender),
    ):
        yield letter, f"{name} · {numbers.counted(len(runs), 'run')}"


def differences(comparison: Comparison) -> Iterator[str]:
    """What is not alike in what was run, a line each."""
    for each in comparison.differs:
        yield f"{each.field}: {each.baseline} → {each.contender}"


def missing(compared: Compared) -> Iterator[str]:
    """Numbers that are not known of all runs, a line each: those that are missing may be the worst."""
    baseline, contender = compared.chosen.baseline, compared.chosen.contender
    labels = Counter(row.headline.label for row in compared.comparison.rows)
    if compared.comparison.paired:
        for row in compared.comparison.rows:
            known = sum(map(math.isfinite, map(sum, zip(row.baseline, row.contender, strict=True))))
            if known < len(baseline):
                yield f"{_name(row, labels)}: known of both in {known} of {len(baseline)} pairs"
        return
    for row in compared.comparison.rows:
        for letter, values, runs in (("A", row.baseline, baseline), ("B", row.contender, contender)):
            known = sum(map(math.isfinite, values))
            if known < len(runs):
                yield f"{_name(row, labels)}: known of {known} of {len(runs)} runs of {letter}"


def counts(comparison: Comparison) -> Iterator[tuple[str, bool]]:
    """Lost records wherever they are known, others where there are any; and whether there are."""
    for count in comparison.counts:
        known = [number for number in (count.baseline, count.contender) if number is not None]
        if any(known) or (count.name == "lost" and known):
            first = _counted(count.baseline, count.baseline_unknown)
            second = _counted(count.contender, count.contender_unknown)
            yield f"{count.name} records: {first} in A, {second} in B", any(known)


def _counted(number: int | None, unknown: int) -> str:
    """The records of a side, of which some runs may not tell."""
    if number is None:
        return "not known"
    if not unknown:
        return numbers.count(number)
    return f"at least {numbers.count(number)} (not known of {numbers.counted(unknown, 'run')})"


def method(comparison: Comparison) -> str:
    """How figures and intervals were made."""
    methods = sorted({row.effect.interval.method for row in comparison.rows if row.effect.interval})
    if not comparison.rows:
        return "numbers are compared by the groups' names in the scenario"
    if not methods:
        return "a side with one run tells nothing of how far runs differ: repeat it (--repeat)"
    figure = "geometric mean (where one is 0: the median)"
    if "bootstrap" in methods:
        figure = "median" if len(methods) == 1 else "geometric mean, or the median by bootstrap,"
    pairs = "pairs" if comparison.paired else "sides apart"
    return (
        f"each figure is the {figure} of a side's runs; intervals by {' and '.join(methods)}, {pairs};"
        f" {len(comparison.rows)} numbers compared (Holm)"
    )


def _row_document(row: Row) -> dict[str, object]:
    headline, found = row.headline, row.effect
    return {
        **dataclasses.asdict(headline),
        "baseline": {
            "figure": numbers.finite(found.baseline),
            "values": list(map(numbers.finite, row.baseline)),
        },
        "contender": {
            "figure": numbers.finite(found.contender),
            "values": list(map(numbers.finite, row.contender)),
        },
        "ratio": found.ratio,
        "interval": None if found.interval is None else dataclasses.asdict(found.interval),
        "p_value": found.p_value,
        "adjusted_p": row.adjusted_p,
        "finding": row.finding,
    }

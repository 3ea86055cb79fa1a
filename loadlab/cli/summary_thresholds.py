"""The rows of a summary that tell which thresholds held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.analysis import numbers
from loadlab.cli.output import Line
from loadlab.cli.sections import Block, Section, row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadlab.results.model import RunResult, Threshold

_FIGURES: Final[Mapping[str, Callable[[float], str]]] = {
    "us": numbers.latency,
    "s": lambda seconds: numbers.latency(seconds * 1e6),
    "records": lambda records: f"{records:,.10g} records",
    "records/s": numbers.record_rate,
    "bytes": numbers.size,
    "bytes/s": numbers.byte_rate,
    "count": lambda number: f"{number:,.10g}",
    "ratio": lambda ratio: f"{ratio:.4g}",
}


def threshold_section(result: RunResult) -> Section:
    """A row for each threshold, those that failed first."""
    thresholds = sorted(result.thresholds, key=lambda threshold: threshold.passed)
    blocks: list[Block] = []
    for threshold in thresholds:
        (line,) = row("" if blocks else "thresholds", _told(threshold))
        blocks.append((Line(line.text, "good" if threshold.passed else "bad"),))
    return Section.of(*blocks)


def _told(threshold: Threshold) -> str:
    outcome = "passed" if threshold.passed else "FAILED"
    return f"{outcome}  {' '.join(threshold.expression.split())} · {measured_text(threshold)}"


def measured_text(threshold: Threshold) -> str:
    """What was measured, or why nothing was, and whether that ended the run."""
    if threshold.measured is None:
        return f"not measurable: {threshold.not_measurable or 'there is no sample'}"
    told = figure_text(threshold.measured, threshold.unit)
    if not threshold.passed and told == figure_text(threshold.limit, threshold.unit):
        told = f"{told} ({threshold.measured:.10g} against {threshold.limit:.10g} {threshold.unit})"
    if threshold.ended_run_at_s is None:
        return told
    return f"{told}, which ended the run at {numbers.duration(threshold.ended_run_at_s)}"


def figure_text(value: float | None, unit: str | None) -> str:
    """A threshold's figure or limit with its unit; None is a dash."""
    return numbers.MISSING if value is None else _FIGURES[unit or "count"](value)

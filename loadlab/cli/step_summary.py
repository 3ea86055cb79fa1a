"""A run in Markdown, for the page that a CI server shows beside a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.cli.markdown import plain
from loadlab.cli.summary import cluster_text
from loadlab.cli.summary_groups import group_sections
from loadlab.cli.summary_thresholds import measured_text
from loadlab.results.model import MOCK_NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model import RunResult

_FENCE: Final = "````"


def markdown_of(result: RunResult, error: str | None = None) -> str:
    """A run that has a result: its verdict, its thresholds and its figures.

    Args:
        result: the run's.
        error: why it failed all the same; None where it did not.
    """
    return "\n".join([*_head(result, error), *_thresholds(result), *_figures(result), ""])


def failed_markdown(name: str, error: str) -> str:
    """A run without a result, and why."""
    return f"### {plain(name)}: no result\n\n{plain(error)}\n"


def _head(result: RunResult, error: str | None) -> Iterator[str]:
    held = sum(threshold.passed for threshold in result.thresholds)
    thresholds = f", {held} of {len(result.thresholds)} thresholds held" if result.thresholds else ""
    state = "interrupted, " if result.interrupted else ""
    yield f"### {plain(result.name)}: {state}{result.verdict.status}{thresholds}"
    yield ""
    if error is not None:
        yield f"- the run failed: {plain(error)}"
    for reason in result.verdict.reasons:
        yield f"- {plain(reason.code)}: {plain(reason.message)}"
    yield f"- cluster: {plain(cluster_text(result.cluster))}"
    if result.cluster.kind == "mock":
        yield f"- {MOCK_NOTE}"
    if saturation := result.verdict.saturation:
        yield f"- {saturation}"
    for warning in result.warnings:
        yield f"- warning: {plain(warning.message)}"
    yield ""


def _thresholds(result: RunResult) -> Iterator[str]:
    if not result.thresholds:
        return
    yield "| | threshold | measured |"
    yield "|---|---|---|"
    for threshold in sorted(result.thresholds, key=lambda threshold: threshold.passed):
        outcome = "passed" if threshold.passed else "**failed**"
        yield f"| {outcome} | {plain(threshold.expression)} | {plain(measured_text(threshold))} |"
    yield ""


def _figures(result: RunResult) -> Iterator[str]:
    """The summary's rows as they stand there; names are single words, and can't end the fence."""
    yield _FENCE
    for section in group_sections(result):
        yield from (line.text for line in section.lines())
    yield _FENCE
    yield ""
    yield f"run {plain(result.run_id)}"

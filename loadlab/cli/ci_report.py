"""What a CI server is told of runs: a JUnit file where it is asked for, and its page where there is one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadlab.cli import junit, step_summary
from loadlab.cli.output import print_note
from loadlab.errors import LoadlabError, RunError, UsageError
from loadlab.results.reader import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from loadlab.results.model import RunResult
    from loadlab.scenario import Scenario

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_NOT_ENDED: Final = "the run did not come to its end"


class CiReport:
    """Collects what there is to tell; `reporting` writes it.

    Attributes:
        name: of the scenario, or of its file as long as that could not be read.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._expressions: list[str] = []
        self._suites: list[Element] = []
        self._pages: list[str] = []

    def expect(self, scenario: Scenario) -> None:
        """Takes down what is going to be judged."""
        self.name = scenario.name
        self._expressions = [
            threshold.expression for thresholds in scenario.thresholds.values() for threshold in thresholds
        ]

    def take(self, result: RunResult, error: str | None = None, number: int | None = None) -> None:
        """Adds a run that has a result; `number` is the repetition's, from 1, where there are several."""
        self._suites.append(junit.suite_of(result, error, number))
        self._pages.append(step_summary.markdown_of(result, error))

    def fail(self, error: BaseException) -> None:
        """Adds a run that ended by an error; what it measured, where that was stored."""
        why = _told(error)
        folder = error.stored_in if isinstance(error, RunError) else None
        if folder is not None:
            self.take(load(folder, folder.parent).result, why)
            return
        self._suites.append(junit.failed_suite(self.name, self._expressions, why))
        self._pages.append(step_summary.failed_markdown(self.name, why))

    def junit_document(self) -> bytes:
        """The JUnit file as of now; an error as long as there is nothing to tell."""
        pending = junit.failed_suite(self.name, self._expressions, _NOT_ENDED)
        return junit.document(self._suites or [pending])

    def markdown(self) -> str:
        """What is appended to the CI's page."""
        return "\n".join(self._pages)


def _told(error: BaseException) -> str:
    if isinstance(error, LoadlabError):
        return error.message
    if isinstance(error, KeyboardInterrupt):
        return ": ".join(["interrupted", *getattr(error, "__notes__", ())])
    return f"{type(error).__name__} {error}".strip()


@contextlib.contextmanager
def reporting(junit_file: Path | None, scenario: Path) -> Iterator[CiReport]:
    """Gives a report to fill in, and writes it however the block ends.

    The JUnit file is there from the beginning on and says that the run did not end, so that neither a killed
    run nor an older file passes for this one's.

    Args:
        junit_file: where to; None for none.
        scenario: the file that is run.

    Raises:
        UsageError: the JUnit file can't be written.
        RunError: it could be written before the run, and can't be any more.
    """
    report = CiReport(scenario.stem)
    _write_junit(junit_file, report)
    try:
        yield report
    except BaseException as error:
        report.fail(error)
        _append_page(report)
        try:
            _write_junit(junit_file, report)
        except UsageError as unwritten:
            print_note(unwritten.message)  # what ended the run is worth more
        raise
    _append_page(report)
    try:
        _write_junit(junit_file, report)
    except UsageError as unwritten:
        raise RunError(unwritten.message, fix=unwritten.fix) from unwritten


def _write_junit(path: Path | None, report: CiReport) -> None:
    if path is None:
        return
    try:
        path.write_bytes(report.junit_document())
    except OSError as error:
        raise UsageError(
            f"the JUnit file {path} can't be written: {error.strerror}",
            fix="name a file in a folder that is there and can be written",
        ) from error


def _append_page(report: CiReport) -> None:
    """Appends to the page that the CI names; a page is no reason for a run to fail."""
    page = os.environ.get(STEP_SUMMARY)
    if not page:
        return
    try:
        with Path(page).open("a", encoding="utf-8", errors="replace") as file:
            file.write(report.markdown())
    except OSError as error:
        print_note(f"{STEP_SUMMARY} could not be written: {error.strerror}")

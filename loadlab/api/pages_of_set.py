"""What a run set's report says beside what it says of the run that stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.api import pages
from loadlab.api.markup import Element, Page, element, page, table
from loadlab.cli.summary import cluster_text
from loadlab.results.reader import StoredRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model import RunResult
    from loadlab.results.reader import StoredSet
    from loadlab.results.runset import Repetition, RunSet


def title(stored: StoredRun | StoredSet, shown: StoredRun) -> Page:
    """The scenario's name, the question that it answers, and which set this is; of a single run, its own.

    Args:
        stored: what the report is of.
        shown: the run that stands for it.
    """
    if isinstance(stored, StoredRun):
        return pages.title(shown.result)
    runs = stored.runs
    asked = runs.scenario.get("description")
    began = f"{runs.started_at:%Y-%m-%d %H:%M} UTC"
    ran = f"Run set {runs.set_id} of {began}, {cluster_text(shown.result.cluster)}"
    return page(
        element("h1", runs.name),
        element("p", str(asked)) if asked else None,
        element("p", ran, css="note"),
    )


def verdict(stored: StoredRun | StoredSet, shown: StoredRun) -> Page:
    """The box that comes first: of a set how many runs count and why others don't, then the shown run's."""
    of_run = pages.verdict(shown.result)
    if isinstance(stored, StoredRun):
        return of_run
    told = f"Shown below is run {shown.result.run_id}, whose latencies are nearest to the set's medians:"
    return page(_set_box(stored.runs), element("p", told), *of_run.elements)


def _set_box(runs: RunSet) -> Element:
    used = sum(each.used for each in runs.runs)
    told = [each for each in runs.runs if each.reasons or not each.sound]
    whole = used == runs.requested and all(each.sound for each in runs.runs)
    status = "valid" if whole else "suspect" if used else "invalid"
    counted = f"{used} of {numbers.counted(runs.requested, 'run')} {'counts' if used == 1 else 'count'}"
    left_first = sorted(told, key=lambda each: each.used)
    return element(
        "div",
        element("strong", counted),
        element("ul", *(element("li", text) for text in [*_ended(runs), *map(_why, left_first)])),
        css=f"box {status}",
    )


def _ended(runs: RunSet) -> Iterator[str]:
    """Why fewer runs were made than were asked for."""
    if runs.interrupted:
        yield f"interrupted after {numbers.counted(len(runs.runs), 'run')}"
    if runs.failure is not None:
        yield f"failed after {numbers.counted(len(runs.runs), 'run')}: {runs.failure}"


def _why(each: Repetition) -> str:
    reasons = _reasons(each)
    left_out = "" if each.used else ", left out"
    return f"run {each.repetition} ({_state(each)}{left_out})" + (f": {reasons}" if reasons else "")


def _reasons(each: Repetition) -> str:
    """What its verdict tells, and the thresholds that failed."""
    told = [f"{reason.code}: {reason.message}" for reason in each.reasons]
    return "; ".join([*told, *(f"threshold failed: {expression}" for expression in each.thresholds_failed)])


def _state(each: Repetition) -> str:
    return ", ".join([each.status, *["saturated"] * each.saturated, *["cut short"] * each.cut_short])


def runs_of(runs: RunSet) -> Page:
    """The runs of a set, their verdicts, and which of them count."""
    rows = [
        (
            str(each.repetition),
            each.run_id,
            _state(each),
            "counts" if each.used else "left out",
            _reasons(each),
        )
        for each in runs.runs
    ]
    return page(table(("run", "id", "verdict", "", "reasons"), rows, numbers_from=5))


def repeat(stored: StoredRun | StoredSet, shown: RunResult) -> Page:
    """The command that makes the run again, or all runs of the set with the seeds that they had."""
    if isinstance(stored, StoredRun):
        return pages.repeat(shown)
    runs = stored.runs
    command = ["loadlab", "run", f"{runs.name}.yaml", "--provider", shown.cluster.provider]
    command += ["--repeat", str(runs.requested), *["--fresh-cluster"] * runs.fresh_clusters]
    return page(element("pre", element("code", pages.with_scenario(runs.name, runs.scenario, command))))

"""A study's trials as a table for other programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from loadlab.tuning.findings import default_run

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyResult, StudyRun, StudyTrial

_Row = dict[str, str | int | float | None]
_FIRST: Final = ("trial", "origin", "state")
_LAST: Final = ("run_id", "failure")


def trials_csv(result: StudyResult) -> str:
    """All trials as CSV (RFC 4180): a row each, a column for each knob, objective and constraint.

    The default's row has the median run of those before the first trial. A knob that is not active, or a
    figure that is not known, is an empty cell.
    """
    rows = [_row(result, trial) for trial in result.trials]
    known = [*_FIRST, *_knobs(result), *(one.field for one in result.objectives)]
    found = dict.fromkeys(name for row in rows for name in row if name not in _LAST)
    columns = [*dict.fromkeys([*known, *found]), *_LAST]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(result: StudyResult, trial: StudyTrial) -> _Row:
    run = _run(result, trial)
    row: _Row = {"trial": trial.number, "origin": trial.origin, "state": _state(run), **trial.assignment}
    measured = None if run is None else run.measured
    values = measured.values if measured is not None and measured.counts else ()
    row |= {one.field: values[place] if values else None for place, one in enumerate(result.objectives)}
    if measured is not None:
        row |= {f"violation of {one.expression}": one.violation for one in measured.constraints}
        row |= {"run_id": measured.run_id, "failure": measured.failure_in_short}
    return row


def _knobs(result: StudyResult) -> list[str]:
    """The knobs of its search space, whether or not a trial had them."""
    space = result.study["search_space"]
    return list(space) if isinstance(space, dict) else []


def _run(result: StudyResult, trial: StudyTrial) -> StudyRun | None:
    """The run that a trial is known by."""
    if trial.number != result.default.number:
        runs = result.settled("trial", trial=trial.number)
        return runs[0] if runs else None
    return default_run(result)


def _state(run: StudyRun | None) -> str:
    if run is None:
        return "not measured"
    if run.measured.failure is not None:
        return "failed"
    if run.measured.ended_early:
        return "ended early"
    return "feasible" if run.measured.feasible else "breaks a constraint"

"""What a study came to, or how far it got."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.analysis.knobs import assignment_text, objective_text, short_names
from loadlab.cli.output import Line, print_stored
from loadlab.cli.sections import row
from loadlab.cli.summary import cluster_text
from loadlab.results.model import MOCK_NOTE
from loadlab.results.study_store import JAVA_FILE, LIBRDKAFKA_FILE, STUDY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.cli.options import OutputFormat
    from loadlab.cli.output import Style
    from loadlab.results.model_study import StudyResult, StudyRun
    from loadlab.results.model_study_answer import StudyAnswer
    from loadlab.results.reader import Entry
    from loadlab.results.study_store import StoredStudy


def print_study(stored: StoredStudy, output: OutputFormat) -> None:
    """Print a stored study: its summary, or study.json as it stands on the disk."""
    print_stored(stored.path / STUDY_FILE, output, partial(study_lines, stored))


def study_told(entry: Entry[StoredStudy]) -> str:
    """A study's line in the list of what is stored."""
    if entry.stored is None:
        return f"can't be read: {entry.problem}"
    result = entry.stored.result
    made = numbers.counted(len(result.settled("trial")), "trial")
    return f"study of {made}: {'under way' if entry.stored.under_way else _finding(result)}"


def _finding(result: StudyResult) -> str:
    if result.answer is None:
        return "not finished"
    return result.answer.finding.replace("default", result.default.origin)


def study_as_json(entry: Entry[StoredStudy]) -> dict[str, object]:
    """A study's entry in the list of what is stored."""
    result = entry.stored.result if entry.stored else None
    return {
        "kind": "study",
        "study_id": entry.name,
        "path": str(entry.path),
        "name": result.name if result else None,
        "started_at": result.started_at.isoformat() if result else None,
        "runs": [run.measured.run_id for run in result.runs] if result else None,
        "finding": result.answer.finding if result and result.answer else None,
        "interrupted": not (result.finished or entry.stored.under_way) if entry.stored and result else None,
        "problem": entry.problem,
    }


def study_lines(stored: StoredStudy) -> Iterator[Line]:
    """The recommendation, what it is of, and the trials."""
    result = stored.result
    if result.answer is not None:
        yield Line(result.answer.sentences, _style(result))
    else:
        yield Line(f"study {result.name}: not finished", "warn")
    if stored.under_way:
        yield Line("under way: this is what is known until now", "warn")
    elif not result.finished:
        yield Line(f"loadlab tune with --resume {result.study_id} goes on", "warn")
    yield from row("searched for", ", ".join(f"{one.direction} {one.field}" for one in result.objectives))
    if result.cluster is not None:
        yield from row("cluster", cluster_text(result.cluster))
        if result.cluster.kind == "mock":
            yield Line(MOCK_NOTE, "warn")
    yield from row("runs", _made(result))
    yield from row("noise", _noise(result))
    if result.answer is not None and result.answer.importances:
        yield from row("knobs", _mattered(result.answer))
    yield from _trials(result)
    if result.confirmed is not None and result.finished:
        yield from row("for clients", f"{stored.path / LIBRDKAFKA_FILE}, {JAVA_FILE} beside it")
    yield from row("result", str(stored.path))


def _style(result: StudyResult) -> Style:
    return "good" if result.confirmed is not None else "plain"


def _made(result: StudyResult) -> str:
    count = Counter(run.purpose for run in result.runs)
    return ", ".join(f"{number} {purpose}" for purpose, number in count.items()) or "none"


def _noise(result: StudyResult) -> str:
    from loadlab.tuning.findings import baseline_values  # noqa: PLC0415 (SciPy takes a second)
    from loadlab.tuning.noise import noise_of  # noqa: PLC0415 (likewise)

    values = baseline_values(result)
    if len(values) < 2:  # noqa: PLR2004 (of one run nothing can be told)
        return "not measured yet"
    return f"a run of the {result.default.origin} varies by {noise_of(values).cv:.1%}, of {len(values)} runs"


def _mattered(answer: StudyAnswer) -> str:
    """Each knob's share in the good trials with its interval, the greatest first."""
    shares = answer.importances
    names = short_names(each.knob for each in shares)
    return ", ".join(
        f"{names[each.knob]} {each.share:.0%} ({each.low:.0%}–{each.high:.0%})"
        for each in sorted(shares, key=lambda each: each.share, reverse=True)
    )


def _trials(result: StudyResult) -> Iterator[Line]:
    """A line for each trial: what it came to, where it is from, and its values."""
    runs = {run.trial: run for run in result.settled("trial")}
    on_front = result.front() if len(result.objectives) > 1 else ()
    if on_front:
        yield Line("trials marked * are not bettered by another in all objectives, by one run each")
    yield from _default(result)
    for trial in result.trials[1:]:
        run = runs.get(trial.number)
        text, style = came_to(result, run)
        marked = "*" if trial.number in on_front else " "
        values = assignment_text(trial.assignment)
        if run is not None and run.measured.failure is not None:  # in words, which take their room
            text, values = "failed", f"{values} · {text}"
        yield Line(f"{marked}{trial.number:>3}  {text:<24} {trial.origin:<12} {values}", style)


def _default(result: StudyResult) -> Iterator[Line]:
    """What the default came to in the middle one of its runs, to hold the trials against."""
    from loadlab.tuning.findings import default_run  # noqa: PLC0415 (SciPy takes a second)

    run, first = default_run(result), result.default
    if run is not None:
        told = zip(result.objectives, run.measured.values, strict=True)
        text = " · ".join(objective_text(one.field, value) for one, value in told)
        yield Line(f"   0  {text:<24} {first.origin:<12} {assignment_text(first.assignment)}")


def came_to(result: StudyResult, run: StudyRun | None) -> tuple[str, Style]:
    """What a trial's run said, and whether that is good."""
    if run is None:
        return "not measured", "dim"
    measured = run.measured
    if measured.failure is not None:
        return f"failed: {measured.failure_in_short}", "bad"
    if not measured.feasible:
        return ", ".join(f"breaks {one.expression}" for one in measured.constraints if not one.holds), "warn"
    values = zip(result.objectives, measured.values, strict=True)
    return " · ".join(objective_text(one.field, value) for one, value in values), "plain"

"""What a run set came to: the same from fresh repetitions and from a stored set."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.cli.output import Line
from loadlab.cli.summary import cluster_text
from loadlab.results.model import MOCK_NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.reader import StoredSet
    from loadlab.results.runset import HeadlineFigure, Repetition, RunSet

_LABEL_WIDTH = 21


def set_lines(stored: StoredSet) -> list[Line]:
    """Summarise a run set: how it went, each headline number with its interval, which runs don't count."""
    runs = stored.runs
    return [
        Line(f"{runs.name} · {_count(runs)} · {runs.set_id}", "good" if _whole(runs) else "warn"),
        *_ended(runs),
        *_clusters(runs),
        *_headline(runs),
        *_unsuited(runs),
        _row("result", str(stored.path)),
    ]


def _count(runs: RunSet) -> str:
    return f"{len(runs.runs)} of {numbers.counted(runs.requested, 'repetition')}"


def _whole(runs: RunSet) -> bool:
    """Whether all runs were made, and all are valid and hold their thresholds."""
    return len(runs.runs) == runs.requested and all(run.sound for run in runs.runs)


def _clusters(runs: RunSet) -> Iterator[Line]:
    whose = "each run had one of its own" if runs.fresh_clusters else "one for all runs"
    if runs.cluster is None:
        yield _row("clusters", whose)
        return
    yield _row("clusters", f"{cluster_text(runs.cluster)} · {whose}")
    if runs.cluster.kind == "mock":
        yield Line(MOCK_NOTE, "warn")


def _ended(runs: RunSet) -> Iterator[Line]:
    if runs.interrupted:
        yield Line("interrupted: the figures are of the runs until then", "warn")
    if runs.failure is not None:
        yield Line(f"failed after {numbers.counted(len(runs.runs), 'run')}: {runs.failure}", "bad")


def _headline(runs: RunSet) -> Iterator[Line]:
    used = sum(run.used for run in runs.runs)
    if not used:
        yield Line("no run counts: no figures", "bad")
        return
    methods = sorted({one.method for one in runs.headline.values() if one.method})
    by = f" by {' or '.join(methods)}" if methods else ""
    if used == 1:
        yield _row("figures", "of 1 run")
        yield Line("one run says nothing of how far runs differ: no interval", "warn")
    else:
        yield _row("figures", f"median of {used} runs and its 95 % interval{by}")
    labels = Counter(headline.label for headline in runs.headline.values())
    for headline in runs.headline.values():
        group = f" · {headline.group}" if labels[headline.label] > 1 else ""
        yield _row(headline.label, _figure(headline) + group)


def _figure(headline: HeadlineFigure) -> str:
    told = numbers.of_unit(headline.median, headline.unit)
    if headline.low is not None and headline.high is not None:
        told += f" ({numbers.between(headline.low, headline.high, headline.unit)})"
    runs, known = len(headline.values), sum(value is not None for value in headline.values)
    return told if known == runs else f"{told} · known of {known} of {runs} runs"


def _unsuited(runs: RunSet) -> Iterator[Line]:
    """The verdicts, and each run of which more is to be said than that it is valid."""
    verdicts = Counter(run.status for run in runs.runs)
    yield _row("verdicts", " · ".join(f"{number} {status}" for status, number in verdicts.items()))
    for run in runs.runs:
        if run.reasons or not run.sound:
            yield Line(f"  {run.repetition}: {run.run_id} {_why(run)}", "warn" if run.used else "bad")
        for expression in run.thresholds_failed:
            yield Line(f"     FAILED  {expression}", "bad")


def _why(run: Repetition) -> str:
    causes = [*(["cut short"] if run.cut_short else []), *dict.fromkeys(each.code for each in run.reasons)]
    counted = run.status if run.used else f"{run.status}, not counted"
    return f"{counted}: {', '.join(causes)}" if causes else counted


def _row(label: str, text: str) -> Line:
    return Line(f"{label:<{_LABEL_WIDTH}}{text}")

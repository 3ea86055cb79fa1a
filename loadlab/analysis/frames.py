"""Stored runs as pandas frames: the series of a run, the figures of a run, and all runs of a folder.

Each frame is tidy: one row an observation, and units either in a column of their own or in the column's name.

    intervals_frame   one row per interval, source and metric
    metrics_frame     one row per figure of result.json
    runs_frame        one row per stored run
    headline_frame    one row per headline number of a run set
    study_frame       one row per run of a study
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import pandas as pd

from loadlab.analysis.metric_units import unit_of
from loadlab.analysis.runs import RunRow, run_row
from loadlab.results.artifacts import read_intervals
from loadlab.results.model_base import Model
from loadlab.results.reader import list_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadlab.results.model import ConsumerResult, Phase, ProducerResult, Reconciliation, RunResult
    from loadlab.results.model_study import StudyResult
    from loadlab.results.reader import StoredRun
    from loadlab.results.runset import RunSet

INTERVAL_COLUMNS: Final = ("interval_start_s", "phase", "source", "metric", "value", "unit")
HEADLINE_COLUMNS: Final = ("metric", "group", "label", "unit", "median", "low", "high", "method")
STUDY_COLUMNS: Final = (
    "purpose",
    "trial",
    "origin",
    "run_id",
    "verdict",
    "counts",
    "feasible",
    "failure",
    "took_s",
)
METRIC_COLUMNS: Final = ("source", "metric", "value", "unit")

# What has sources of its own, identifies and counts nothing, or lists examples.
_ELSEWHERE: Final = frozenset({"workers", "by_partition", "worker", "pid", "groups", "examples"})
_NUMBERS: Final = (float | None, int | None)

# As pandas names them. As floats, seeds of 63 bits would lose their last digits.
_TYPES: Final = {
    "bool | None": "boolean",
    "datetime | None": "datetime64[us, UTC]",
    "float | None": "float64",
    "int | None": "Int64",
}


def intervals_frame(stored: StoredRun) -> pd.DataFrame:
    """The series of a run: what each source did in each second.

    Returns:
        One row per interval, source and metric, in the order of the file, with the columns

        - ``interval_start_s``: float, seconds since the workers' common start. Lag stands at the time of its
          sample; all else is of the second that begins there.
        - ``phase``: categorical: warmup, measure or drain, in which the interval begins; missing before and
          after them.
        - ``source``: categorical: ``producer/NAME``, ``consumer/NAME``, ``consumer/NAME/TOPIC-PARTITION``,
          ``broker:ID``.
        - ``metric``: categorical, as docs/measurement.md lists them: ``acked_records_per_s``,
          ``publish_latency_p99_us``, ``consumer_lag_records`` …
        - ``value``: float, in
        - ``unit``: categorical, see `unit_of`.

    Raises:
        UsageError: the file isn't there, can't be read or is damaged.
    """
    frame: pd.DataFrame = read_intervals(stored.path).to_pandas()
    frame["phase"] = _phases(frame["interval_start_s"], stored.result.phases)
    frame["unit"] = frame["metric"].map(unit_of).astype("category")
    return frame[list(INTERVAL_COLUMNS)]


def _phases(starts_s: pd.Series[float], phases: Sequence[Phase]) -> pd.Categorical:
    """The phase in which each moment lies."""
    found = pd.Series(pd.NA, index=starts_s.index, dtype="string")
    for phase in phases:
        found = found.mask((starts_s >= phase.start_s) & (starts_s < phase.end_s), phase.name)
    names = list(dict.fromkeys(phase.name for phase in phases))
    return pd.Categorical(found, categories=names, ordered=True)


def metrics_frame(result: RunResult) -> pd.DataFrame:
    """Every figure of a run's result.

    Returns:
        One row per figure, with the columns

        - ``source``: ``producer/NAME``, ``consumer/NAME``, ``topic/NAME``, ``broker:ID``, ``machine`` or
          ``run``; of a worker ``producer/NAME/worker-3``, of a partition ``consumer/NAME/orders-0``.
        - ``metric``: the figure's path in result.json below its source, such as ``publish_latency_us.p99``,
          ``throughput.records_per_s``, ``lag.max``, ``stages.batching.mean_us``, ``reconciliation.lost``.
        - ``value``: float; NaN where the result has null: the sample does not support it.
        - ``unit``: see `unit_of`.

        docs/measurement.md defines each.
    """
    rows = [(source, metric, value, unit_of(metric)) for source, metric, value in _figures(result)]
    frame = pd.DataFrame(rows, columns=list(METRIC_COLUMNS))
    return frame.astype({"value": "float64"})


def _figures(result: RunResult) -> Iterator[tuple[str, str, float | None]]:
    for name, producer in result.producers.items():
        yield from _group(f"producer/{name}", producer)
    for name, consumer in result.consumers.items():
        yield from _group(f"consumer/{name}", consumer)
        for partition, lag in (consumer.lag.by_partition if consumer.lag else {}).items():
            yield from _told(f"consumer/{name}/{partition}", lag, "lag")
    for name, topic in result.topics.items():
        yield from _told(f"topic/{name}", topic)
    for name, broker in result.brokers.items():
        yield from _told(f"broker:{name}", broker)
    if result.machine is not None:
        yield from _told("machine", result.machine)
    yield "run", "duration_s", result.duration_s
    if result.startup is not None:
        yield from _told("run", result.startup, "startup")
    yield from _reconciled(result.reconciliation)


def _reconciled(found: Reconciliation) -> Iterator[tuple[str, str, float | None]]:
    """The whole run's figures, then those of each group."""
    yield from _told("run", found.model_copy(update={"consumed": {}}), "reconciliation")
    for name, group in found.groups.items():
        yield from _told(f"consumer/{name}", group, "reconciliation")
    for name, consumed in found.consumed.items():
        yield f"consumer/{name}", "reconciliation.consumed", consumed


def _group(source: str, group: ProducerResult | ConsumerResult) -> Iterator[tuple[str, str, float | None]]:
    """A group's own figures, then those of its workers."""
    yield from _told(source, group)
    for worker in group.workers:
        yield from _told(f"{source}/worker-{worker.worker}", worker)


def _told(source: str, part: Model, path: str = "") -> Iterator[tuple[str, str, float | None]]:
    for metric, value in _numbers(part, path):
        yield source, metric, value


def _numbers(value: object, path: str) -> Iterator[tuple[str, float | None]]:
    """All numbers below a value by their dotted paths; parts of a list by their name or number."""
    if isinstance(value, Model):
        for name, below in value:
            is_block = below is None and type(value).model_fields[name].annotation not in _NUMBERS
            if name not in _ELSEWHERE and not is_block:
                yield from _numbers(below, _dotted(path, name))
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _numbers(below, _dotted(path, key))
    elif isinstance(value, tuple):
        for place, below in enumerate(value):
            yield from _numbers(below, _dotted(path, getattr(below, "name", place)))
    elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield path, value


def _dotted(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def runs_frame(results_dir: Path) -> pd.DataFrame:
    """All runs that are stored in a folder, oldest first.

    Returns:
        One row a run, with the columns of `loadlab.analysis.runs.RunRow`; what a run doesn't have is missing.

    Raises:
        UsageError: the folder can't be read. One that doesn't exist holds no runs.
    """
    return row_frame([run_row(entry) for entry in list_runs(results_dir)])


def row_frame(rows: Sequence[RunRow]) -> pd.DataFrame:
    """Runs as rows, each column of its own type, whatever a run lacks."""
    columns = {column.name: [getattr(row, column.name) for row in rows] for column in fields(RunRow)}
    types = {column.name: _TYPES.get(str(column.type)) for column in fields(RunRow)}
    return pd.DataFrame({name: pd.Series(values, dtype=types[name]) for name, values in columns.items()})


def headline_frame(runs: RunSet) -> pd.DataFrame:
    """The headline numbers of a run set, over the runs that count.

    Returns:
        One row per number, with the columns ``metric`` (its path in result.json), ``group``, ``label``,
        ``unit``, ``median``, ``low`` and ``high`` (of the median's 95 % interval; NaN where too few count)
        and ``method`` (how the interval was made).
    """
    rows = [
        {"metric": path, **figure.model_dump(exclude={"values"})} for path, figure in runs.headline.items()
    ]
    frame = pd.DataFrame(rows, columns=list(HEADLINE_COLUMNS))
    return frame.astype({"median": "float64", "low": "float64", "high": "float64"})


def study_frame(study: StudyResult) -> pd.DataFrame:
    """The runs of a study, in the order in which they were made.

    Returns:
        One row a run, with the columns ``purpose`` (baseline, default, trial, candidate or confirm),
        ``trial``, ``origin`` (of the trial), ``run_id``, ``verdict``, ``counts`` (its values may be
        compared), ``feasible`` (it counts and met all constraints), ``failure`` (why it does not count),
        ``took_s``; then one for each objective and one for each knob, by their paths. A run that can't tell
        an objective has NaN there; a knob that is not active in a trial is missing.
    """
    rows = [
        {
            "purpose": run.purpose,
            "trial": run.trial,
            "origin": study.trial(run.trial).origin,
            "run_id": run.measured.run_id,
            "verdict": run.measured.status,
            "counts": run.settled and run.measured.counts,
            "feasible": run.settled and run.measured.feasible,
            "failure": run.measured.failure,
            "took_s": run.measured.took_s,
            **{one.field: value for one, value in zip(study.objectives, run.measured.values, strict=False)},
            **study.trial(run.trial).assignment,
        }
        for run in study.runs
    ]
    knobs = dict.fromkeys(knob for trial in study.trials for knob in trial.assignment)
    objectives = [one.field for one in study.objectives]
    return pd.DataFrame(rows, columns=[*STUDY_COLUMNS, *objectives, *knobs])

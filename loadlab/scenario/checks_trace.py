"""Checks of traces: that they can be replayed, and hold what is to be taken from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.scenario.finding import Finding, View, found
from loadlab.scenario.schedule import TraceRate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.document import Path
    from loadlab.scenario.schedule import TraceFile
    from loadlab.scenario.workload import ProducerSpec


def trace_of(producer: ProducerSpec) -> TraceFile | None:
    """A producer's trace, right or wrong; None where its rate is another one."""
    rate = producer.schedule.rate
    return rate.trace if isinstance(rate, TraceRate) else None


def sizes_known(producer: ProducerSpec) -> bool:
    """Whether it can be told how large a producer's records are."""
    if producer.records.size != "trace":
        return True
    file = trace_of(producer)
    return file is not None and file.problem is None and file.trace.has_sizes


def replayable_traces(view: View) -> Iterator[Finding]:
    """A trace can be read, and every row of it can be replayed."""
    for name, producer in view.scenario.producers.items():
        file = trace_of(producer)
        if file is not None and file.problem is not None:
            path: Path = ("producers", name, "schedule", "rate", "trace", "file")
            yield found(path, str(file.problem), file.problem.suggestion)


def trace_columns(view: View) -> Iterator[Finding]:
    """Sizes and keys that are to be the trace's are there."""
    for name, producer in view.scenario.producers.items():
        if producer.records.size == "trace":
            yield from _column(name, producer, "size", ("size",))
        if producer.records.keys.kind == "trace":
            yield from _column(name, producer, "key", ("keys", "kind"))


def _column(name: str, producer: ProducerSpec, column: str, field: Path) -> Iterator[Finding]:
    path: Path = ("producers", name, "records", *field)
    rate: Path = ("producers", name, "schedule", "rate")
    file = trace_of(producer)
    if file is None:
        yield found(path, "there is no trace to take it from: schedule.rate has to be one", about=(rate,))
    elif file.problem is None:
        there = file.trace.has_sizes if column == "size" else file.trace.has_keys
        if not there:
            yield found(path, f"{file.file} has no column {column}", about=(rate,))

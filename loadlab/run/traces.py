"""Traces in a run: laid where workers can reach them, and told of in the plan."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.scenario import TraceRate
from loadlab.units import NS_PER_S, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.client.trace import Trace
    from loadlab.scenario import ProducerSpec, Scenario

_NEAR_S: Final = 1.0


@dataclass(frozen=True)
class PlannedTrace:
    """The trace that a group replays.

    Attributes:
        file: where it was read.
        scale: how many times as fast as in the file it is replayed.
        records: how many it has.
        duration_s: from its first record to its last, as replayed.
        records_per_s_mean: of the intervals between its records; None where all is due at once.
        records_per_s_peak: the most that are due in one second, seconds counted from the start.
    """

    file: str
    scale: float
    records: int
    duration_s: float
    records_per_s_mean: float | None
    records_per_s_peak: int


def planned_trace(spec: ProducerSpec) -> PlannedTrace | None:
    """What is to be known of a group's trace; None where it has none."""
    rate = spec.schedule.rate
    if not isinstance(rate, TraceRate):
        return None
    due_ns = rate.trace.trace.rows["due_ns"]
    duration_s = float(due_ns[-1]) / NS_PER_S
    _, in_seconds = np.unique(due_ns // NS_PER_S, return_counts=True)
    return PlannedTrace(
        file=str(rate.trace.file),
        scale=rate.trace.scale,
        records=len(due_ns),
        duration_s=duration_s,
        # Of three records a second apart, two come in two seconds: the first one begins the first interval.
        records_per_s_mean=(len(due_ns) - 1) / duration_s if duration_s else None,
        records_per_s_peak=int(in_seconds.max()),
    )


def trace_warnings(scenario: Scenario) -> Iterator[str]:
    """What of a trace does not come to bear."""
    sending_s = scenario.phases.warmup_s + scenario.phases.measure_s
    for name, spec in scenario.producers.items():
        trace, planned = spec.trace, planned_trace(spec)
        if trace is None or planned is None:
            continue
        of = f"producer {name}: its trace"
        for column, field in _set_aside(spec, trace):
            yield f"{of} has {column}, which {field} sets aside; it may be trace"
        wanted = min(planned.records, spec.schedule.records or planned.records)
        sent = int(np.searchsorted(trace.rows["due_ns"][:wanted], round(sending_s * NS_PER_S)))
        lasts, sends = f"{planned.duration_s:,.1f} s", format_duration(sending_s)
        if sent < wanted:
            left = f"{wanted - sent:,} record{' is' if wanted - sent == 1 else 's are'}"
            yield f"{of} lasts {lasts}, and the run sends for {sends}: {left} left out"
        elif planned.duration_s < sending_s - _NEAR_S:
            yield f"{of} lasts {lasts}, and the run sends for {sends}: means are over the whole measure phase"


def _set_aside(spec: ProducerSpec, trace: Trace) -> Iterator[tuple[str, str]]:
    """Columns of a trace that are not used, and the field by which that is so."""
    if trace.has_sizes and spec.records.size != "trace":
        yield "sizes", "records.size"
    if trace.has_keys and spec.records.keys.kind != "trace":
        yield "keys", "records.keys.kind"


@contextmanager
def shared_traces(scenario: Scenario) -> Iterator[Mapping[str, int]]:
    """Lays each group's trace into a memory file, for as long as workers are started.

    Yields:
        The files' descriptors by the groups' names.
    """
    with ExitStack() as stack:
        descriptors = {}
        for name, spec in scenario.producers.items():
            if (trace := spec.trace) is not None:
                descriptors[name] = trace.share()
                stack.callback(os.close, descriptors[name])
        yield descriptors

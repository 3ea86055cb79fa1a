"""Which of a run's interval series were to be steady in the measure phase, and which were not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.measurement.circumstances import (
    LATENCY_DRIFT_LIMIT,
    TAIL_DRIFT_LIMIT,
    THROUGHPUT_DRIFT_LIMIT,
    SeriesDrift,
)
from loadlab.measurement.steadiness import FEWEST_INTERVALS, find_drift
from loadlab.run.series import INTERVAL_S
from loadlab.scenario.schedule import RampRate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from loadlab.results.artifacts import Interval
    from loadlab.run.timeline import Timeline
    from loadlab.scenario import ConsumerSpec, ProducerSpec, Scenario

_PERCENTILES: Final = {"p50": LATENCY_DRIFT_LIMIT, "p99": TAIL_DRIFT_LIMIT}
_THROUGHPUT: Final = "acked_records_per_s"

Watched = tuple[str, str, str, float]
"""A series that is to be steady: its source and metric, what people call it, and its limit."""


def drifts(
    rows: Sequence[Interval],
    timeline: Timeline,
    scenario: Scenario,
    saturated: frozenset[str],
) -> list[SeriesDrift]:
    """Looks for what was not steady in the measure phase.

    Args:
        rows: the run's interval series.
        timeline: of the run.
        scenario: its schedules say what was meant to change.
        saturated: producers for which the cluster was the limit: their queue fills, and latency with it.
    """
    watched = [*_of_producers(scenario, saturated), *_of_consumers(scenario, saturated)]
    found = []
    for source, metric, what, limit in watched:
        resolution = 1.0 / INTERVAL_S if metric == _THROUGHPUT else 0.0
        drift = find_drift(_measured(rows, timeline, source, metric), resolution)
        if drift is not None:
            found.append(SeriesDrift(what, drift, limit))
    return found


def too_few_intervals(timeline: Timeline, scenario: Scenario) -> int | None:
    """How many intervals lie wholly within the measure phase, where drift can't be told from noise in so few.

    Returns:
        None where they are enough, where nothing was to be steady, and where nothing was measured.
    """
    none = frozenset[str]()
    watched = [*_of_producers(scenario, none), *_of_consumers(scenario, none)]
    whole = len(whole_intervals(timeline))
    return whole if watched and timeline.measure_s > 0.0 and whole < FEWEST_INTERVALS else None


def whole_intervals(timeline: Timeline) -> range:
    """The numbers of the intervals that lie wholly within the measure phase."""
    begin = math.ceil(timeline.elapsed_s(timeline.warmup_end_ns) / INTERVAL_S)
    return range(begin, math.floor(timeline.elapsed_s(timeline.measure_end_ns) / INTERVAL_S))


def _of_producers(scenario: Scenario, saturated: frozenset[str]) -> Iterator[Watched]:
    for name, spec in scenario.producers.items():
        if not is_steady(spec, scenario.phases.warmup_s):
            continue
        source, group = f"producer/{name}", f"of producer {name}"
        yield source, _THROUGHPUT, f"throughput {group}", THROUGHPUT_DRIFT_LIMIT
        latency = "service_time" if spec.schedule.rate == "max" else "publish_latency"
        if name not in saturated or spec.schedule.rate == "max":
            for percentile, limit in _PERCENTILES.items():
                yield source, f"{latency}_{percentile}_us", f"{latency} {percentile} {group}", limit


def _of_consumers(scenario: Scenario, saturated: frozenset[str]) -> Iterator[Watched]:
    for name, spec in scenario.consumers.items():
        senders = {
            producer: sender for producer, sender in scenario.producers.items() if sender.topic == spec.topic
        }
        if not senders or not _follows(spec) or saturated & senders.keys():
            continue
        warmup_s = scenario.phases.warmup_s
        if all(is_steady(one, warmup_s) and one.schedule.rate != "max" for one in senders.values()):
            what = f"end_to_end_latency p50 of consumer {name}"
            yield f"consumer/{name}", "end_to_end_latency_p50_us", what, LATENCY_DRIFT_LIMIT


def is_steady(spec: ProducerSpec, warmup_s: float) -> bool:
    """Whether the group is to send alike all through the measure phase.

    Args:
        spec: the scenario's word on it.
        warmup_s: the length of the warm-up phase; a ramp is to be over by then.
    """
    rate = spec.schedule.rate
    risen = isinstance(rate, RampRate) and rate.ramp.over_s <= warmup_s
    return (rate == "max" or isinstance(rate, float) or risen) and spec.schedule.records is None


def _follows(spec: ConsumerSpec) -> bool:
    """Whether the group is to read whatever comes as soon as it comes."""
    return spec.start_after_s is None and spec.max_rate_per_s is None


def _measured(
    rows: Sequence[Interval], timeline: Timeline, source: str, metric: str
) -> npt.NDArray[np.float64]:
    """One metric in the intervals that lie wholly within the measure phase, in their order."""
    begin_s = timeline.elapsed_s(timeline.warmup_end_ns)
    end_s = timeline.elapsed_s(timeline.measure_end_ns)
    return np.array(
        [
            row.value
            for row in rows
            if row.source == source
            and row.metric == metric
            and begin_s <= row.interval_start_s
            and row.interval_start_s + INTERVAL_S <= end_s
        ]
    )

"""A stored run as OpenMetrics text with times, as `promtool tsdb create-blocks-from openmetrics` loads it.

The series have the names of the endpoint's metrics (run_metrics.py), so that a dashboard shows both. What the
run came to follows as `loadlab_run_…`, at the end of its measure phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadlab.analysis.export import run_metrics
from loadlab.analysis.export.durations import load_start, over_time, spans
from loadlab.analysis.export.files import Exported
from loadlab.analysis.export.openmetrics_text import Family, Sample, exposition
from loadlab.analysis.export.run_outcome import outcome
from loadlab.analysis.export.seconds import read_seconds
from loadlab.analysis.intended import intended_records
from loadlab.analysis.recorded import INTERVAL_S
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadlab.analysis.export.durations import IntervalLatency
    from loadlab.analysis.export.seconds import Seconds
    from loadlab.results.reader import StoredRun


def export(stored: StoredRun) -> Exported:
    """The run as OpenMetrics text.

    Raises:
        UsageError: it measured nothing, or holds no histograms of its intervals.
    """
    result = stored.result
    series = _Series(
        stored,
        read_seconds(stored),
        load_start(stored).timestamp(),
        {"run_id": result.run_id, "scenario": result.name},
    )
    measure = result.phase("measure")
    end_s = series.origin_s + (measure.end_s if measure else 0.0)
    families = [*series.families(), *outcome(result, series.labels, end_s)]
    return Exported({"": exposition(families).encode()})


@dataclass(frozen=True, eq=False)
class _Series:
    """A run over time.

    Attributes:
        stored: the run.
        seconds: its rates and lags.
        origin_s: of the workers' common start, seconds since the epoch.
        labels: of each sample.
    """

    stored: StoredRun
    seconds: Seconds
    origin_s: float
    labels: Mapping[str, str]

    def families(self) -> Iterator[Family]:
        """All metrics; a sample stands at the end of its interval."""
        producers = [f"producer/{name}" for name in self.stored.result.producers]
        consumers = [f"consumer/{name}" for name in self.stored.result.consumers]
        yield self._phase(producers, consumers)
        yield self._target(producers)
        yield self._rate(run_metrics.SENT, producers, "attempted_records_per_s", "rejected_records_per_s")
        yield self._rate(run_metrics.ACKED, producers, "acked_records_per_s")
        yield self._rate(run_metrics.CONSUMED, consumers, "consumed_records_per_s")
        publish = [over_time(self.stored, source, "publish_latency") for source in producers]
        end_to_end = [over_time(self.stored, source, "end_to_end_latency") for source in consumers]
        yield self._latency(run_metrics.PUBLISH_LATENCY, publish, {"0.5": 50.0, "0.99": 99.0})
        yield self._latency(run_metrics.END_TO_END_LATENCY, end_to_end, {"0.99": 99.0})
        yield self._level(run_metrics.LAG, consumers, "consumer_lag_records")

    def _phase(self, producers: Sequence[str], consumers: Sequence[str]) -> Family:
        """The phase that each interval begins in."""
        sent = self.seconds.added(producers, "attempted_records_per_s")
        starts = sent or self.seconds.added(consumers, "consumed_records_per_s")
        return run_metrics.PHASE.of(
            *(
                self._sample({"loadlab_phase": name}, float(name == self._phase_at(at)), at + INTERVAL_S)
                for at in starts
                for name in run_metrics.PHASES
            )
        )

    def _phase_at(self, at_s: float) -> str | None:
        phases = self.stored.result.phases
        return next((phase.name for phase in phases if phase.start_s <= at_s < phase.end_s), None)

    def _target(self, producers: Sequence[str]) -> Family:
        """What the schedules asked for in each interval; nothing where that is not known."""
        starts = list(self.seconds.added(producers, "attempted_records_per_s"))
        edges = np.array([*starts, *(last_s + INTERVAL_S for last_s in starts[-1:])])
        asked = intended_records(self.stored.result, edges) if starts else None
        if asked is None:
            return run_metrics.TARGET
        rates = zip(starts, (asked / INTERVAL_S).tolist(), strict=True)
        return run_metrics.TARGET.of(*(self._sample({}, rate, at + INTERVAL_S) for at, rate in rates))

    def _rate(self, family: Family, sources: Sequence[str], metric: str, less: str | None = None) -> Family:
        """A rate, all sources added; without the events of another."""
        totals = self.seconds.added(sources, metric)
        taken = self.seconds.added(sources, less) if less else {}
        return family.of(
            *(
                self._sample({}, value - taken.get(start_s, 0.0), start_s + INTERVAL_S)
                for start_s, value in totals.items()
            )
        )

    def _level(self, family: Family, sources: Sequence[str], metric: str) -> Family:
        """A level, all sources added, at the times of its samples."""
        totals = self.seconds.added(sources, metric)
        return family.of(*(self._sample({}, value, at_s) for at_s, value in totals.items()))

    def _latency(
        self, family: Family, parts: Sequence[IntervalLatency], quantiles: Mapping[str, float]
    ) -> Family:
        """A latency's percentiles, of all groups' samples; none where too few lie beyond it."""
        starts = sorted({start_s for part in parts for start_s in part.starts_s.tolist()})
        return family.of(*(sample for at in starts for sample in self._quantiles(parts, at, quantiles)))

    def _quantiles(
        self, parts: Sequence[IntervalLatency], start_s: float, quantiles: Mapping[str, float]
    ) -> Iterator[Sample]:
        histogram = spans([part.between(start_s, start_s + INTERVAL_S) for part in parts])
        for name, percentile in quantiles.items():
            value_ns = histogram.percentile_ns(percentile)
            if value_ns is not None:
                yield self._sample({"quantile": name}, value_ns / NS_PER_S, start_s + INTERVAL_S)

    def _sample(self, labels: Mapping[str, str], value: float, at_s: float) -> Sample:
        return Sample({**self.labels, **labels}, value, self.origin_s + at_s)

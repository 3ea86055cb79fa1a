"""The interval series: what each group did in each second, drained from the slabs while the run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.measurement.histogram import BUCKETS, Histogram
from loadlab.measurement.slab import (
    ACK_LANE,
    CONSUME_LANE,
    INTERVAL_NS,
    RING_INTERVALS,
    SEND_LANE,
    AckMetric,
    ConsumeMetric,
    Counter,
    Metric,
    SendMetric,
)
from loadlab.results.artifacts import Interval, IntervalHistogram
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from loadlab.run.fleet import Fleet, WorkerProcess
    from loadlab.run.samples import Group, GroupSample, Sample

INTERVAL_S: Final = INTERVAL_NS / NS_PER_S
_METRICS: Final = 2
_MOST_SMALL: Final = np.iinfo(np.uint16).max

_LATENCIES: Final[Mapping[int, Mapping[str, Metric]]] = {
    SEND_LANE: {"send_delay": SendMetric.SEND_DELAY},
    ACK_LANE: {"service_time": AckMetric.SERVICE_TIME, "publish_latency": AckMetric.PUBLISH_LATENCY},
}
_CONSUMER_LATENCIES: Final[Mapping[int, Mapping[str, Metric]]] = {
    CONSUME_LANE: {"end_to_end_latency": ConsumeMetric.END_TO_END_LATENCY}
}
_RATES: Final = {
    SEND_LANE: {"attempted": Counter.ATTEMPTED, "rejected": Counter.REJECTED},
    ACK_LANE: {
        "acked": Counter.ACKED,
        "acked_bytes": Counter.ACKED_BYTES,
        "failed": Counter.FAILED,
        "indeterminate": Counter.INDETERMINATE,
    },
}
_CONSUMER_RATES: Final = {
    CONSUME_LANE: {"consumed": Counter.CONSUMED, "consumed_bytes": Counter.CONSUMED_BYTES}
}
_EVENTS: Final = (
    Counter.ATTEMPTED,
    Counter.REJECTED,
    Counter.ACKED,
    Counter.FAILED,
    Counter.INDETERMINATE,
    Counter.CONSUMED,
)
_SHOWN: Final = ("p50", "p90", "p95", "p99", "p999", "max")


@dataclass(frozen=True, eq=False)
class LaneInterval:
    """One interval of one lane, or of several added up.

    Attributes:
        counters: by Counter.
        counts: histogram buckets by Metric, shape (2, BUCKETS).
        first_ns: of acks, when the first came, CLOCK_MONOTONIC; 0: none did.
        last_ns: when the last came; likewise.
    """

    counters: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    first_ns: int = 0
    last_ns: int = 0

    @classmethod
    def empty(cls) -> LaneInterval:
        """An interval in which nothing happened."""
        return cls(np.zeros(len(Counter), np.int64), np.zeros((_METRICS, BUCKETS), np.int64))

    def histogram(self, metric: Metric) -> Histogram:
        """One metric's durations."""
        return Histogram.of_counts(self.counts[metric])


def read_interval(worker: WorkerProcess, lane: int, index: int) -> LaneInterval:
    """What a worker's lane holds of an interval that has ended."""
    slot = worker.slab.record["lanes"][0, lane]["ring"][index % RING_INTERVALS]
    if int(slot["index"]) != index + 1:
        return LaneInterval.empty()
    times = int(slot["first_ns"]), int(slot["last_ns"])
    return LaneInterval(slot["counters"].copy(), slot["counts"].astype(np.int64), *times)


def _added(parts: Sequence[LaneInterval]) -> LaneInterval:
    """The same interval of several lanes as one."""
    total = LaneInterval.empty()
    return LaneInterval(
        sum((part.counters for part in parts), total.counters),
        sum((part.counts for part in parts), total.counts),
        min((part.first_ns for part in parts if part.first_ns), default=0),
        max((part.last_ns for part in parts), default=0),
    )


@dataclass(eq=False)
class Series:
    """The rows of all intervals drained so far.

    Attributes:
        fleet: whose slabs are drained.
        rows: one per interval, source and metric.
        histograms: the durations behind the rows of latencies.
        drained: how many intervals have been drained, from the common start.
        counted: samples and events in them, by worker and lane: what is missing against the totals came
            too late for its interval.
    """

    fleet: Fleet
    rows: list[Interval] = field(default_factory=list)
    histograms: list[IntervalHistogram] = field(default_factory=list)
    drained: int = 0
    counted: dict[tuple[int, int], npt.NDArray[np.int64]] = field(default_factory=dict)

    def drain(self, until: int) -> LaneInterval | None:
        """Drains the intervals before number `until`.

        Returns:
            The last of them with all lanes of all groups added up, or None where there was none.
        """
        latest = None
        while self.drained < until:
            # One that was written over while nobody drained is left out: zeros would tell of an idle second.
            if self.drained > until - RING_INTERVALS or self._is_there(self.drained):
                latest = self._drain_one(self.drained)
            self.drained += 1
        return latest

    def drain_all(self, until: int, now: int) -> None:
        """Drains the intervals before number `until`, and those before `now` in which workers still ended."""
        self.drain(until)
        for index in range(until, now):
            if self._is_there(index):
                self.drain(index + 1)

    def _is_there(self, index: int) -> bool:
        """Whether any worker's ring still has an interval."""
        rings = (worker.slab.record["lanes"][0]["ring"]["index"] for worker in self.fleet.workers)
        return any((ring[:, index % RING_INTERVALS] == index + 1).any() for ring in rings)

    def _drain_one(self, index: int) -> LaneInterval:
        everything = LaneInterval.empty()
        for name in dict.fromkeys(worker.order.group for worker in self.fleet.producers):
            self._drain_producers(index, name, everything)
        for name in dict.fromkeys(worker.order.group for worker in self.fleet.consumers):
            total = self._add(self.fleet.group(name, produces=False), CONSUME_LANE, index)
            rates, latencies = _CONSUMER_RATES[CONSUME_LANE], _CONSUMER_LATENCIES[CONSUME_LANE]
            self._write(index, f"consumer/{name}", total, rates, latencies)
            everything.counters[:] += total.counters
            everything.counts[ConsumeMetric.END_TO_END_LATENCY] += total.counts[
                ConsumeMetric.END_TO_END_LATENCY
            ]
        return everything

    def _drain_producers(self, index: int, name: str, everything: LaneInterval) -> None:
        workers = self.fleet.group(name, produces=True)
        sent, told = (self._add(workers, lane, index) for lane in (SEND_LANE, ACK_LANE))
        everything.counters[:] += sent.counters + told.counters
        # What the call refused has failed as well, and there is one figure for both.
        told.counters[Counter.FAILED] += sent.counters[Counter.FAILED]
        latencies = _LATENCIES[SEND_LANE]
        if workers[0].order.at_max_rate:  # no record is due at a time, from which it could be late
            latencies = {}
            told.counts[AckMetric.PUBLISH_LATENCY] = told.counts[AckMetric.SERVICE_TIME]
        everything.counts[AckMetric.PUBLISH_LATENCY] += told.counts[AckMetric.PUBLISH_LATENCY]
        self._write(index, f"producer/{name}", sent, _RATES[SEND_LANE], latencies)
        self._write(index, f"producer/{name}", told, _RATES[ACK_LANE], _LATENCIES[ACK_LANE])
        if told.first_ns:
            start_ns = int(workers[0].slab.record["start_ns"][0])
            for metric, at_ns in (("first_ack_s", told.first_ns), ("last_ack_s", told.last_ns)):
                at_s = (at_ns - start_ns) / NS_PER_S
                self.rows.append(Interval(index * INTERVAL_S, f"producer/{name}", metric, at_s))

    def _add(self, workers: list[WorkerProcess], lane: int, index: int) -> LaneInterval:
        parts = {worker.order.worker: read_interval(worker, lane, index) for worker in workers}
        for worker, part in parts.items():
            self.counted[worker, lane] = self.counted.get((worker, lane), 0) + part.counters
        return _added(list(parts.values()))

    def _write(
        self,
        index: int,
        source: str,
        total: LaneInterval,
        rates: Mapping[str, Counter],
        latencies: Mapping[str, Metric],
    ) -> None:
        start_s = index * INTERVAL_S
        for name, counter in rates.items():
            metric = f"{name}_per_s" if name.endswith("_bytes") else f"{name}_records_per_s"
            self.rows.append(Interval(start_s, source, intern(metric), total.counters[counter] / INTERVAL_S))
        for name, latency in latencies.items():
            self.rows += _latency_rows(start_s, source, name, total.histogram(latency))
            self._keep(start_s, source, intern(f"{name}_us"), total.counts[latency])

    def _keep(self, start_s: float, source: str, metric: str, counts: npt.NDArray[np.int64]) -> None:
        """Keeps a histogram as its filled buckets, a few hundred of thousands, in as few bytes as they need.

        What the parent keeps until the end is most of its memory in a run of hours.
        """
        filled = np.flatnonzero(counts)
        if len(filled):
            kept = counts[filled]
            small = kept.astype(np.uint16) if kept.max() <= _MOST_SMALL else kept
            self.histograms.append(IntervalHistogram(start_s, source, metric, filled.astype(np.int16), small))

    def add_lag(self, samples: Sequence[Sample], groups: Sequence[Group], start_ns: int) -> None:
        """Adds each group's lag in total; these rows stand at the times of the samples."""
        for group in groups:
            for sample in samples:
                at_s = (sample.at_ns - start_ns) / NS_PER_S
                self.rows += _lag_rows(at_s, f"consumer/{group.name}", sample.groups[group.name])

    def late(self) -> int:
        """Events that were booked into an interval after it had been drained."""
        missing = 0
        for worker in self.fleet.workers:
            for lane in (SEND_LANE, ACK_LANE):
                totals = worker.slab.record["lanes"][0, lane]["by_moment"].sum(axis=0)
                drained = self.counted.get((worker.order.worker, lane))
                if drained is not None:
                    missing += int(np.abs(totals - drained)[list(_EVENTS)].sum())
        return missing


def partition_lags(samples: Sequence[Sample], groups: Sequence[Group], start_ns: int) -> Iterator[Interval]:
    """The lag of each group by partition: rows that are made when they are written; they may be millions."""
    for group in groups:
        sources = [f"consumer/{group.name}/{topic}-{number}" for topic, number in group.partitions]
        for sample in samples:
            at_s = (sample.at_ns - start_ns) / NS_PER_S
            for source, lag in zip(sources, sample.groups[group.name].lag, strict=True):
                yield Interval(at_s, source, "consumer_lag_records", float(lag))


def _lag_rows(at_s: float, source: str, sample: GroupSample) -> Iterator[Interval]:
    yield Interval(at_s, source, "consumer_lag_records", float(sample.total_lag))
    yield Interval(at_s, source, "backlog_records", float(sample.backlog))
    if sample.committed_lag is not None:
        yield Interval(at_s, source, "committed_lag_records", float(sample.committed_lag))


def _latency_rows(start_s: float, source: str, name: str, histogram: Histogram) -> Iterator[Interval]:
    summary = histogram.summary_us()
    for statistic in _SHOWN:
        value = summary[statistic]
        if value is not None:
            yield Interval(start_s, source, intern(f"{name}_{statistic}_us"), float(value))

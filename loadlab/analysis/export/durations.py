"""The latencies of a stored run: of the whole measure phase by intent, and of spans of time by moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.errors import UsageError
from loadlab.measurement.histogram import BUCKETS, Histogram, midpoints_ns
from loadlab.results.artifacts import EVENTS_FILE, read_histograms, read_interval_histograms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from loadlab.results.model import ConsumerResult, LatencyBlock, ProducerResult
    from loadlab.results.reader import StoredRun

PRODUCER_METRICS: Final = ("send_delay_us", "service_time_us", "publish_latency_us")
CONSUMER_METRICS: Final = ("end_to_end_latency_us",)


@dataclass(frozen=True)
class Latency:
    """One latency of one group.

    Attributes:
        source: "producer/checkout" or "consumer/billing".
        metric: with its unit, as in histograms.npz: "publish_latency_us".
        histogram: of the measure phase; sum, minimum and maximum are exact.
    """

    source: str
    metric: str
    histogram: Histogram


def latencies(stored: StoredRun) -> Iterator[Latency]:
    """All latencies of a run that have a sample, producers' first.

    Raises:
        UsageError: it stored no histograms.
    """
    histograms = read_histograms(stored.path)
    if histograms is None:
        raise UsageError(
            f"{stored.path} has no histograms: nothing was measured", fix="run the scenario again"
        )
    groups: list[tuple[str, ProducerResult | ConsumerResult, Sequence[str]]] = [
        *((f"producer/{name}", each, PRODUCER_METRICS) for name, each in stored.result.producers.items()),
        *((f"consumer/{name}", each, CONSUMER_METRICS) for name, each in stored.result.consumers.items()),
    ]
    for source, group, metrics in groups:
        for metric in metrics:
            counts, block = histograms.counts.get(f"{source}/{metric}"), getattr(group, metric)
            if counts is not None and block is not None and counts.any():
                yield Latency(source, metric, _exact(counts, block))


def _exact(counts: NDArray[np.int64], block: LatencyBlock) -> Histogram:
    """The stored buckets with what the result knows better than they: sum, minimum and maximum."""
    rough = Histogram.of_counts(counts)
    if block.mean is None or block.min is None or block.max is None:
        return rough
    total_ns = round(block.mean * 1_000 * block.count)
    return Histogram(counts, total_ns, min_ns=round(block.min * 1_000), max_ns=round(block.max * 1_000))


def merged(parts: Sequence[Histogram]) -> Histogram:
    """All samples of several histograms; an empty one where there are none."""
    return sum(parts, start=Histogram())


def value_at_ns(histogram: Histogram, percentile: float) -> float | None:
    """The duration at a percentile, whether or not enough samples lie beyond it; None without a sample.

    Formats of other tools state every percentile of any sample; loadlab's own results don't
    (`Histogram.percentile_ns`).
    """
    count = histogram.count
    if not count or histogram.min_ns is None or histogram.max_ns is None:
        return None
    rank = max(1, int(np.ceil(count * percentile / 100 - 1e-6)))
    bucket = int(np.searchsorted(np.cumsum(histogram.counts), rank))
    return float(np.clip(midpoints_ns()[bucket], histogram.min_ns, histogram.max_ns))


@dataclass(frozen=True, eq=False)
class IntervalLatency:
    """One latency of one group over time, by moment.

    Attributes:
        starts_s: of the intervals that have a sample, seconds since the common start.
        counts: samples by interval and bucket.
    """

    starts_s: NDArray[np.float64]
    counts: NDArray[np.int64]

    def between(self, start_s: float, end_s: float) -> NDArray[np.int64]:
        """Samples by bucket of the intervals that begin in a span of time."""
        inside = (self.starts_s >= start_s) & (self.starts_s < end_s)
        added: NDArray[np.int64] = self.counts[inside].sum(axis=0, dtype=np.int64)
        return added


def over_time(stored: StoredRun, source: str, metric: str) -> IntervalLatency:
    """One latency of one group over all phases of a run.

    Raises:
        UsageError: the run was stored before the histograms of intervals were kept.
    """
    found = read_interval_histograms(stored.path, source, metric)
    if found is None:
        raise UsageError(
            f"{stored.path} holds no histograms of its intervals: it was stored by an older loadlab",
            fix="run the scenario again; percentiles over time can't be had from those of single seconds",
        )
    return IntervalLatency(*found)


def spans(counts: Sequence[NDArray[np.int64]]) -> Histogram:
    """Several groups' samples of one span of time; sum, minimum and maximum are those of the buckets."""
    return Histogram.of_counts(np.sum([np.zeros(BUCKETS, np.int64), *counts], axis=0))


def load_start(stored: StoredRun) -> datetime:
    """When the workers started together, UTC; to about a tenth of a second, which the start itself takes."""
    lines = (stored.path / EVENTS_FILE).read_text(encoding="utf-8").splitlines()
    starts = (event.get("at_s") for event in map(json.loads, lines) if event.get("event") == "start")
    at_s = next(starts, 0.0)
    return stored.result.started_at + timedelta(seconds=at_s if isinstance(at_s, float | int) else 0.0)

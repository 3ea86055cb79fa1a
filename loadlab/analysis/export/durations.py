"""The latencies of a stored run: of the whole measure phase by intent, and of spans of time by moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from loadlab.analysis.histograms import latency_histograms
from loadlab.errors import UsageError
from loadlab.measurement.histogram import BUCKETS, Histogram, midpoints_ns
from loadlab.results.artifacts import HISTOGRAMS_FILE, read_events, read_interval_histograms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from loadlab.results.model import RunResult
    from loadlab.results.reader import StoredRun


def latencies(stored: StoredRun) -> Mapping[tuple[str, str], Histogram]:
    """All latencies of a run's measure phase that have a sample, by source and metric.

    Raises:
        UsageError: the file is damaged, or is not there although the result tells of samples.
    """
    if not (stored.path / HISTOGRAMS_FILE).exists() and any(_told(stored.result)):
        raise UsageError(
            f"{stored.path} holds no {HISTOGRAMS_FILE}, and the result tells of latencies",
            fix="restore the file; what result.json tells, `loadlab show` shows",
        )
    return {key: each.durations for key, each in latency_histograms(stored).items() if each.count}


def _told(result: RunResult) -> Iterator[int]:
    """The samples of each latency."""
    for producer in result.producers.values():
        for block in (producer.send_delay_us, producer.service_time_us, producer.publish_latency_us):
            yield 0 if block is None else block.count
    for consumer in result.consumers.values():
        yield 0 if consumer.end_to_end_latency_us is None else consumer.end_to_end_latency_us.count


def some_latencies(stored: StoredRun) -> Mapping[tuple[str, str], Histogram]:
    """The same for formats that tell nothing else.

    At `rate: max` publish latency is the service time, and is left out.

    Raises:
        UsageError: there is none, or the file is damaged.
    """
    at_max = {
        f"producer/{name}"
        for name, producer in stored.result.producers.items()
        if producer.publish_latency_is_service_time
    }
    found = {
        (source, metric): histogram
        for (source, metric), histogram in latencies(stored).items()
        if metric != "publish_latency" or source not in at_max
    }
    if not found:
        gone = "" if (stored.path / HISTOGRAMS_FILE).exists() else f" (there is no {HISTOGRAMS_FILE})"
        raise UsageError(
            f"{stored.path} holds no latency{gone}, and the format tells nothing else",
            fix="export the run as csv or parquet",
        )
    return found


def merged(parts: Sequence[Histogram]) -> Histogram:
    """All samples of several histograms; an empty one where there are none."""
    return sum(parts, start=Histogram())


def value_at_ns(histogram: Histogram, percentile: float) -> float | None:
    """The duration at a percentile, whether or not enough samples lie beyond it; None without a sample.

    Formats of other tools state every percentile of any sample; loadlab's own results don't
    (`Histogram.percentile_ns`).
    """
    count = histogram.count
    if histogram.min_ns is None or histogram.max_ns is None:
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
    counts: NDArray[np.int32]

    def between(self, start_s: float, end_s: float) -> NDArray[np.int64]:
        """Samples by bucket of the intervals that begin in a span of time."""
        first, last = np.searchsorted(self.starts_s, [start_s, end_s])
        added: NDArray[np.int64] = self.counts[first:last].sum(axis=0, dtype=np.int64)
        return added


def over_time(stored: StoredRun, source: str, metric: str) -> IntervalLatency:
    """One latency of one group over all phases of a run.

    Raises:
        UsageError: the run was stored before the histograms of intervals were kept.
    """
    found = read_interval_histograms(stored.path, source, f"{metric}_us")
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
    starts = (event.get("at_s") for event in read_events(stored.path) if event.get("event") == "start")
    at_s = next(starts, 0.0)
    return stored.result.started_at + timedelta(seconds=at_s if isinstance(at_s, float | int) else 0.0)

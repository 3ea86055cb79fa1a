"""A stored run of which every duration is known, to export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from result_samples import consumer, producer, result

from loadlab.measurement.histogram import BUCKETS, Histogram, lower_bounds_ns
from loadlab.results.artifacts import Artifacts, Histograms, Interval, IntervalHistogram
from loadlab.results.model import LatencyBlock, Phase
from loadlab.results.store import save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from loadlab.results.reader import StoredRun

WARMUP_S, MEASURE_END_S, DRAIN_END_S = 2, 27, 29
SCALES = {
    ("producer/checkout", "send_delay_us"): 40_000,
    ("producer/checkout", "service_time_us"): 2_000_000,
    ("producer/checkout", "publish_latency_us"): 2_100_000,
    ("consumer/billing", "end_to_end_latency_us"): 3_000_000,
}
"""Median nanoseconds by source and metric."""
LAST_ACKED_S = MEASURE_END_S  # in the drain the last records are read, none is sent


@dataclass(frozen=True, eq=False)
class Known:
    """The durations of each second, in nanoseconds, by source and metric; none where nothing was measured."""

    seconds: dict[tuple[str, str], list[NDArray[np.int64]]]

    def between(self, source: str, metric: str, start_s: int, end_s: int) -> NDArray[np.int64]:
        return np.concatenate(self.seconds[source, metric][start_s:end_s])


def known(samples: int = 2_000) -> Known:
    """Lognormal durations with a few that are far out, other ones in each second."""
    random = np.random.default_rng(7)

    def second(median: int) -> NDArray[np.int64]:
        drawn = (median * random.lognormal(0, 0.5, samples)).astype(np.int64)
        drawn[:3] *= 50
        return drawn

    return Known({key: [second(median) for _ in range(DRAIN_END_S)] for key, median in SCALES.items()})


def histogram_of(durations_ns: NDArray[np.int64]) -> Histogram:
    counts = np.histogram(durations_ns, bins=lower_bounds_ns())[0].astype(np.int64)
    smallest, largest = int(durations_ns.min()), int(durations_ns.max())
    return Histogram(counts, int(durations_ns.sum()), min_ns=smallest, max_ns=largest)


def renamed(durations: Known, producer: str) -> Known:
    """The same durations with another name for the producer."""
    return Known(
        {
            (f"producer/{producer}" if source.startswith("producer/") else source, metric): seconds
            for (source, metric), seconds in durations.seconds.items()
        }
    )


def store(folder: Path, durations: Known, *, producer_name: str = "checkout", **changes: object) -> StoredRun:
    """Store them as a run: 2 s of warm-up, 25 s of measuring, 2 s of drain; 2,000 records/s."""
    whole = {key: histogram_of(durations.between(*key, WARMUP_S, MEASURE_END_S)) for key in durations.seconds}
    blocks = {metric: LatencyBlock.model_validate(each.summary_us()) for (_, metric), each in whole.items()}
    sending = {name: blocks[name] for name in ("send_delay_us", "service_time_us", "publish_latency_us")}
    reading = {"end_to_end_latency_us": blocks["end_to_end_latency_us"]}
    fields: dict[str, object] = {
        "scenario": {"producers": {"checkout": {"records": {"size": "1KiB"}}}},
        "phases": (
            Phase(name="warmup", start_s=0.0, end_s=WARMUP_S),
            Phase(name="measure", start_s=WARMUP_S, end_s=MEASURE_END_S),
            Phase(name="drain", start_s=MEASURE_END_S, end_s=DRAIN_END_S),
        ),
        "producers": {producer_name: producer().model_copy(update=sending)},
        "consumers": {"billing": consumer().model_copy(update=reading)},
    }
    counts = {"/".join(key): each.counts for key, each in whole.items()}
    artifacts = Artifacts(
        intervals=list(_rates()),
        histograms=Histograms(lower_bounds_ns() / 1_000, counts),
        interval_histograms=list(_seconds(durations)),
        events=[
            {"at_s": 1.0, "event": "cluster", "text": "cluster ready"},
            {"at_s": 4.5, "event": "start", "text": "load started", "phase": "warmup"},
        ],
    )
    return save(result(**{**fields, **changes}), artifacts, folder)


def store_without_latency(folder: Path) -> StoredRun:
    """Store a run whose records all failed: it has rates, and no duration."""
    artifacts = Artifacts(
        intervals=list(_rates()), histograms=Histograms(lower_bounds_ns() / 1_000, {}), events=[]
    )
    return save(result(producers={"checkout": producer()}), artifacts, folder)


def _seconds(durations: Known) -> Iterator[IntervalHistogram]:
    for (source, metric), seconds in durations.seconds.items():
        for start_s, samples in enumerate(seconds):
            if len(samples):
                counts = histogram_of(samples).counts
                filled = np.flatnonzero(counts)
                assert filled[-1] < BUCKETS
                yield IntervalHistogram(
                    float(start_s), source, metric, filled.astype(np.int16), counts[filled]
                )


def _rates() -> Iterator[Interval]:
    """What is sent rises by 100 records/s each second; a tenth of it fails; the group reads 50/s less."""
    for second in range(DRAIN_END_S):
        sent = 1_000.0 + 100 * second if second < MEASURE_END_S else 0.0
        for metric, share in (
            ("attempted_records_per_s", 1.0),
            ("rejected_records_per_s", 0.0),
            ("acked_records_per_s", 0.9),
            ("failed_records_per_s", 0.08),
            ("indeterminate_records_per_s", 0.02),
        ):
            yield Interval(float(second), "producer/checkout", metric, sent * share)
        yield Interval(float(second), "consumer/billing", "consumed_records_per_s", sent * 0.9 - 50)
        yield Interval(second + 0.01, "consumer/billing", "consumer_lag_records", 50.0 * second)
        yield Interval(second + 0.01, "consumer/billing", "backlog_records", 60.0 * second)

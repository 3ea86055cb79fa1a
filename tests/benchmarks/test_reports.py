"""How long the report of ten minutes takes, and how large it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from loadlab.analysis.report import make_report, write_report
from loadlab.measurement.histogram import BUCKETS, lower_bounds_ns
from loadlab.results.artifacts import Artifacts, Histograms, Interval, IntervalHistogram
from loadlab.results.model import Phase
from loadlab.results.reader import load
from loadlab.results.store import save

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Table

SECONDS = 600
PARTITIONS, BROKERS = 12, 3
REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "quickstart"
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "run_report.py"
METRICS = {
    "producer/checkout": ("send_delay", "service_time", "publish_latency"),
    "consumer/billing": ("end_to_end_latency",),
}
RATES = {
    "producer/checkout": ("attempted_records_per_s", "acked_records_per_s", "failed_records_per_s"),
    "consumer/billing": ("consumed_records_per_s", "consumer_lag_records", "committed_lag_records"),
    **{f"consumer/billing/orders-{number}": ("consumer_lag_records",) for number in range(PARTITIONS)},
    **{
        f"broker:{number}": (
            "request_handler_idle_share",
            "produce_total_mean_ms",
            "gc_pause_ms",
            "heap_used_bytes",
        )
        for number in range(BROKERS)
    },
}


def test_the_report_of_ten_minutes(table: Table, tmp_path: Path) -> None:
    drawn = np.random.default_rng(1)
    histograms = list(_histograms(drawn))
    whole = {
        f"{source}/{metric}_us": _added(histograms, f"{metric}_us")
        for source, metrics in METRICS.items()
        for metric in metrics
    }
    artifacts = Artifacts(list(_intervals(drawn)), Histograms(lower_bounds_ns() / 1_000, whole), histograms)
    changes = {"phases": (Phase(name="measure", start_s=0.0, end_s=float(SECONDS)),)}
    stored = save(load(REFERENCE, tmp_path).result.model_copy(update=changes), artifacts, tmp_path)
    took_s, size_mb = [], []
    for _ in range(3):
        start_s = time.monotonic()
        page, _ = write_report(
            make_report(NOTEBOOK, {"run": str(stored.path)}, "ten minutes"), tmp_path / "page.html"
        )
        took_s.append(time.monotonic() - start_s)
        size_mb.append(page.stat().st_size / 1e6)
    table.add("report of 10 minutes", took_s, "s", 30, at_least=False)
    table.add("... its size", size_mb, "MB", 5, at_least=False)


def _intervals(drawn: np.random.Generator) -> Iterator[Interval]:
    for source, metrics in RATES.items():
        for metric in metrics:
            for second, value in enumerate(drawn.uniform(0.5, 1.0, SECONDS)):
                yield Interval(float(second), source, metric, float(value))


def _histograms(drawn: np.random.Generator) -> Iterator[IntervalHistogram]:
    for source, metrics in METRICS.items():
        for metric in metrics:
            for second in range(SECONDS):
                values_ns = drawn.lognormal(14.0, 0.7, 5_000)
                found = np.searchsorted(lower_bounds_ns(), values_ns, side="right") - 1
                buckets, counts = np.unique(found, return_counts=True)
                yield IntervalHistogram(
                    float(second), source, f"{metric}_us", buckets.astype(np.int16), counts.astype(np.int64)
                )


def _added(histograms: list[IntervalHistogram], metric: str) -> np.ndarray:
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for each in histograms:
        if each.metric == metric:
            counts[each.buckets] += each.counts
    return counts

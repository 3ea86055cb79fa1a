"""How fast histograms become lines of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loadlab.analysis.export.hdr import HdrHistogram
from loadlab.measurement.histogram import Histogram, lower_bounds_ns

if TYPE_CHECKING:
    from conftest import Table
    from pytest_benchmark.fixture import BenchmarkFixture

SECONDS = 600
SAMPLES = 20_000
LIMIT_PER_S = 1e6


def _seconds() -> list[Histogram]:
    """Ten minutes at 20,000 records/s: lognormal around 2 ms, as runs on a real broker are."""
    random = np.random.default_rng(1)
    drawn = (2e6 * random.lognormal(0, 0.6, (SECONDS, SAMPLES))).astype(np.int64)
    return [Histogram.of_counts(np.histogram(each, bins=lower_bounds_ns())[0]) for each in drawn]


def test_encoding_a_log(benchmark: BenchmarkFixture, table: Table) -> None:
    seconds = _seconds()
    filled = sum(int(np.count_nonzero(each.counts)) for each in seconds)

    def encode() -> int:
        return sum(len(HdrHistogram.of(each).base64()) for each in seconds)

    benchmark.pedantic(encode, rounds=5, iterations=1)
    table.add(
        "filled buckets encoded a second, .hlog",
        [filled / taken / 1e6 for taken in benchmark.stats.stats.data],
        "M",
        LIMIT_PER_S / 1e6,
        at_least=True,
    )

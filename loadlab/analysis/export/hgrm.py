"""Percentile distributions as HdrHistogram prints them: a file for each latency, in milliseconds.

The form is that of org.HdrHistogram.AbstractHistogram.outputPercentileDistribution with 5 ticks and a scaling
ratio of 1,000,000, which HdrHistogram's plotter reads (https://hdrhistogram.github.io/HdrHistogram).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

from loadlab.analysis.export.durations import some_latencies
from loadlab.analysis.export.files import Exported, file_name
from loadlab.analysis.export.hdr import BUCKETS, SIGNIFICANT_DIGITS, SUB_BUCKETS, HdrHistogram
from loadlab.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.analysis.export.hdr import Step
    from loadlab.results.reader import StoredRun

_TICKS_PER_HALF: Final = 5


def export(stored: StoredRun) -> Exported:
    """The run's latencies as percentile distributions.

    Raises:
        UsageError: it stored no histograms.
    """
    return Exported(
        {
            f"{file_name(*source.split('/'), metric)}.hgrm": distribution(HdrHistogram.of(histogram)).encode()
            for (source, metric), histogram in some_latencies(stored).items()
        }
    )


def distribution(histogram: HdrHistogram) -> str:
    """A percentile distribution in milliseconds."""
    return "".join(
        (
            f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n",
            *map(_row, histogram.steps(_TICKS_PER_HALF)),
            *_foot(histogram),
        )
    )


def _row(step: Step) -> str:
    share = step.percentile / 100.0
    row = f"{_ms(step.value_ns)} {_fixed(share, 12)} {step.reached:>10}"
    return f"{row}\n" if share == 1.0 else f"{row} {_fixed(1 / (1.0 - share), 2):>14}\n"


def _foot(histogram: HdrHistogram) -> Iterator[str]:
    mean, deviation = _ms(histogram.mean_ns()), _ms(histogram.deviation_ns())
    yield f"#[Mean    = {mean}, StdDeviation   = {deviation}]\n"
    yield f"#[Max     = {_ms(histogram.max_ns)}, Total count    = {histogram.count:>12}]\n"
    yield f"#[Buckets = {BUCKETS:>12}, SubBuckets     = {SUB_BUCKETS:>12}]\n"


def _ms(value_ns: float) -> str:
    return f"{_fixed(value_ns / NS_PER_MS, SIGNIFICANT_DIGITS):>12}"


def _fixed(number: float, digits: int) -> str:
    """A number with so many digits behind the point, rounded as Java does: its shortest form, half up."""
    return f"{Decimal(repr(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"

"""Log-linear histograms of durations: at most 0.8 % wide buckets, merged by addition only.

Bucket layout (the scheme of HdrHistogram, with a binary sub-bucket count): durations below 1,024 ns
fall into 128 buckets of 8 ns; each further power of two up to 2^37 ns (137 s) is divided into 128 equal
buckets, so that a bucket is 1/128 (0.78 %) of its lower bound wide at most. A percentile is reported as
the midpoint of the bucket that holds it; minimum, maximum and mean are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from loadlab.units import microseconds

SUB_BUCKET_BITS = 7
LINEAR_BITS = 10
_LARGEST_BITS = 37
SUB_BUCKETS = 1 << SUB_BUCKET_BITS
BUCKETS = SUB_BUCKETS * (1 + _LARGEST_BITS - LINEAR_BITS)
LARGEST_NS = (1 << _LARGEST_BITS) - 1

PERCENTILES: dict[str, float] = {
    "p50": 50.0,
    "p90": 90.0,
    "p95": 95.0,
    "p99": 99.0,
    "p999": 99.9,
    "p9999": 99.99,
}
SAMPLES_BEYOND = 10
"""A percentile is reported only where at least this many samples lie beyond it."""

CARRY_NS: Final = 1 << 61
HISTOGRAM = np.dtype(
    [
        ("total_ns", "<i8"),  # of the sum what is left beside the next
        ("total_carried", "<i8"),  # how often CARRY_NS was taken off: hours of late records pass 63 bits
        ("min_ns", "<i8"),
        ("max_ns", "<i8"),
        ("negative", "<i8"),  # samples below zero: counted, shown, in no bucket
        ("beyond", "<i8"),  # samples above LARGEST_NS: counted, shown, in the last bucket
        ("counts", "<i8", (BUCKETS,)),
    ],
)
"""A histogram as it lies in a slab. A fresh one is all zero; `min_ns` holds minimum + 1, 0 for none."""


@cache
def lower_bounds_ns() -> npt.NDArray[np.int64]:
    """The lower bound of each bucket in nanoseconds, and behind them the end of the last one.

    Returns:
        An array of shape (BUCKETS + 1,).
    """
    linear = np.arange(SUB_BUCKETS, dtype=np.int64) << (LINEAR_BITS - SUB_BUCKET_BITS)
    mantissas = np.arange(SUB_BUCKETS, 2 * SUB_BUCKETS, dtype=np.int64)
    shifts = range(LINEAR_BITS - SUB_BUCKET_BITS, _LARGEST_BITS - SUB_BUCKET_BITS)
    octaves = [mantissas << shift for shift in shifts]
    return np.concatenate([linear, *octaves, np.array([LARGEST_NS + 1])])


@cache
def midpoints_ns() -> npt.NDArray[np.float64]:
    """The midpoint of each bucket in nanoseconds, shape (BUCKETS,)."""
    bounds = lower_bounds_ns()
    return (bounds[:-1] + bounds[1:] - 1) / 2.0


def samples_needed(percentile: float) -> int:
    """How many samples a percentile between 0 and 100 needs, so that SAMPLES_BEYOND of them lie beyond it."""
    return -(-SAMPLES_BEYOND * 10_000 // _parts_beyond(percentile))


def _parts_beyond(percentile: float) -> int:
    """What lies beyond a percentile, in 1/10,000: exact, as percentiles carry two digits behind the point."""
    return 10_000 - round(percentile * 100)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Durations, counted by bucket. Merging is addition: `a + b`.

    Attributes:
        counts: samples by bucket, shape (BUCKETS,).
        total_ns: the exact sum of all samples.
        min_ns: the smallest sample, None when there is none.
        max_ns: the largest sample, None when there is none.
        negative: samples below zero, which are in no bucket.
        beyond: samples above LARGEST_NS, which are in the last bucket.
        missing: what never came through, and took longer than any sample: in no bucket, and percentiles
            know of it.
    """

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, dtype=np.int64))
    total_ns: int = 0
    min_ns: int | None = None
    max_ns: int | None = None
    negative: int = 0
    beyond: int = 0
    missing: int = 0

    @classmethod
    def read(cls, record: np.void) -> Histogram:
        """Copies a HISTOGRAM record out of a slab."""
        counts = np.array(record["counts"], dtype=np.int64)
        empty = not counts.any()
        return cls(
            counts=counts,
            total_ns=int(record["total_carried"]) * CARRY_NS + int(record["total_ns"]),
            min_ns=None if empty else int(record["min_ns"]) - 1,
            max_ns=None if empty else int(record["max_ns"]),
            negative=int(record["negative"]),
            beyond=int(record["beyond"]),
        )

    @classmethod
    def of_counts(cls, counts: npt.NDArray[np.integer]) -> Histogram:
        """A histogram of which only the buckets were kept: sum, minimum and maximum are theirs."""
        filled = np.flatnonzero(counts)
        if len(filled) == 0:
            return cls()
        bounds = lower_bounds_ns()
        return cls(
            counts=counts.astype(np.int64),
            total_ns=int(counts @ midpoints_ns()),
            min_ns=int(bounds[filled[0]]),
            max_ns=int(bounds[filled[-1] + 1] - 1),
        )

    def __add__(self, other: Histogram) -> Histogram:
        """All samples of both."""
        minima = [value for value in (self.min_ns, other.min_ns) if value is not None]
        maxima = [value for value in (self.max_ns, other.max_ns) if value is not None]
        return Histogram(
            counts=self.counts + other.counts,
            total_ns=self.total_ns + other.total_ns,
            min_ns=min(minima, default=None),
            max_ns=max(maxima, default=None),
            negative=self.negative + other.negative,
            beyond=self.beyond + other.beyond,
            missing=self.missing + other.missing,
        )

    @property
    def count(self) -> int:
        """How many samples it holds, those below zero left out."""
        return int(self.counts.sum())

    @property
    def mean_ns(self) -> float | None:
        """The exact mean, None when there is no sample."""
        count = self.count
        return self.total_ns / count if count else None

    def percentile_ns(self, percentile: float) -> float | None:
        """The duration that `percentile` percent of the samples, and of what is missing, do not exceed.

        Args:
            percentile: between 0 and 100.

        Returns:
            The midpoint of the bucket that holds the sample of rank ceil(percentile/100 x count), kept
            within the exact minimum and maximum; None where fewer than SAMPLES_BEYOND samples lie
            beyond it, because such a figure would be one of noise, among what is missing, and in the last
            bucket, which has all that is longer too.
        """
        count = self.count + self.missing
        beyond_parts = _parts_beyond(percentile)
        if count * beyond_parts < SAMPLES_BEYOND * 10_000:
            return None
        return self._at_rank(-(-count * (10_000 - beyond_parts) // 10_000))

    def _at_rank(self, rank: int) -> float | None:
        bucket = int(np.searchsorted(np.cumsum(self.counts), max(rank, 1)))
        if bucket >= len(self.counts) - 1:
            return None
        midpoint = float(midpoints_ns()[bucket])
        return min(max(midpoint, float(self.min_ns or 0)), float(self.max_ns or 0))

    def summary_us(self) -> dict[str, float | int | None]:
        """Count, mean, min, percentiles and max in microseconds, as a `*_us` block of a result."""
        percentiles = {name: microseconds(self.percentile_ns(value)) for name, value in PERCENTILES.items()}
        return {
            "count": self.count,
            "missing": self.missing,
            "mean": microseconds(self.mean_ns),
            "min": microseconds(self.min_ns),
            **percentiles,
            "max": microseconds(self.max_ns),
        }

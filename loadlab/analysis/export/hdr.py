"""HdrHistogram: its slots, its percentile steps, and its V2 encoding. Values are nanoseconds.

The layout is that of org.HdrHistogram.Histogram(1, LARGEST_NS, 3): unit steps up to 2,048, then 1,024 slots
in each power of two, so that a slot is 0.1 % wide at most. The encoding is that of
org.HdrHistogram.AbstractHistogram ("V2"): a header, then a ZigZag LEB128 number for each slot, in which a
negative number stands for so many empty slots. (https://github.com/HdrHistogram/HdrHistogram)

What the mapping costs: a bucket of loadlab's is given as its midpoint, at most 0.4 % from any sample in it;
HdrHistogram then reports the upper end of its slot, at most 0.1 % higher.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from loadlab.measurement.histogram import LARGEST_NS, midpoints_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from loadlab.measurement.histogram import Histogram

SIGNIFICANT_DIGITS: Final = 3
SUB_BUCKETS: Final = 2_048  # the power of two at or above 2 x 10^SIGNIFICANT_DIGITS
_HALF_BITS: Final = 10
BUCKETS: Final = LARGEST_NS.bit_length() - _HALF_BITS

_COOKIE: Final = 0x1C849303 | 0x10
_COMPRESSED_COOKIE: Final = 0x1C849304 | 0x10
_HEADER: Final = struct.Struct(">iiiiqqd")
_COMPRESSED_HEADER: Final = struct.Struct(">ii")
_GROUP_BITS: Final = 7
_MOST_GROUPS: Final = 8  # 56 bits: a count of 2^55 is beyond any run


class Step(NamedTuple):
    """A step of the percentile distribution.

    Attributes:
        value_ns: the upper end of the slot that the step is in.
        percentile: between 0 and 100.
        reached: samples at or below the value.
    """

    value_ns: int
    percentile: float
    reached: int


@dataclass(frozen=True, eq=False)
class HdrHistogram:
    """Durations in HdrHistogram's slots.

    Attributes:
        slots: numbers of the filled slots, ascending.
        counts: samples in each.
    """

    slots: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of_values(cls, values_ns: NDArray[np.int64], counts: NDArray[np.int64]) -> HdrHistogram:
        """Values, each as often as its count says."""
        slots, places = np.unique(_slots(values_ns), return_inverse=True)
        added = np.zeros(len(slots), dtype=np.int64)
        np.add.at(added, places, counts)
        filled = added > 0
        return cls(slots[filled], added[filled])

    @classmethod
    def of_counts(cls, counts: NDArray[np.int64]) -> HdrHistogram:
        """Counts by bucket of loadlab's, each bucket's samples at its midpoint."""
        filled = np.flatnonzero(counts)
        return cls.of_values(midpoints_ns()[filled].astype(np.int64), counts[filled])

    @classmethod
    def of(cls, histogram: Histogram) -> HdrHistogram:
        """The same of a histogram that knows its smallest and its largest sample: they go where they are."""
        filled = np.flatnonzero(histogram.counts)
        if histogram.min_ns is None or histogram.max_ns is None or not len(filled):
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        middles = midpoints_ns()[filled].astype(np.int64)
        values = np.clip(middles, histogram.min_ns, min(histogram.max_ns, LARGEST_NS))
        counts = histogram.counts[filled].astype(np.int64)
        ends = np.array([histogram.max_ns, histogram.min_ns])[: min(2, int(counts.sum()))]
        counts[-1] -= 1
        counts[0] -= len(ends) - 1
        ends = np.minimum(ends, LARGEST_NS)
        return cls.of_values(np.append(values, ends), np.append(counts, np.ones_like(ends)))

    @property
    def count(self) -> int:
        """Samples."""
        return int(self.counts.sum())

    @property
    def max_ns(self) -> int:
        """The upper end of the highest filled slot; 0 without a sample."""
        return int(_upper_ends(self.slots[-1:])[0]) if len(self.slots) else 0

    def mean_ns(self) -> float:
        """The mean of the slots' middles; 0 without a sample."""
        return float(_weights(self.counts) @ _middles(self.slots)) / self.count if self.count else 0.0

    def deviation_ns(self) -> float:
        """The standard deviation of the slots' middles; 0 without a sample."""
        if not self.count:
            return 0.0
        apart = _middles(self.slots) - self.mean_ns()
        return math.sqrt(float(_weights(self.counts) @ (apart * apart)) / self.count)

    def steps(self, ticks_per_half: int) -> Iterator[Step]:
        """The percentile distribution as org.HdrHistogram.PercentileIterator goes through it.

        Args:
            ticks_per_half: steps in each half of what is left to 100 %.
        """
        total, level = self.count, 0.0
        for value, reached in zip(
            _upper_ends(self.slots).tolist(), np.cumsum(self.counts).tolist(), strict=True
        ):
            if reached == total:
                yield Step(value, level, reached)
                yield Step(value, 100.0, reached)
                return
            while 100.0 * reached / total >= level:
                yield Step(value, level, reached)
                level += 100.0 / _ticks(level, ticks_per_half)

    def encoded(self) -> bytes:
        """The V2 encoding, compressed."""
        payload = _zigzag_leb128(self._words())
        whole = _HEADER.pack(_COOKIE, len(payload), 0, SIGNIFICANT_DIGITS, 1, LARGEST_NS, 1.0) + payload
        compressed = zlib.compress(whole)
        return _COMPRESSED_HEADER.pack(_COMPRESSED_COOKIE, len(compressed)) + compressed

    def base64(self) -> str:
        """The encoding as it stands in a log."""
        return base64.b64encode(self.encoded()).decode("ascii")

    def _words(self) -> NDArray[np.int64]:
        """Counts up to the highest filled slot; several empty slots are their number, negative; one is 0."""
        if not len(self.slots):
            return np.zeros(1, dtype=np.int64)
        empty = np.diff(self.slots, prepend=-1) - 1
        words = np.stack([np.where(empty > 1, -empty, 0), self.counts], axis=1)
        kept = np.stack([empty > 0, np.ones(len(empty), dtype=bool)], axis=1)
        told: NDArray[np.int64] = words[kept]
        return told


def _ticks(level: float, ticks_per_half: int) -> int:
    halves = int(math.log(100.0 / (100.0 - level)) / math.log(2)) + 1
    return ticks_per_half * int(2**halves)


def _slots(values_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The slot of each value."""
    lengths = np.frexp(values_ns.astype(np.float64))[1].astype(np.int64)  # in bits; exact below 2^53
    octaves = np.maximum(lengths - (_HALF_BITS + 1), 0)
    slots: NDArray[np.int64] = (octaves << _HALF_BITS) + (values_ns >> octaves)
    return slots


def _shape(slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lower end and width of each slot."""
    octaves = np.maximum((slots >> _HALF_BITS) - 1, 0)
    return (slots - (octaves << _HALF_BITS)) << octaves, np.int64(1) << octaves


def _upper_ends(slots: NDArray[np.int64]) -> NDArray[np.int64]:
    lower, width = _shape(slots)
    return lower + width - 1


def _middles(slots: NDArray[np.int64]) -> NDArray[np.int64]:
    lower, width = _shape(slots)
    return lower + (width >> 1)


def _weights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts as floats: times nanoseconds they would not fit into 64 bits."""
    return counts.astype(np.float64)


def _zigzag_leb128(words: NDArray[np.int64]) -> bytes:
    """Each word with its sign in the lowest bit, in groups of seven bits, the lowest first."""
    unsigned = ((words << 1) ^ (words >> 63)).astype(np.uint64)
    shifts = np.arange(_MOST_GROUPS, dtype=np.uint64) * np.uint64(_GROUP_BITS)
    left = unsigned[:, np.newaxis] >> shifts
    groups = (left & np.uint64(0x7F)).astype(np.uint8)
    more = (left >> np.uint64(_GROUP_BITS)) > 0
    kept = left > 0
    kept[:, 0] = True
    return (groups | (more.astype(np.uint8) << 7))[kept].tobytes()

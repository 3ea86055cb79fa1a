from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest
from export_samples import histogram_of
from hypothesis import given
from hypothesis import strategies as st

from loadlab.analysis.export.hdr import HdrHistogram, _shape, _slots, _upper_ends
from loadlab.analysis.export.hgrm import distribution
from loadlab.measurement.histogram import LARGEST_NS, Histogram

durations = st.lists(st.integers(0, LARGEST_NS), min_size=1, max_size=200).map(
    lambda drawn: np.array(drawn, dtype=np.int64)
)


def decoded(encoded: bytes) -> dict[int, int]:
    """Counts by slot, read as the format says, number by number."""
    cookie, length = struct.unpack(">ii", encoded[:8])
    assert (cookie, length) == (0x1C849314, len(encoded) - 8)
    whole = zlib.decompress(encoded[8:])
    header = struct.unpack(">iiiiqqd", whole[:40])
    assert header == (0x1C849313, len(whole) - 40, 0, 3, 1, LARGEST_NS, 1.0)
    counts, slot, place = {}, 0, 40
    while place < len(whole):
        unsigned = shift = 0
        while True:
            byte = whole[place]
            place += 1
            unsigned |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        word = (unsigned >> 1) ^ -(unsigned & 1)
        if word > 0:
            counts[slot] = word
        slot += -word if word < 0 else 1
    return counts


@given(durations)
def test_a_value_lies_in_its_slot_and_the_slot_is_a_thousandth_wide_at_most(values: np.ndarray) -> None:
    lower, width = _shape(_slots(values))

    assert (lower <= values).all()
    assert (values < lower + width).all()
    assert (width <= np.maximum(values / 1_000, 1)).all()


@given(durations)
def test_what_is_encoded_is_read_back(values: np.ndarray) -> None:
    histogram = HdrHistogram.of(histogram_of(values))

    assert decoded(histogram.encoded()) == dict(
        zip(histogram.slots.tolist(), histogram.counts.tolist(), strict=True)
    )
    assert base64.b64decode(histogram.base64()) == histogram.encoded()


def test_counts_of_every_length_are_read_back() -> None:
    counts = np.array([1, 63, 64, 8_191, 8_192, 2**34, 2**54], dtype=np.int64)
    histogram = HdrHistogram(np.arange(7, dtype=np.int64) * 3, counts)

    assert list(decoded(histogram.encoded()).values()) == counts.tolist()


@given(durations)
def test_no_sample_is_lost_and_the_ends_are_exact_within_a_slot(values: np.ndarray) -> None:
    histogram = HdrHistogram.of(histogram_of(values))

    assert histogram.count == len(values)
    assert histogram.max_ns == _upper_ends(_slots(values.max(keepdims=True)))[0]
    assert histogram.slots[0] == _slots(values.min(keepdims=True))[0]


@pytest.mark.parametrize("percentile", [50, 90, 99, 99.9])
def test_a_percentile_costs_half_a_percent_at_most(percentile: float) -> None:
    values = (1e6 * np.random.default_rng(3).lognormal(0, 1, 100_000)).astype(np.int64)
    steps = list(HdrHistogram.of(histogram_of(values)).steps(100))
    step = next(step for step in steps if step.percentile >= percentile)

    exact = np.quantile(values, step.percentile / 100, method="inverted_cdf")
    assert step.value_ns == pytest.approx(exact, rel=0.005)


def test_nothing_measured_is_an_empty_histogram() -> None:
    empty = HdrHistogram.of(Histogram())

    assert decoded(empty.encoded()) == {}
    assert (empty.count, empty.max_ns, empty.mean_ns(), empty.deviation_ns()) == (0, 0, 0.0, 0.0)
    assert list(empty.steps(5)) == []


def test_a_distribution_ends_with_all_samples_at_100_percent() -> None:
    lines = distribution(
        HdrHistogram.of(histogram_of(np.array([1_000_000, 2_000_000, 3_000_000])))
    ).splitlines()

    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert lines[2].split() == ["1.000", "0.000000000000", "1", "1.00"]
    assert lines[-4].split() == ["3.000", "1.000000000000", "3"]
    assert lines[-2] == "#[Max     =        3.000, Total count    =            3]"


def test_sums_of_long_durations_do_not_overflow() -> None:
    counts = np.array([10**9], dtype=np.int64)
    histogram = HdrHistogram.of_values(np.array([LARGEST_NS]), counts)

    assert histogram.mean_ns() == pytest.approx(LARGEST_NS, rel=0.001)

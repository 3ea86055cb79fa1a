from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.measurement.histogram import (
    BUCKETS,
    HISTOGRAM,
    LARGEST_NS,
    PERCENTILES,
    SAMPLES_BEYOND,
    Histogram,
    lower_bounds_ns,
    midpoints_ns,
)
from loadlab.measurement.lane import bucket_of

BOUNDS = lower_bounds_ns()
WIDEST = 0.008


def histogram_of(values_ns: np.ndarray) -> Histogram:
    """What a slab would hold of these samples; the buckets are found by bisection, not by `bucket_of`."""
    buckets = np.searchsorted(BOUNDS, values_ns, side="right") - 1
    return Histogram(
        counts=np.bincount(buckets, minlength=BUCKETS),
        total_ns=int(values_ns.sum()),
        min_ns=int(values_ns.min()) if len(values_ns) else None,
        max_ns=int(values_ns.max()) if len(values_ns) else None,
    )


def test_buckets_follow_each_other_from_zero_to_the_largest_duration() -> None:
    assert len(BOUNDS) == BUCKETS + 1
    assert BOUNDS[0] == 0
    assert (np.diff(BOUNDS) > 0).all()
    assert BOUNDS[-1] == LARGEST_NS + 1 == 1 << 37


def test_no_bucket_from_one_microsecond_on_is_wider_than_0_8_percent() -> None:
    lower, upper = BOUNDS[:-1], BOUNDS[1:]
    wide = lower >= 1_000

    assert ((upper - lower)[wide] / lower[wide]).max() <= WIDEST


def test_a_reported_midpoint_is_within_0_4_percent_of_every_duration_in_its_bucket() -> None:
    lower, last = BOUNDS[:-1], BOUNDS[1:] - 1
    wide = lower >= 1_000
    furthest = np.maximum(midpoints_ns() - lower, last - midpoints_ns())

    assert (furthest[wide] / lower[wide]).max() <= WIDEST / 2


def test_the_compiled_bucket_agrees_with_the_bounds_at_and_beside_each_of_them() -> None:
    beside = np.unique(np.concatenate([BOUNDS - 1, BOUNDS, BOUNDS + 1]))
    values = beside[(beside >= 0) & (beside <= LARGEST_NS)]

    found = [bucket_of(int(value)) for value in values]

    assert found == (np.searchsorted(BOUNDS, values, side="right") - 1).tolist()


@given(st.integers(0, LARGEST_NS))
def test_any_duration_lies_in_its_bucket(value_ns: int) -> None:
    bucket = bucket_of(value_ns)

    assert BOUNDS[bucket] <= value_ns < BOUNDS[bucket + 1]


@given(st.lists(st.lists(st.integers(0, LARGEST_NS), max_size=30), min_size=1, max_size=4))
def test_merging_is_addition(parts: list[list[int]]) -> None:
    arrays = [np.array(part, dtype=np.int64) for part in parts]

    merged = sum((histogram_of(part) for part in arrays), Histogram())

    whole = histogram_of(np.concatenate(arrays))
    assert (merged.counts == whole.counts).all()
    assert (merged.total_ns, merged.min_ns, merged.max_ns) == (whole.total_ns, whole.min_ns, whole.max_ns)


def test_merging_adds_what_was_out_of_range() -> None:
    merged = Histogram(negative=1, beyond=2) + Histogram(negative=10, beyond=20)

    assert (merged.negative, merged.beyond) == (11, 22)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 200_000), sigma=st.floats(0.1, 3.0))
def test_percentiles_are_those_of_numpy_within_the_bucket_that_holds_them(
    seed: int, size: int, sigma: float
) -> None:
    generator = np.random.default_rng(seed)
    values = np.minimum(np.exp(generator.normal(13.0, sigma, size)).astype(np.int64), LARGEST_NS)
    histogram = histogram_of(values)

    for percentile in PERCENTILES.values():
        reported = histogram.percentile_ns(percentile)
        if reported is not None:
            # In binary 99.9 % of 10,000 is a hair more than 9,990, and NumPy takes the next one then.
            below = float(np.percentile(values, percentile - 1e-9, method="inverted_cdf"))
            above = float(np.percentile(values, percentile, method="inverted_cdf"))
            assert below * (1 - WIDEST) - 8.0 <= reported <= above * (1 + WIDEST) + 8.0


@pytest.mark.parametrize(("name", "percentile"), PERCENTILES.items())
def test_a_percentile_needs_ten_samples_beyond_it(name: str, percentile: float) -> None:
    enough = math.ceil(SAMPLES_BEYOND / (1 - percentile / 100) - 1e-6)
    values = np.arange(1, enough + 1, dtype=np.int64) * 100

    supported, unsupported = histogram_of(values), histogram_of(values[:-1])

    assert supported.summary_us()[name] is not None
    assert unsupported.summary_us()[name] is None


def test_as_many_samples_as_it_needs_really_lie_beyond_a_reported_percentile() -> None:
    values = np.arange(1_000, dtype=np.int64) * 1_000
    reported = histogram_of(values).percentile_ns(99.0)

    assert reported is not None
    assert (values > reported).sum() == SAMPLES_BEYOND


def test_a_percentile_never_leaves_what_was_measured() -> None:
    same = histogram_of(np.full(1_000, 1_000_001, dtype=np.int64))

    assert same.percentile_ns(50.0) == same.percentile_ns(99.0) == 1_000_001


def test_mean_minimum_and_maximum_are_exact() -> None:
    block = histogram_of(np.array([1_001, 5_003, 2_000_009], dtype=np.int64)).summary_us()

    assert block["count"] == 3
    assert block["min"] == 1.001
    assert block["max"] == 2_000.009
    assert block["mean"] == pytest.approx((1_001 + 5_003 + 2_000_009) / 3_000, abs=5e-4)


def test_without_a_sample_nothing_but_the_count_is_told() -> None:
    block = Histogram().summary_us()

    assert (block.pop("count"), block.pop("missing")) == (0, 0)
    assert set(block.values()) == {None}


def test_what_was_read_out_of_a_slab_is_a_copy() -> None:
    record = np.zeros(1, dtype=HISTOGRAM)
    record["counts"][0, 5] = 2
    record["total_ns"], record["min_ns"], record["max_ns"] = 85, 41, 45

    read = Histogram.read(record[0])
    record["counts"][0, 5] = 99

    assert (read.count, read.total_ns, read.min_ns, read.max_ns) == (2, 85, 40, 45)


def test_a_fresh_record_reads_as_no_samples() -> None:
    read = Histogram.read(np.zeros(1, dtype=HISTOGRAM)[0])

    assert (read.count, read.min_ns, read.max_ns, read.mean_ns) == (0, None, None, None)


def test_samples_below_zero_alone_make_no_minimum() -> None:
    record = np.zeros(1, dtype=HISTOGRAM)
    record["negative"] = 3

    read = Histogram.read(record[0])

    assert (read.count, read.negative, read.min_ns) == (0, 3, None)


@given(st.lists(st.integers(0, LARGEST_NS), min_size=1, max_size=50))
def test_buckets_alone_tell_sum_minimum_and_maximum_within_their_width(values: list[int]) -> None:
    exact = histogram_of(np.array(values, dtype=np.int64))
    of_counts = Histogram.of_counts(exact.counts)

    assert of_counts.count == exact.count
    assert of_counts.min_ns <= min(values)
    assert of_counts.max_ns >= max(values)
    assert of_counts.total_ns == pytest.approx(exact.total_ns, rel=WIDEST, abs=8 * len(values))


def test_no_counts_make_an_empty_histogram() -> None:
    assert Histogram.of_counts(np.zeros(BUCKETS, dtype=np.int32)).min_ns is None

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.measurement.histogram import BUCKETS, LARGEST_NS, Histogram
from loadlab.measurement.lane import (
    bucket_of,
    count,
    count_error,
    enter_interval,
    phase_at,
    record_duration,
    record_durations,
)
from loadlab.measurement.slab import (
    ERROR_CODES,
    INTERVAL_NS,
    RING_INTERVALS,
    SLAB,
    AckMetric,
    Counter,
    Phase,
)

if TYPE_CHECKING:
    from loadlab.compiled import Record

START_NS = 5_000_000_000_000
WARMUP, MEASURE, DRAIN = map(int, Phase)
ACKED, FAILED = int(Counter.ACKED), int(Counter.FAILED)
PUBLISH_LATENCY = int(AckMetric.PUBLISH_LATENCY)


@pytest.fixture
def slab() -> Record:
    """A slab of a run whose phases are 10 s, 20 s and 30 s long."""
    return fresh_slab()


def fresh_slab() -> Record:
    record = np.zeros(1, dtype=SLAB)
    record["start_ns"] = START_NS
    record["warmup_end_ns"] = START_NS + 10 * INTERVAL_NS
    record["measure_end_ns"] = START_NS + 30 * INTERVAL_NS
    record["stop_ns"] = START_NS + 60 * INTERVAL_NS
    return record[0]


@pytest.mark.parametrize(
    ("at_ns", "phase"),
    [
        (-1, Phase.WARMUP),
        (0, Phase.WARMUP),
        (10 * INTERVAL_NS - 1, Phase.WARMUP),
        (10 * INTERVAL_NS, Phase.MEASURE),
        (30 * INTERVAL_NS - 1, Phase.MEASURE),
        (30 * INTERVAL_NS, Phase.DRAIN),
        (99 * INTERVAL_NS, Phase.DRAIN),
    ],
)
def test_a_phase_begins_with_its_first_nanosecond(slab: Record, at_ns: int, phase: Phase) -> None:
    assert phase_at(slab, START_NS + at_ns) == phase


def test_before_the_common_start_everything_is_warm_up() -> None:
    assert phase_at(np.zeros(1, dtype=SLAB)[0], START_NS) == Phase.WARMUP


def entered(slab: Record, elapsed_ns: int) -> Record:
    lane = slab["lanes"][0]
    enter_interval(slab, lane, START_NS + elapsed_ns)
    return lane


@pytest.mark.parametrize("second", [0, 1, 7, RING_INTERVALS - 1])
@pytest.mark.parametrize("within_ns", [0, INTERVAL_NS - 1])
def test_an_event_goes_to_the_interval_it_happened_in(slab: Record, second: int, within_ns: int) -> None:
    lane = entered(slab, second * INTERVAL_NS + within_ns)
    count(lane, ACKED, MEASURE, MEASURE, 3)

    used = np.flatnonzero(lane["ring"]["index"])
    assert used.tolist() == [second]
    assert lane["ring"][second]["index"] == second + 1
    assert lane["ring"][second]["counters"][ACKED] == 3


def test_an_event_before_the_start_goes_to_the_first_interval(slab: Record) -> None:
    lane = entered(slab, -5 * INTERVAL_NS)
    count(lane, ACKED, MEASURE, MEASURE, 1)
    entered(slab, INTERVAL_NS // 2)

    assert lane["ring"][0]["index"] == 1
    assert lane["ring"][0]["counters"][ACKED] == 1


def test_within_an_interval_nothing_is_cleared(slab: Record) -> None:
    lane = entered(slab, 10)
    count(lane, ACKED, MEASURE, MEASURE, 1)
    entered(slab, 20)
    count(lane, ACKED, MEASURE, MEASURE, 1)

    assert lane["ring"][0]["counters"][ACKED] == 2


def test_a_slot_that_comes_round_again_is_cleared(slab: Record) -> None:
    lane = entered(slab, 3 * INTERVAL_NS)
    count(lane, ACKED, MEASURE, MEASURE, 5)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, 1_000_000)
    entered(slab, (3 + RING_INTERVALS) * INTERVAL_NS)
    count(lane, ACKED, MEASURE, MEASURE, 1)

    slot = lane["ring"][3]
    assert slot["index"] == 3 + RING_INTERVALS + 1
    assert slot["counters"][ACKED] == 1
    assert not slot["counts"].any()


def test_a_silence_longer_than_the_ring_leaves_its_slots_with_their_old_numbers(slab: Record) -> None:
    lane = entered(slab, 0)
    count(lane, ACKED, MEASURE, MEASURE, 1)
    entered(slab, (RING_INTERVALS + 5) * INTERVAL_NS)

    assert lane["ring"][0]["index"] == 1
    assert lane["ring"][5]["index"] == RING_INTERVALS + 5 + 1


def test_a_record_sent_in_one_phase_and_acked_in_the_next_counts_in_both_ways(slab: Record) -> None:
    lane = entered(slab, 31 * INTERVAL_NS)
    count(lane, ACKED, MEASURE, DRAIN, 1)

    assert lane["by_intent"][:, ACKED].tolist() == [0, 1, 0]
    assert lane["by_moment"][:, ACKED].tolist() == [0, 0, 1]


def test_durations_are_kept_by_phase_and_by_interval(slab: Record) -> None:
    lane = entered(slab, 12 * INTERVAL_NS)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, 2_000)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, 1_000_000)

    histogram = Histogram.read(lane["histograms"][Phase.MEASURE, AckMetric.PUBLISH_LATENCY])
    assert (histogram.count, histogram.total_ns) == (2, 1_002_000)
    assert (histogram.min_ns, histogram.max_ns) == (2_000, 1_000_000)
    assert np.flatnonzero(histogram.counts).tolist() == [bucket_of(2_000), bucket_of(1_000_000)]
    assert (lane["ring"][12]["counts"][PUBLISH_LATENCY] == histogram.counts).all()
    assert not lane["histograms"]["counts"][Phase.WARMUP].any()


def test_a_duration_of_zero_is_a_minimum(slab: Record) -> None:
    lane = entered(slab, 0)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, 900)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, 0)

    assert Histogram.read(lane["histograms"][MEASURE, PUBLISH_LATENCY]).min_ns == 0


def test_a_duration_below_zero_is_counted_and_in_no_bucket(slab: Record) -> None:
    lane = entered(slab, 0)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, -1)

    histogram = Histogram.read(lane["histograms"][MEASURE, PUBLISH_LATENCY])
    assert (histogram.negative, histogram.count, histogram.total_ns) == (1, 0, 0)
    assert not lane["ring"][0]["counts"].any()


def test_a_duration_beyond_the_largest_is_counted_and_in_the_last_bucket(slab: Record) -> None:
    lane = entered(slab, 0)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, LARGEST_NS)
    record_duration(lane, PUBLISH_LATENCY, MEASURE, LARGEST_NS + 1)

    histogram = Histogram.read(lane["histograms"][MEASURE, PUBLISH_LATENCY])
    assert (histogram.beyond, histogram.count) == (1, 2)
    assert histogram.counts[BUCKETS - 1] == 2
    assert histogram.max_ns == LARGEST_NS + 1


def test_errors_are_counted_by_code(slab: Record) -> None:
    lane = slab["lanes"][1]
    for code in (-192, 7, -192, 0, -192):
        count_error(lane, MEASURE, code)

    kept = dict(zip(lane["error_codes"][:3].tolist(), lane["error_counts"][:3].tolist(), strict=True))
    assert kept == {-192: 3, 7: 1, 0: 1}
    assert lane["error_counts"][3:].sum() == 0


def test_errors_of_the_measure_phase_are_counted_apart_too(slab: Record) -> None:
    lane = slab["lanes"][1]
    for phase, code in ((WARMUP, 7), (MEASURE, 7), (MEASURE, -192), (DRAIN, -192), (WARMUP, 9)):
        count_error(lane, phase, code)

    assert lane["error_codes"][:3].tolist() == [7, -192, 9]
    assert lane["error_counts"][:4].tolist() == [2, 2, 1, 0]
    assert lane["measured_error_counts"][:4].tolist() == [1, 1, 0, 0]


def test_more_kinds_of_errors_than_places_share_the_last_one(slab: Record) -> None:
    lane = slab["lanes"][0]
    for code in range(1, ERROR_CODES + 10):
        count_error(lane, MEASURE, code)
    count_error(lane, MEASURE, 1)

    assert lane["error_counts"][0] == 2
    assert lane["error_counts"][ERROR_CODES - 1] == 10
    assert lane["error_counts"].sum() == ERROR_CODES + 10


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 40 * INTERVAL_NS),
        st.sampled_from(list(Phase)),
        st.sampled_from([Counter.ACKED, Counter.FAILED]),
        st.integers(-10, 2 * LARGEST_NS),
    ),
    max_size=60,
)


@settings(max_examples=50)
@given(EVENTS)
def test_nothing_is_lost_whatever_happens_when(events: list[tuple[int, Phase, Counter, int]]) -> None:
    slab = fresh_slab()
    lane = slab["lanes"][0]
    for at_ns, intent, counter, duration_ns in sorted(events):
        now_ns = START_NS + at_ns
        enter_interval(slab, lane, now_ns)
        count(lane, int(counter), int(intent), phase_at(slab, now_ns), 1)
        record_duration(lane, PUBLISH_LATENCY, int(intent), duration_ns)

    by_counter = [sum(1 for event in events if event[2] == counter) for counter in Counter]
    assert lane["by_intent"].sum(axis=0).tolist() == by_counter
    assert lane["by_moment"].sum(axis=0).tolist() == by_counter
    assert lane["ring"]["counters"].sum(axis=0).tolist() == by_counter
    histograms = lane["histograms"][:, PUBLISH_LATENCY]
    assert histograms["counts"].sum() + histograms["negative"].sum() == len(events)
    assert lane["ring"]["counts"].sum() == histograms["counts"].sum()


def test_the_sum_of_hours_of_late_records_passes_63_bits(slab: Record) -> None:
    lane = entered(slab, 0)
    for _ in range(4):
        record_durations(lane, PUBLISH_LATENCY, MEASURE, 2**60, 3)

    assert Histogram.read(lane["histograms"][MEASURE, PUBLISH_LATENCY]).total_ns == 12 * 2**60

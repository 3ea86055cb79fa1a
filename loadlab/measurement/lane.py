"""Compiled writing into a lane of a slab. One thread writes one lane."""

from __future__ import annotations

from loadlab.compiled import Record, compiled, inlined
from loadlab.measurement.histogram import (
    CARRY_NS,
    LARGEST_NS,
    LINEAR_BITS,
    SUB_BUCKET_BITS,
    SUB_BUCKETS,
)
from loadlab.measurement.intrinsics import leading_zeros
from loadlab.measurement.slab import ERROR_CODES, INTERVAL_NS, RING_INTERVALS, Phase

_WARMUP = int(Phase.WARMUP)
_MEASURE = int(Phase.MEASURE)
_DRAIN = int(Phase.DRAIN)


@inlined
def phase_at(slab: Record, time_ns: int) -> int:
    """The phase that a moment of CLOCK_MONOTONIC falls into."""
    if slab.start_ns == 0 or time_ns < slab.warmup_end_ns:
        return _WARMUP
    if time_ns < slab.measure_end_ns:
        return _MEASURE
    return _DRAIN


@compiled
def enter_interval(slab: Record, lane: Record, now_ns: int) -> None:
    """Makes the lane's current interval that of `now_ns`; a slot that comes round again is cleared."""
    if slab.start_ns == 0 or now_ns < lane.interval_end_ns:
        return
    index = max(0, (now_ns - slab.start_ns) // INTERVAL_NS)
    slot = index % RING_INTERVALS
    interval = lane.ring[slot]
    # What was booked before the common start stands in a slot without an index, and counts for the first.
    if interval.index != 0:
        interval.first_ns = interval.last_ns = 0
        interval.counters[:] = 0
        interval.counts[:, :] = 0
    interval.index = index + 1
    lane.interval = slot
    lane.interval_end_ns = slab.start_ns + (index + 1) * INTERVAL_NS


@inlined
def count(lane: Record, counter: int, intent: int, moment: int, amount: int) -> None:
    """Adds to a counter: in both groupings and in the current interval."""
    lane.by_intent[intent, counter] += amount
    lane.by_moment[moment, counter] += amount
    lane.ring[lane.interval].counters[counter] += amount


@inlined
def note_time(lane: Record, now_ns: int) -> None:
    """Keeps when the current interval's first and last event came."""
    interval = lane.ring[lane.interval]
    if interval.first_ns == 0:
        interval.first_ns = now_ns
    interval.last_ns = now_ns


@inlined
def bucket_of(value_ns: int) -> int:
    """The index of the bucket that a duration of 0 to LARGEST_NS nanoseconds falls into."""
    if value_ns < (1 << LINEAR_BITS):
        return value_ns >> (LINEAR_BITS - SUB_BUCKET_BITS)
    exponent = 63 - leading_zeros(value_ns)
    offset = (value_ns >> (exponent - SUB_BUCKET_BITS)) & (SUB_BUCKETS - 1)
    return (exponent - LINEAR_BITS + 1) * SUB_BUCKETS + offset


@inlined
def record_durations(lane: Record, metric: int, phase: int, value_ns: int, amount: int) -> None:
    """Adds `amount` samples of one value."""
    histogram = lane.histograms[phase, metric]
    if value_ns < 0:
        histogram.negative += amount
        return
    histogram.total_ns += value_ns * amount
    if histogram.total_ns >= CARRY_NS:
        histogram.total_ns -= CARRY_NS
        histogram.total_carried += 1
    if histogram.min_ns == 0 or value_ns < histogram.min_ns - 1:
        histogram.min_ns = value_ns + 1
    histogram.max_ns = max(histogram.max_ns, value_ns)
    if value_ns > LARGEST_NS:
        histogram.beyond += amount
        value_ns = LARGEST_NS
    bucket = bucket_of(value_ns)
    histogram.counts[bucket] += amount
    lane.ring[lane.interval].counts[metric, bucket] += amount


@inlined
def record_duration(lane: Record, metric: int, phase: int, value_ns: int) -> None:
    """Adds a sample to the phase's histogram and to the current interval's."""
    record_durations(lane, metric, phase, value_ns, 1)


@compiled
def count_error(lane: Record, phase: int, code: int) -> None:
    """Counts an error by its code: a record's in the phase of its intent, others in that of the moment."""
    place = 0
    while place < ERROR_CODES - 1 and lane.error_counts[place] != 0 and lane.error_codes[place] != code:
        place += 1
    if place < ERROR_CODES - 1:
        lane.error_codes[place] = code
    lane.error_counts[place] += 1
    if phase == _MEASURE:
        lane.measured_error_counts[place] += 1

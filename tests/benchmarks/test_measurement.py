"""What one measurement costs: the compiled parts by themselves, under pytest-benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from loadlab.client.schedule import SCHEDULE, due_ns, make_schedule, trace_schedule
from loadlab.client.trace import TRACE_ROW
from loadlab.compiled import compiled
from loadlab.measurement.histogram import BUCKETS, Histogram
from loadlab.measurement.intrinsics import carray, pointer_to
from loadlab.measurement.lane import enter_interval, record_duration
from loadlab.measurement.slab import create_slab
from loadlab.workload.schedule import table

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from loadlab.client.schedule import GroupSchedule

AMOUNT = 100_000


@compiled
def record_many(slabs: np.ndarray, durations: np.ndarray) -> None:
    slab = slabs[0]
    for duration in durations:
        record_duration(slab.lanes[0], 0, 1, duration)


@compiled
def look_up_many(address: int, amount: int, workers: int) -> int:
    schedule = carray(pointer_to(address), 1, SCHEDULE)[0]
    total = 0  # of all, so that no look-up can be left out
    for turn in range(amount):
        total += due_ns(schedule, turn * workers)
    return total


@compiled
def enter_many(slabs: np.ndarray, amount: int) -> None:
    slab = slabs[0]
    for place in range(amount):
        enter_interval(slab, slab.lanes[0], slab.start_ns + place)


def test_recording_100000_durations(benchmark: BenchmarkFixture) -> None:
    slab = create_slab()
    durations = np.random.default_rng(1).lognormal(13.0, 1.0, AMOUNT).astype(np.int64)
    record_many(slab.record, durations[:1])
    benchmark(record_many, slab.record, durations)


def test_entering_the_current_interval_100000_times(benchmark: BenchmarkFixture) -> None:
    slab = create_slab()
    slab.record["start_ns"] = 1
    enter_many(slab.record, 1)
    benchmark(enter_many, slab.record, AMOUNT)


@pytest.mark.parametrize("pieces", [1, 1_000])
def test_looking_100000_uniform_due_times_up(benchmark: BenchmarkFixture, pieces: int) -> None:
    schedule = make_schedule(table([(1.0, 1_000.0, 1_000.0)] * pieces))
    look_up_many(schedule.address, 1, 1)
    benchmark(look_up_many, schedule.address, AMOUNT, 1)


@pytest.mark.parametrize("workers", [1, 4])
def test_looking_100000_poisson_due_times_up(benchmark: BenchmarkFixture, workers: int) -> None:
    schedule = make_schedule(table([(1.0, 1_000.0, 1_000.0)]), poisson_seed=1)
    look_up_many(schedule.address, 1, workers)
    benchmark(look_up_many, schedule.address, AMOUNT, workers)


def trace_of_a_million() -> GroupSchedule:
    rows = np.zeros(1_000_000, dtype=TRACE_ROW)
    rows["due_ns"] = np.cumsum(np.random.default_rng(1).integers(0, 200_000, len(rows)))
    return trace_schedule(rows)


@pytest.mark.parametrize("workers", [1, 4])
def test_looking_100000_due_times_of_a_trace_up(benchmark: BenchmarkFixture, workers: int) -> None:
    schedule = trace_of_a_million()
    look_up_many(schedule.address, 1, workers)
    benchmark(look_up_many, schedule.address, AMOUNT, workers)


@pytest.mark.parametrize("kind", ["uniform", "poisson", "trace"])
def test_counting_what_is_due(benchmark: BenchmarkFixture, kind: str) -> None:
    ramps = table([(1.0, 1_000.0, 2_000.0)] * 100)
    schedules = {
        "uniform": lambda: make_schedule(ramps),
        "poisson": lambda: make_schedule(ramps, poisson_seed=1),
        "trace": trace_of_a_million,
    }
    benchmark(schedules[kind]().count_due, 50_500_000_000)


def test_merging_two_histograms(benchmark: BenchmarkFixture) -> None:
    histogram = Histogram.of_counts(np.ones(BUCKETS, dtype=np.int64))
    benchmark(lambda: histogram + histogram)


def test_summing_a_histogram_up(benchmark: BenchmarkFixture) -> None:
    histogram = Histogram.of_counts(np.ones(BUCKETS, dtype=np.int64))
    benchmark(histogram.summary_us)

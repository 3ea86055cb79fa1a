"""Due times against arithmetic in fractions, which knows no rounding; counts against due times."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil, isqrt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadlab.client.pacing import NEVER_NS, SEGMENT, share_of_worker
from loadlab.client.schedule import GroupSchedule, make_schedule, trace_schedule
from loadlab.client.trace import TRACE_ROW
from loadlab.workload.schedule import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from loadlab.workload.schedule import Piece

S = 1_000_000_000

PIECES = {
    "constant": [(30.0, 1_000.0, 1_000.0)],
    "slow": [(30.0, 0.3, 0.3)],
    "fast": [(5.0, 1_234_567.0, 1_234_567.0)],
    "no whole number of nanoseconds apart": [(10.0, 7.0, 7.0)],
    "steps": [(2.0, 100.0, 100.0), (3.0, 333.0, 333.0), (1.0, 50.0, 50.0)],
    "steps with a pause": [(2.0, 100.0, 100.0), (3.0, 0.0, 0.0), (1.0, 50.0, 50.0)],
    "steps that end": [(2.0, 100.0, 100.0), (1.0, 0.0, 0.0)],
    "ramp up": [(10.0, 100.0, 900.0), (5.0, 900.0, 900.0)],
    "ramp down": [(10.0, 900.0, 100.0), (5.0, 100.0, 100.0)],
    "ramp from zero": [(10.0, 0.0, 900.0), (5.0, 900.0, 900.0)],
    "ramp to zero": [(10.0, 900.0, 0.0), (5.0, 0.0, 0.0)],
    "hardly a ramp": [(10.0, 500.0, 500.0000001), (5.0, 500.0000001, 500.0000001)],
    "bursts": [(0.5, 400.0, 400.0), (1.5, 0.0, 0.0)] * 4,
    "bursts without a gap": [(0.5, 400.0, 400.0), (0.0, 0.0, 0.0)] * 4,
    "bursts of a third": [(1 / 3, 100.0, 100.0), (0.7, 0.0, 0.0)] * 5,
}
ALL = pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES.keys())

rates = st.one_of(st.just(0.0), st.floats(0.1, 5_000.0), st.integers(1, 5_000).map(float))
lengths = st.one_of(st.floats(0.001, 20.0), st.integers(1, 20).map(float))


@st.composite
def constant_pieces(draw: st.DrawFn) -> list[Piece]:
    steps = draw(st.lists(st.tuples(lengths, rates), min_size=1, max_size=6))
    return [(length, rate, rate) for length, rate in steps]


@st.composite
def ramped_pieces(draw: st.DrawFn) -> list[Piece]:
    steps = draw(st.lists(st.tuples(lengths, rates, rates), min_size=1, max_size=4))
    return [*steps, (1.0, steps[-1][2], steps[-1][2])]


def of(pieces: Sequence[Piece], limit: int | None = None, poisson_seed: int | None = None) -> GroupSchedule:
    schedule = make_schedule(table(pieces), poisson_seed)
    return schedule if limit is None else schedule.limited(limit)


def held(pieces: Sequence[Piece]) -> float:
    """How many records the pieces hold."""
    return sum(length * (rate + end) / 2 for length, rate, end in pieces)


def exact_due_ns(pieces: Sequence[Piece], record: int) -> int:
    """The last time at which the integral of the rate is no more than `record`, in fractions, rounded up."""
    start, first = Fraction(0), Fraction(0)
    tail = (1e15, pieces[-1][2], pieces[-1][2])
    for piece in [*pieces, tail]:
        length, rate, end = (Fraction(number) for number in piece)
        holds = length * (rate + end) / 2
        if record < first + holds:
            return ceil((start + _reached_s(rate, (end - rate) / length, record - first)) * S)
        start, first = start + length, first + holds
    return NEVER_NS


def _reached_s(rate: Fraction, slope: Fraction, records: Fraction) -> Fraction:
    if slope == 0:
        return records / rate
    root = rate * rate + 2 * slope * records
    scale = 10**40
    root_of = Fraction(isqrt(int(root * scale * scale)), scale)
    return 2 * records / (rate + root_of) if records else Fraction(0)


def sampled(pieces: Sequence[Piece]) -> list[int]:
    """Record numbers over the whole schedule and a little beyond, those at the joints included."""
    total = held(pieces)
    places = set(np.linspace(0, total * 1.1 + 5, 200).astype(int).tolist())
    reached = 0.0
    for length, rate, end in pieces:
        reached += length * (rate + end) / 2
        places |= {max(0, round(reached) + step) for step in (-2, -1, 0, 1, 2)}
    return sorted(places)


@ALL
def test_a_record_is_due_when_the_rate_says_to_two_nanoseconds(pieces: list[Piece]) -> None:
    schedule = of(pieces)

    late = {
        record: schedule.due_ns(record) - exact_due_ns(pieces, record)
        for record in sampled(pieces)
        if not _at_a_joint(pieces, record)
    }

    assert {record: by for record, by in late.items() if abs(by) > 2} == {}


def _at_a_joint(pieces: Sequence[Piece], record: int) -> bool:
    """Whether rounding decides on which side of a pause, or of a ramp's standstill, a record is due."""
    reached = 0.0
    for length, rate, end in pieces:
        reached += length * (rate + end) / 2
        if abs(reached - record) < 1e-6:
            return True
    return False


@ALL
@pytest.mark.parametrize("seed", [None, 3])
def test_records_are_due_in_their_order(pieces: list[Piece], seed: int | None) -> None:
    schedule = of(pieces, poisson_seed=seed)
    count = min(20_000, round(held(pieces) * 1.2) + 5)

    dues = [schedule.due_ns(record) for record in range(count)]

    assert all(earlier <= later for earlier, later in pairwise(dues))


def assert_counts(schedule: GroupSchedule, records: int) -> None:
    """count_due(t) is how many records have due_ns <= t: before, at and after the due time of each."""
    dues = np.array([schedule.due_ns(record) for record in range(records)])
    within = dues[dues < dues[-1]]
    moments = np.unique(np.concatenate([within - 1, within, within + 1, schedule.segments["start_ns"]]))
    moments = moments[(moments >= 0) & (moments < dues[-1])]

    counted = [schedule.count_due(int(moment)) for moment in moments]

    assert counted == np.searchsorted(dues, moments, side="right").tolist()


@ALL
def test_counting_is_by_due_times_exactly(pieces: list[Piece]) -> None:
    assert_counts(of(pieces), min(3_000, round(held(pieces)) + 3))


arrivals = st.one_of(st.none(), st.integers(0, 2**63 - 1))


@settings(max_examples=120)
@given(constant_pieces(), arrivals)
@example([(1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 5.0, 5.0)], None)
@example([(1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 5.0, 5.0)], 7)
@example([(3.0, 0.1, 0.1), (0.7, 0.3, 0.3)], None)
def test_counting_is_by_due_times_exactly_for_any_steps(pieces: list[Piece], seed: int | None) -> None:
    assert_counts(of(pieces, poisson_seed=seed), min(600, round(held(pieces)) + 3))


@settings(max_examples=120)
@given(ramped_pieces(), arrivals)
def test_counting_is_by_due_times_exactly_for_any_ramps(pieces: list[Piece], seed: int | None) -> None:
    assert_counts(of(pieces, poisson_seed=seed), min(600, round(held(pieces)) + 3))


@settings(max_examples=120)
@given(ramped_pieces(), st.integers(1, 500), arrivals)
def test_counting_is_by_due_times_exactly_with_a_limit(
    pieces: list[Piece], limit: int, seed: int | None
) -> None:
    schedule = of(pieces, limit, seed)
    reached = min(limit, int(held(pieces)))

    assert_counts(schedule, min(400, reached + 2))
    assert schedule.count_due(10**15) <= limit


@st.composite
def trace_rows(draw: st.DrawFn) -> npt.NDArray[np.void]:
    """Rows of a trace, several of which may be due at once."""
    gaps = draw(st.lists(st.sampled_from([0, 1, 1_000, 7 * S]) | st.integers(0, 10 * S), max_size=60))
    rows = np.zeros(len(gaps) + 1, dtype=TRACE_ROW)
    rows["due_ns"][1:] = np.cumsum(gaps)
    return rows


@settings(max_examples=120)
@given(trace_rows(), st.none() | st.integers(1, 70))
def test_a_trace_is_counted_by_its_times_exactly(rows: npt.NDArray[np.void], limit: int | None) -> None:
    schedule = trace_schedule(rows) if limit is None else trace_schedule(rows).limited(limit)
    times = rows["due_ns"][:limit]

    assert [schedule.due_ns(record) for record in range(len(times))] == times.tolist()
    assert schedule.due_ns(len(times)) == NEVER_NS
    for moment in {int(time) + step for time in times for step in (-1, 0, 1)} | {10**17}:
        assert schedule.count_due(moment) == int(np.sum(times <= moment))


@st.composite
def schedules(draw: st.DrawFn) -> tuple[GroupSchedule, ...]:
    """One schedule of any kind, as often as it has workers, each with memory of its own."""
    workers = draw(st.integers(1, 64))
    if draw(st.booleans()):
        rows = draw(trace_rows())
        return tuple(trace_schedule(rows.copy()) for _ in range(workers))
    pieces, seed = draw(ramped_pieces() | constant_pieces()), draw(arrivals)
    return tuple(of(pieces, poisson_seed=seed) for _ in range(workers))


@settings(max_examples=200)
@given(schedules(), st.lists(st.integers(0, 90 * S), min_size=1, max_size=5))
def test_workers_share_what_is_due_by_any_time_without_gap_or_overlap(
    parts: tuple[GroupSchedule, ...], moments: list[int]
) -> None:
    """Worker w sends its k-th record, number k·W + w of the group, by the time that one is due."""
    workers = len(parts)
    for moment in moments:
        shares = [
            share_of_worker(part.count_due(moment), worker, workers) for worker, part in enumerate(parts)
        ]
        sent = sorted(k * workers + worker for worker, share in enumerate(shares) for k in range(share))

        assert sent == list(range(len(sent)))
        assert parts[0].due_ns(len(sent)) > moment
        assert not sent or parts[0].due_ns(len(sent) - 1) <= moment


@settings(max_examples=80)
@given(st.floats(0.1, 1e6), st.integers(1, 10**5), arrivals)
def test_a_limit_is_reached_and_not_passed(rate: float, limit: int, seed: int | None) -> None:
    schedule = of([(10.0, rate, rate)], limit, seed)

    assert schedule.count_due(10**17) == limit
    assert schedule.due_ns(limit - 1) < NEVER_NS
    assert schedule.due_ns(limit) >= NEVER_NS


@pytest.mark.parametrize("seed", [None, 3])
def test_a_limit_changes_no_due_time(seed: int | None) -> None:
    for pieces in PIECES.values():
        free, limited = of(pieces, poisson_seed=seed), of(pieces, 77, seed)

        assert [limited.due_ns(record) for record in range(77)] == [
            free.due_ns(record) for record in range(77)
        ]


def test_a_limit_that_the_schedule_does_not_reach_changes_nothing() -> None:
    schedule = of(PIECES["steps that end"], 1_000_000)

    assert schedule.count_due(10**15) == of(PIECES["steps that end"]).count_due(10**15)


@pytest.mark.parametrize("record", [10**9, 10**10, 10**10 + 1, 10**11])
@pytest.mark.parametrize("rate", [1_000_000.0, 333_333.0, 50_000.0])
def test_ten_billion_records_are_due_as_exactly_as_the_first(record: int, rate: float) -> None:
    schedule = of([(30.0, rate, rate)])
    due = schedule.due_ns(record)

    # A double of 10^14 ns has steps of 1/64 ns; a product of two roundings stays within a few of them.
    assert abs(due - exact_due_ns([(30.0, rate, rate)], record)) <= 2
    assert schedule.count_due(due) == record + 1
    assert schedule.count_due(due - 1) == record


def test_a_week_at_a_constant_rate_neither_gains_nor_loses_a_record() -> None:
    week_s = 7 * 24 * 3600
    schedule = of([(float(week_s), 20_000.0, 20_000.0)])

    assert schedule.count_due(week_s * S - 1) == week_s * 20_000


def test_a_rate_goes_on_behind_its_last_piece() -> None:
    schedule = of([(1.0, 100.0, 100.0)])

    assert schedule.due_ns(1_000) == 10 * S


def test_the_first_record_of_a_rate_is_due_at_once() -> None:
    assert of([(1.0, 100.0, 100.0)]).due_ns(0) == 0


def test_nothing_is_due_before_the_start() -> None:
    assert of([(1.0, 100.0, 100.0)]).count_due(-1) == 0


def test_a_ramp_from_zero_begins_with_its_first_record() -> None:
    schedule = of(PIECES["ramp from zero"])

    assert (schedule.due_ns(0), schedule.count_due(0)) == (0, 1)


def test_while_the_rate_is_zero_nothing_is_due() -> None:
    schedule = of([(1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 5.0, 5.0)])

    assert schedule.due_ns(0) == 2 * S


@given(st.integers(0, 10**12), st.integers(1, 64))
def test_the_workers_of_a_group_share_its_records_without_gap_or_overlap(records: int, workers: int) -> None:
    shares = [share_of_worker(records, worker, workers) for worker in range(workers)]

    assert sum(shares) == records
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@given(st.integers(0, 500), st.integers(1, 9))
def test_a_worker_counts_the_records_whose_number_is_its_own(records: int, workers: int) -> None:
    for worker in range(workers):
        own = [record for record in range(records) if record % workers == worker]
        assert share_of_worker(records, worker, workers) == len(own)


def test_a_schedule_of_one_segment_works() -> None:
    schedule = make_schedule(np.array([(0, 0.0, 1e-6, 0.0)], dtype=SEGMENT))

    assert [schedule.due_ns(record) for record in (0, 1, 2)] == [0, 1_000_000, 2_000_000]

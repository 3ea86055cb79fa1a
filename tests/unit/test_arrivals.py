"""Poisson arrivals: that they are what theory says, and the same whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from loadlab.client.arrivals import FAN_OUT, LEVELS, MOST_ARRIVALS, arrival, arrivals_by, new_arrivals
from loadlab.client.pacing import NEVER_NS
from loadlab.client.schedule import GroupSchedule, make_schedule
from loadlab.scenario import Schedule
from loadlab.workload.schedule import group_schedule, group_seed, records_due, table

if TYPE_CHECKING:
    import numpy.typing as npt

S = 1_000_000_000
# Chosen before looking; a test at this level fails one right process in a thousand.
SIGNIFICANCE = 0.001
SEED = 20_261_123


def unit_arrivals(seed: int, count: int, first: int = 0) -> npt.NDArray[np.float64]:
    process = new_arrivals(seed)
    address = process.ctypes.data
    return np.array([arrival(address, record) for record in range(first, first + count)])


def poisson(rate: object, sending_s: float = 30.0, seed: int = SEED, **fields: object) -> GroupSchedule:
    document = {"rate": rate, "arrivals": "poisson", **fields}
    return group_schedule(Schedule.model_validate(document), sending_s, seed)


def dues(schedule: GroupSchedule, count: int) -> npt.NDArray[np.int64]:
    return np.array([schedule.due_ns(record) for record in range(count)])


def test_gaps_are_exponential() -> None:
    gaps = np.diff(unit_arrivals(SEED, 100_000))

    assert stats.kstest(gaps, "expon").pvalue > SIGNIFICANCE
    assert gaps.min() > 0


def test_gaps_are_exponential_where_a_leaf_or_any_other_node_begins() -> None:
    """Across the ends of nodes a gap is the last of one and the first of the next: no seam shows."""
    process = new_arrivals(SEED)
    address = process.ctypes.data
    ends = [number * FAN_OUT**level for level in range(1, LEVELS) for number in range(1, 400)]
    gaps = [arrival(address, end) - arrival(address, end - 1) for end in ends if end < MOST_ARRIVALS // 1000]

    assert len(gaps) > 1_200
    assert stats.kstest(gaps, "expon").pvalue > SIGNIFICANCE


def test_a_gap_tells_nothing_of_the_next() -> None:
    gaps = np.diff(unit_arrivals(SEED, 100_000))

    assert stats.spearmanr(gaps[:-1], gaps[1:]).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("level", range(LEVELS))
def test_a_node_is_as_long_as_that_many_gaps(level: int) -> None:
    """The first child of each level's first node, over many seeds, against the Gamma distribution."""
    lengths = []
    for seed in range(1_000):
        process = new_arrivals(seed)
        arrival(process.ctypes.data, 0)
        lengths.append(process["edges"][0, level, 1])

    expected = stats.gamma(float(FAN_OUT) ** level)
    assert stats.kstest(lengths, expected.cdf).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("span", [0.5, 5.0, 300.0])
def test_counts_are_poisson(span: float) -> None:
    """Fisher's index of dispersion: variance over mean of counts in equal spans is 1."""
    found = unit_arrivals(SEED, 150_000)
    counts, _ = np.histogram(found, bins=np.arange(0.0, found[-1], span))
    statistic = (len(counts) - 1) * counts.var(ddof=1) / counts.mean()

    assert counts.mean() == pytest.approx(span, rel=0.02)
    tail = stats.chi2(len(counts) - 1).cdf(statistic)
    assert SIGNIFICANCE / 2 < tail < 1 - SIGNIFICANCE / 2


@settings(max_examples=100)
@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, MOST_ARRIVALS - 1), min_size=1, max_size=20))
def test_an_arrival_is_the_same_in_whatever_order_it_is_asked_for(seed: int, records: list[int]) -> None:
    process = new_arrivals(seed)
    together = {record: arrival(process.ctypes.data, record) for record in [*records, *records[::-1]]}

    for record, place in together.items():
        alone = new_arrivals(seed)
        assert arrival(alone.ctypes.data, record) == place
        assert arrivals_by(alone.ctypes.data, place) >= record + 1


@settings(max_examples=100)
@given(st.integers(0, 2**63 - 1), st.integers(0, MOST_ARRIVALS - 1_000))
def test_arrivals_are_in_order_and_counted_right_wherever_one_looks(seed: int, first: int) -> None:
    found = unit_arrivals(seed, 600, first)
    process = new_arrivals(seed)

    assert np.all(np.diff(found) >= 0)
    assert found[0] == pytest.approx(first + 1, abs=10 * (first + 1) ** 0.5 + 40)
    for place in found[::50]:
        assert arrivals_by(process.ctypes.data, place) == first + np.searchsorted(found, place, side="right")


def test_behind_the_last_arrival_there_is_none() -> None:
    process = new_arrivals(SEED)
    end = arrival(process.ctypes.data, MOST_ARRIVALS - 1)

    assert arrivals_by(process.ctypes.data, 2 * end) == MOST_ARRIVALS
    assert make_schedule(table([(1.0, 1e3, 1e3)]), SEED).due_ns(MOST_ARRIVALS) == NEVER_NS


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others() -> None:
    first, again, other = (dues(poisson("1k/s", seed=seed), 1_000) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_groups_of_one_scenario_have_seeds_of_their_own_that_never_change() -> None:
    assert len({group_seed(seed, name) for seed in (1, 2) for name in ("a", "b")}) == 4
    # As documented: the first 8 bytes of SHA-256 of "SEED NAME", without the lowest bit.
    assert group_seed(1, "checkout") == 0x1EC3E2C4A0D72A01


SHAPES: dict[str, object] = {
    "constant": "500/s",
    "ramp": {"ramp": {"from": 100, "to": 900, "over": "30s"}},
    "ramp down": {"ramp": {"from": 1000, "to": 0, "over": "30s"}},
    "steps": {"steps": [{"rate": 800, "for": "10s"}, {"rate": 0, "for": "5s"}, {"rate": 300, "for": "15s"}]},
    "bursts": {"bursts": {"rate": 2000, "every": "5s", "for": "1s"}},
}


@pytest.mark.parametrize("rate", SHAPES.values(), ids=SHAPES)
def test_every_shape_keeps_its_rate_and_its_chance(rate: object) -> None:
    """Counts of a shape are Poisson around those of the uniform schedule, second by second."""
    uniform = group_schedule(Schedule.model_validate({"rate": rate}), 30.0, seed=0)
    expected = np.array([records_due(uniform, second, second + 1) for second in range(30)])
    sums = np.zeros(30)
    for seed in range(100):
        schedule = poisson(rate, seed=seed)
        sums += [records_due(schedule, second, second + 1) for second in range(30)]

    loud = expected > 0
    # Uniform counts are whole numbers, so they may be off the rate by one.
    off = np.abs(sums[loud] / 100 - expected[loud]) - 1
    assert np.all(off < 5 * np.sqrt(expected[loud] / 100))
    assert sums[~loud].sum() == 0


@pytest.mark.parametrize("rate", SHAPES.values(), ids=SHAPES)
def test_a_limit_holds_for_every_shape(rate: object) -> None:
    assert records_due(poisson(rate, records=77), 0, 30) == 77


def test_nothing_is_due_in_a_pause() -> None:
    schedule = poisson(SHAPES["bursts"])

    assert all(due % (5 * S) <= S for due in dues(schedule, 10_000).tolist())
    assert records_due(schedule, 1.000001, 5) == 0


def test_a_ramp_by_change_of_time_is_a_poisson_process() -> None:
    """Mapped back through the rate's integral, due times have exponential gaps again."""
    due_s = dues(poisson({"ramp": {"from": 0, "to": 4000, "over": "10s"}}), 19_000) / S
    gaps = np.diff(200.0 * due_s**2)

    assert stats.kstest(gaps, "expon").pvalue > SIGNIFICANCE

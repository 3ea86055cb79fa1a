from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.scenario import Schedule
from loadlab.workload.schedule import group_schedule, records_due

if TYPE_CHECKING:
    from loadlab.client.schedule import GroupSchedule

S = 1_000_000_000


def of(rate: object, sending_s: float = 30.0, **fields: object) -> GroupSchedule:
    return group_schedule(Schedule.model_validate({"rate": rate, **fields}), sending_s, seed=1)


def dues_s(schedule: GroupSchedule, *records: int) -> list[float]:
    return [schedule.due_ns(record) / S for record in records]


def test_a_constant_rate_is_that_rate_throughout() -> None:
    schedule = of("500/s")

    assert records_due(schedule, 0, 30) == 15_000
    assert [records_due(schedule, second, second + 1) for second in (0, 7, 29)] == [500] * 3


def test_steps_follow_each_other_and_the_last_stays() -> None:
    schedule = of(
        {"steps": [{"rate": 100, "for": "2s"}, {"rate": 0, "for": "1s"}, {"rate": 10, "for": "1s"}]}
    )

    assert [records_due(schedule, second, second + 1) for second in range(6)] == [100, 100, 0, 10, 10, 10]


def test_a_ramp_reaches_its_end_and_stays_there() -> None:
    schedule = of({"ramp": {"from": 100, "to": 300, "over": "10s"}})

    assert records_due(schedule, 0, 10) == 2_000
    assert records_due(schedule, 10, 20) == 3_000
    assert records_due(schedule, 0, 5) == 750


def test_a_ramp_down_to_zero_ends_with_what_it_holds() -> None:
    schedule = of({"ramp": {"from": 100, "to": 0, "over": "10s"}})

    assert schedule.count_due(10 * S) == 500
    assert schedule.count_due(10**16) == 500


def test_a_ramp_up_from_zero_sends_what_it_holds() -> None:
    schedule = of({"ramp": {"from": 0, "to": 100, "over": "10s"}})

    assert records_due(schedule, 0, 10) == 500
    assert records_due(schedule, 0, 0.0001) == 1


def test_bursts_come_as_often_as_they_should_and_nothing_comes_between() -> None:
    schedule = of({"bursts": {"rate": 1000, "every": "5s", "for": "1s"}})

    bursts = [records_due(schedule, start, start + 1) for start in (0, 5, 10, 25)]
    between = [records_due(schedule, start + 1, start + 5) for start in (0, 5, 10, 25)]
    assert bursts == [1_000] * 4
    assert between == [0] * 4


def test_the_last_burst_is_not_cut_off() -> None:
    schedule = of({"bursts": {"rate": 100, "every": "7s", "for": "3s"}}, sending_s=30.0)

    assert records_due(schedule, 28, 30) == 200


def test_bursts_without_a_pause_are_a_constant_rate() -> None:
    bursts = of({"bursts": {"rate": 200, "every": "2s", "for": "2s"}})
    constant = of(200)

    assert [bursts.due_ns(record) for record in range(5_000)] == [
        constant.due_ns(record) for record in range(5_000)
    ]


def test_a_limit_holds_for_every_shape() -> None:
    shapes: list[object] = [
        50,
        {"steps": [{"rate": 10, "for": "2s"}, {"rate": 30, "for": "1s"}]},
        {"ramp": {"from": 10, "to": 100, "over": "5s"}},
        {"bursts": {"rate": 40, "every": "2s", "for": "1s"}},
    ]

    assert [records_due(of(shape, records=77), 0, 30) for shape in shapes] == [77] * 4


def test_a_limit_of_one_sends_one_record_at_once() -> None:
    schedule = of("10k/s", records=1)

    assert dues_s(schedule, 0) == [0.0]
    assert records_due(schedule, 0, 3_600) == 1


@given(
    st.sampled_from(
        [
            of(333.3),
            of({"steps": [{"rate": 100, "for": "2s"}, {"rate": 33, "for": "3s"}]}),
            of({"ramp": {"from": 1, "to": 500, "over": "20s"}}),
            of({"bursts": {"rate": 70, "every": "3s", "for": "1s"}}, records=500),
        ]
    ),
    st.lists(st.floats(0, 40), min_size=2, max_size=6),
)
def test_adjoining_stretches_of_time_share_the_records_without_gap_or_overlap(
    schedule: GroupSchedule, ends_s: list[float]
) -> None:
    ends = sorted(ends_s)
    parts = [records_due(schedule, start, end) for start, end in pairwise(ends)]

    assert sum(parts) == records_due(schedule, ends[0], ends[-1])
    assert min(parts) >= 0


@pytest.mark.parametrize("rate", [1_000.0, 50_000.0, 20_000.0, 333.0, 7.0, 123_456.0])
def test_a_phase_holds_rate_times_its_length(rate: float) -> None:
    schedule = of(rate, sending_s=35.0)

    assert records_due(schedule, 5, 35) == rate * 30


def test_how_long_the_group_sends_changes_no_due_time() -> None:
    """A run that is cut short computes its schedule anew, for a shorter time."""
    for rate in (
        100,
        {"ramp": {"from": 1, "to": 500, "over": "20s"}},
        {"bursts": {"rate": 70, "every": "3s", "for": "1s"}},
    ):
        whole, cut = of(rate, sending_s=30.0), of(rate, sending_s=11.37)
        assert records_due(cut, 0, 11.37) == records_due(whole, 0, 11.37)


def test_a_run_cut_short_before_its_start_has_nothing_due() -> None:
    assert records_due(of(100, sending_s=-0.05), 0.0, -0.05) == 0

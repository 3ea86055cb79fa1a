"""Which series are watched for drift: those that were to be steady, within the measure phase only."""

from __future__ import annotations

import pytest
from run_samples import S, scenario_of

from loadlab.results.artifacts import Interval
from loadlab.run.steady import drifts, too_few_intervals
from loadlab.run.timeline import Timeline

TIMELINE = Timeline(0, 5 * S, 25 * S, 30 * S)
PRODUCER = {"topic": "orders", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}


def rows(metric: str, source: str = "producer/checkout", *, first_s: int = 0) -> list[Interval]:
    """A series that doubles half-way through the measure phase."""
    return [
        Interval(float(at_s), source, metric, 100.0 if at_s < 15 else 200.0) for at_s in range(first_s, 30)
    ]


def found(series: list[Interval], *, saturated: frozenset[str] = frozenset(), **parts: object) -> list[str]:
    scenario = scenario_of(**parts).scenario
    return [drift.what for drift in drifts(series, TIMELINE, scenario, saturated)]


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        ("acked_records_per_s", "throughput of producer checkout"),
        ("publish_latency_p50_us", "publish_latency p50 of producer checkout"),
        ("publish_latency_p99_us", "publish_latency p99 of producer checkout"),
    ],
)
def test_a_producer_is_to_be_steady(metric: str, what: str) -> None:
    assert found(rows(metric)) == [what]


def test_a_consumer_that_follows_is_to_be_steady() -> None:
    series = rows("end_to_end_latency_p50_us", "consumer/billing")

    assert found(series) == ["end_to_end_latency p50 of consumer billing"]
    assert found(series, consumers={"billing": {"topic": "orders", "max_rate": "100/s"}}) == []
    assert found(series, consumers={"billing": {"topic": "orders", "start_after": "3s"}}) == []


@pytest.mark.parametrize(
    ("warmup_end_s", "measure_end_s", "told"),
    [(5.0, 15.0, None), (5.5, 15.5, 9), (5.0, 8.0, 3), (5.2, 5.9, 0), (5.0, 5.0, None)],
)
def test_a_measure_phase_of_less_than_ten_whole_intervals_is_told_to_be_too_short(
    warmup_end_s: float, measure_end_s: float, told: int | None
) -> None:
    timeline = Timeline(S, S + int(warmup_end_s * S), S + int(measure_end_s * S), 30 * S)

    assert too_few_intervals(timeline, scenario_of().scenario) == told


def test_nothing_is_too_short_where_nothing_was_to_be_steady() -> None:
    ramp = {**PRODUCER, "schedule": {"rate": {"ramp": {"from": 0, "to": "1k/s", "over": "9s"}}}}
    scenario = scenario_of(producers={"checkout": ramp}).scenario

    assert too_few_intervals(Timeline(0, S, 4 * S, 5 * S), scenario) is None


def test_only_intervals_within_the_measure_phase_count() -> None:
    before = [Interval(float(at_s), "producer/checkout", "acked_records_per_s", 1.0) for at_s in range(5)]
    after = [Interval(at_s + 0.0, "producer/checkout", "acked_records_per_s", 9e9) for at_s in range(25, 40)]
    steady = [Interval(float(at_s), "producer/checkout", "acked_records_per_s", 5.0) for at_s in range(5, 25)]

    assert found(before + steady + after) == []


@pytest.mark.parametrize(
    "schedule",
    [
        {"rate": {"ramp": {"from": "1k/s", "to": "2k/s", "over": "20s"}}},
        {"rate": {"steps": [{"rate": "1k/s", "for": "5s"}, {"rate": "2k/s", "for": "5s"}]}},
        {"rate": {"bursts": {"rate": "1k/s", "every": "2s", "for": "1s"}}},
        {"rate": "1k/s", "records": 10_000},
    ],
)
def test_what_was_meant_to_change_is_not_watched(schedule: dict[str, object]) -> None:
    changing = {"checkout": {**PRODUCER, "schedule": schedule}}

    assert found(rows("acked_records_per_s"), producers=changing) == []


def test_a_ramp_that_is_over_with_the_warm_up_is_watched() -> None:
    risen = {**PRODUCER, "schedule": {"rate": {"ramp": {"from": 0, "to": "1k/s", "over": "1s"}}}}

    assert found(rows("acked_records_per_s"), producers={"checkout": risen}) != []


def test_the_latency_of_a_saturated_producer_has_to_grow() -> None:
    assert found(rows("publish_latency_p50_us"), saturated=frozenset({"checkout"})) == []
    assert found(rows("acked_records_per_s"), saturated=frozenset({"checkout"})) != []


def test_at_the_maximum_rate_service_time_is_watched() -> None:
    at_max = {"checkout": {**PRODUCER, "schedule": {"rate": "max"}}}

    assert found(rows("service_time_p50_us"), producers=at_max, saturated=frozenset({"checkout"})) == [
        "service_time p50 of producer checkout"
    ]

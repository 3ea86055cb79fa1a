"""A scenario at other rates."""

from __future__ import annotations

import pytest

from loadlab.errors import UsageError
from loadlab.scenario import load_document
from loadlab.scenario.schedule import RampRate
from loadlab.tuning.capacity_levels import MAX_RATE
from loadlab.tuning.capacity_scenario import Workload, workload_of


def document(*rates: object, **parts: object) -> dict[str, object]:
    """One producer for each rate."""
    producers = {
        f"p{number}": {"topic": "orders", "schedule": {"rate": rate}, "records": {"size": 100}}
        for number, rate in enumerate(rates)
    }
    plain = {"name": "capacity", "topics": {"orders": {}}, "producers": producers}
    return {**plain, "phases": {"warmup": "2s", "measure": "20s", "drain": "9s"}, **parts}


def workload(*rates: object, **parts: object) -> Workload:
    return workload_of(load_document(document(*rates, **parts)))


def ramps_at(made: Workload, rate_per_s: float) -> list[tuple[float, float, float]]:
    """Of each group from which rate to which it rises, and in how many seconds."""
    found = []
    for spec in made.at(rate_per_s).scenario.producers.values():
        assert isinstance(spec.schedule.rate, RampRate)
        ramp = spec.schedule.rate.ramp
        found.append((ramp.from_per_s, ramp.to_per_s, ramp.over_s))
    return found


def test_groups_with_a_rate_keep_their_ratio() -> None:
    made = workload("1k/s", "3k/s")
    assert made.rate_per_s == 4_000.0
    assert [to for _, to, _ in ramps_at(made, 8_000.0)] == [2_000.0, 6_000.0]


def test_groups_at_the_maximum_share_equally() -> None:
    made = workload("max", "max")
    assert made.rate_per_s is None
    assert [to for _, to, _ in ramps_at(made, 8_000.0)] == [4_000.0, 4_000.0]


def test_a_probe_comes_to_its_rate_in_half_of_its_warm_up() -> None:
    """What the first records of a topic hold up is not worked off in the measure phase."""
    assert ramps_at(workload("1k/s"), 8_000.0) == [(0.0, 8_000.0, 1.0)]


def test_a_probe_without_a_warm_up_has_its_rate_at_once() -> None:
    made = workload("1k/s", phases={"warmup": "0s", "measure": "20s", "drain": "9s"})
    assert made.at(8_000.0).scenario.producers["p0"].schedule.rate == 8_000.0


def test_a_round_of_warm_up_has_its_load_at_once() -> None:
    rounds = [workload("1k/s").warming(limit).scenario for limit in (8_000.0, MAX_RATE)]
    assert [one.producers["p0"].schedule.rate for one in rounds] == [8_000.0, "max"]
    assert {(one.phases.warmup_s, one.phases.measure_s, one.phases.drain_s) for one in rounds} == {(0, 5, 5)}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (["max", "1k/s"], "in what ratio"),
        ([{"ramp": {"from": 0, "to": "1k/s", "over": "5s"}}], "changes over time"),
    ],
)
def test_what_has_no_one_rate_is_refused(rates: list[object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        workload(*rates)


def test_a_scenario_that_only_reads_is_refused() -> None:
    reader = {
        "name": "reader",
        "topics": {"orders": {"existing": True}},
        "consumers": {"billing": {"topic": "orders"}},
    }
    with pytest.raises(UsageError, match="no producers"):
        workload_of(load_document(reader))


def test_records_of_earlier_probes_must_not_be_read_again() -> None:
    parts = {"topics": {"orders": {"existing": True}}, "consumers": {"billing": {"topic": "orders"}}}
    with pytest.raises(UsageError, match="earlier runs' records"):
        workload("1k/s", **parts)
    latest = {"billing": {"topic": "orders", "config": {"auto.offset.reset": "latest"}}}
    assert workload("1k/s", topics=parts["topics"], consumers=latest).rate_per_s == 1_000.0


def test_records_that_no_run_sends_may_be_read_by_each_of_them() -> None:
    parts = {
        "topics": {"orders": {}, "filled": {"existing": True}},
        "consumers": {"billing": {"topic": "filled"}},
    }
    assert workload("1k/s", **parts).rate_per_s == 1_000.0


def test_a_count_of_records_does_not_end_a_probe() -> None:
    plain = document("1k/s")
    plain["producers"] = {
        "p0": {"topic": "orders", "schedule": {"rate": "1k/s", "records": 5_000}, "records": {"size": 9}}
    }
    made = workload_of(load_document(plain)).at(50_000.0)
    assert made.scenario.producers["p0"].schedule.records is None


def test_a_scenario_without_thresholds_gets_a_limit_for_latency() -> None:
    assert workload("1k/s").conditions == ("publish_latency p99 < 100ms",)


def test_the_scenario_s_own_thresholds_are_kept_and_one_can_be_added() -> None:
    own = {"publish_latency": ["p50 < 9ms"], "errors": ["count == 0"]}
    loaded = load_document(document("1k/s", thresholds=own))
    assert workload_of(loaded).conditions == ("publish_latency p50 < 9ms", "errors count == 0")
    more = workload_of(loaded, p99_limit_s=0.02).conditions
    assert more == ("publish_latency p50 < 9ms", "publish_latency p99 < 20ms", "errors count == 0")


@pytest.mark.parametrize(
    ("thresholds", "least_per_s"),
    [
        ({"publish_latency": ["p99 < 9ms"]}, 1_000 / 20),
        ({"publish_latency": ["p50 < 9ms", "p999 < 9ms", "mean < 5ms"]}, 10_000 / 20),
        ({"publish_latency{producer=p0}": ["p99 < 9ms"]}, 4_000 / 20),
        ({"end_to_end_latency{consumer=billing}": ["p99 < 9ms"]}, 1_000 / 20),
        ({"reconciliation": ["lost == 0"]}, 0),
    ],
)
def test_no_rate_is_too_low_for_the_percentiles_that_have_to_hold(
    thresholds: dict[str, list[str]], least_per_s: float
) -> None:
    """20 s are measured, and p0 sends a quarter."""
    parts = {"thresholds": thresholds, "consumers": {"billing": {"topic": "orders"}}}
    made = workload("1k/s", "3k/s", **parts)
    assert least_per_s <= made.least_per_s <= least_per_s * 1.03


def test_a_probe_keeps_warm_up_and_drain() -> None:
    made = workload_of(load_document(document("1k/s")), measure_s=7.0)
    phases = made.at(2_000.0).scenario.phases
    assert (phases.warmup_s, phases.measure_s, phases.drain_s) == (2.0, 7.0, 9.0)


def test_a_probe_of_the_maximum_is_short_and_judges_nothing() -> None:
    plain = document("1k/s", thresholds={"publish_latency": ["p99 < 9ms"]})
    plain["producers"] = {
        "p0": {
            "topic": "orders",
            "schedule": {"rate": "1k/s", "when_full": "reject", "arrivals": "poisson"},
            "records": {"size": 9},
        }
    }
    made = workload_of(load_document(plain)).at(MAX_RATE).scenario
    assert load_document(made.to_document()).scenario == made
    assert made.producers["p0"].schedule.rate == "max"
    assert made.producers["p0"].schedule.when_full == "wait"
    assert (made.phases.warmup_s, made.phases.measure_s, made.phases.drain_s) == (2.0, 5.0, 5.0)
    assert made.thresholds == {}


def test_a_probe_s_scenario_loads_again_from_its_own_text() -> None:
    made = workload("1k/s", "2k/s").at(4_500.0).scenario
    assert load_document(made.to_document()).scenario == made


FAULTS = [{"at": "4s", "pause": 1, "for": "8s"}, {"at": "15s", "kill": 1}]


def test_faults_are_done_in_probes_and_neither_in_the_warm_up_nor_at_the_maximum() -> None:
    made = workload("1k/s", faults=FAULTS, cluster={"provider": "local"})
    assert len(made.at(500.0).scenario.faults) == 2
    assert made.warming(500.0).scenario.faults == made.at(MAX_RATE).scenario.faults == ()
    assert [str(fault) for fault in made.scenario.faults] == [
        "broker 1 is paused from 4s for 8s",
        "broker 1 is dead from 15s to the end",
    ]


def test_a_probe_that_is_too_short_for_a_fault_is_refused() -> None:
    loaded = load_document(document("1k/s", faults=FAULTS, cluster={"provider": "local"}))
    with pytest.raises(UsageError, match="broker 1 is dead from 15s to the end, which is no more"):
        workload_of(loaded, measure_s=10.0)
    assert workload_of(loaded, measure_s=16.0).scenario.phases.measure_s == 16.0

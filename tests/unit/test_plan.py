from __future__ import annotations

from pathlib import Path

import pytest
from run_samples import scenario_of

from loadlab.errors import UsageError
from loadlab.run.plan import plan_scenario
from loadlab.run.volume import needed_bytes
from loadlab.scenario import load

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
SHIPPED = pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
MOCK = {"provider": "embedded"}


def producer(**fields: object) -> dict[str, object]:
    return {"topic": "orders", "schedule": {"rate": 100}, "records": {"size": 100}, **fields}


@SHIPPED
def test_every_shipped_scenario_can_be_planned(path: Path) -> None:
    loaded = load(path)
    plan = plan_scenario(loaded)

    groups = [*plan.producers, *plan.consumers]
    ids = [worker for group in groups for worker in group.workers]
    assert ids == list(range(len(ids)))
    assert [group.name for group in groups] == [*loaded.scenario.producers, *loaded.scenario.consumers]
    names = {topic.name for topic in plan.topics}
    assert all(set(group.topics) <= names for group in groups)
    for planned in plan.producers:
        assert len(planned.workers) == loaded.scenario.producers[planned.name].workers
        if planned.target_records_per_s is not None and planned.records is not None and planned.trace is None:
            assert planned.records == pytest.approx(
                planned.target_records_per_s * (plan.warmup_s + plan.measure_s), rel=0.01
            )


def test_the_target_is_the_mean_of_the_measure_phase() -> None:
    ramp = {"rate": {"ramp": {"from": 100, "to": 1100, "over": "11s"}}}
    plan = plan_scenario(scenario_of(producers={"checkout": producer(schedule=ramp)}))

    # From 1 s to 11 s the rate goes from 190.9/s to 1,100/s.
    assert plan.producers[0].target_records_per_s == pytest.approx((190.909 + 1_100) / 2, rel=1e-3)
    assert plan.producers[0].records == 6_600


@pytest.mark.parametrize("part", ["producers", "consumers"])
def test_a_core_that_this_machine_lacks_is_refused_with_those_it_has(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    group = producer(cpuset="0,63") if part == "producers" else {"topic": "orders", "cpuset": "0,63"}

    with pytest.raises(UsageError, match=f"{part}.pinned.cpuset 0,63: there is no core 63") as refused:
        plan_scenario(scenario_of(**{part: {"pinned": group}}, topics={"orders": {"existing": True}}))
    assert refused.value.fix == "choose of 0, 1"


@pytest.mark.parametrize("arrivals", ["uniform", "poisson"])
def test_the_highest_rate_is_planned_at_once(arrivals: str) -> None:
    schedule = {"rate": "1000M/s", "arrivals": arrivals}
    plan = plan_scenario(scenario_of(producers={"checkout": producer(schedule=schedule)}))

    assert plan.producers[0].records == pytest.approx(11e9, rel=1e-4)


def test_a_limit_is_in_the_plan() -> None:
    schedule = {"rate": 100, "records": 150}
    plan = plan_scenario(scenario_of(producers={"checkout": producer(schedule=schedule)}))

    assert plan.producers[0].records == 150
    assert plan.producers[0].target_records_per_s == 5.0


def test_the_maximum_rate_has_neither_a_target_nor_a_size() -> None:
    plan = plan_scenario(scenario_of(producers={"a": producer(), "b": producer(schedule={"rate": "max"})}))

    assert [planned.records for planned in plan.producers] == [1_100, None]
    assert plan.producers[1].target_records_per_s is None
    assert (plan.data_bytes, plan.disk_bytes) == (None, None)


def test_a_limit_of_the_maximum_rate_is_no_forecast() -> None:
    plan = plan_scenario(scenario_of(producers={"a": producer(schedule={"rate": "max", "records": 1_000})}))

    assert (plan.producers[0].records, plan.producers[0].limit) == (None, 1_000)
    assert plan.disk_bytes is None


def test_a_schedule_without_a_record_in_the_measure_phase_is_told() -> None:
    steps = {"rate": {"steps": [{"rate": "1k/s", "for": "1s"}, {"rate": 0, "for": "1s"}]}}
    plan = plan_scenario(scenario_of(producers={"a": producer(schedule=steps)}))

    assert "no record of producer a is due in the measure phase" in plan.warnings


def test_the_disk_holds_every_replica() -> None:
    plan = plan_scenario(
        scenario_of(cluster={"provider": "local", "brokers": 3}, topics={"orders": {"replication_factor": 3}})
    )

    assert plan.data_bytes == 11_000 * 110
    assert plan.disk_bytes == 3 * 11_000 * 110


@pytest.mark.parametrize(
    ("config", "brokers", "kept_bytes"),
    [
        ({}, {}, 36_000_000 * 1_034),
        ({"retention.bytes": "64MiB"}, {}, 6 * ((64 << 20) + (1 << 30)) + 301 * 10_000 * 1_034),
        ({"retention.bytes": "64MiB", "segment.bytes": "16MiB"}, {}, 6 * (80 << 20) + 301 * 10_000 * 1_034),
        ({"retention.ms": "1m", "segment.bytes": "16MiB"}, {}, 6 * (16 << 20) + 361 * 10_000 * 1_034),
        (
            {},
            {"log.retention.bytes": "0", "log.segment.bytes": "16MiB"},
            6 * (16 << 20) + 301 * 10_000 * 1_034,
        ),
        (
            {"retention.bytes": "0", "segment.bytes": "16MiB"},
            {"log.retention.check.interval.ms": "1s"},
            6 * (16 << 20) + 2 * 10_000 * 1_034,
        ),
        ({"retention.ms": "-1"}, {"log.retention.ms": "1m"}, 36_000_000 * 1_034),
        ({"retention.ms": "-1"}, {"log.retention.hours": "1"}, 36_000_000 * 1_034),
        ({}, {"log.retention.minutes": "-1", "log.retention.hours": "1"}, 36_000_000 * 1_034),
        ({"retention.bytes": "-1"}, {"log.retention.bytes": "0"}, 36_000_000 * 1_034),
        ({}, {"log.cleanup.policy": "compact", "log.retention.bytes": "0"}, 36_000_000 * 1_034),
        (
            {"retention.bytes": "0", "segment.bytes": "16MiB", "cleanup.policy": "compact"},
            {},
            36_000_000 * 1_034,
        ),
    ],
)
def test_the_disk_holds_what_retention_leaves(
    config: dict[str, str], brokers: dict[str, str], kept_bytes: int
) -> None:
    """Of an hour at 10,000 records a second: a segment more, and what comes until a check sees it."""
    plan = plan_scenario(
        scenario_of(
            cluster={"provider": "local", "config": brokers},
            topics={"orders": {"partitions": 6, "config": config}},
            producers={"a": producer(schedule={"rate": "10k/s"}, records={"size": "1KiB"})},
            phases={"warmup": 0, "measure": "1h"},
        )
    )

    assert plan.data_bytes == 36_000_000 * 1_034
    assert plan.disk_bytes == kept_bytes


@pytest.mark.parametrize(
    ("topic", "brokers", "takes_off"),
    [
        ({}, {}, 75),
        ({"compression.type": "uncompressed"}, {}, 0),
        ({}, {"compression.type": "uncompressed"}, 0),
        ({"compression.type": "producer"}, {"compression.type": "gzip"}, 75),
    ],
)
def test_the_disk_does_not_hold_what_a_codec_takes_off_values(
    topic: dict[str, str], brokers: dict[str, str], takes_off: int
) -> None:
    keys = {"kind": "uniform", "count": 10}
    records = {"size": 100, "compressibility": 0.75, "keys": keys}
    sends = producer(records=records, config={"compression.type": "zstd"})
    plan = plan_scenario(
        scenario_of(
            cluster={"provider": "local", "config": brokers},
            topics={"orders": {"config": topic}},
            producers={"a": sends},
        )
    )

    assert (plan.data_bytes, plan.disk_bytes) == (1_100 * 126, 1_100 * (126 - takes_off))


def test_what_a_cluster_that_stands_keeps_is_not_told_by_the_scenario() -> None:
    loaded = scenario_of(
        cluster={"provider": "local", "config": {"log.retention.bytes": "0", "log.segment.bytes": "1MiB"}},
        producers={"a": producer(schedule={"rate": "100k/s"})},
    )
    plan = plan_scenario(loaded)

    assert needed_bytes(loaded.scenario, plan, stands=True) == plan.data_bytes
    assert needed_bytes(loaded.scenario, plan, stands=False) == plan.disk_bytes


def test_many_topics_are_all_planned_and_all_used() -> None:
    plan = plan_scenario(scenario_of(topics={"orders": {"partitions": 2, "count": 3}}))

    names = ("orders-0000", "orders-0001", "orders-0002")
    assert tuple(topic.name for topic in plan.topics) == names
    assert plan.producers[0].topics == plan.consumers[0].topics == names


def test_a_topic_that_exists_keeps_its_partitions_to_itself() -> None:
    plan = plan_scenario(scenario_of(topics={"orders": {"existing": True}}))

    assert (plan.topics[0].partitions, plan.topics[0].replication_factor) == (None, None)


@pytest.mark.parametrize(
    ("parts", "warned"),
    [
        ({"cluster": MOCK}, False),
        ({"cluster": MOCK, "producers": {"a": producer(schedule={"rate": "50k/s"})}}, True),
        ({"cluster": MOCK, "producers": {"a": producer(schedule={"rate": "max"})}}, True),
        ({"cluster": MOCK, "producers": {"a": producer(schedule={"rate": "max"})}, "consumers": {}}, False),
        ({"producers": {"a": producer(schedule={"rate": "max"})}}, False),
    ],
)
def test_who_may_read_too_late_from_the_mock_is_warned(parts: dict[str, object], warned: bool) -> None:
    warnings = plan_scenario(scenario_of(**parts)).warnings

    assert any("evicted" in warning for warning in warnings) == warned


@pytest.mark.parametrize(
    ("rate", "consumer", "told"),
    [
        ("1M/s", {"start_after": "10s"}, "10,000,000 records to read at once: the ledger takes 81 MiB"),
        ("200k/s", {"max_rate": "1k/s"}, None),
        ("1M/s", {"max_rate": "1k/s"}, "10,989,000 records"),
        ("20M/s", {"start_after": "10s"}, "lost and duplicated records are not told"),
        ("1M/s", {}, None),
        ("max", {"start_after": "10s"}, None),
    ],
)
def test_who_lets_much_wait_is_told_what_the_ledger_takes(
    rate: str, consumer: dict[str, object], told: str | None
) -> None:
    parts = {
        "producers": {"checkout": producer(schedule={"rate": rate})},
        "consumers": {"billing": {"topic": "orders", **consumer}},
    }
    warnings = [each for each in plan_scenario(scenario_of(**parts)).warnings if "ledger" in each]

    assert bool(warnings) == (told is not None)
    assert told is None or told in warnings[0]


@pytest.mark.parametrize(
    ("records", "bytes_each"),
    [
        ({"size": "1kB", "tombstones": 1.0}, 0),
        ({"size": "1kB", "tombstones": 0.5}, 500),
        ({"size": 100, "keys": {"kind": "uniform", "count": 10, "null_share": 0.25}}, 100 + 12),
        ({"size": 100, "headers": {"share": 0.5, "count": 10, "size": "10KiB"}}, 100 + 5 * (10_240 + 17)),
    ],
)
def test_what_is_sent_is_values_keys_and_headers(records: dict[str, object], bytes_each: int) -> None:
    plan = plan_scenario(scenario_of(producers={"a": producer(records=records)}))

    assert plan.producers[0].records == 1_100
    assert plan.data_bytes == 1_100 * (bytes_each + 10)


def test_of_a_trace_only_what_is_due_counts(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("time,size,key\n0,100,a\n1.5,100,bcd\n1000,900000,e\n")
    rate = {"trace": {"file": str(trace)}}
    sends = producer(schedule={"rate": rate}, records={"size": "trace", "keys": {"kind": "trace"}})
    plan = plan_scenario(scenario_of(producers={"a": sends}))

    assert plan.producers[0].records == 2
    assert plan.producers[0].record_bytes_mean == 100
    assert plan.data_bytes == 2 * (100 + 2 + 10)

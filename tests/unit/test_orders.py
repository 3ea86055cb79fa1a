from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from run_samples import scenario_of
from test_plan import SHIPPED, producer

from loadlab.client.partitions import PARTITION_UA
from loadlab.client.settings import ConsumerSettings, ProducerSettings
from loadlab.errors import UsageError
from loadlab.run.orders import Target, make_orders
from loadlab.run.plan import plan_scenario
from loadlab.scenario import load
from loadlab.workload.schedule import group_seed

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.run.order import Order
    from loadlab.scenario import LoadedScenario

SECRET = "hunter2"  # noqa: S105 - what must not be seen


def orders_of(loaded: LoadedScenario, *, is_mock: bool = False, **client_properties: str) -> list[Order]:
    plan = plan_scenario(loaded)
    partitions = {topic.name: topic.partitions or 7 for topic in plan.topics}
    target = Target("127.0.0.1:9092", client_properties, partitions, is_mock=is_mock)
    return make_orders(loaded.scenario, plan, "run-1", target, {})


def producers(orders: list[Order]) -> list[ProducerSettings]:
    return [order.settings for order in orders if isinstance(order.settings, ProducerSettings)]


def consumers(orders: list[Order]) -> list[ConsumerSettings]:
    return [order.settings for order in orders if isinstance(order.settings, ConsumerSettings)]


@SHIPPED
def test_every_shipped_scenario_makes_an_order_for_each_worker(path: Path) -> None:
    loaded = load(path)
    orders = orders_of(loaded)

    assert [order.worker for order in orders] == list(range(len(orders)))
    assert len(producers(orders)) == sum(spec.workers for spec in loaded.scenario.producers.values())
    assert len(consumers(orders)) == sum(spec.workers for spec in loaded.scenario.consumers.values())
    clients = [order.settings.properties["client.id"] for order in orders]
    assert len(set(clients)) == len(clients)
    assert {order.settings.properties["bootstrap.servers"] for order in orders} == {"127.0.0.1:9092"}


def test_the_workers_of_a_group_have_a_place_each_and_all_else_in_common() -> None:
    orders = orders_of(
        scenario_of(producers={"a": producer(workers=2), "b": producer(workers=3)}, consumers={})
    )

    placed = [(each.worker, each.place, each.workers) for each in producers(orders)]
    assert placed == [(0, 0, 2), (1, 1, 2), (2, 0, 3), (3, 1, 3), (4, 2, 3)]
    assert [order.group for order in orders] == ["a", "a", "b", "b", "b"]
    assert producers(orders)[2].records == producers(orders)[4].records
    assert producers(orders)[2].schedule == producers(orders)[4].schedule


def test_a_consumers_group_is_named_after_the_run_unless_it_is_given() -> None:
    orders = orders_of(
        scenario_of(consumers={"a": {"topic": "orders"}, "b": {"topic": "orders", "group_id": "mine"}})
    )

    assert [each.properties["group.id"] for each in consumers(orders)] == ["loadlab-run-1-a", "mine"]


def test_a_scenarios_property_wins_over_the_clusters() -> None:
    loaded = scenario_of(producers={"a": producer(config={"socket.timeout.ms": 11_000})}, consumers={})
    orders = orders_of(loaded, **{"socket.timeout.ms": "22000", "sasl.username": "me"})

    properties = producers(orders)[0].properties
    assert properties["socket.timeout.ms"] == "11000"
    assert properties["sasl.username"] == "me"


def test_the_mock_is_not_asked_to_hold_empty_fetches_back() -> None:
    consumer = {"topic": "orders"}
    given = {"topic": "orders", "config": {"fetch.wait.max.ms": 77}}
    loaded = scenario_of(consumers={"a": consumer, "b": given})

    def waits(*, is_mock: bool) -> list[str | None]:
        return [
            each.properties.get("fetch.wait.max.ms") for each in consumers(orders_of(loaded, is_mock=is_mock))
        ]

    assert waits(is_mock=True) == ["5", "77"]
    assert waits(is_mock=False) == [None, "77"]


def test_a_session_is_short_where_the_mock_waits_for_its_end() -> None:
    """Whoever joins late waits there for the others' sessions, whether they are well or not."""
    configs = (
        {},
        {"session.timeout.ms": 10_000},
        {"heartbeat.interval.ms": 8_000},
        {"group.protocol": "consumer"},
    )
    loaded = scenario_of(consumers={f"c{i}": {"topic": "orders", "config": c} for i, c in enumerate(configs)})

    def sessions(*, is_mock: bool) -> list[str | None]:
        of_all = consumers(orders_of(loaded, is_mock=is_mock))
        return [each.properties.get("session.timeout.ms") for each in of_all]

    assert sessions(is_mock=True) == ["6000", "10000", None, None]
    assert sessions(is_mock=False) == [None, "10000", None, None]


def test_a_groups_rate_of_reading_is_shared_by_its_workers() -> None:
    consumer = {"topic": "orders", "workers": 4, "max_rate": "1k/s", "start_after": "3s"}
    made = consumers(orders_of(scenario_of(consumers={"a": consumer})))

    # One of four holds none of three partitions, and reads nothing.
    assert [each.max_rate_per_s for each in made] == [1_000 / 3] * 4
    assert {each.start_after_s for each in made} == {3.0}


def test_without_a_limit_a_consumer_reads_as_fast_as_it_can() -> None:
    assert consumers(orders_of(scenario_of()))[0].max_rate_per_s is None


def test_a_worker_is_pinned_where_the_scenario_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    loaded = scenario_of(producers={"a": producer(cpuset="0,2-3")})

    assert [order.cores for order in orders_of(loaded)] == [(0, 2, 3), ()]


def test_a_partition_that_a_topic_lacks_which_existed_before_is_refused() -> None:
    records = {"size": 100, "partition": 7}
    loaded = scenario_of(
        topics={"orders": {"existing": True}}, producers={"a": producer(records=records)}, consumers={}
    )

    with pytest.raises(UsageError, match="topic orders has the partitions 0 to 6, so none is 7"):
        orders_of(loaded)


def test_rate_and_full_queue_are_as_the_scenario_says() -> None:
    loaded = scenario_of(
        producers={
            "max": producer(schedule={"rate": "max"}),
            "rejecting": producer(schedule={"rate": 10, "when_full": "reject"}),
        }
    )

    made = producers(orders_of(loaded))
    assert [(each.at_max_rate, each.reject_when_full) for each in made] == [(True, False), (False, True)]


def test_records_are_as_the_scenario_says() -> None:
    records = {
        "size": {"weighted": [{"size": 100, "weight": 1}, {"size": 300, "weight": 1}]},
        "compressibility": 0.25,
        "keys": {"kind": "zipf", "count": 50, "exponent": 1.3, "null_share": 0.1},
        "tombstones": 0.2,
        "headers": {"share": 0.5, "count": 2, "size": 30},
        "partition": 2,
    }
    made = producers(orders_of(scenario_of(seed=99, producers={"a": producer(records=records)})))[0].records

    assert set(made.sizes_bytes) == {100, 300}
    assert (made.compressibility, made.seed, made.stamped, made.partition) == (
        0.25,
        group_seed(99, "a"),
        True,
        2,
    )
    assert (made.key_kind, made.key_count, made.key_exponent, made.null_key_share) == (3, 50, 1.3, 0.1)
    assert (made.tombstone_share, made.header_share, made.header_count, made.header_bytes) == (
        0.2,
        0.5,
        2,
        30,
    )


def test_unless_told_otherwise_the_partitioner_places_records_without_headers() -> None:
    made = producers(orders_of(scenario_of()))[0].records

    assert made.partition == PARTITION_UA
    assert (made.header_share, made.header_count) == (0.0, 0)


@pytest.mark.parametrize(("size", "stamped"), [(31, False), (32, True)])
def test_records_with_room_for_it_carry_the_stamp(size: int, stamped: bool) -> None:
    loaded = scenario_of(producers={"a": producer(records={"size": size})}, consumers={})

    assert producers(orders_of(loaded))[0].records.stamped == stamped


def test_what_clients_need_of_the_cluster_is_not_shown() -> None:
    target = Target("127.0.0.1:9092", {"sasl.password": SECRET}, {}, is_mock=False)

    assert SECRET not in repr(target)
    assert SECRET not in repr(orders_of(scenario_of(), **{"sasl.password": SECRET}))


@pytest.mark.parametrize(
    ("config", "reading"),
    [
        ({}, 2),
        ({"partition.assignment.strategy": "roundrobin"}, 4),
        ({"partition.assignment.strategy": "cooperative-sticky"}, 4),
        ({"group.protocol": "consumer"}, 4),
        ({"group.protocol": "consumer", "group.remote.assignor": "range"}, 2),
    ],
)
def test_a_limit_is_shared_by_the_workers_that_hold_partitions(config: dict[str, str], reading: int) -> None:
    """With "range" the first workers hold all of ten topics of two partitions."""
    scenario = scenario_of(
        topics={"orders": {"count": 10, "partitions": 2, "replication_factor": 1}},
        consumers={"billing": {"topic": "orders", "workers": 4, "max_rate": "1k/s", "config": config}},
    )
    made = consumers(orders_of(scenario))

    assert [each.max_rate_per_s for each in made] == [1_000 / reading] * 4


@pytest.mark.parametrize(
    ("topic", "cluster", "expires"),
    [
        ({"retention.ms": "1s"}, {}, True),
        ({}, {"log.retention.bytes": "1MiB"}, True),
        ({"delete.retention.ms": "1s"}, {"offsets.retention.minutes": 5}, False),
    ],
)
def test_the_end_of_a_partition_is_asked_for_where_records_may_be_gone(
    topic: dict[str, object], cluster: dict[str, object], expires: bool
) -> None:
    """A group that finds nothing where it would read on knows only by it how far it is."""
    loaded = scenario_of(
        cluster={"provider": "local", "config": cluster}, topics={"orders": {"config": topic}}
    )
    (reading,) = (one.settings for one in orders_of(loaded) if isinstance(one.settings, ConsumerSettings))
    assert ("enable.partition.eof" in reading.client_properties()) == expires

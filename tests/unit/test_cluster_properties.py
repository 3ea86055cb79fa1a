"""Broker properties: what is rendered, for a file and for a container's environment alike."""

from __future__ import annotations

import pytest

from loadlab.cluster.properties import (
    BrokerEndpoints,
    Endpoint,
    as_environment,
    as_file,
    broker_properties,
    environment_name,
    new_cluster_id,
    shared_properties,
)
from loadlab.errors import UsageError
from loadlab.scenario.kafka_properties import OWNED


def here(port: int) -> Endpoint:
    return Endpoint(f"127.0.0.1:{port}", f"127.0.0.1:{port}")


def cluster(brokers: int) -> list[BrokerEndpoints]:
    return [
        BrokerEndpoints(number, here(9000 + number), here(9100 + number)) for number in range(1, brokers + 1)
    ]


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync"), [(1, "1", "1"), (2, "2", "2"), (3, "3", "2"), (5, "3", "2")]
)
def test_internal_topics_are_replicated_as_far_as_brokers_go(
    brokers: int, replicas: str, in_sync: str
) -> None:
    rendered = shared_properties(brokers, "4.3.1", {})
    assert rendered["offsets.topic.replication.factor"] == replicas
    assert rendered["transaction.state.log.replication.factor"] == replicas
    assert rendered["transaction.state.log.min.isr"] == in_sync
    assert rendered["share.coordinator.state.topic.replication.factor"] == replicas


def test_groups_start_without_delay_and_topics_only_when_asked_for() -> None:
    rendered = shared_properties(1, "4.3.1", {})
    assert rendered["group.initial.rebalance.delay.ms"] == "0"
    assert rendered["auto.create.topics.enable"] == "false"


def test_what_a_run_wrote_leaves_the_disk_before_the_next_one_measures() -> None:
    assert shared_properties(1, "4.3.1", {})["log.segment.delete.delay.ms"] == "1000"


def test_kafka_3_is_not_told_of_share_groups() -> None:
    assert not any(key.startswith("share.") for key in shared_properties(3, "3.9.1", {}))


def test_the_scenario_wins_over_the_labs_defaults() -> None:
    config = {"group.initial.rebalance.delay.ms": "500", "num.io.threads": "4"}
    assert shared_properties(1, "4.3.1", config).items() >= config.items()


@pytest.mark.parametrize("key", sorted(OWNED))
def test_what_loadlab_must_set_itself_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match=key):
        shared_properties(1, "4.3.1", {key: "x"})


def test_each_broker_knows_all_voters_and_its_own_listeners() -> None:
    brokers = cluster(3)
    rendered = broker_properties(brokers[1], brokers, {}, "/data")
    assert rendered["node.id"] == "2"
    assert rendered["process.roles"] == "broker,controller"
    assert rendered["controller.quorum.voters"] == "1@127.0.0.1:9101,2@127.0.0.1:9102,3@127.0.0.1:9103"
    assert rendered["listeners"] == "PLAINTEXT://127.0.0.1:9002,CONTROLLER://127.0.0.1:9102"
    assert rendered["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9002"
    assert rendered["inter.broker.listener.name"] == "PLAINTEXT"
    assert rendered["log.dirs"] == "/data"


def test_on_a_network_of_their_own_brokers_talk_by_a_listener_of_their_own() -> None:
    broker = BrokerEndpoints(
        1,
        clients=Endpoint("0.0.0.0:9092", "127.0.0.1:40001"),
        controller=Endpoint("0.0.0.0:9093", "broker-1:9093"),
        brokers=Endpoint("0.0.0.0:19092", "broker-1:19092"),
    )
    rendered = broker_properties(broker, [broker], {}, "/data")
    assert rendered["advertised.listeners"] == "PLAINTEXT://127.0.0.1:40001,INTERNAL://broker-1:19092"
    assert rendered["inter.broker.listener.name"] == "INTERNAL"
    assert rendered["controller.quorum.voters"] == "1@broker-1:9093"
    assert "INTERNAL:PLAINTEXT" in rendered["listener.security.protocol.map"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("log.dirs", "KAFKA_LOG_DIRS"),
        ("a_b.c-d", "KAFKA_A__B_C___D"),
        ("group.initial.rebalance.delay.ms", "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS"),
    ],
)
def test_the_environment_is_the_one_that_apache_kafka_images_read_back(key: str, name: str) -> None:
    assert environment_name(key) == name
    # As the image's KafkaDockerWrapper turns it back.
    back = name.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_")
    assert back == key


def test_a_file_and_an_environment_hold_the_same_values() -> None:
    brokers = cluster(1)
    rendered = broker_properties(brokers[0], brokers, shared_properties(1, "4.3.1", {}), "/data")
    assert dict(line.split("=", 1) for line in as_file(rendered).splitlines()) == rendered
    assert sorted(as_environment(rendered).values()) == sorted(rendered.values())


def test_a_value_cannot_add_a_line_to_the_file() -> None:
    assert as_file({"a": "1\nb=2\\"}) == "a=1\\nb=2\\\\\n"


def test_java_which_reads_latin_1_and_no_leading_blanks_reads_what_was_meant() -> None:
    assert as_file({"log.dirs": "/data/Gr\u00fc\U0001f600e", "a": " b"}) == (
        "a=\\ b\nlog.dirs=/data/Gr\\u00fc\\ud83d\\ude00e\n"
    )


def test_cluster_ids_look_like_kafkas_and_never_like_an_option() -> None:
    made = {new_cluster_id() for _ in range(500)}
    assert len(made) == 500
    assert all(len(one) == 22 and not one.startswith("-") for one in made)

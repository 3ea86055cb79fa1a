"""What every cluster promises, asked of each provider's; and that what one does not promise is refused."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from loadlab.cluster import Capability, Cluster, TopicRequest
from loadlab.errors import EXIT_USAGE, CapabilityError, ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.beside

CALLS: dict[Capability, list[Callable[[Cluster], object]]] = {
    Capability.ADMIN: [
        lambda cluster: cluster.topic_config(["any"]),
        lambda cluster: cluster.broker_config(),
        lambda cluster: cluster.delete_groups(["any"]),
    ],
    Capability.TELEMETRY: [lambda cluster: cluster.telemetry()],
    Capability.PAUSE: [lambda cluster: cluster.pause(1), lambda cluster: cluster.resume(1)],
    Capability.KILL: [lambda cluster: cluster.kill(1), lambda cluster: cluster.restart(1)],
}


def produce(cluster: Cluster, topic: str, partition: int, count: int) -> None:
    producer = Producer(
        {**cluster.client_properties, "bootstrap.servers": cluster.bootstrap_servers, "acks": "all"}
    )
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=partition)
    assert producer.flush(30) == 0


def consume(cluster: Cluster, topic: str, group: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            **cluster.client_properties,
            "bootstrap.servers": cluster.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 5,
        }
    )
    consumer.subscribe([topic])
    seen: list[bytes] = []
    deadline_s = time.monotonic() + 30
    while len(seen) < count and time.monotonic() < deadline_s:
        seen += [message.value() for message in consumer.consume(count, 0.2) if message.error() is None]
    consumer.commit(asynchronous=False)
    consumer.close()
    return seen


def wait_for(holds: Callable[[], bool], timeout_s: float = 20) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def test_it_says_what_it_is(cluster: Cluster) -> None:
    assert cluster.info.kind == ("mock" if cluster.info.provider == "embedded" else "kafka")
    assert cluster.info.brokers == len(cluster.bootstrap_servers.split(",")) == 1
    assert cluster.info.cluster_id
    assert cluster.info.reason == "asked for"


def test_it_declares_what_its_provider_can(cluster: Cluster, declared: dict[str, set[Capability]]) -> None:
    assert cluster.capabilities == declared[cluster.info.provider]


@pytest.mark.parametrize("capability", CALLS, ids=lambda capability: capability.value)
def test_what_it_has_not_declared_is_refused_with_a_way_out(cluster: Cluster, capability: Capability) -> None:
    if capability in cluster.capabilities:
        return  # the tests that need it show that it works
    for call in CALLS[capability]:
        with pytest.raises(
            CapabilityError, match=f"{cluster.info.provider} .* {capability.value}"
        ) as refusal:
            call(cluster)
        assert "provider" in (refusal.value.fix or "")
        assert refusal.value.exit_code == EXIT_USAGE


def test_all_brokers_live(cluster: Cluster) -> None:
    assert [(state.broker_id, state.alive) for state in cluster.broker_states()] == [(1, True)]


def test_a_created_topic_has_its_partitions_led_and_its_id(cluster: Cluster, topic: str) -> None:
    ids = cluster.create_topics([TopicRequest(topic, 3, 1)])
    found = cluster.describe_topics([topic])[topic]
    assert found is not None
    assert found.topic_id == ids[topic] == cluster.topic_ids([topic])[topic]
    assert topic in cluster.topic_names()
    assert [one.partition for one in found.partitions] == [0, 1, 2]
    assert all(one.leader == 1 and one.in_sync_replicas == (1,) for one in found.partitions)


def test_no_topic_is_no_error(cluster: Cluster, topic: str) -> None:
    assert cluster.describe_topics([topic]) == {topic: None}
    assert cluster.topic_ids([topic]) == {topic: None}


def test_an_existing_topic_is_refused_and_nothing_is_created(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    with pytest.raises(UsageError, match=topic):
        cluster.create_topics([TopicRequest(f"{topic}-new", 1, 1), TopicRequest(topic, 1, 1)])
    assert cluster.topic_ids([f"{topic}-new"]) == {f"{topic}-new": None}


@pytest.mark.needs(Capability.ADMIN)
def test_topics_that_nobody_serves_are_not_left(
    cluster: Cluster, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unserved(*_: object) -> None:
        assert cluster.topic_ids([topic])[topic] is not None
        raise ClusterError("no leader serves it")

    monkeypatch.setattr(cluster, "_wait_for_service", unserved)
    with pytest.raises(ClusterError, match="no leader serves it"):
        cluster.create_topics([TopicRequest(topic, 2, 1)])
    assert wait_for(lambda: cluster.topic_ids([topic]) == {topic: None})


def test_only_the_same_topic_is_deleted(cluster: Cluster, topic: str) -> None:
    ids = cluster.create_topics([TopicRequest(topic, 1, 1)])
    cluster.delete_topics({topic: "AAAAAAAAQACAAAAAAAAAAA"})
    assert cluster.topic_ids([topic]) == ids
    cluster.delete_topics(ids)
    assert cluster.topic_ids([topic]) == {topic: None}
    cluster.delete_topics(ids)


def test_offsets_tell_what_was_written_and_when_they_were_taken(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 2, 1)])
    produce(cluster, topic, partition=1, count=25)
    earlier_ns = time.monotonic_ns()
    sample = cluster.end_offsets([(topic, 0), (topic, 1)])
    assert sample.offsets == {(topic, 0): 0, (topic, 1): 25}
    assert not sample.failed
    assert earlier_ns <= sample.before_ns <= sample.after_ns <= time.monotonic_ns()
    assert cluster.start_offsets([(topic, 0), (topic, 1)]).offsets == {(topic, 0): 0, (topic, 1): 0}


def test_offsets_that_nobody_has_are_named_and_not_raised(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    sample = cluster.end_offsets([(topic, 0), (f"{topic}-none", 0)], timeout_s=1)
    assert (f"{topic}-none", 0) in sample.failed


def test_no_partitions_have_no_offsets(cluster: Cluster) -> None:
    assert cluster.end_offsets([]).offsets == {}
    assert cluster.committed_offsets("nobody", []) == {}


def test_each_group_reads_all_and_its_commits_are_seen(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    produce(cluster, topic, partition=0, count=10)
    groups = [f"{topic}-a", f"{topic}-b"]
    assert [len(consume(cluster, topic, group, 10)) for group in groups] == [10, 10]
    assert [cluster.committed_offsets(group, [(topic, 0)]) for group in groups] == [{(topic, 0): 10}] * 2
    assert cluster.committed_offsets(f"{topic}-c", [(topic, 0)]) == {(topic, 0): None}


@pytest.mark.needs(Capability.ADMIN)
def test_groups_are_deleted_as_soon_as_they_have_no_members(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": topic})
    consumer.subscribe([topic])
    assert wait_for(lambda: bool(consumer.poll(0.1) or consumer.assignment()))
    consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
    assert cluster.delete_groups([topic]) == [topic]
    consumer.close()
    assert cluster.delete_groups([topic, f"{topic}-unknown"]) == []
    assert cluster.committed_offsets(topic, [(topic, 0)]) == {(topic, 0): None}


def test_the_disk_is_known_of_own_clusters_only(cluster: Cluster) -> None:
    if cluster.info.provider in {"embedded", "external"}:
        assert cluster.free_disk_bytes() is None
        return
    free = cluster.free_disk_bytes()
    assert free is not None
    assert free > 0


def test_own_brokers_logs_can_be_kept(cluster: Cluster, tmp_path: Path) -> None:
    files = cluster.save_logs(tmp_path / "logs")
    if cluster.info.provider in {"embedded", "external"}:
        assert files == []
    else:
        assert (
            "started (kafka.server" in files[0].read_text() or "Kafka Server started" in files[0].read_text()
        )


@pytest.mark.needs(Capability.ADMIN)
def test_effective_configuration_is_told(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1, {"retention.ms": "12345678"})])
    config = cluster.topic_config([topic])[topic]
    assert config["retention.ms"] == "12345678"
    assert "segment.bytes" in config
    broker = cluster.broker_config()
    assert broker["group.initial.rebalance.delay.ms"] == "0"
    assert broker["offsets.topic.replication.factor"] == "1"


@pytest.mark.needs(Capability.ADMIN)
@pytest.mark.parametrize(
    "wrong",
    [TopicRequest("", 1, 3), TopicRequest("", 1, 1, {"retention.ms": "soon"})],
    ids=["replicas", "config"],
)
def test_a_topic_that_kafka_refuses_is_a_usage_error(
    cluster: Cluster, topic: str, wrong: TopicRequest
) -> None:
    request = TopicRequest(topic, wrong.partitions, wrong.replication_factor, wrong.config)
    with pytest.raises(UsageError, match=topic):
        cluster.create_topics([request])


@pytest.mark.needs(Capability.TELEMETRY)
def test_brokers_tell_what_they_did_meanwhile(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    before = cluster.telemetry().brokers[1]
    produce(cluster, topic, partition=0, count=1000)
    # Before anybody reads: a group writes records of its own, when it forms and when it commits.
    assert cluster.telemetry().brokers[1].messages_in - before.messages_in == 1000
    consume(cluster, topic, topic, 1000)
    after = cluster.telemetry().brokers[1]
    assert 0 < after.heap_used_bytes <= after.heap_max_bytes == 512 << 20
    assert after.started_ms == before.started_ms
    assert after.bytes_in > before.bytes_in
    assert after.bytes_out > before.bytes_out
    assert after.produce.total.count > before.produce.total.count
    assert after.fetch_consumer.total.count > before.fetch_consumer.total.count
    assert after.under_replicated_partitions == 0


@pytest.mark.needs(Capability.TELEMETRY)
def test_an_idle_brokers_threads_wait(cluster: Cluster) -> None:
    first = cluster.telemetry().brokers[1]
    assert wait_for(lambda: time.monotonic_ns() - first.at_ns > 3_000_000_000)
    last = cluster.telemetry().brokers[1]
    passed_s = (last.at_ns - first.at_ns) / 1e9
    # A thread books its waiting when it ends, after 0.3 s at the latest.
    assert 0.7 < (last.request_handler_idle_s - first.request_handler_idle_s) / passed_s < 1.2
    assert 0.7 < (last.network_processor_idle_s - first.network_processor_idle_s) / passed_s < 1.2


@pytest.mark.needs(Capability.TELEMETRY)
@pytest.mark.parametrize(
    ("origin", "wanted", "status"),
    [
        ("http://loadlab", {"type": "read", "attribute": "Verbose"}, 200),
        ("http://loadlab", {"type": "write", "attribute": "Verbose", "value": True}, 403),
        ("http://loadlab", {"type": "exec", "operation": "gc"}, 403),
        ("http://elsewhere", {"type": "read", "attribute": "Verbose"}, 403),
    ],
    ids=["read", "write", "exec", "foreign page"],
)
def test_a_brokers_agent_is_good_for_reading_only(
    cluster: Cluster, origin: str, wanted: dict[str, object], status: int
) -> None:
    connection = http.client.HTTPConnection(cluster._telemetry[1], timeout=5)  # type: ignore[attr-defined]
    body = json.dumps({"mbean": "java.lang:type=Memory", **wanted})
    connection.request("POST", "/jolokia/", body, {"Origin": origin})
    assert json.loads(connection.getresponse().read())["status"] == status
    connection.close()


@pytest.mark.needs(Capability.PAUSE)
def test_a_paused_broker_is_silent_until_it_is_resumed(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    cluster.pause(1)
    try:
        assert cluster.broker_states()[0].detail == "paused"
        assert cluster.broker_states()[0].alive
        assert cluster.end_offsets([(topic, 0)], timeout_s=0.5).failed
        assert cluster.telemetry().failed.keys() == {1}
    finally:
        cluster.resume(1)
    assert wait_for(lambda: cluster.end_offsets([(topic, 0)], timeout_s=1).offsets == {(topic, 0): 0})
    assert cluster.broker_states()[0].detail != "paused"


@pytest.mark.needs(Capability.KILL)
def test_a_killed_broker_is_down_and_comes_back_with_its_data(cluster: Cluster, topic: str) -> None:
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    produce(cluster, topic, partition=0, count=100)
    cluster.kill(1)
    assert wait_for(lambda: not cluster.broker_states()[0].alive, 5)
    assert "kill" in cluster.broker_states()[0].detail.lower() or "137" in cluster.broker_states()[0].detail
    cluster.restart(1)
    assert cluster.broker_states()[0].alive
    assert Capability.DURABILITY in cluster.capabilities
    sample = cluster.end_offsets([(topic, 0)], timeout_s=20)
    assert sample.offsets == {(topic, 0): 100}
    assert cluster.telemetry().brokers[1].messages_in == 0
    assert consume(cluster, topic, f"{topic}-after", 100) == [b"%d" % number for number in range(100)]


@pytest.mark.needs(Capability.KILL)
def test_what_lives_is_not_restarted_and_what_is_not_there_is_named(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="lives"):
        cluster.restart(1)
    with pytest.raises(UsageError, match="no broker 7"):
        cluster.kill(7)


def test_committed_offsets_survive_a_second_reader(cluster: Cluster, topic: str) -> None:
    """Asking twice must not join the group: a join would be a rebalance that the run did not make."""
    cluster.create_topics([TopicRequest(topic, 1, 1)])
    produce(cluster, topic, partition=0, count=3)
    consumer = Consumer(
        {"bootstrap.servers": cluster.bootstrap_servers, "group.id": topic, "enable.auto.commit": False}
    )
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    assert [cluster.committed_offsets(topic, [(topic, 0)]) for _ in range(2)] == [{(topic, 0): 2}] * 2
    consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    assert cluster.committed_offsets(topic, [(topic, 0)]) == {(topic, 0): 3}
    consumer.close()

"""The ledger beside an independent reading of the log by a plain confluent-kafka consumer."""

from __future__ import annotations

import struct
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from truths import At, Table, containers, run, scenario

from loadlab.cluster import start_cluster
from loadlab.cluster.specs import cluster_spec
from loadlab.results.artifacts import read_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.reader import StoredRun

TOPIC = "orders"
COPIES = 7
FAILOVER_S = 60.0
STAMP = struct.Struct("<qiiqq")  # run, worker, epoch, sequence number, intended time: docs/measurement.md
CONSUMERS = {"billing": {"topic": TOPIC}}


@dataclass(frozen=True)
class Started:
    """A cluster of the test's own, and the id that marks its containers."""

    cluster: Cluster
    run_id: str

    @property
    def servers(self) -> str:
        return self.cluster.bootstrap_servers

    @property
    def spec(self) -> dict[str, object]:
        """The cluster as a scenario names it."""
        return {"provider": "external", "bootstrap_servers": self.servers}


@pytest.fixture
def broker(local_kafka: None) -> Iterator[Started]:  # noqa: ARG001  a fixture for what it does
    yield from started({"provider": "local"})


@pytest.fixture
def brokers(docker_kafka: None) -> Iterator[Started]:  # noqa: ARG001
    yield from started({"provider": "docker", "brokers": 3, "resources": {"heap": "512MiB"}})


def started(spec: dict[str, object]) -> Iterator[Started]:
    run_id = f"truth-{uuid.uuid4().hex[:6]}"
    cluster = start_cluster(cluster_spec(spec), progress=print, run_id=run_id)
    yield Started(cluster, run_id)
    cluster.stop()


def read_log(servers: str) -> list[tuple[bytes, bytes | None]]:
    """Values and keys of all that partition 0 holds, read without a group."""
    config = {"bootstrap.servers": servers, "group.id": "plain", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer(config)
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=10.0)
    records: list[tuple[bytes, bytes | None]] = []
    deadline_s = time.monotonic() + 60.0
    while consumer.position([TopicPartition(TOPIC, 0)])[0].offset < end:
        assert time.monotonic() < deadline_s, "the log could not be read to its end"
        for message in consumer.consume(10_000, timeout=0.5):
            assert message.error() is None
            records.append((message.value(), message.key()))
    consumer.close()
    return records


def sequences(records: list[tuple[bytes, bytes | None]]) -> Counter[int]:
    """How often each sequence number of the one worker is in the log."""
    return Counter(STAMP.unpack_from(value)[3] for value, _ in records)


def leader_by(admin: AdminClient) -> int:
    """The broker that leads partition 0; -1 where none does."""
    return int(admin.list_topics(TOPIC, timeout=10.0).topics[TOPIC].partitions[0].leader)


@dataclass
class Failover:
    """Kills the leader of partition 0, having frozen its followers for a while if so asked.

    Attributes:
        brokers: the cluster.
        frozen_s: for how long the followers are frozen before the leader is killed; they go on thereafter.
        took_s: from the kill until the cluster names another leader.
    """

    brokers: Started
    frozen_s: float | None = None
    took_s: float = field(default=0.0, init=False)
    _admin: AdminClient = field(init=False)

    def __call__(self, _run_id: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": self.brokers.servers, "log_level": 0})
        old = self._leader()
        brokers = {int(one.name.rpartition("-")[2]): one for one in containers(self.brokers.run_id)}
        leader = brokers.pop(old)
        if self.frozen_s is not None:
            for follower in brokers.values():
                follower.pause()
            time.sleep(self.frozen_s)
        killed_s = time.monotonic()
        leader.kill()
        if self.frozen_s is not None:
            for follower in brokers.values():
                follower.unpause()
        while self._leader() in {old, -1}:
            assert time.monotonic() < killed_s + FAILOVER_S, "no new leader"
            time.sleep(0.05)
        self.took_s = time.monotonic() - killed_s

    def _leader(self) -> int:
        return leader_by(self._admin)


@dataclass
class Freeze:
    """Freezes the followers of partition 0 for a while: what its leader acks can't be read meanwhile.

    Attributes:
        brokers: the cluster.
        lasts_s: for how long.
    """

    brokers: Started
    lasts_s: float

    def __call__(self, _run_id: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.brokers.servers, "log_level": 0})
        leader = leader_by(admin)
        brokers = containers(self.brokers.run_id)
        followers = [one for one in brokers if int(one.name.rpartition("-")[2]) != leader]
        for follower in followers:
            follower.pause()
        time.sleep(self.lasts_s)
        for follower in followers:
            follower.unpause()


def assert_all_accounted_for(stored: StoredRun) -> None:
    """By the reports as they came: a result has for indeterminate what it has not heard of."""
    came = {
        name: round(sum(read_series(stored.path, "producer/checkout", f"{name}_records_per_s")[1]))
        for name in ("attempted", "acked", "failed", "indeterminate", "rejected")
    }
    assert came.pop("attempted") == sum(came.values())
    assert came["indeterminate"] == stored.result.reconciliation.indeterminate


@pytest.mark.beside
@pytest.mark.ci
@pytest.mark.local
def test_duplicates_put_into_the_log_are_found(broker: Started, table: Table, tmp_path: Path) -> None:
    def resend(_run_id: str) -> None:
        copies = read_log(broker.servers)[-COPIES:]
        producer = Producer({"bootstrap.servers": broker.servers})
        for value, key in copies:
            producer.produce(TOPIC, value, key, partition=0)
        assert producer.flush(10.0) == 0

    document = scenario(broker.spec, {"schedule": {"rate": "1k/s"}}, consumers=CONSUMERS)
    result = run(document, tmp_path, At(2.0, resend), keep_topics=True).result
    in_log = sequences(read_log(broker.servers))
    assert in_log.total() - len(in_log) == COPIES
    found = result.reconciliation.duplicated
    examples = [one.sequence for one in result.reconciliation.examples if one.record_class == "duplicated"]
    assert table.add(
        f"{COPIES} records sent again with their stamps",
        f"{COPIES} duplicated",
        f"{found} duplicated",
        "exact",
        reached=found == COPIES and sorted(examples) == sorted(one for one in in_log if in_log[one] > 1),
    )


@pytest.mark.timeout(300)
@pytest.mark.docker
def test_a_broker_of_three_dies_and_no_acked_record_with_it(
    brokers: Started, table: Table, tmp_path: Path
) -> None:
    failover = Failover(brokers)
    config = {"acks": "all", "enable.idempotence": True}
    document = scenario(
        brokers.spec,
        {"schedule": {"rate": "1k/s"}, "config": config},
        topics={TOPIC: {"replication_factor": 3, "config": {"min.insync.replicas": 2}}},
        consumers=CONSUMERS,
        phases={"warmup": "3s", "measure": "25s", "drain": "60s"},
    )
    stored = run(document, tmp_path, At(5.0, failover), keep_topics=True)
    assert_all_accounted_for(stored)
    result = stored.result
    in_log = sequences(read_log(brokers.servers))
    slowest_s = (result.producers["checkout"].publish_latency_us.max or 0.0) / 1e6
    what = "one broker of three killed, acks=all"
    # Records wait for the new leader at least, and then for the client to find it. The test looks each 50 ms.
    least_s = failover.took_s - 0.2
    seen = table.add(
        f"{what}: longest publish_latency",
        f"{failover.took_s:.1f} s without a leader",
        f"{slowest_s:.1f} s",
        f"≥ {least_s:.1f} s",
        reached=slowest_s >= least_s,
    )
    lost, missing = result.reconciliation.lost, result.reconciliation.acked - len(in_log)
    kept = table.add(f"{what}: lost", f"{missing}", f"{lost}", "0", reached=lost == missing == 0)
    assert seen
    assert kept


@pytest.mark.beside
@pytest.mark.ci
@pytest.mark.timeout(300)
@pytest.mark.docker
def test_the_tail_that_a_failover_loses_is_told_record_by_record(
    brokers: Started, table: Table, tmp_path: Path
) -> None:
    """Frozen followers stay in sync for replica.lag.time.max.ms: one becomes leader without the tail."""
    failover = Failover(brokers, frozen_s=3.0)
    document = scenario(
        brokers.spec,
        {"schedule": {"rate": "1k/s"}, "config": {"acks": 1}},
        topics={TOPIC: {"replication_factor": 3}},
        consumers=CONSUMERS,
        phases={"warmup": "3s", "measure": "25s", "drain": "60s"},
    )
    stored = run(document, tmp_path, At(3.0, failover), keep_topics=True)
    assert_all_accounted_for(stored)
    result = stored.result
    found = result.reconciliation
    assert found.failed == found.indeterminate == 0
    in_log = sequences(read_log(brokers.servers))
    missing = sorted(set(range(found.acked)) - set(in_log))
    assert missing, "the failover lost nothing, so that there is nothing to find"
    named = [one.sequence for one in found.examples if one.record_class == "lost"]
    assert table.add(
        "acks=1, followers frozen, leader killed: lost",
        f"{len(missing)}",
        f"{found.lost}",
        "exact",
        reached=found.lost == len(missing) and named == missing[:20],
    )


@pytest.mark.timeout(300)
@pytest.mark.docker
def test_what_followers_keep_from_readers_for_a_while_is_waited_for_and_never_lost(
    brokers: Started, table: Table, tmp_path: Path
) -> None:
    """They are frozen until three seconds after the load: its last records are acked, and can't be read."""
    document = scenario(
        brokers.spec,
        {"schedule": {"rate": "1k/s"}, "config": {"acks": 1}},
        topics={TOPIC: {"replication_factor": 3}},
        consumers=CONSUMERS,
        phases={"warmup": "3s", "measure": "10s", "drain": "60s"},
    )
    stored = run(document, tmp_path, At(8.0, Freeze(brokers, 5.0)), keep_topics=True)
    assert_all_accounted_for(stored)
    result = stored.result
    found, drain_s = result.reconciliation, result.consumers["billing"].drain_s
    assert table.add(
        "acks=1, followers frozen beyond the load: lost, never read, drain",
        "0, 0, about 3 s",
        f"{found.lost}, {found.unseen}, {drain_s} s",
        "0, 0, 2 to 5 s",
        reached=(found.lost, found.unseen) == (0, 0) and drain_s is not None and 2.0 <= drain_s <= 5.0,
    )
    assert len(sequences(read_log(brokers.servers))) == found.acked

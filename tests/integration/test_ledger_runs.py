"""The ledger on whole runs against Kafka itself: nothing to tell, and what was put there to be told."""

from __future__ import annotations

import os
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import confluent_kafka
import pytest
from runs import Recorder, assert_accounts_add_up, run, workers_of

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.model import RunResult

pytestmark = [pytest.mark.local, pytest.mark.beside, pytest.mark.usefixtures("local_kafka")]

TWO_GROUPS = {"billing": {"topic": "orders", "workers": 2}, "audit": {"topic": "orders"}}
TWO_WORKERS = {
    "checkout": {"topic": "orders", "workers": 2, "schedule": {"rate": "20k/s"}, "records": {"size": 200}}
}
COPIES = 25


@dataclass
class Copier(Recorder):
    """Reads records of the run while it goes on, and writes them to the log once more."""

    bootstrap_servers: str
    copied: list[tuple[int, int]] = field(default_factory=list)
    thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def progress(self, progress: object) -> None:  # noqa: ARG002 - the first one says that records flow
        if self.thread is None:
            self.thread = threading.Thread(target=self.copy)
            self.thread.start()

    def copy(self) -> None:
        servers = {"bootstrap.servers": self.bootstrap_servers}
        reader = confluent_kafka.Consumer({**servers, "group.id": "copier"})
        writer = confluent_kafka.Producer(servers)
        reader.assign([confluent_kafka.TopicPartition("orders", 1, 100)])
        for message in reader.consume(COPIES, 10.0):
            value = message.value()
            self.copied.append(struct.unpack_from("<i4xq", value, 8))
            writer.produce("orders", value, partition=2)
        writer.flush(10.0)
        reader.close()


def assert_nothing_to_tell(result: RunResult) -> None:
    found = result.reconciliation
    assert (found.lost, found.duplicated, found.reordered) == (0, 0, 0)
    assert (found.unseen, found.evicted, found.unexplained) == (0, 0, 0)
    assert found.examples == ()


def test_an_undisturbed_run_has_lost_and_doubled_nothing(tmp_path: Path, cluster: Cluster) -> None:
    parts = {"producers": TWO_WORKERS, "consumers": TWO_GROUPS}
    result = run(parts, tmp_path, cluster=cluster).result

    assert_accounts_add_up(result)
    assert_nothing_to_tell(result)
    assert result.reconciliation.acked == 80_000
    for group in result.reconciliation.groups.values():
        assert group.seen == 80_000
        assert (group.redelivered, group.unknown, group.unresolved) == (0, 0, 0)


def test_what_nobody_reads_or_has_no_stamp_leaves_the_ledger_to_the_others(tmp_path: Path) -> None:
    def sender(topic: str, **records: object) -> dict[str, object]:
        return {"topic": topic, "schedule": {"rate": "1k/s"}, "records": {"size": 100, **records}}

    parts = {
        "topics": {"orders": {"partitions": 3}, "refunds": {"partitions": 1}},
        "producers": {
            "unread": sender("refunds"),
            "checkout": sender("orders"),
            "small": sender("orders", size=16, stamp=False),
            "unread-too": sender("refunds"),
        },
    }
    result = run(parts, tmp_path).result

    assert_nothing_to_tell(result)
    assert result.reconciliation.groups["billing"].seen == result.reconciliation.acked // 4


def test_records_that_are_sent_again_are_told_one_by_one(tmp_path: Path, cluster: Cluster) -> None:
    copier = Copier(bootstrap_servers=cluster.bootstrap_servers)
    parts = {"producers": TWO_WORKERS, "consumers": TWO_GROUPS}
    result = run(parts, tmp_path, copier, cluster).result

    found = result.reconciliation
    assert len(copier.copied) == COPIES
    assert (found.lost, found.duplicated, found.reordered, found.unexplained) == (0, COPIES, 0, 0)
    assert [group.duplicated for group in found.groups.values()] == [COPIES] * 2
    reasons = [(each.code, each.severity, each.figure) for each in result.verdict.reasons]
    assert ("records_duplicated", "info", COPIES) in reasons
    assert "unreconciled" not in [code for code, _, _ in reasons]
    told = [each for each in found.examples if each.consumer == "audit"]
    assert [(each.worker, each.sequence) for each in told] == copier.copied[:20]
    assert {(each.record_class, each.partition) for each in told} == {("duplicated", "orders-2")}


def test_acks_of_the_socket_alone_are_held_against_a_log_read_to_its_end(
    tmp_path: Path, cluster: Cluster
) -> None:
    producer = {**TWO_WORKERS["checkout"], "config": {"acks": "0"}}
    result = run({"producers": {"checkout": producer}}, tmp_path, cluster=cluster).result

    assert_nothing_to_tell(result)
    assert result.reconciliation.groups["billing"].seen == 80_000
    assert any("acked means written to the socket" in warning.message for warning in result.warnings)


def test_what_a_killed_worker_had_in_its_hands_is_found_or_absent(tmp_path: Path, cluster: Cluster) -> None:
    observer = Recorder()

    def kill_first_worker() -> None:
        if len(observer.intervals) == 2:
            workers_of(os.getpid())[0].kill()

    observer.on_progress = kill_first_worker
    parts = {"producers": TWO_WORKERS, "consumers": TWO_GROUPS}
    result = run(parts, tmp_path, observer, cluster).result

    found = result.reconciliation
    assert_accounts_add_up(result)
    assert (found.lost, found.duplicated, found.reordered, found.unexplained) == (0, 0, 0, 0)
    for group in found.groups.values():
        assert group.found + group.absent == found.indeterminate
        assert (group.seen, group.unresolved) == (found.acked, 0)


def test_what_a_killed_member_had_not_committed_is_redelivered_and_not_doubled(
    tmp_path: Path, cluster: Cluster
) -> None:
    observer = Recorder()

    def kill_a_member() -> None:
        if len(observer.intervals) == 2:
            workers_of(os.getpid())[2].kill()

    observer.on_progress = kill_a_member
    billing = {"topic": "orders", "workers": 2, "config": {"session.timeout.ms": 6000}}
    parts = {
        "producers": TWO_WORKERS,
        "consumers": {"billing": billing},
        "phases": {"warmup": "1s", "measure": "5s", "drain": "30s"},
    }
    result = run(parts, tmp_path, observer, cluster).result

    found = result.reconciliation
    assert (found.lost, found.duplicated, found.reordered, found.unexplained) == (0, 0, 0, 0)
    group = found.groups["billing"]
    assert group.seen == found.acked
    assert 0 < group.redelivered == found.consumed["billing"] - found.acked
    assert {each.record_class for each in found.examples} == {"redelivered"}
    assert len(found.examples) == min(group.redelivered, 20)

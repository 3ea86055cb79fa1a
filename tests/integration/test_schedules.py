"""Schedules on a real broker: what its log holds is what the schedule said."""

from __future__ import annotations

import csv
import struct
from typing import TYPE_CHECKING, NamedTuple

import confluent_kafka
import pytest
from runs import Recorder, assert_accounts_add_up, document

from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document
from loadlab.workload.schedule import group_schedule, group_seed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadlab.client.schedule import GroupSchedule
    from loadlab.cluster import Cluster
    from loadlab.results.model import RunResult

pytestmark = [pytest.mark.local, pytest.mark.beside, pytest.mark.usefixtures("local_kafka")]

S = 1_000_000_000
WORKERS = 3
ROWS = 5_000


class InLog(NamedTuple):
    """A record as a plain client finds it in the log."""

    intended_ns: int
    size_bytes: int
    key: bytes | None


def replayed(
    cluster: Cluster, results_dir: Path, topic: str, schedule: dict[str, object], records: dict[str, object]
) -> tuple[RunResult, dict[int, InLog], GroupSchedule]:
    """Runs one producer group; gives its result, its records by number, and its schedule."""
    producer = {"topic": topic, "workers": WORKERS, "schedule": schedule, "records": records}
    parts = document(
        cluster={"provider": "external", "bootstrap_servers": cluster.bootstrap_servers},
        topics={topic: {"partitions": 3}},
        producers={"checkout": producer},
        consumers={"billing": {"topic": topic}},
    )
    loaded = load_document(parts)
    stored = run_scenario(loaded, RunOptions(results_dir, keep_topics=True), Recorder())
    spec = loaded.scenario.producers["checkout"].schedule
    intended = group_schedule(spec, 4.0, group_seed(loaded.scenario.seed, "checkout"))
    amount = stored.result.reconciliation.acked
    return stored.result, dict(_read(cluster.bootstrap_servers, topic, amount)), intended


def _read(bootstrap_servers: str, topic: str, amount: int) -> Iterator[tuple[int, InLog]]:
    """What is in a topic's log, by the record's number in its group."""
    client = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "enable.auto.commit": False}
    )
    client.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in range(3)])
    found = client.consume(amount, 30.0)
    beyond = client.consume(1, 0.5)
    client.close()
    assert beyond == []
    for message in found:
        assert message.error() is None
        value = message.value()
        _, worker, _, sequence, intended_ns = struct.unpack("<qiiqq", value[:32])
        yield sequence * WORKERS + worker, InLog(intended_ns, len(value), message.key())


def test_a_trace_is_in_the_log_with_the_times_sizes_and_keys_of_its_file(
    cluster: Cluster, tmp_path: Path
) -> None:
    rows = [
        (
            round((number / ROWS) ** 2 * 7, 4),
            40 + number * 7 % 1500,
            "" if number % 9 == 0 else f"customer-{number % 40}",
        )
        for number in range(ROWS)
    ]
    path = tmp_path / "trace.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("time", "size", "key"), *rows])
    rate = {"trace": {"file": str(path), "scale": 2}}
    records = {"size": "trace", "keys": {"kind": "trace"}}

    result, log, _ = replayed(cluster, tmp_path, "replayed", {"rate": rate}, records)

    assert_accounts_add_up(result)
    assert result.reconciliation.acked == ROWS
    assert [log[number].size_bytes for number in range(ROWS)] == [size for _, size, _ in rows]
    assert [log[number].key for number in range(ROWS)] == [key.encode() or None for _, _, key in rows]
    start_ns = log[0].intended_ns
    assert [log[number].intended_ns - start_ns for number in range(ROWS)] == [
        round(time_s * S / 2) for time_s, _, _ in rows
    ]
    # Half of its 3.5 seconds are in the first quarter of the rows: measured is from second 1 on.
    measured = sum(time_s / 2 >= 1.0 for time_s, _, _ in rows)
    assert result.producers["checkout"].records.attempted == measured


def test_poisson_arrivals_are_in_the_log_at_the_moments_of_their_seed(
    cluster: Cluster, tmp_path: Path
) -> None:
    schedule = {"rate": {"ramp": {"from": 500, "to": "3k/s", "over": "4s"}}, "arrivals": "poisson"}

    result, log, intended = replayed(cluster, tmp_path, "by-chance", schedule, {"size": 100})

    assert_accounts_add_up(result)
    amount = intended.count_due(4 * S - 1)
    assert result.reconciliation.acked == amount == pytest.approx(7_000, abs=5 * 7_000**0.5)
    start_ns = log[0].intended_ns - intended.due_ns(0)
    assert [log[number].intended_ns - start_ns for number in range(amount)] == [
        intended.due_ns(number) for number in range(amount)
    ]
    assert result.producers["checkout"].records.unsent == 0


def test_poisson_arrivals_keep_their_limit(cluster: Cluster, tmp_path: Path) -> None:
    schedule = {"rate": "2k/s", "arrivals": "poisson", "records": 777, "when_full": "reject"}

    result, log, _ = replayed(cluster, tmp_path, "limited", schedule, {"size": 100})

    assert_accounts_add_up(result)
    assert result.reconciliation.acked == 777
    assert sorted(log) == list(range(777))

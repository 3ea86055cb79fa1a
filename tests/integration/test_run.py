"""Whole runs: real workers against the mock, Kafka's JVM and containers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from pyarrow import parquet
from runs import QUICK, Recorder, assert_accounts_add_up, document, run, start_command

from loadlab.cluster import TopicRequest
from loadlab.results.reader import load

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster import Cluster


@pytest.mark.beside
def test_a_run_accounts_for_every_record(tmp_path: Path, provider: str) -> None:
    stored = run({"cluster": {"provider": provider}}, tmp_path)
    result = stored.result
    producer, consumer = result.producers["checkout"], result.consumers["billing"]
    assert_accounts_add_up(result)
    assert producer.records.attempted == producer.records.acked == 6_000
    assert consumer.records.consumed == 6_000
    assert result.reconciliation.acked == result.reconciliation.log_end_growth == 8_000
    assert result.reconciliation.consumed == {"billing": 8_000}
    assert result.reconciliation.unexplained == 0
    assert consumer.lag is not None
    assert consumer.lag.final == 0
    assert result.topics["orders"].log_end_growth == 8_000
    assert result.cluster.kind == ("mock" if provider == "embedded" else "kafka")
    assert load(result.run_id, tmp_path).result == result


@pytest.mark.beside
def test_latencies_contain_one_another(tmp_path: Path, provider: str) -> None:
    result = run({"cluster": {"provider": provider}}, tmp_path).result
    producer, consumer = result.producers["checkout"], result.consumers["billing"]
    end_to_end = consumer.end_to_end_latency_us
    assert producer.send_delay_us is not None
    assert end_to_end is not None
    assert producer.send_delay_us.count == producer.publish_latency_us.count == end_to_end.count == 6_000
    # Both are means of exact sums over the same records.
    parts = (producer.send_delay_us.mean or 0) + (producer.service_time_us.mean or 0)
    assert producer.publish_latency_us.mean == pytest.approx(parts, rel=1e-3)
    assert (producer.publish_latency_us.p50 or 0) >= (producer.service_time_us.p50 or 0)


@pytest.mark.beside
def test_the_interval_series_adds_up_to_the_totals(tmp_path: Path) -> None:
    stored = run({}, tmp_path)
    rows = parquet.read_table(stored.path / "intervals.parquet").to_pylist()
    acked = sum(row["value"] for row in rows if row["metric"] == "acked_records_per_s")
    consumed = sum(row["value"] for row in rows if row["metric"] == "consumed_records_per_s")
    assert acked == consumed == 8_000


@pytest.mark.beside
def test_workers_share_a_group_s_records(tmp_path: Path) -> None:
    producers = {
        "checkout": {
            "topic": "orders",
            "workers": 3,
            "schedule": {"rate": "1k/s"},
            "records": {"size": 100},
        }
    }
    consumers = {"billing": {"topic": "orders", "workers": 2}}
    result = run({"producers": producers, "consumers": consumers}, tmp_path).result
    sent = [worker.records.attempted for worker in result.producers["checkout"].workers]
    assert sent == [1_000, 1_000, 1_000]
    assert result.reconciliation.consumed == {"billing": 4_000}
    assert len(result.consumers["billing"].workers) == 2


@pytest.mark.beside
def test_every_kind_of_record_arrives(tmp_path: Path) -> None:
    records = {
        "size": {"uniform": {"min": 64, "max": 512}},
        "keys": {"kind": "zipf", "count": 100, "null_share": 0.1},
        "tombstones": 0.05,
        "headers": {"share": 0.5, "count": 2, "size": 8},
    }
    producers = {"checkout": {"topic": "orders", "schedule": {"rate": "2k/s"}, "records": records}}
    topics = {"orders": {"partitions": 2, "count": 3}}
    result = run({"producers": producers, "topics": topics}, tmp_path).result
    assert_accounts_add_up(result)
    assert result.reconciliation.consumed == {"billing": 8_000}
    assert set(result.topics) == {"orders-0000", "orders-0001", "orders-0002"}
    # One in twenty is a tombstone, which has no room for a stamp.
    assert 200 < result.consumers["billing"].records.unstamped < 420


@pytest.mark.beside
def test_steps_and_bursts_send_what_they_say(tmp_path: Path) -> None:
    def group(rate: object) -> dict[str, object]:
        return {"topic": "orders", "schedule": {"rate": rate}, "records": {"size": 100}}

    producers = {
        "steps": group({"steps": [{"rate": "1k/s", "for": "2s"}, {"rate": "3k/s", "for": "2s"}]}),
        "bursts": group({"bursts": {"rate": "2k/s", "every": "1s", "for": "500ms"}}),
        "ramp": group({"ramp": {"from": 0, "to": "2k/s", "over": "4s"}}),
    }
    result = run({"producers": producers, "consumers": {}}, tmp_path).result
    # Measured is from second 1 to second 4.
    assert result.producers["steps"].records.acked == 1_000 + 2 * 3_000
    assert result.producers["bursts"].records.acked == 3 * 1_000
    assert result.producers["ramp"].records.acked == pytest.approx(4_000 - 250, abs=1)


def test_a_limited_consumer_builds_lag_that_is_then_drained(tmp_path: Path) -> None:
    consumers = {"billing": {"topic": "orders", "max_rate": "1k/s"}}
    result = run({"consumers": consumers}, tmp_path).result
    consumer = result.consumers["billing"]
    assert consumer.lag is not None
    # 2,000 a second come and 1,000 are read: 4,000 behind after four seconds.
    assert 3_000 < consumer.lag.max <= 4_200
    assert consumer.lag.final == 0
    assert consumer.throughput.records_per_s == pytest.approx(1_000, rel=0.05)
    assert consumer.drain_s == pytest.approx(4.0, abs=1.0)


@pytest.mark.beside
def test_a_consumer_that_starts_late_reads_all(tmp_path: Path) -> None:
    consumers = {"billing": {"topic": "orders", "start_after": "2s"}}
    result = run({"consumers": consumers}, tmp_path).result
    assert result.reconciliation.consumed == {"billing": 8_000}
    lag = result.consumers["billing"].lag
    assert lag is not None
    assert lag.max > 1_500


def test_a_drain_that_is_too_short_is_said(tmp_path: Path) -> None:
    consumers = {"billing": {"topic": "orders", "max_rate": "500/s"}}
    phases = {"warmup": "1s", "measure": "3s", "drain": "1s"}
    result = run({"consumers": consumers, "phases": phases}, tmp_path).result
    assert "undrained" in [reason.code for reason in result.verdict.reasons]
    assert result.verdict.status == "suspect"
    assert result.reconciliation.unseen > 5_000


def test_a_queue_too_small_for_the_rate_saturates(tmp_path: Path) -> None:
    """Ten records in the client at a round trip of 20 ms are 500 a second; 2,000 are asked for."""
    producers = {
        "checkout": {
            "topic": "orders",
            "schedule": {"rate": "2k/s"},
            "records": {"size": 100},
            "config": {"queue.buffering.max.messages": 10, "linger.ms": 0},
        }
    }
    parts = {"producers": producers, "cluster": {"provider": "embedded", "round_trip": "20ms"}}
    result = run({**parts, "phases": {"warmup": "1s", "measure": "3s", "drain": "3s"}}, tmp_path).result
    producer = result.producers["checkout"]
    assert_accounts_add_up(result)
    assert result.verdict.saturated
    assert "generator_limited" not in [reason.code for reason in result.verdict.reasons]
    assert producer.throughput.records_per_s < 1_000
    assert producer.records.unsent > 0
    # The wait is in the latency: each record was sent more than a second late, and most never were.
    latency = producer.publish_latency_us
    assert (latency.min or 0) > 1_000_000
    assert (latency.p50, latency.count + latency.missing) == (None, 6_000)
    assert (producer.service_time_us.p50 or 0) < 100_000


def test_what_finds_no_room_is_rejected_where_the_scenario_says_so(tmp_path: Path) -> None:
    producers = {
        "checkout": {
            "topic": "orders",
            "schedule": {"rate": "2k/s", "when_full": "reject"},
            "records": {"size": 100},
            "config": {"queue.buffering.max.messages": 10, "linger.ms": 0},
        }
    }
    parts = {"producers": producers, "cluster": {"provider": "embedded", "round_trip": "20ms"}}
    result = run(parts, tmp_path).result
    records = result.producers["checkout"].records
    assert_accounts_add_up(result)
    assert records.attempted == 6_000
    assert records.rejected > 3_000
    assert result.reconciliation.consumed == {"billing": result.reconciliation.acked}


@pytest.mark.beside
@pytest.mark.local
def test_topics_of_others_are_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    """A run beside others on one cluster deletes what it made, and refuses what it did not."""
    external = {"provider": "external", "bootstrap_servers": cluster.bootstrap_servers}
    kept = run({"cluster": external, "topics": {"orders": {"partitions": 2}}}, tmp_path)
    assert cluster.topic_ids(["orders"]) == {"orders": None}
    assert kept.result.reconciliation.unexplained == 0
    command = start_command(
        tmp_path, *_sets(f"cluster.bootstrap_servers={cluster.bootstrap_servers}"), provider="external"
    )
    assert command.end()[0] == 0
    assert cluster.topic_ids(["orders"]) == {"orders": None}


@pytest.mark.beside
@pytest.mark.local
def test_what_transactions_of_others_leave_in_a_log_is_no_lag(cluster: Cluster, tmp_path: Path) -> None:
    """Behind the last record stand the marker of its transaction, and another that was aborted."""
    cluster.create_topics([TopicRequest("journal", 1, 1)])
    other = Producer({"bootstrap.servers": cluster.bootstrap_servers, "transactional.id": "others"})
    other.init_transactions()
    for end in (other.commit_transaction, other.abort_transaction):
        other.begin_transaction()
        for number in range(100):
            other.produce("journal", str(number))
        end()
    parts = {
        "cluster": {"provider": "external", "bootstrap_servers": cluster.bootstrap_servers},
        "topics": {"journal": {"existing": True}},
        "producers": {},
        "consumers": {"billing": {"topic": "journal", "config": {"auto.offset.reset": "earliest"}}},
    }
    result = run(parts, tmp_path).result
    billing = result.consumers["billing"]
    assert result.reconciliation.consumed == {"billing": 100}
    assert billing.lag is not None
    assert billing.lag.final == 0
    assert billing.drain_s is not None


@pytest.mark.local
def test_a_group_that_is_held_until_the_common_start_reads_at_once_from_then_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    """By themselves librdkafka's threads look once a second for what is not paused any more."""
    cluster.create_topics([TopicRequest("held", 3, 1)])
    parts = {
        "cluster": {"provider": "external", "bootstrap_servers": cluster.bootstrap_servers},
        "topics": {"held": {"existing": True}},
        "producers": {"web": {"topic": "held", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}},
        "consumers": {"billing": {"topic": "held", "config": {"auto.offset.reset": "latest"}}},
        "phases": {"warmup": "0s", "measure": "2s", "drain": "5s"},
    }
    latency = run(parts, tmp_path).result.consumers["billing"].end_to_end_latency_us
    assert latency is not None
    assert latency.count == 2_000
    assert latency.p99 is not None
    assert latency.p99 < 400_000


def _sets(*overrides: str) -> list[str]:
    return [part for override in (*QUICK, "thresholds={}", *overrides) for part in ("--set", override)]


@pytest.mark.beside
@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_the_command_prints_nothing_but_json(tmp_path: Path) -> None:
    code, output, _ = start_command(tmp_path, *_sets()).end()
    assert code == 0
    result = json.loads(output)
    assert result["producers"]["checkout"]["records"]["acked"] == 15_000


@pytest.mark.beside
def test_progress_is_told_each_second(tmp_path: Path) -> None:
    observer = Recorder()
    run({}, tmp_path, observer)
    assert len(observer.intervals) >= 3
    assert "drain phase" in observer.messages


@pytest.mark.beside
def test_the_scenario_as_stored_can_be_run_again(tmp_path: Path) -> None:
    first = run({}, tmp_path).result
    again = run(dict(first.scenario), tmp_path).result
    assert again.scenario == first.scenario
    assert document()["name"] == again.name


@pytest.mark.local
@pytest.mark.beside
def test_a_topic_that_somebody_makes_again_in_the_run_is_told_as_that(
    tmp_path: Path, cluster: Cluster
) -> None:
    observer = Recorder()

    def make_again() -> None:
        if len(observer.intervals) == 2:
            ids = cluster.topic_ids(["orders"])
            cluster.delete_topics({name: str(each) for name, each in ids.items()})
            cluster.create_topics([TopicRequest("orders", 3, 1)])

    observer.on_progress = make_again
    stored = run({}, tmp_path, observer, cluster)

    told = {reason.code: reason.message for reason in stored.result.verdict.reasons}
    assert stored.result.verdict.status == "invalid"
    assert "orders was deleted and made again" in told["unreconciled"]
    cluster.delete_topics({name: str(each) for name, each in cluster.topic_ids(["orders"]).items()})

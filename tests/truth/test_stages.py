"""Where the time goes, beside waits of known length: linger.ms, a relay's delay, slow followers, a quota."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest
from quotas import limit_producers
from truths import At, Table, behind, run, scenario

from loadlab.cluster import start_cluster
from loadlab.cluster.specs import cluster_spec

if TYPE_CHECKING:
    from pathlib import Path

    from relay import RelayProcess

    from loadlab.cluster import Timed
    from loadlab.results.model import ProducerResult

DELAY_MS = 20


def stages_us(producer: ProducerResult) -> dict[str, float]:
    """Each stage's part of the mean publish latency, which all of them come to."""
    stages = {stage.name: stage.mean_us for stage in producer.stages}
    assert sum(stages.values()) == pytest.approx(producer.publish_latency_us.mean, abs=0.01)
    return stages


def near(table: Table, what: str, known: dict[str, float], producer: ProducerResult) -> bool:
    """Rows for known stages and for what is unexplained, within a tenth of the mean publish latency."""
    stages = stages_us(producer)
    limit_us = 0.1 * (producer.publish_latency_us.mean or 0.0)
    reached = [
        table.near(f"{what}: {name}", [(known_us, stages[name])], "µs", absolute=limit_us)
        for name, known_us in {**known, "unexplained": 0.0}.items()
    ]
    return all(reached)


def mean_linger_us(linger_ms: int, rate_per_s: int) -> float:
    """The mean wait of records at a steady rate that go together once the first has waited for linger.ms."""
    together = 1 + linger_ms * rate_per_s // 1_000
    return linger_ms * 1e3 - (together - 1) / 2 / rate_per_s * 1e6


@pytest.mark.timeout(180)
@pytest.mark.local
@pytest.mark.parametrize(
    ("linger_ms", "rate_per_s"),
    [
        (0, 500),
        (0, 20_000),
        pytest.param(5, 500, marks=pytest.mark.ci),
        (5, 20_000),
        (50, 500),
        (50, 20_000),
    ],
)
def test_stages_tell_linger_and_a_relays_round_trip(
    relay: RelayProcess, linger_ms: int, rate_per_s: int, table: Table, tmp_path: Path
) -> None:
    relay.delay(request_us=500 * DELAY_MS, response_us=500 * DELAY_MS)
    config = {"acks": "all", "linger.ms": linger_ms, "max.in.flight": 5}
    sends = {"schedule": {"rate": f"{rate_per_s}/s"}, "config": config}
    producer = run(scenario(behind(relay), sends), tmp_path).result.producers["checkout"]

    round_trip_us = statistics.fmean(relay.recorded_ns()["round_trip"]) / 1e3
    assert round_trip_us >= 900 * DELAY_MS, "the relay held nothing, so that there is nothing to find"
    known = {
        "batching": mean_linger_us(linger_ms, rate_per_s),
        "network_and_broker": round_trip_us,
    }
    assert near(table, f"linger.ms {linger_ms}, {rate_per_s}/s, relay {DELAY_MS} ms", known, producer)


@pytest.mark.timeout(300)
@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_stages_tell_slow_followers(table: Table, tmp_path: Path) -> None:
    """Followers' fetches are held for 40 ms, for want of a MiB; the one after confirms what a fetch brought.

    With one request on its way, what the brokers tell of it and the round trip that the client saw are of the
    same time, but for the network, which is this machine.
    """
    cluster = {
        "provider": "local",
        "brokers": 3,
        "config": {"replica.fetch.min.bytes": 1 << 20, "replica.fetch.wait.max.ms": 40},
    }
    topics = {"orders": {"partitions": 3, "replication_factor": 3, "config": {"min.insync.replicas": 2}}}
    sends = {"schedule": {"rate": "500/s"}, "config": {"acks": "all", "linger.ms": 5, "max.in.flight": 1}}
    producer = run(scenario(cluster, sends, topics=topics), tmp_path).result.producers["checkout"]

    assert stages_us(producer)["waiting_for_followers"] > 30_000
    assert near(table, "followers that fetch every 40 ms", {"network_and_socket_wait": 0.0}, producer)


@pytest.mark.timeout(300)
@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_stages_tell_what_a_quota_holds_back(table: Table, tmp_path: Path) -> None:
    """More than the quota allows, in requests of equal size, one at a time: each waits for one mute.

    The broker tells how long each mute was. It counts what was sent over ten seconds, so that it lets the
    first requests pass: they are in the warm-up.
    """
    cluster = start_cluster(cluster_spec({"provider": "local"}), progress=print, run_id="quota")
    mutes: list[Timed] = []

    def take_mutes(_: str) -> None:
        mutes.append(cluster.telemetry().brokers[1].produce.throttle)

    try:
        limit_producers(cluster.bootstrap_servers, 1e6)
        cluster.telemetry()  # the first question starts the agent, and may take too long for an answer
        external = {"provider": "external", "bootstrap_servers": cluster.bootstrap_servers}
        sends = {
            "schedule": {"rate": "5k/s", "when_full": "reject"},
            "records": {"size": 1_000},
            "config": {"max.in.flight": 1, "batch.num.messages": 50, "queue.buffering.max.messages": 100},
        }
        phases = {"warmup": "8s", "measure": "10s", "drain": "30s"}
        stored = run(scenario(external, sends, phases=phases), tmp_path, At(0.5, take_mutes, 8.0))
        take_mutes("")
    finally:
        cluster.stop()
    known = {"throttle": (mutes[1].since(mutes[0]).mean_ms or 0.0) * 1e3}
    assert known["throttle"] > 20_000
    assert near(table, "a quota of 1 MB/s", known, stored.result.producers["checkout"])

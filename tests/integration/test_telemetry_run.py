"""Brokers' telemetry through whole runs, on Kafka's JVM and in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet
from runs import Recorder, run

from loadlab.cluster import telemetry_agent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.beside

PROVIDERS = [
    pytest.param("local", marks=pytest.mark.local),
    pytest.param("docker", marks=pytest.mark.docker),
]
PRODUCERS = {
    "checkout": {
        "topic": "orders",
        "schedule": {"rate": "2k/s"},
        "records": {"size": 1000},
        "config": {"compression.type": "none"},
    }
}
# A killed broker may come back only when the controller has missed it for this long.
QUICKLY_MISSED = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(f"{request.param}_kafka")
    return str(request.param)


def series(folder: Path, metric: str) -> list[tuple[float, float]]:
    rows = parquet.read_table(folder / "intervals.parquet").to_pylist()
    return [
        (row["interval_start_s"], row["value"])
        for row in rows
        if row["source"] == "broker:1" and row["metric"] == metric
    ]


@pytest.mark.parametrize("kafka", PROVIDERS, indirect=True)
def test_a_broker_tells_the_bytes_that_were_sent_to_it(tmp_path: Path, kafka: str) -> None:
    stored = run({"cluster": {"provider": kafka}, "producers": PRODUCERS}, tmp_path)
    broker, batch = stored.result.brokers["1"], stored.result.producers["checkout"].batch
    assert 0 < broker.heap.mean_bytes <= broker.heap.max_bytes <= broker.heap.limit_bytes
    assert (broker.missed, broker.restarts) == (0, 0)
    assert 2 < broker.covered_s < 4
    assert broker.produce.count > 0
    assert batch.bytes_mean is not None
    assert batch.records_mean is not None
    record_bytes = batch.bytes_mean / batch.records_mean
    assert broker.bytes_in_per_s / broker.messages_in_per_s == pytest.approx(record_bytes, rel=0.05)
    # From the common start to the last sample, when all was sent and read.
    times = [at for at, _ in series(stored.path, "heap_used_bytes")]
    rates = [rate for _, rate in series(stored.path, "bytes_in_per_s")]
    sent = sum(rate * (later - at) for rate, at, later in zip(rates, times, times[1:], strict=False))
    assert sent == pytest.approx(8_000 * record_bytes, rel=0.05)


@pytest.mark.parametrize("kafka", PROVIDERS, indirect=True)
def test_a_broker_that_dies_and_comes_back_leaves_a_gap_and_no_wrong_rate(tmp_path: Path, kafka: str) -> None:
    # Beside other tests a container takes that long to begin again.
    measured_s = 40 if kafka == "docker" else 20
    observer = Recorder()
    stored = run(
        {
            "cluster": {"provider": kafka, "config": QUICKLY_MISSED},
            "producers": PRODUCERS,
            "phases": {"warmup": "1s", "measure": f"{measured_s}s", "drain": "30s"},
            "faults": [{"at": "1s", "kill": 1, "for": "500ms"}],
        },
        tmp_path,
        observer,
    )
    (fault,) = stored.result.faults
    assert fault.failure is None
    assert fault.begun_s is not None
    assert fault.ended_s is not None
    assert 1.0 <= fault.begun_s < fault.begun_s + 0.5 <= fault.ended_s
    assert "broker_died" not in {reason.code for reason in stored.result.verdict.reasons}
    assert stored.result.reconciliation.lost == 0
    broker = stored.result.brokers["1"]
    assert broker.restarts == 1
    assert broker.missed > 0
    assert broker.covered_s < measured_s
    assert any(message.startswith("broker 1 told nothing of itself") for message in observer.messages)
    rates = [rate for _, rate in series(stored.path, "bytes_in_per_s")]
    assert min(rates) >= 0


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_without_the_agent_a_run_goes_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_agent, "_directory", lambda: tmp_path / "none")
    monkeypatch.setattr(telemetry_agent, "has_maven", lambda: False)
    observer = Recorder()
    stored = run({"cluster": {"provider": "local"}}, tmp_path, observer)
    assert stored.result.brokers == {}
    assert stored.result.producers["checkout"].records.acked == 6_000
    said = [message for message in observer.messages if "tell nothing of themselves" in message]
    assert len(said) == 1
    assert "mvn" in said[0]

"""A broker that stands still for a known time is in the latencies as an open loop must show it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from truths import At, Table, containers, run, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model import ProducerResult, RunResult

PAUSE_S, MEASURE_S = 2.0, 20.0
RATE_PER_S = 700
ROOM = 50
LONG_WARMUP_S = 15.0
"""A fresh JVM stalls for tens of milliseconds; of 14,000 records the slowest 140 are not to be those."""

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_kafka"), pytest.mark.timeout(300)]


@dataclass
class Pause:
    """A pause of a run's broker, by time.monotonic(): from the middle of one engine's call to the other's."""

    begin_s: float = 0.0
    end_s: float = 0.0

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s

    def __call__(self, run_id: str) -> None:
        (broker,) = containers(run_id)
        asked_s = time.monotonic()
        broker.pause()
        self.begin_s = (asked_s + time.monotonic()) / 2
        time.sleep(PAUSE_S)
        asked_s = time.monotonic()
        broker.unpause()
        self.end_s = (asked_s + time.monotonic()) / 2


def run_paused(results_dir: Path, at: At, **config: object) -> RunResult:
    """Runs with a pause."""
    phases = {"warmup": f"{at.warmup_s:g}s", "measure": f"{MEASURE_S:g}s", "drain": "30s"}
    producer = {
        "schedule": {"rate": f"{RATE_PER_S}/s"},
        "config": {"linger.ms": 0, "enable.idempotence": True, **config},
    }
    document = scenario({"provider": "docker"}, producer, phases=phases)
    return run(document, results_dir, at).result


def assert_publish_latency_holds(table: Table, what: str, pause_s: float, measured: ProducerResult) -> None:
    """Of 20 s of records the slowest 5 % are those of 1 s: all but they waited D - 1 s or less."""
    latency = measured.publish_latency_us
    reached = []
    for name, share, value_us, relative in (
        ("p95", 0.05, latency.p95, 0.10),
        ("p99", 0.01, latency.p99, 0.05),
    ):
        known_ms = (pause_s - share * MEASURE_S) * 1e3
        pairs = [(known_ms, (value_us or 0.0) / 1e3)]
        reached.append(table.near(f"{what}: publish_latency {name}", pairs, "ms", relative=relative))
    assert all(reached)


def test_a_pause_is_in_publish_latency_and_in_service_time(table: Table, tmp_path: Path) -> None:
    pause = Pause()
    measured = run_paused(tmp_path, At(8.0, pause)).producers["checkout"]
    assert_publish_latency_holds(table, "broker paused", pause.length_s, measured)
    pairs = [((pause.length_s - 0.01 * MEASURE_S) * 1e3, (measured.service_time_us.p99 or 0.0) / 1e3)]
    assert table.near("broker paused: service_time p99", pairs, "ms", relative=0.05)


@pytest.mark.ci
def test_a_small_client_queue_hides_a_pause_from_service_time(table: Table, tmp_path: Path) -> None:
    # A broker that wakes up is slow at each request: the 50 are to go in one, not in several.
    pause, small = Pause(), {"queue.buffering.max.messages": ROOM, "linger.ms": 1}
    measured = run_paused(tmp_path, At(8.0, pause, LONG_WARMUP_S), **small).producers["checkout"]
    what = f"broker paused, client queue of {ROOM}"
    assert_publish_latency_holds(table, what, pause.length_s, measured)
    service_ms = (measured.service_time_us.p99 or 0.0) / 1e3
    assert table.add(
        f"{what}: service_time p99", "hidden", f"{service_ms:.3g} ms", "< 20 ms", reached=service_ms < 20
    )
    assert measured.send_delay_us is not None
    # The first records of the pause still find room and are sent in time.
    delayed_s = pause.length_s - ROOM / RATE_PER_S
    pairs = [((delayed_s - 0.01 * MEASURE_S) * 1e3, (measured.send_delay_us.p99 or 0.0) / 1e3)]
    assert table.near(f"{what}: send_delay p99", pairs, "ms", relative=0.05)


def test_what_a_warm_up_leaves_waiting_makes_a_run_suspect(table: Table, tmp_path: Path) -> None:
    """The broker is paused across the begin of the measure phase: what was due before is acked in it."""
    pause = Pause()
    at = At(-1.0, pause, warmup_s=5.0)
    result = run_paused(tmp_path, at)
    (told,) = [one for one in result.verdict.reasons if "the warm-up had left waiting" in one.message]
    assert result.verdict.status == "suspect"
    known = (at.measured_from_s - pause.begin_s) / MEASURE_S
    pairs = [(100.0 * known, 100.0 * (told.figure or 0.0))]
    # When within the engine's call the broker stands still is known to a fifth of a second: 1 % of the phase.
    assert table.near("broker paused as the measure phase begins: acked beyond", pairs, "%", absolute=1.0)

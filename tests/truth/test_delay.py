"""A delay of known length between client and broker is the service time that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from truths import Table, behind, repetitions, run, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from relay import RelayProcess

PRODUCER = {"schedule": {"rate": "500/s"}, "config": {"linger.ms": 0}}


@dataclass(frozen=True)
class Measured:
    """The 50th and 99th percentile, in microseconds, of what the relay held and of service_time."""

    held: tuple[float, float]
    service_time: tuple[float, float]


def measure(relay: RelayProcess, delay_ms: int, results_dir: Path) -> Measured:
    """One run with a delay, half of it on the way there, half on the way back."""
    relay.delay(request_us=500 * delay_ms, response_us=500 * delay_ms)
    result = run(scenario(behind(relay), PRODUCER), results_dir).result
    relay_us = np.sum([relay.recorded_ns()[way] for way in ("request", "response")], axis=0) / 1e3
    service_time = result.producers["checkout"].service_time_us
    assert service_time.p50 is not None
    assert service_time.p99 is not None
    held = np.percentile(relay_us, (50, 99), method="inverted_cdf")
    assert held[0] >= 900 * delay_ms, "the relay held nothing, so that there is nothing to find"
    return Measured((float(held[0]), float(held[1])), (service_time.p50, service_time.p99))


@pytest.mark.timeout(600)
@pytest.mark.local
@pytest.mark.parametrize("delay_ms", [1, 5, 20, pytest.param(100, marks=pytest.mark.ci)])
def test_service_time_holds_the_delay_of_a_relay(
    relay: RelayProcess, delay_ms: int, table: Table, tmp_path: Path
) -> None:
    """Runs alternate with such without delay, whose figures are taken off: broker and relay themselves."""
    runs = [(measure(relay, 0, tmp_path), measure(relay, delay_ms, tmp_path)) for _ in range(repetitions(5))]
    reached = []
    for place, name, relative, absolute in ((0, "p50", 0.01, 100.0), (1, "p99", 0.05, 500.0)):
        pairs = [
            (
                delayed.held[place] - plain.held[place],
                delayed.service_time[place] - plain.service_time[place],
            )
            for plain, delayed in runs
        ]
        what = f"relay, {delay_ms} ms: service_time {name}"
        reached.append(table.near(what, pairs, "µs", relative=relative, absolute=absolute))
    assert all(reached)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("round_trip_ms", [1, 5, pytest.param(20, marks=pytest.mark.ci), 100])
def test_service_time_holds_the_round_trip_of_the_mock(
    round_trip_ms: int, table: Table, tmp_path: Path
) -> None:
    cluster = {"provider": "embedded", "round_trip": f"{round_trip_ms}ms"}
    pairs = []
    for _ in range(repetitions(5)):
        result = run(scenario(cluster, PRODUCER), tmp_path).result
        p50_us = result.producers["checkout"].service_time_us.p50
        assert p50_us is not None
        # The mock waits at least as long, so less is no measurement of it.
        assert p50_us >= 990 * round_trip_ms
        pairs.append((round_trip_ms, p50_us / 1e3))
    what = f"mock, round_trip {round_trip_ms} ms: service_time p50"
    assert table.near(what, pairs, "ms", relative=0.01, absolute=1.5)

"""Where the time goes, by the engine: against waits that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_samples import constant, drive, new_topic, producer_settings

from loadlab.client.library import library_path
from loadlab.cluster.mock_process import MockCluster
from loadlab.measurement.slab import ACK_LANE, AckMetric, Phase

if TYPE_CHECKING:
    from engine_samples import DrivenProducer

ROUND_TRIP_MS = 20


@pytest.fixture(scope="module")
def slow_mock() -> MockCluster:
    """Mock brokers that answer after ROUND_TRIP_MS and about one ms more."""
    return MockCluster(library_path(), brokers=1, round_trip_ms=ROUND_TRIP_MS)


def driven(mock: MockCluster, rate_per_s: float = 500.0, **properties: str) -> DrivenProducer:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    settings = producer_settings(
        mock.bootstrap_servers, new_topic(mock), properties=named, schedule=constant(rate_per_s)
    )
    return drive(settings, warmup_s=0.1, measure_s=0.6)


def means_ms(producer: DrivenProducer) -> dict[str, float]:
    """The stages' means over the records of the measure phase."""
    sums = producer.slab.record["stages"][0][Phase.MEASURE]
    stages = ("batching_ns", "client_queue_ns", "request_ns", "report_ns")
    return {name.removesuffix("_ns"): int(sums[name]) / int(sums["records"]) / 1e6 for name in stages}


@pytest.mark.parametrize("rate_per_s", [500.0, 20_000.0])
@pytest.mark.parametrize("linger_ms", ["0", "5", "50"])
def test_the_stages_of_every_record_come_to_its_service_time(
    slow_mock: MockCluster, linger_ms: str, rate_per_s: float
) -> None:
    producer = driven(slow_mock, rate_per_s, linger_ms=linger_ms)

    for phase in Phase:
        histogram = producer.slab.record["lanes"][0, ACK_LANE]["histograms"][phase, AckMetric.SERVICE_TIME]
        sums = producer.slab.record["stages"][0][phase]
        assert sums["records"] == histogram["counts"].sum()
        parts = ("batching_ns", "client_queue_ns", "request_ns", "report_ns")
        assert sum(int(sums[name]) for name in parts) == histogram["total_ns"]


def test_a_slow_broker_is_in_the_round_trip_alone(slow_mock: MockCluster) -> None:
    means = means_ms(driven(slow_mock, linger_ms="0"))

    assert ROUND_TRIP_MS <= means["request"] < 2 * ROUND_TRIP_MS
    assert means["batching"] == 0
    assert means["client_queue"] + means["report"] < ROUND_TRIP_MS / 2


def test_batching_is_the_wait_that_linger_asks_for(mock: MockCluster) -> None:
    """At 500/s a request of linger.ms 50 takes 26 records: the first waits 50 ms, the last none."""
    means = means_ms(driven(mock, linger_ms="50"))

    assert means["batching"] == pytest.approx(25.0, rel=0.2)
    assert means["client_queue"] + means["request"] + means["report"] < 10


def test_what_waits_beyond_linger_waits_in_the_client(slow_mock: MockCluster) -> None:
    """With one request on its way, librdkafka makes the next one as soon as that is sent, and holds it back.

    A record waits for half a round trip on average until its request is made, and then for a whole one.
    """
    means = means_ms(driven(slow_mock, linger_ms="0", max_in_flight="1"))

    assert means["client_queue"] == pytest.approx(1.5 * means["request"], rel=0.2)
    assert means["batching"] == 0


def test_without_acks_a_request_takes_no_time(slow_mock: MockCluster) -> None:
    means = means_ms(driven(slow_mock, linger_ms="5", acks="0"))

    assert means["request"] == 0
    assert 2 < means["batching"] <= 5


def test_round_trips_are_counted_once_a_request(slow_mock: MockCluster) -> None:
    producer = driven(slow_mock, linger_ms="50")

    sums = producer.slab.record["stages"][0][Phase.MEASURE]
    assert 10 <= sums["requests"] <= 14
    round_trip_ms = int(sums["round_trips_ns"]) / int(sums["requests"]) / 1e6
    assert ROUND_TRIP_MS <= round_trip_ms < 2 * ROUND_TRIP_MS

from __future__ import annotations

import time

import pytest
from engine_samples import until
from run_samples import FakeCluster
from telemetry_samples import S, requests, telemetry

from loadlab.cluster import TelemetrySample, Timed
from loadlab.run.broker_readings import Span, broker_results, broker_rows
from loadlab.run.brokers import BrokerSampler
from loadlab.run.timeline import Timeline

TIMELINE = Timeline(0, 2 * S, 12 * S, 17 * S)


def results_of(*samples: object, missed: int = 0) -> dict[str, object]:
    sampler = BrokerSampler(FakeCluster().as_cluster())
    sampler.samples[1] = list(samples)  # type: ignore[arg-type]
    sampler.missed[1] = missed
    return broker_results(sampler, TIMELINE)  # type: ignore[return-value]


def test_rates_are_growth_over_the_time_between_samples() -> None:
    span = Span.of([telemetry(2, bytes_in=500), telemetry(6, bytes_in=4_500)])
    assert (span.counted("bytes_in"), span.seconds) == (4_000, 4.0)


def test_what_was_timed_between_samples_has_its_own_mean() -> None:
    earlier = telemetry(0, produce=requests(10, 100.0, 50.0))
    span = Span.of([earlier, telemetry(1, produce=requests(14, 180.0, 50.0))])
    assert span.timed("produce.total") == Timed(4, 80.0)
    assert span.timed("produce.total").mean_ms == 20.0
    assert span.timed("produce.local").mean_ms == 0.0
    assert span.timed("fetch_consumer.total").mean_ms is None


@pytest.mark.parametrize(("waited_s", "share"), [(0.5, 0.25), (2.3, 1.0), (-0.1, 0.0)])
def test_an_idle_share_is_waiting_over_time_and_never_beyond_its_bounds(
    waited_s: float, share: float
) -> None:
    span = Span.of([telemetry(0), telemetry(2, request_handler_idle_s=waited_s)])
    assert span.idle_share("request_handler_idle_s") == share


def test_nothing_is_compared_across_a_restart() -> None:
    before = [telemetry(2, bytes_in=9_000), telemetry(3, bytes_in=10_000)]
    after = [telemetry(9, bytes_in=10, started_ms=9), telemetry(12, bytes_in=3_010, started_ms=9)]
    (broker,) = results_of(*before, *after).values()
    assert (broker.restarts, broker.covered_s) == (1, 4.0)
    assert broker.bytes_in_per_s == 1_000.0


def test_a_gap_within_one_jvm_loses_no_count() -> None:
    (broker,) = results_of(
        telemetry(2), telemetry(3, gc_count=1), telemetry(12, gc_count=8), missed=8
    ).values()
    assert (broker.gc.count, broker.covered_s, broker.missed, broker.samples) == (7 + 1, 10.0, 8, 3)


def test_the_measure_phase_is_told_from_the_samples_at_its_ends() -> None:
    outside = [telemetry(0, bytes_in=0), telemetry(1, bytes_in=5_000)]
    inside = [telemetry(2, bytes_in=6_000), telemetry(7, bytes_in=7_000), telemetry(12.01, bytes_in=26_020)]
    (broker,) = results_of(*outside, *inside, telemetry(12.2, bytes_in=99_000)).values()
    assert broker.bytes_in_per_s == pytest.approx(2_000)
    assert broker.samples == 3


def test_levels_are_those_of_the_samples() -> None:
    samples = [telemetry(2, heap_used_bytes=10), telemetry(7, heap_used_bytes=60), telemetry(12)]
    (broker,) = results_of(
        *samples[:2], telemetry(12, heap_used_bytes=20, under_replicated_partitions=3)
    ).values()
    assert (broker.heap.mean_bytes, broker.heap.max_bytes, broker.heap.limit_bytes) == (30.0, 60, 1_000)
    assert broker.under_replicated_partitions_max == 3


@pytest.mark.parametrize("samples", [[], [telemetry(5)], [telemetry(5), telemetry(7, started_ms=5)]])
def test_a_broker_without_two_samples_of_one_jvm_is_not_there(samples: list[object]) -> None:
    assert results_of(*samples) == {}


def test_rows_of_changes_stand_where_they_begin_and_have_a_gap_where_the_broker_was_away() -> None:
    samples = [
        telemetry(1),
        telemetry(2, bytes_in=700),
        telemetry(6, started_ms=9),
        telemetry(8, started_ms=9),
    ]
    rows = list(broker_rows({1: samples}, start_ns=S))
    assert {row.source for row in rows} == {"broker:1"}
    assert [(row.interval_start_s, row.value) for row in rows if row.metric == "bytes_in_per_s"] == [
        (0.0, 700.0),
        (5.0, 0.0),
    ]
    assert [row.interval_start_s for row in rows if row.metric == "heap_used_bytes"] == [0.0, 1.0, 5.0, 7.0]
    assert not [row for row in rows if row.metric == "produce_total_mean_ms"]


def test_a_sampler_keeps_what_was_told_and_counts_what_was_not() -> None:
    answers = [
        TelemetrySample({1: telemetry(1)}, {2: "no answer"}),
        TelemetrySample({1: telemetry(2), 2: telemetry(2, broker_id=2)}, {}),
    ]
    sampler = BrokerSampler(FakeCluster(telemetries=answers).as_cluster())
    sampler.take()
    sampler.take()
    assert {broker: len(found) for broker, found in sampler.samples.items()} == {1: 2, 2: 1}
    assert (sampler.missed, sampler.failures) == ({2: 1}, {2: "no answer"})


def test_a_cluster_without_telemetry_is_never_asked() -> None:
    sampler = BrokerSampler(FakeCluster().as_cluster())
    sampler.wake()
    sampler.start(time.monotonic_ns(), [])
    sampler.stop()
    assert not sampler.samples


def test_a_sampler_asks_from_the_start_on_until_it_is_stopped() -> None:
    cluster = FakeCluster(telemetries=[TelemetrySample({1: telemetry(1)}, {})])
    sampler = BrokerSampler(cluster.as_cluster())
    start_ns = time.monotonic_ns()
    sampler.start(start_ns, [start_ns + 50_000_000])
    assert until(lambda: len(sampler.samples[1]) >= 2, 5.0)
    sampler.stop()

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from run_samples import S, book, consuming, fleet_of, producing, took, worker_of

from loadlab.measurement.lane import bucket_of
from loadlab.measurement.slab import (
    ACK_LANE,
    CONSUME_LANE,
    RING_INTERVALS,
    SEND_LANE,
    AckMetric,
    ConsumeMetric,
    Counter,
    SendMetric,
)
from loadlab.run.samples import Group, GroupSample, Sample
from loadlab.run.series import Series, partition_lags, read_interval


def figures(series: Series, metric: str) -> list[tuple[float, str, float]]:
    return [(row.interval_start_s, row.source, row.value) for row in series.rows if row.metric == metric]


def test_each_interval_has_a_row_for_each_group_and_metric() -> None:
    one, other = worker_of(producing(0)), worker_of(producing(1))
    for interval, amount in ((0, 10), (1, 20)):
        book(one, ACK_LANE, Counter.ACKED, amount, interval=interval)
        book(other, ACK_LANE, Counter.ACKED, 1, interval=interval)
    series = Series(fleet_of(one, other))
    series.drain(2)

    assert figures(series, "acked_records_per_s") == [
        (0.0, "producer/checkout", 11.0),
        (1.0, "producer/checkout", 21.0),
    ]


def test_an_interval_without_an_event_has_rows_of_zero() -> None:
    series = Series(fleet_of(worker_of(producing()), worker_of(consuming())))
    series.drain(1)

    assert figures(series, "attempted_records_per_s") == [(0.0, "producer/checkout", 0.0)]
    assert figures(series, "consumed_records_per_s") == [(0.0, "consumer/billing", 0.0)]


def test_an_interval_without_a_sample_has_no_latency() -> None:
    series = Series(fleet_of(worker_of(producing())))
    series.drain(1)

    assert figures(series, "publish_latency_p50_us") == []


def test_a_percentile_of_an_interval_needs_its_samples_too() -> None:
    worker = worker_of(producing())
    took(worker, ACK_LANE, AckMetric.PUBLISH_LATENCY, [2_000_000] * 100)
    series = Series(fleet_of(worker))
    series.drain(1)

    assert len(figures(series, "publish_latency_p90_us")) == 1
    assert figures(series, "publish_latency_p99_us") == []
    assert figures(series, "publish_latency_max_us")[0][2] == pytest.approx(2_000, rel=0.01)


def test_the_histogram_behind_an_interval_s_percentiles_is_kept_as_its_filled_buckets() -> None:
    one, other = worker_of(producing(0)), worker_of(producing(1))
    took(one, ACK_LANE, AckMetric.PUBLISH_LATENCY, [2_000_000] * 3)
    took(other, ACK_LANE, AckMetric.PUBLISH_LATENCY, [2_000_000, 9_000_000])
    series = Series(fleet_of(one, other))
    series.drain(2)

    (kept,) = series.histograms
    assert (kept.interval_start_s, kept.source, kept.metric) == (
        0.0,
        "producer/checkout",
        "publish_latency_us",
    )
    assert kept.buckets.tolist() == [bucket_of(2_000_000), bucket_of(9_000_000)]
    assert kept.counts.tolist() == [4, 1]


def test_of_a_run_of_hours_little_is_kept_for_each_second() -> None:
    """Names are the same objects in all rows, and counts take two bytes unless a bucket holds more."""
    workers = [worker_of(producing(0)), worker_of(producing(1, "refunds"))]
    for worker in workers:
        took(worker, ACK_LANE, AckMetric.PUBLISH_LATENCY, [2_000_000] * 2_000)
    series = Series(fleet_of(*workers))
    series.drain(1)

    names = [row.metric for row in series.rows]
    assert "publish_latency_p99_us" in names
    assert 2 * len({id(name) for name in names}) == 2 * len(set(names)) == len(names)
    assert [kept.counts.nbytes for kept in series.histograms] == [2, 2]


def test_a_bucket_of_more_than_two_bytes_keeps_its_count() -> None:
    worker = worker_of(producing())
    bucket = bucket_of(2_000_000)
    lane = worker.slab.record["lanes"][0, ACK_LANE]["ring"][0]
    lane["index"] = 1
    lane["counts"][AckMetric.PUBLISH_LATENCY, bucket] = 70_000
    series = Series(fleet_of(worker))
    series.drain(1)

    assert [kept.counts.tolist() for kept in series.histograms] == [[70_000]]


def test_the_latest_interval_adds_up_all_groups() -> None:
    workers = [worker_of(producing(0)), worker_of(producing(1, "refunds")), worker_of(consuming(2))]
    book(workers[0], SEND_LANE, Counter.ATTEMPTED, 3)
    book(workers[1], SEND_LANE, Counter.ATTEMPTED, 4)
    book(workers[2], CONSUME_LANE, Counter.CONSUMED, 5)
    took(workers[1], ACK_LANE, AckMetric.PUBLISH_LATENCY, [1_000_000])
    took(workers[2], CONSUME_LANE, ConsumeMetric.END_TO_END_LATENCY, [2_000_000, 3_000_000])
    latest = Series(fleet_of(*workers)).drain(1)

    assert latest is not None
    assert (latest.counters[Counter.ATTEMPTED], latest.counters[Counter.CONSUMED]) == (7, 5)
    assert latest.histogram(AckMetric.PUBLISH_LATENCY).count == 1
    assert latest.histogram(ConsumeMetric.END_TO_END_LATENCY).count == 2


def test_nothing_new_to_drain_gives_nothing() -> None:
    series = Series(fleet_of(worker_of(producing())))
    series.drain(3)

    assert series.drain(3) is None
    assert series.drained == 3


def test_what_workers_still_ended_after_the_end_has_rows_and_idle_seconds_behind_it_none() -> None:
    worker = worker_of(producing())
    book(worker, ACK_LANE, Counter.FAILED, 5, interval=3)
    series = Series(fleet_of(worker))
    series.drain_all(2, 9)

    assert figures(series, "failed_records_per_s")[-1] == (3.0, "producer/checkout", 5.0)
    assert series.drained == 4


def test_intervals_that_were_written_over_meanwhile_have_no_rows() -> None:
    """The parent was stopped for longer than the ring reaches back: nobody knows what happened then."""
    series = Series(fleet_of(worker_of(producing())))
    series.drain(RING_INTERVALS + 10)

    assert series.drained == RING_INTERVALS + 10
    assert min(row.interval_start_s for row in series.rows) == 11.0


def test_an_interval_that_the_ring_has_overwritten_reads_as_empty() -> None:
    worker = worker_of(producing())
    book(worker, ACK_LANE, Counter.ACKED, 5, interval=7)
    worker.slab.record["lanes"][0, ACK_LANE]["ring"]["index"][7] = 7 + RING_INTERVALS + 1

    assert read_interval(worker, ACK_LANE, 7).counters.sum() == 0
    assert read_interval(worker, ACK_LANE, 7 + RING_INTERVALS).counters[Counter.ACKED] == 5


def test_what_was_read_is_a_copy() -> None:
    worker = worker_of(producing())
    book(worker, ACK_LANE, Counter.ACKED, 5)
    read = read_interval(worker, ACK_LANE, 0)
    book(worker, ACK_LANE, Counter.ACKED, 5)

    assert read.counters[Counter.ACKED] == 5


def test_a_series_that_has_everything_misses_nothing() -> None:
    producer, consumer = worker_of(producing()), worker_of(consuming())
    book(producer, SEND_LANE, Counter.ATTEMPTED, 9)
    book(producer, ACK_LANE, Counter.ACKED, 9)
    book(consumer, CONSUME_LANE, Counter.CONSUMED, 9)
    series = Series(fleet_of(producer, consumer))
    series.drain(1)

    assert series.late() == 0


def test_an_event_booked_after_its_interval_was_drained_is_counted() -> None:
    worker = worker_of(producing())
    series = Series(fleet_of(worker))
    series.drain(1)
    book(worker, ACK_LANE, Counter.ACKED, 1, interval=0)

    assert series.late() == 1


def test_the_time_of_a_full_queue_is_no_event() -> None:
    worker = worker_of(producing())
    series = Series(fleet_of(worker))
    series.drain(1)
    book(worker, SEND_LANE, Counter.QUEUE_FULL_NS, 123, interval=0)

    assert series.late() == 0


def test_a_late_record_is_one_event_whatever_its_size() -> None:
    worker = worker_of(producing())
    series = Series(fleet_of(worker))
    series.drain(1)
    book(worker, ACK_LANE, Counter.ACKED, 1, interval=0)
    book(worker, ACK_LANE, Counter.ACKED_BYTES, 100, interval=0)

    assert series.late() == 1


def test_lag_stands_at_the_times_of_its_samples() -> None:
    series = Series(fleet_of())
    sample = GroupSample(lag=np.array([3, 4]), committed_lag=None, backlog=2)
    group = Group("billing", "g", (("orders", 0), ("orders", 1)), np.zeros(2, np.int64), ("checkout",))
    samples = [Sample(5 * S + S // 2, {}, {"billing": sample})]
    series.add_lag(samples, [group], start_ns=5 * S)

    assert figures(series, "consumer_lag_records") == [(0.5, "consumer/billing", 7.0)]
    assert list(partition_lags(samples, [group], start_ns=5 * S)) == [
        (0.5, "consumer/billing/orders-0", "consumer_lag_records", 3.0),
        (0.5, "consumer/billing/orders-1", "consumer_lag_records", 4.0),
    ]
    assert figures(series, "backlog_records") == [(0.5, "consumer/billing", 2.0)]
    assert figures(series, "committed_lag_records") == []


def test_what_the_call_refused_has_failed_too() -> None:
    worker = worker_of(producing())
    book(worker, SEND_LANE, Counter.FAILED, 3)
    book(worker, ACK_LANE, Counter.FAILED, 2)
    series = Series(fleet_of(worker))
    latest = series.drain(1)

    assert figures(series, "failed_records_per_s") == [(0.0, "producer/checkout", 5.0)]
    assert latest is not None
    assert latest.counters[Counter.FAILED] == 5
    assert series.late() == 0


def test_at_the_maximum_rate_no_record_is_late_and_publish_latency_is_service_time() -> None:
    worker = worker_of(replace(producing(), settings=replace(producing().settings, at_max_rate=True)))
    took(worker, SEND_LANE, SendMetric.SEND_DELAY, [9_000] * 100)
    took(worker, ACK_LANE, AckMetric.PUBLISH_LATENCY, [2_000_000] * 100)
    took(worker, ACK_LANE, AckMetric.SERVICE_TIME, [1_000_000] * 100)
    series = Series(fleet_of(worker))
    series.drain(1)

    assert figures(series, "send_delay_p50_us") == []
    assert figures(series, "publish_latency_p50_us") == figures(series, "service_time_p50_us") != []
    of = {one.metric: one.buckets.tolist() for one in series.histograms}
    assert of["publish_latency_us"] == of["service_time_us"]
    assert "send_delay_us" not in of

"""The consume loop against librdkafka's mock brokers."""

from __future__ import annotations

import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import confluent_kafka
import numpy as np
import pytest
from engine_samples import RUN_ID, S, drive, new_topic, producer_settings, records_of, set_phases, stop, until

from loadlab.client.consume import BATCH_RECORDS, CONSUMPTION, _allowed
from loadlab.client.consumer import Consumer
from loadlab.client.settings import ConsumerSettings, TopicSettings
from loadlab.errors import WorkerError
from loadlab.measurement.histogram import Histogram
from loadlab.measurement.slab import (
    CONSUME_LANE,
    NO_POSITION,
    SLAB,
    ConsumeMetric,
    Counter,
    Phase,
    create_slab,
)
from loadlab.measurement.stamp import run_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.cluster.mock_process import MockCluster
    from loadlab.measurement.slab import Slab

_group_numbers = iter(range(10**6))


@dataclass
class DrivenConsumer:
    """A consumer that reads in a thread of its own."""

    slab: Slab
    consumer: Consumer

    def of(self, counter: Counter, phase: Phase | None = None, by: str = "by_intent") -> int:
        counted = self.slab.record["lanes"][0, CONSUME_LANE][by][:, counter]
        return int(counted.sum() if phase is None else counted[phase])

    @property
    def consumed(self) -> int:
        return self.of(Counter.CONSUMED)

    def latency(self, phase: Phase) -> Histogram:
        record = self.slab.record["lanes"][0, CONSUME_LANE]["histograms"]
        return Histogram.read(record[phase, ConsumeMetric.END_TO_END_LATENCY])


def consumer_settings(
    bootstrap_servers: str,
    *topics: TopicSettings,
    group: str = "",
    max_rate_per_s: float | None = None,
    properties: dict[str, str] | None = None,
) -> ConsumerSettings:
    all_properties = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group or f"group-{next(_group_numbers)}",
        "fetch.wait.max.ms": "5",
        **(properties or {}),
        "log_level": "0",
    }
    return ConsumerSettings(all_properties, topics, RUN_ID, max_rate_per_s=max_rate_per_s)


@contextmanager
def consuming(settings: ConsumerSettings, measure_s: float = 60.0) -> Iterator[DrivenConsumer]:
    """A consumer that holds its partitions and whose load has begun; ended as a worker ends it."""
    slab = create_slab(sum(topic.partitions for topic in settings.topics))
    consumer = Consumer(settings, slab)
    set_phases(slab, measure_s=measure_s)
    consumer.subscribe()
    receiving = threading.Thread(target=consumer.receive, daemon=True)
    receiving.start()
    try:
        assert until(lambda: bool(slab.record["assignments"][0]))
        consumer.let_go()
        yield DrivenConsumer(slab, consumer)
    finally:
        stop(slab)
        receiving.join(10.0)
        assert not receiving.is_alive()
    assert consumer.commit() == 0
    consumer.close()


def write(mock: MockCluster, topic: TopicSettings, *values: bytes | None, partition: int = 0) -> None:
    """Writes values by a plain client."""
    client = confluent_kafka.Producer({"bootstrap.servers": mock.bootstrap_servers, "linger.ms": 0})
    for value in values:
        client.produce(topic.name, value, partition=partition)
    assert client.flush(10.0) == 0


def stamped(intended_ns: int, run_id: str = RUN_ID) -> bytes:
    return struct.pack("<qiiqq", run_tag(run_id), 1, 0, 0, intended_ns) + bytes(68)


def test_every_record_is_consumed_once_and_its_position_noted(mock: MockCluster) -> None:
    topic = new_topic(mock, partitions=3)
    records = records_of(100, key_kind=2, key_count=50)
    with consuming(consumer_settings(mock.bootstrap_servers, topic)) as driven:
        sent = drive(producer_settings(mock.bootstrap_servers, topic, records=records), measure_s=0.2)
        assert until(lambda: driven.consumed >= 200)

    assert driven.consumed == sent.acked == 200
    assert driven.of(Counter.CONSUMED_BYTES) == 200 * 116
    assert driven.slab.positions.sum() == 200
    assert (driven.slab.positions > 0).all()
    assert (driven.of(Counter.UNSTAMPED), driven.of(Counter.FOREIGN)) == (0, 0)


def test_latency_runs_from_the_intended_time_and_belongs_to_its_phase(mock: MockCluster) -> None:
    topic = new_topic(mock)
    with consuming(consumer_settings(mock.bootstrap_servers, topic)) as driven:
        start_ns = int(driven.slab.record["start_ns"][0])
        driven.slab.record["warmup_end_ns"] = start_ns + S
        driven.slab.record["measure_end_ns"] = start_ns + 100 * S
        before_ns = time.monotonic_ns()
        write(mock, topic, stamped(start_ns), stamped(start_ns + S), stamped(start_ns - 5 * S))
        assert until(lambda: driven.consumed == 3)
        after_ns = time.monotonic_ns()

    assert driven.of(Counter.CONSUMED, Phase.WARMUP) == 2
    warmup = driven.latency(Phase.WARMUP)
    assert warmup.max_ns is not None
    assert before_ns - start_ns + 5 * S <= warmup.max_ns <= after_ns - start_ns + 5 * S
    measured = driven.latency(Phase.MEASURE)
    # Read within the first second, a record that is due after it has been read too early: that is counted.
    assert measured.count + measured.negative == 1


def test_a_tombstone_a_small_record_and_another_runs_are_told_apart(mock: MockCluster) -> None:
    topic = new_topic(mock)
    with consuming(consumer_settings(mock.bootstrap_servers, topic)) as driven:
        now_ns = time.monotonic_ns()
        write(mock, topic, None, b"x" * 31, stamped(now_ns, "another run"), stamped(now_ns), b"y" * 32)
        assert until(lambda: driven.consumed == 5)

    assert (driven.of(Counter.UNSTAMPED), driven.of(Counter.FOREIGN)) == (2, 2)
    latencies = driven.latency(Phase.WARMUP) + driven.latency(Phase.MEASURE)
    assert latencies.count + latencies.negative == 1


def test_positions_of_several_topics_lie_one_behind_the_other(mock: MockCluster) -> None:
    one, other = new_topic(mock, partitions=2), new_topic(mock, partitions=3)
    with consuming(consumer_settings(mock.bootstrap_servers, one, other)) as driven:
        write(mock, one, b"a", b"b", partition=1)
        write(mock, other, b"a", b"b", b"c", partition=0)
        write(mock, other, b"a", partition=2)
        assert until(lambda: driven.consumed == 6)

    assert driven.slab.positions.tolist() == [NO_POSITION, 2, 3, NO_POSITION, 1]


def test_what_was_read_is_committed_at_the_end(mock: MockCluster) -> None:
    topic = new_topic(mock)
    settings = consumer_settings(mock.bootstrap_servers, topic, group="committing")
    with consuming(settings) as driven:
        write(mock, topic, b"a", b"b", b"c")
        assert until(lambda: driven.consumed == 3)

    asking = confluent_kafka.Consumer({"bootstrap.servers": mock.bootstrap_servers, "group.id": "committing"})
    partition = confluent_kafka.TopicPartition(topic.name, 0)
    assert asking.committed([partition], 10.0)[0].offset == 3
    asking.close()


def test_an_end_without_a_record_is_no_error(mock: MockCluster) -> None:
    with consuming(consumer_settings(mock.bootstrap_servers, new_topic(mock))) as driven:
        pass

    assert driven.consumed == 0
    assert driven.slab.record["assigned"][0] == 0


def test_a_group_shares_its_partitions_and_counts_its_rebalances(mock: MockCluster) -> None:
    # The mock's rebalances take as long as its members may be silent.
    quick = {"heartbeat.interval.ms": "100", "session.timeout.ms": "1000"}
    topic = new_topic(mock, partitions=4)
    settings = consumer_settings(mock.bootstrap_servers, topic, group="shared", properties=quick)
    with consuming(settings) as first:
        assert first.slab.record["assigned"][0] == 4
        assert first.slab.record["rebalances"][0] == 0
        with consuming(settings) as second:
            assert until(lambda: first.slab.record["assigned"][0] == 2)
            assert until(lambda: second.slab.record["assigned"][0] == 2)
            assert until(lambda: bool(first.slab.record["rebalances"][0]))
            assert first.slab.record["rebalance_ns"][0] > 0


def test_an_end_that_was_met_in_a_partition_which_was_handed_on_is_no_begin(mock: MockCluster) -> None:
    """Who takes it over without a commit begins at the log's end of then: so does the group."""
    late = {"auto.offset.reset": "latest", "enable.partition.eof": "true"}
    quick = {"heartbeat.interval.ms": "100", "session.timeout.ms": "1000", **late}
    topic = new_topic(mock, partitions=4)
    settings = consumer_settings(mock.bootstrap_servers, topic, group="late", properties=quick)
    with consuming(settings) as first:
        assert until(lambda: first.slab.begins.tolist() == [0] * 4)
        with consuming(settings) as second:
            assert until(lambda: sorted(first.slab.begins.tolist()) == [NO_POSITION, NO_POSITION, 0, 0])
            assert until(lambda: sorted(second.slab.begins.tolist()) == [NO_POSITION, NO_POSITION, 0, 0])


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_a_topic_that_got_partitions_is_read_on_after_a_rebalance(mock: MockCluster, reset: str) -> None:
    """Positions are kept of those that were there when the run was planned."""
    quick = {"heartbeat.interval.ms": "100", "session.timeout.ms": "1000", "auto.offset.reset": reset}
    topic = new_topic(mock, partitions=4)
    planned = TopicSettings(topic.name, 2)
    settings = consumer_settings(mock.bootstrap_servers, planned, group=f"grown-{reset}", properties=quick)
    with joined(settings) as first:
        assert first.slab.record["assigned"][0] == 4
        with joined(settings) as second:
            assert until(lambda: second.slab.record["assigned"][0] == 2)
            assert until(lambda: first.slab.record["assigned"][0] == 2)
            for partition in range(4):
                write(mock, topic, b"x", partition=partition)
            assert until(lambda: first.consumed + second.consumed == 4)


@contextmanager
def joined(settings: ConsumerSettings) -> Iterator[DrivenConsumer]:
    """A consumer that holds its partitions, before the common start."""
    slab = create_slab(sum(topic.partitions for topic in settings.topics))
    consumer = Consumer(settings, slab)
    consumer.subscribe()
    receiving = threading.Thread(target=consumer.receive, daemon=True)
    receiving.start()
    try:
        assert until(lambda: bool(slab.record["assigned"][0]))
        yield DrivenConsumer(slab, consumer)
    finally:
        stop(slab)
        receiving.join(10.0)
        assert not receiving.is_alive()
        consumer.close()


def test_a_group_that_begins_at_the_end_knows_where_that_is_before_it_counts_as_ready(
    mock: MockCluster,
) -> None:
    """What is sent from then on is read, however late librdkafka fetches for the first time."""
    topic = new_topic(mock, partitions=2)
    write(mock, topic, b"a", b"b", b"c")
    late = {"auto.offset.reset": "latest", "enable.partition.eof": "true"}
    settings = consumer_settings(mock.bootstrap_servers, topic, properties=late)
    with joined(replace(settings, existing=True)) as driven:
        assert driven.slab.begins.tolist() == driven.slab.positions.tolist() == [3, 0]
        write(mock, topic, b"d", b"e")
        set_phases(driven.slab)
        driven.consumer.let_go()
        assert until(lambda: driven.consumed == 2)
        assert driven.slab.begins.tolist() == [3, 0]
        assert driven.slab.positions.tolist() == [5, 0]


def test_a_group_that_begins_at_the_end_goes_on_where_it_has_committed(mock: MockCluster) -> None:
    # The mock's rebalances take as long as its members may be silent.
    late = {"auto.offset.reset": "latest", "heartbeat.interval.ms": "100", "session.timeout.ms": "1000"}
    topic = new_topic(mock)
    settings = consumer_settings(mock.bootstrap_servers, topic, group="goes-on", properties=late)
    with joined(settings) as driven:
        write(mock, topic, b"a")
        assert until(lambda: driven.consumed == 1)
        assert driven.consumer.commit() == 0
    write(mock, topic, b"b", b"c")
    with joined(settings) as again:
        assert again.slab.begins.tolist() in ([NO_POSITION], [1])
        assert until(lambda: again.consumed == 2)
        assert again.slab.begins.tolist() == [1]


def test_a_consumer_reads_no_faster_than_it_is_told(mock: MockCluster) -> None:
    topic = new_topic(mock)
    write(mock, topic, *[b"x"] * 500)
    with consuming(consumer_settings(mock.bootstrap_servers, topic, max_rate_per_s=500.0)) as driven:
        begun_ns = int(driven.slab.record["start_ns"][0])
        assert until(lambda: driven.consumed >= 100)
        elapsed_s = (time.monotonic_ns() - begun_ns) / S
        consumed = driven.consumed

    assert consumed <= 500.0 * elapsed_s + 1


@dataclass
class Limited:
    """A consumer with a limit, without a client."""

    rate_per_s: float
    started_s_ago: float = 20.0

    def __post_init__(self) -> None:
        self.slab, self.work = np.zeros(1, dtype=SLAB), np.zeros(1, dtype=CONSUMPTION)
        self.slab["start_ns"] = time.monotonic_ns() - round(self.started_s_ago * S)
        self.work["rate_per_ns"] = self.rate_per_s / S

    def allowed(self) -> int:
        """How many records it may read now."""
        return _allowed(self.work[0], self.slab[0])

    def reads(self, amount: int) -> None:
        self.work["allowance"] -= amount

    def later(self, seconds: float) -> None:
        """As if so much time had passed."""
        self.work["allowance_ns"] -= round(seconds * S)


def test_without_a_limit_whole_batches_are_read() -> None:
    assert Limited(0.0).allowed() == BATCH_RECORDS


def test_a_consumer_that_keeps_its_rate_may_read_what_has_come_due() -> None:
    consumer = Limited(100.0)
    consumer.reads(consumer.allowed())
    consumer.later(0.05)

    assert consumer.allowed() == pytest.approx(5, abs=1)


def test_a_consumer_that_has_read_its_share_waits() -> None:
    consumer = Limited(100.0)
    consumer.reads(consumer.allowed())

    assert consumer.allowed() == 0


def test_a_limit_holds_for_a_consumer_that_joins_late() -> None:
    assert Limited(100.0, started_s_ago=20.0).allowed() <= 10


def test_a_limit_holds_for_a_consumer_that_had_nothing_to_read_for_a_while() -> None:
    consumer = Limited(100.0)
    consumer.reads(consumer.allowed())
    consumer.later(30.0)

    assert consumer.allowed() <= 10


def test_a_consumer_may_be_limited_to_less_than_a_record_a_second() -> None:
    consumer = Limited(0.5)
    consumer.allowed()
    consumer.later(30.0)

    assert consumer.allowed() == 1


def test_asking_before_the_common_start_makes_no_debt() -> None:
    consumer = Limited(100.0, started_s_ago=-1.0)
    consumer.reads(consumer.allowed())
    for _ in range(50):
        consumer.allowed()

    assert consumer.work["allowance"][0] >= -1


def test_nothing_is_read_before_the_common_start(mock: MockCluster) -> None:
    topic = new_topic(mock)
    write(mock, topic, b"old", b"older")
    slab = create_slab(1)
    consumer = Consumer(replace(consumer_settings(mock.bootstrap_servers, topic), existing=True), slab)
    consumer.subscribe()
    receiving = threading.Thread(target=consumer.receive, daemon=True)
    receiving.start()
    lane = slab.record["lanes"][0, CONSUME_LANE]
    try:
        assert until(lambda: bool(slab.record["assignments"][0]))
        # Several fetches would have come and gone in this time.
        assert not until(lambda: bool(lane["by_moment"][:, Counter.CONSUMED].any()), 0.3)
        set_phases(slab, measure_s=60.0)
        consumer.let_go()
        assert until(lambda: int(lane["by_moment"][:, Counter.CONSUMED].sum()) == 2)
    finally:
        stop(slab)
        receiving.join(10.0)
        consumer.close()


def test_librdkafkas_refusal_to_subscribe_is_told(mock: MockCluster) -> None:
    slab = create_slab(0)
    consumer = Consumer(consumer_settings(mock.bootstrap_servers), slab)

    with pytest.raises(WorkerError, match="can't subscribe"):
        consumer.subscribe()
    consumer.close()

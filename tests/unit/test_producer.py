"""The produce loop against librdkafka's mock brokers; what arrived is read back by a plain client."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter as Tally
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_samples import (
    RUN_ID,
    S,
    constant,
    drive,
    new_producer,
    new_topic,
    producer_settings,
    read_back,
    records_of,
    stop,
    until,
)

from loadlab.client.library import error_name
from loadlab.client.settings import ROUND_ROBIN_KEYS, UNIFORM_KEYS, WEIGHTED_KEYS, TopicSettings
from loadlab.errors import WorkerError
from loadlab.measurement.slab import ACK_LANE, SEND_LANE, AckMetric, Counter, Phase, SendMetric, create_slab
from loadlab.measurement.stamp import STAMP_BYTES, run_tag
from loadlab.workload.payload import pool_bytes

if TYPE_CHECKING:
    from engine_samples import DrivenProducer

    from loadlab.client.producer import Producer
    from loadlab.cluster.mock_process import MockCluster

NOBODY = "127.0.0.1:1"


def errors(driven: DrivenProducer) -> dict[str, int]:
    return {error_name(code): times for code, times in driven.errors().items()}


def test_every_record_that_is_due_is_acked_once_and_stamped(mock: MockCluster) -> None:
    topic = new_topic(mock, partitions=3)
    driven = drive(producer_settings(mock.bootstrap_servers, topic), measure_s=0.3)

    assert (driven.attempted, driven.acked, driven.failed, driven.indeterminate) == (300, 300, 0, 0)
    start_ns = int(driven.slab.record["start_ns"][0])
    stamps = sorted(
        (record.stamp for record in read_back(mock.bootstrap_servers, topic, amount=300)),
        key=lambda stamp: stamp.sequence,
    )
    assert [stamp.sequence for stamp in stamps] == list(range(300))
    assert [stamp.intended_ns for stamp in stamps] == [
        pytest.approx(start_ns + sequence * S // 1_000, abs=1) for sequence in range(300)
    ]
    assert {(stamp.run_tag, stamp.worker, stamp.epoch) for stamp in stamps} == {(run_tag(RUN_ID), 3, 0)}


def test_every_record_has_its_latencies(mock: MockCluster) -> None:
    driven = drive(producer_settings(mock.bootstrap_servers, new_topic(mock)), measure_s=0.2)

    assert driven.samples(SEND_LANE, SendMetric.SEND_DELAY) == driven.attempted
    assert driven.samples(SEND_LANE, SendMetric.OWN_SEND_DELAY) == driven.attempted
    assert driven.samples(ACK_LANE, AckMetric.SERVICE_TIME) == driven.acked
    assert driven.samples(ACK_LANE, AckMetric.PUBLISH_LATENCY) == driven.acked
    histograms = driven.slab.record["lanes"]["histograms"]
    assert histograms["negative"].sum() == histograms["beyond"].sum() == 0


def test_publish_latency_is_send_delay_and_service_time(mock: MockCluster) -> None:
    driven = drive(producer_settings(mock.bootstrap_servers, new_topic(mock)), measure_s=0.2)

    lanes = driven.slab.record["lanes"][0]
    total_ns = {
        name: int(lanes[lane]["histograms"]["total_ns"][:, metric].sum())
        for name, lane, metric in (
            ("delay", SEND_LANE, SendMetric.SEND_DELAY),
            ("service", ACK_LANE, AckMetric.SERVICE_TIME),
            ("publish", ACK_LANE, AckMetric.PUBLISH_LATENCY),
        )
    }
    assert total_ns["publish"] == total_ns["delay"] + total_ns["service"]


def test_records_belong_to_the_phase_in_which_they_are_due(mock: MockCluster) -> None:
    driven = drive(producer_settings(mock.bootstrap_servers, new_topic(mock)), warmup_s=0.1, measure_s=0.2)

    by_intent = driven.slab.record["lanes"][0, ACK_LANE]["by_intent"][:, Counter.ACKED].tolist()
    assert by_intent == [100, 200, 0]
    histograms = driven.slab.record["lanes"][0, ACK_LANE]["histograms"]["counts"]
    assert histograms[:, AckMetric.PUBLISH_LATENCY].sum(axis=1).tolist() == [100, 200, 0]


def test_the_workers_of_a_group_send_each_record_once(mock: MockCluster) -> None:
    topic = new_topic(mock)
    keyed = records_of(key_kind=ROUND_ROBIN_KEYS, key_count=1_000_000)
    for place in range(3):
        drive(
            producer_settings(
                mock.bootstrap_servers, topic, records=keyed, place=place, workers=3, worker=place
            ),
            measure_s=0.1,
        )

    records = read_back(mock.bootstrap_servers, topic, amount=100)
    assert sorted(int(record.key or b"", 16) for record in records) == list(range(100))
    assert Tally(record.stamp.worker for record in records) == {0: 34, 1: 33, 2: 33}


def test_keys_headers_and_tombstones_arrive_as_asked(mock: MockCluster) -> None:
    topic = new_topic(mock)
    records = records_of(
        200,
        key_kind=UNIFORM_KEYS,
        key_count=5,
        null_key_share=0.25,
        tombstone_share=0.25,
        header_share=0.5,
        header_count=3,
        header_bytes=20,
    )
    settings = producer_settings(mock.bootstrap_servers, topic, records=records, schedule=constant(4_000.0))
    driven = drive(settings, measure_s=0.25)

    assert driven.acked == 1_000
    read = read_back(mock.bootstrap_servers, topic, amount=1_000)
    assert len(read) == 1_000
    assert {record.key for record in read} == {None, *(f"{key:016x}".encode() for key in range(5))}
    assert {len(record.value) for record in read if record.value is not None} == {200}
    assert {tuple(record.headers) for record in read} == {(), (("loadlab", bytes(20)),) * 3}
    shares = [
        sum(record.key is None for record in read),
        sum(record.value is None for record in read),
        2 * sum(not record.headers for record in read) - 750,
    ]
    assert shares == pytest.approx([250] * 3, abs=100)


def test_bytes_are_those_of_keys_and_values(mock: MockCluster) -> None:
    topic = new_topic(mock)
    records = records_of(100, 200, 300, key_kind=UNIFORM_KEYS, key_count=5, null_key_share=0.5)
    driven = drive(producer_settings(mock.bootstrap_servers, topic, records=records), measure_s=0.2)

    read = read_back(mock.bootstrap_servers, topic, amount=200)
    assert driven.of(ACK_LANE, Counter.ACKED_BYTES) == sum(
        len(record.value or b"") + len(record.key or b"") for record in read
    )


def test_records_too_small_for_a_stamp_have_none(mock: MockCluster) -> None:
    topic = new_topic(mock)
    drive(producer_settings(mock.bootstrap_servers, topic, records=records_of(31)), measure_s=0.05)

    tag = struct.pack("<q", run_tag(RUN_ID))
    assert not any(
        tag in (record.value or b"") for record in read_back(mock.bootstrap_servers, topic, amount=50)
    )


def test_a_fixed_partition_takes_all_records(mock: MockCluster) -> None:
    topic = new_topic(mock, partitions=4)
    records = records_of(partition=2, header_share=0.5, header_count=1, header_bytes=1)
    drive(producer_settings(mock.bootstrap_servers, topic, records=records), measure_s=0.1)

    read = read_back(mock.bootstrap_servers, topic, amount=100)
    assert Tally(record.partition for record in read) == {2: 100}


def test_equal_keys_go_to_equal_partitions(mock: MockCluster) -> None:
    topic = new_topic(mock, partitions=4)
    records = records_of(
        key_kind=WEIGHTED_KEYS, key_count=20, header_share=0.5, header_count=1, header_bytes=1
    )
    drive(producer_settings(mock.bootstrap_servers, topic, records=records), measure_s=0.2)

    read = read_back(mock.bootstrap_servers, topic, amount=200)
    assert len({record.partition for record in read}) > 1
    places = {(record.key, record.partition) for record in read}
    assert len(places) == len({key for key, _ in places})


def test_records_go_round_several_topics(mock: MockCluster) -> None:
    topics = [new_topic(mock) for _ in range(3)]
    driven = drive(producer_settings(mock.bootstrap_servers, *topics), measure_s=0.09)

    read = read_back(mock.bootstrap_servers, *topics, amount=90)
    assert driven.acked == 90
    assert Tally(record.topic for record in read) == {topic.name: 30 for topic in topics}


def test_a_limit_ends_the_load_with_its_last_record(mock: MockCluster) -> None:
    settings = producer_settings(
        mock.bootstrap_servers, new_topic(mock), schedule=constant(1_000.0, limit=70)
    )

    assert drive(settings, measure_s=0.2).acked == 70


def test_at_the_maximum_rate_the_load_ends_with_the_measure_phase(mock: MockCluster) -> None:
    settings = producer_settings(mock.bootstrap_servers, new_topic(mock), at_max_rate=True)
    driven = drive(settings, measure_s=0.1)

    assert driven.attempted > 1_000
    assert driven.acked == driven.attempted
    assert driven.slab.record["lanes"][0, SEND_LANE]["by_moment"][Phase.DRAIN, Counter.ATTEMPTED] <= 128


def test_a_limit_holds_at_the_maximum_rate_too(mock: MockCluster) -> None:
    settings = producer_settings(mock.bootstrap_servers, new_topic(mock), at_max_rate=True, limit=500)

    assert drive(settings, measure_s=0.1).acked == 500


def test_the_workers_of_a_group_share_its_limit_at_the_maximum_rate(mock: MockCluster) -> None:
    topic = new_topic(mock)
    acked = [
        drive(
            producer_settings(
                mock.bootstrap_servers, topic, at_max_rate=True, limit=500, place=place, workers=3
            ),
            measure_s=0.1,
        ).acked
        for place in range(3)
    ]

    assert acked == [167, 167, 166]


def test_a_full_queue_holds_records_up_and_loses_none(mock: MockCluster) -> None:
    topic = new_topic(mock)
    settings = producer_settings(
        mock.bootstrap_servers,
        topic,
        schedule=constant(10_000.0),
        properties={"queue.buffering.max.messages": "50", "linger.ms": "20"},
    )
    driven = drive(settings, measure_s=0.2)

    assert (driven.attempted, driven.acked) == (2_000, 2_000)
    assert driven.queue_full_ns > 0
    assert driven.samples(SEND_LANE, SendMetric.SEND_DELAY) == 2_000
    assert driven.samples(SEND_LANE, SendMetric.OWN_SEND_DELAY) < 2_000
    sequences = [record.stamp.sequence for record in read_back(mock.bootstrap_servers, topic, amount=2_000)]
    assert sequences == list(range(2_000))


def test_a_full_queue_rejects_records_where_that_is_asked_for(mock: MockCluster) -> None:
    settings = producer_settings(
        mock.bootstrap_servers,
        new_topic(mock),
        schedule=constant(20_000.0),
        reject_when_full=True,
        properties={"queue.buffering.max.messages": "50", "linger.ms": "20"},
    )
    driven = drive(settings, measure_s=0.2)

    assert driven.attempted == 4_000
    assert driven.rejected > 0
    assert driven.acked + driven.rejected == 4_000
    driven.assert_balanced()


@pytest.mark.parametrize("reject", [False, True])
@pytest.mark.parametrize("topics", [1, 2])
def test_a_queue_full_of_bytes_is_a_full_queue(mock: MockCluster, reject: bool, topics: int) -> None:
    settings = producer_settings(
        mock.bootstrap_servers,
        *(new_topic(mock) for _ in range(topics)),
        records=records_of(20_000, 100, pool_bytes=pool_bytes(20_000, 1_000_000)),
        schedule=constant(4_000.0),
        reject_when_full=reject,
        properties={"queue.buffering.max.kbytes": "64", "linger.ms": "2"},
    )
    driven = drive(settings, measure_s=0.1)

    assert driven.attempted == 400
    assert (driven.queue_full_ns > 0) != reject
    assert (driven.rejected > 0) == reject
    assert driven.acked + driven.rejected == 400
    sequences = {
        record.stamp.sequence
        for record in read_back(mock.bootstrap_servers, *settings.topics, amount=driven.acked)
    }
    assert len(sequences) == driven.acked


@pytest.mark.parametrize("header_share", [0.0, 1.0])
def test_a_record_too_large_for_the_client_counts_as_failed(mock: MockCluster, header_share: float) -> None:
    settings = producer_settings(
        mock.bootstrap_servers,
        new_topic(mock),
        records=records_of(100, 3_000, header_share=header_share, header_count=1, header_bytes=1),
        properties={"message.max.bytes": "2000"},
    )
    driven = drive(settings, measure_s=0.2)

    assert driven.attempted == 200
    assert driven.failed > 0
    assert errors(driven) == {"MSG_SIZE_TOO_LARGE": driven.failed}
    assert driven.acked == 200 - driven.failed
    driven.assert_balanced()


def test_what_nobody_acks_is_purged_at_the_stop_and_counted(mock: MockCluster) -> None:
    topic = new_topic(mock)
    mock_round_trip(mock, 60_000)
    try:
        settings = producer_settings(mock.bootstrap_servers, topic)
        driven = drive(settings, measure_s=0.1, drain_s=0.3, connects=False)
    finally:
        mock_round_trip(mock, 0)

    assert driven.attempted == 100
    assert driven.failed + driven.indeterminate == 100
    assert set(errors(driven)) <= {"_PURGE_QUEUE", "_PURGE_INFLIGHT"}
    driven.assert_balanced()


def mock_round_trip(mock: MockCluster, milliseconds: int) -> None:
    mock._library.rd_kafka_mock_broker_set_rtt(mock._cluster, 1, milliseconds)


def test_without_a_broker_purged_records_have_certainly_failed() -> None:
    settings = producer_settings(NOBODY, TopicSettings("nowhere", 1))
    driven = drive(settings, measure_s=0.1, drain_s=0.0, connects=False)

    assert driven.attempted > 0
    assert errors(driven) == {"_PURGE_QUEUE": driven.attempted}
    assert driven.failed == driven.attempted


def test_a_stop_ends_a_waiting_loop_at_once_and_what_was_due_stays_unsent() -> None:
    settings = producer_settings(
        NOBODY,
        TopicSettings("nowhere", 1),
        schedule=constant(100_000.0),
        properties={"queue.buffering.max.messages": "50"},
    )

    def stop_when_full(producer: Producer) -> None:
        assert until(lambda: producer.on_their_way == 50)
        stop(producer._slab)

    driven = drive(settings, measure_s=10.0, drain_s=0.0, connects=False, meanwhile=stop_when_full)

    assert driven.attempted == driven.failed == 50
    assert driven.duration_s < 5.0


def test_a_client_that_reaches_no_cluster_says_so() -> None:
    producer = new_producer(producer_settings(NOBODY, TopicSettings("nowhere", 1)), create_slab())

    with pytest.raises(WorkerError, match=r"did not answer within 0\.2 s"):
        producer.connect(0.2)
    producer.close()


def test_a_property_that_librdkafka_refuses_is_named_without_its_value() -> None:
    settings = producer_settings(NOBODY, TopicSettings("x", 1), properties={"acks": "hunter2"})

    with pytest.raises(WorkerError, match="refuses the property acks") as raised:
        drive(settings)
    assert "hunter2" not in str(raised.value)


def test_properties_that_do_not_fit_each_other_are_told(mock: MockCluster) -> None:
    settings = producer_settings(
        mock.bootstrap_servers,
        new_topic(mock),
        properties={"enable.idempotence": "true", "acks": "1"},
    )

    with pytest.raises(WorkerError, match="idempotence"):
        drive(settings)


def test_a_queue_without_a_limit_takes_all_that_is_due() -> None:
    settings = producer_settings(
        NOBODY, TopicSettings("nowhere", 1), properties={"queue.buffering.max.messages": "0"}
    )

    assert drive(settings, measure_s=0.1, drain_s=0.0, connects=False).queue_full_ns == 0


def test_large_records_in_one_hand_over_keep_their_own_stamps(mock: MockCluster) -> None:
    # The mock keeps 5 MiB of a partition: many of them hold all.
    topic = new_topic(mock, partitions=20)
    settings = producer_settings(
        mock.bootstrap_servers,
        topic,
        records=records_of(200_000, pool_bytes=pool_bytes(200_000, 1_000_000)),
        # All are due at once.
        schedule=constant(1e9, limit=100),
        properties={"sticky.partitioning.linger.ms": "0"},
    )
    driven = drive(settings, measure_s=0.1)

    assert driven.acked == 100
    read = read_back(mock.bootstrap_servers, topic, amount=100)
    assert sorted(record.stamp.sequence for record in read) == list(range(100))


@pytest.mark.parametrize(
    ("sizes", "pool_kib", "partitions"),
    [((480, 600, 720, 1_000), 64, 1), ((1_024,), 1_024, 64)],
    ids=["sizes that vary", "a round of values goes round the partitions evenly"],
)
def test_a_codec_finds_nothing_in_random_values_however_long_the_run(
    mock: MockCluster, sizes: tuple[int, ...], pool_kib: int, partitions: int
) -> None:
    """What one of the partitions would get that records go round, after many rounds through a small pool."""
    topic = new_topic(mock)
    records = records_of(*sizes, pool_bytes=pool_kib << 10)
    settings = producer_settings(mock.bootstrap_servers, topic, records=records, schedule=constant(10_000.0))
    assert drive(settings, measure_s=0.4).acked == 4_000

    read = sorted(
        read_back(mock.bootstrap_servers, topic, amount=4_000), key=lambda record: record.stamp.sequence
    )
    assert len(read) == 4_000
    batch = b"".join((record.value or b"")[STAMP_BYTES:] for record in read[-40 * partitions :: partitions])
    assert len(batch) / len(zlib.compress(batch, 6)) < 1.01


@pytest.mark.parametrize(
    ("partitions", "interval_ms"),
    [((3,), 1_000), ((600, 400), 1_000), ((600, 401), 2_000), ((10_000,), 10_000)],
)
def test_of_many_partitions_statistics_are_told_less_often(
    partitions: tuple[int, ...], interval_ms: int
) -> None:
    topics = [TopicSettings(f"orders-{number}", number, 0) for number in partitions]
    settings = producer_settings("127.0.0.1:1", *topics)
    assert settings.client_properties()["statistics.interval.ms"] == str(interval_ms)


def test_statistics_that_were_written_over_while_they_were_copied_are_left_out(mock: MockCluster) -> None:
    """The thread that copies them may have to wait for a core for as long as the next ones take to come."""
    sender = new_producer(producer_settings(mock.bootstrap_servers, new_topic(mock)), create_slab())
    told = json.dumps({"topics": {}}).encode()
    state = sender._delivery.state
    sender._delivery.statistics[: len(told)] = np.frombuffer(told, np.uint8)
    state["statistics_bytes"], state["statistics_count"], state["statistics_begun"] = len(told), 1, 2
    torn = sender.new_statistics()
    state["statistics_count"] = 2
    whole = sender.new_statistics()
    sender.close()

    assert (torn, whole is not None) == (None, True)

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from engine_samples import constant, producer_settings, records_of

from loadlab.client.settings import ConsumerSettings, ProducerSettings, TopicSettings, TraceSettings
from loadlab.run.order import Order, Received, read_order

SECRET = "hunter2"  # noqa: S105 - what must not be seen
TOPICS = (TopicSettings("orders", 6), TopicSettings("refunds", 2))
PRODUCER = producer_settings(
    "127.0.0.1:9092",
    *TOPICS,
    properties={"sasl.password": SECRET},
    records=records_of(100, 200, key_kind=3, key_count=7, partition=4),
    schedule=constant(333.3, limit=10),
)
CONSUMER = ConsumerSettings({"sasl.password": SECRET}, TOPICS, "run", max_rate_per_s=10.5, start_after_s=2.0)
ORDERS = [Order("checkout", 4, PRODUCER, cores=(0, 2)), Order("billing", 5, CONSUMER)]
TRACE = TraceSettings(fd=12, rows=7, sizes=True, keys=False)


@pytest.mark.parametrize("order", ORDERS, ids=["producer", "consumer"])
def test_an_order_arrives_as_it_was_given(order: Order) -> None:
    line = order.to_json(slab_fd=9, parent_pid=77)

    assert read_order(line) == Received(order, slab_fd=9, parent_pid=77)


@pytest.mark.parametrize("order", ORDERS, ids=["producer", "consumer"])
def test_an_order_is_one_line(order: Order) -> None:
    odd = replace(order, settings=replace(order.settings, properties={"ssl.ca.pem": "-----\nMII\n-----\n"}))
    line = odd.to_json(slab_fd=9, parent_pid=77)

    assert "\n" not in line
    assert read_order(line).order.settings.properties == {"ssl.ca.pem": "-----\nMII\n-----\n"}


@pytest.mark.parametrize("order", ORDERS, ids=["producer", "consumer"])
def test_properties_are_never_shown(order: Order) -> None:
    assert SECRET not in repr(order)
    assert SECRET not in repr(order.settings)
    assert SECRET not in repr(read_order(order.to_json(1, 1)))
    assert json.loads(order.to_json(1, 1))["settings"]["properties"]["sasl.password"] == SECRET


def test_due_times_survive_to_the_last_bit() -> None:
    received = read_order(ORDERS[0].to_json(1, 1)).order.settings

    assert isinstance(received, ProducerSettings)
    assert received.schedule == PRODUCER.schedule


def test_a_consumer_needs_a_position_for_each_partition_and_a_producer_none() -> None:
    producer, consumer = ORDERS

    assert (producer.produces, producer.partitions) == (True, 0)
    assert (consumer.produces, consumer.partitions) == (False, 8)


def test_a_trace_arrives_as_it_was_given_and_its_file_is_inherited() -> None:
    order = Order("checkout", 4, replace(PRODUCER, trace=TRACE, poisson_seed=2**62 + 1))

    assert read_order(order.to_json(1, 1)).order == order
    assert order.shared_fds == (12,)
    assert [each.shared_fds for each in ORDERS] == [(), ()]

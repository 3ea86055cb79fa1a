from __future__ import annotations

import json

import numpy as np
import pytest
from engine_samples import producer_settings

from loadlab.client import producer as producer_module
from loadlab.client.delivery import DELIVERY, create_delivery, on_statistics
from loadlab.client.producer import Producer
from loadlab.client.settings import TopicSettings
from loadlab.client.statistics import BatchSums, batch_sums
from loadlab.measurement.slab import create_slab

TOPIC = {"batchcnt": {"cnt": 2, "sum": 30}, "batchsize": {"cnt": 2, "sum": 4_000}}


def statistics(*topics: dict[str, object]) -> bytes:
    return json.dumps({"topics": {str(number): topic for number, topic in enumerate(topics)}}).encode()


def test_batches_of_all_topics_are_added_up() -> None:
    assert batch_sums(statistics(TOPIC, TOPIC)) == BatchSums(batches=4, records=60, size_bytes=8_000)


def test_without_a_topic_there_are_no_batches() -> None:
    assert batch_sums(statistics()) == BatchSums(0, 0, 0)


def told(json_text: bytes, *, capacity: int | None = None) -> tuple[int, bytes]:
    """What is kept of statistics that librdkafka hands to the callback."""
    delivery = create_delivery(create_slab().record, 10, linger_ms=5.0)
    if capacity is not None:
        delivery.state["statistics_capacity"] = capacity
    text = np.frombuffer(json_text, dtype=np.uint8)
    assert on_statistics.ctypes(0, text.ctypes.data, len(text), delivery.address) == 0
    size = int(delivery.state["statistics_bytes"][0])
    return int(delivery.state["statistics_count"][0]), delivery.statistics[:size].tobytes()


def test_the_latest_statistics_are_kept() -> None:
    assert told(b'{"topics": {}}') == (1, b'{"topics": {}}')


def test_statistics_that_are_too_large_are_not_kept_in_part() -> None:
    assert told(b'{"topics": {}}', capacity=13) == (0, b"")


@pytest.mark.parametrize("capacity", [1, 2, 3, 100, 128, 100_000])
def test_a_client_queue_of_any_size_has_a_slot_for_each_record(capacity: int) -> None:
    delivery = create_delivery(create_slab().record, capacity, linger_ms=5.0)
    ring = int(delivery.state["ring"][0])

    assert capacity <= ring < 2 * capacity + 1
    assert ring & (ring - 1) == 0
    assert len(delivery.slots) == len(delivery.free) == ring
    assert sorted(delivery.free.tolist()) == list(range(ring))
    assert delivery.on_their_way == 0
    assert DELIVERY.itemsize % 8 == 0


class _MadeError(Exception):
    """Stands for slots that were made."""


def test_the_largest_client_queue_does_not_take_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def remember(slab: object, capacity: int, linger_ms: float) -> None:  # noqa: ARG001
        asked.append(capacity)
        raise _MadeError(slab)

    monkeypatch.setattr(producer_module, "create_delivery", remember)
    properties = {"queue.buffering.max.messages": "2147483647"}
    settings = producer_settings("127.0.0.1:1", TopicSettings("x", 1), properties=properties)
    with pytest.raises(_MadeError):
        Producer(settings, create_slab(), np.zeros(8, np.int64), (np.zeros(0), np.zeros(0, np.int32)))

    assert asked[0] <= 10_000_000

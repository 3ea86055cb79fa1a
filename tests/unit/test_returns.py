"""Messages that go back to librdkafka's threads: none is lost, and none is kept for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine_samples import new_topic, until
from test_consumer import consumer_settings, consuming, write

from loadlab.client.returns import RING, SMALL_BYTES

if TYPE_CHECKING:
    from loadlab.cluster.mock_process import MockCluster


def test_small_messages_are_freed_when_the_next_fetch_is_answered(mock: MockCluster) -> None:
    topic = new_topic(mock, 1)
    with consuming(consumer_settings(mock.bootstrap_servers, topic)) as driven:
        write(mock, topic, *[b"small"] * 100)
        assert until(lambda: driven.consumed == 100)
        ring = driven.consumer._returns
        assert until(lambda: ring["freed"][0] == 100)
    assert ring["left"][0] == 100


def test_large_messages_are_not_kept(mock: MockCluster) -> None:
    topic = new_topic(mock, 1)
    with consuming(consumer_settings(mock.bootstrap_servers, topic)) as driven:
        write(mock, topic, b"x" * SMALL_BYTES, b"x" * (SMALL_BYTES + 1))
        assert until(lambda: driven.consumed == 2)
        assert driven.consumer._returns["left"][0] == 1


def test_what_the_ring_does_not_hold_is_freed_by_its_reader_and_the_rest_at_the_end(
    mock: MockCluster,
) -> None:
    topic = new_topic(mock, 1)
    with consuming(consumer_settings(mock.bootstrap_servers, topic)) as driven:
        ring = driven.consumer._returns
        ring["freeing"] = 1  # as if another thread were at it all the time
        write(mock, topic, *[b"small"] * (RING + 1_000))
        assert until(lambda: driven.consumed == RING + 1_000)
        assert (ring["left"][0], ring["freed"][0]) == (RING, 0)
        ring["freeing"] = 0
    assert ring["freed"][0] == ring["left"][0] == RING

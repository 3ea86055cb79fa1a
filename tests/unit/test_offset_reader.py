"""Log ends of partitions whose leaders answer at different times."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import OffsetSpec

from loadlab.cluster import offsets
from loadlab.cluster.offsets import OffsetReader

if TYPE_CHECKING:
    import pytest
    from confluent_kafka import TopicPartition

    from loadlab.cluster.admin import KafkaAdmin

LIVING, DEAD = ("orders", 0), ("orders", 1)
ENOUGH_S = 5.0


class Brokers:
    """An admin client that answers for one of two partitions, whose log grows with each question."""

    def __init__(self, error: int) -> None:
        self.asked: list[list[tuple[str, int]]] = []
        self.client = self
        self._error = error

    def refresh(self, _timeout_s: float) -> None:
        """Knows no more than before."""

    def list_offsets(
        self, specs: dict[TopicPartition, OffsetSpec], **_options: object
    ) -> dict[TopicPartition, Future[object]]:
        self.asked.append([(one.topic, one.partition) for one in specs])
        return {one: self._answer((one.topic, one.partition)) for one in specs}

    def _answer(self, partition: tuple[str, int]) -> Future[object]:
        future: Future[object] = Future()
        if partition == LIVING:
            future.set_result(SimpleNamespace(offset=100 * len(self.asked), leader_epoch=3))
        else:
            future.set_exception(KafkaException(KafkaError(self._error)))
        return future


def sampled(brokers: Brokers) -> offsets.OffsetSample:
    reader = OffsetReader(cast("KafkaAdmin", brokers))
    return reader.sample([LIVING, DEAD], OffsetSpec.latest(), ENOUGH_S)


def test_who_answered_before_others_were_waited_for_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Positions are read when the last has answered: beside older log ends lag would be too small."""
    monkeypatch.setattr(offsets, "_STALE_NS", 0)
    monkeypatch.setattr(offsets, "_EACH_NS", 0)
    brokers = Brokers(KafkaError._TIMED_OUT)
    sample = sampled(brokers)
    assert brokers.asked == [[LIVING, DEAD], [LIVING]]
    assert sample.offsets == {LIVING: 200}
    assert sample.epochs == {LIVING: 3}
    assert list(sample.failed) == [DEAD]
    assert sample.before_ns <= sample.after_ns


def test_who_answers_at_once_is_asked_once() -> None:
    brokers = Brokers(KafkaError._TIMED_OUT)
    assert sampled(brokers).offsets == {LIVING: 100}
    assert brokers.asked == [[LIVING, DEAD]]

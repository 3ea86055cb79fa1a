"""Offsets: log ends and starts by admin calls, committed ones by a consumer that never joins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition

from loadlab.cluster.admin import REQUEST_TIMEOUT_S, KafkaAdmin
from loadlab.cluster.api import OffsetSample, Partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka.admin import ListOffsetsResultInfo, OffsetSpec

_POLL_S = 0.02
_STALE_NS = 250_000_000
_EACH_NS = 250_000
"""What many partitions take by their number alone, on a busy machine, is no sign of a leader that is gone."""

_QUICK_S = 1.0
_NO_OFFSET = "no offset"
# Errors that pass by themselves while a leader moves, a broker starts or a topic is new.
_PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,  # a new leader does not know yet how far its followers are
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._NOENT,  # noqa: SLF001  (librdkafka's own codes begin so)
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
    }
)


class OffsetReader:
    """Reads offsets.

    Args:
        admin: the connection.
    """

    def __init__(self, admin: KafkaAdmin) -> None:
        self._admin = admin
        self._groups: dict[str, Consumer] = {}

    def sample(self, partitions: Sequence[Partition], spec: OffsetSpec, timeout_s: float) -> OffsetSample:
        """Ask for offsets: one request a leader, repeated for what fails in passing.

        Who answers is told when the last has, or has had its time; where that takes long, because a leader is
        gone, the others are asked once more, for they have moved on meanwhile.
        """
        before_ns = time.monotonic_ns()
        deadline_s = time.monotonic() + timeout_s
        found: dict[Partition, ListOffsetsResultInfo] = {}
        failed: dict[Partition, str] = dict.fromkeys(partitions, "")
        while failed:
            left_s = max(0.1, deadline_s - time.monotonic())
            answered, failed, is_passing = self._ask(list(failed), spec, left_s)
            found |= answered
            if not is_passing or time.monotonic() > deadline_s:
                break
            time.sleep(_POLL_S)
            self._admin.refresh(max(0.1, deadline_s - time.monotonic()))
        if found and time.monotonic_ns() - before_ns > _STALE_NS + len(partitions) * _EACH_NS:
            before_ns = time.monotonic_ns()
            found |= self._ask(list(found), spec, _QUICK_S)[0]
        offsets = {partition: told.offset for partition, told in found.items()}
        epochs = {
            partition: told.leader_epoch for partition, told in found.items() if told.leader_epoch is not None
        }
        return OffsetSample(before_ns, time.monotonic_ns(), offsets, failed, epochs)

    def _ask(
        self, partitions: Sequence[Partition], spec: OffsetSpec, timeout_s: float
    ) -> tuple[dict[Partition, ListOffsetsResultInfo], dict[Partition, str], bool]:
        """Ask once: what was answered, why the rest was not, and whether asking again may help."""
        futures = self._admin.client.list_offsets(
            {TopicPartition(topic, number): spec for topic, number in partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=timeout_s,
        )
        found: dict[Partition, ListOffsetsResultInfo] = {}
        failed: dict[Partition, str] = {}
        is_passing = False
        for one, future in futures.items():
            try:
                error = future.exception(timeout_s + 1)
            except TimeoutError:
                raise self._admin.unanswered_in_time("log ends") from None
            if isinstance(error, KafkaException):
                failed[one.topic, one.partition] = error.args[0].name()
                is_passing |= error.args[0].code() in _PASSING
            elif error is not None:
                raise error
            elif (told := future.result()).offset < 0:
                failed[one.topic, one.partition] = _NO_OFFSET
                is_passing = True
            else:
                found[one.topic, one.partition] = told
        return found, failed, is_passing

    def committed(
        self, group_id: str, partitions: Sequence[Partition], timeout_s: float = REQUEST_TIMEOUT_S
    ) -> dict[Partition, int | None]:
        """Ask the group's coordinator for what it committed; None where it has not.

        By a consumer that never joins. An admin client must not ask a coordinator: in librdkafka (2.16 and
        before) that aborts the whole process now and then while the coordinator is being found (its issue
        4605), and ends it with a segmentation fault when the coordinator has moved.

        Raises:
            ClusterError: the coordinator does not answer.
        """
        wanted = [TopicPartition(topic, number) for topic, number in partitions]
        try:
            found = self._reader(group_id).committed(wanted, timeout=timeout_s) if wanted else []
        except KafkaException as error:
            raise self._admin.unanswered("committed offsets", error) from error
        if failed := [one.error for one in found if one.error]:
            raise self._admin.unanswered("committed offsets", KafkaException(failed[0]))
        return {(one.topic, one.partition): one.offset if one.offset >= 0 else None for one in found}

    def _reader(self, group_id: str) -> Consumer:
        if group_id not in self._groups:
            self._groups[group_id] = Consumer({**self._admin.properties, "group.id": group_id})
        return self._groups[group_id]

    def forget(self, group_id: str) -> None:
        """End the consumer that was made for a group; nobody may be asking by it."""
        reader = self._groups.pop(group_id, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """End the consumers that were made."""
        for reader in self._groups.values():
            reader.close()
        self._groups.clear()

"""Topics by Kafka's admin API: created whole or not at all, deleted only where they still are the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import NewTopic

from loadlab.cluster.admin import REQUEST_TIMEOUT_S, KafkaAdmin, error_code
from loadlab.cluster.api import PartitionDescription, TopicDescription, TopicRequest
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka.admin import TopicDescription as KafkaTopicDescription
    from confluent_kafka.admin import TopicMetadata

_CREATION_TIMEOUT_S = 30.0
_LEADER_TIMEOUT_S = 60.0
_FORGET_TIMEOUT_S = 5.0
_POLL_S = 0.02
_REFUSALS = frozenset(
    {
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.POLICY_VIOLATION,
    }
)


class TopicAdmin:
    """Creates, describes and deletes topics.

    Args:
        admin: the connection.
    """

    def __init__(self, admin: KafkaAdmin) -> None:
        self._admin = admin

    def create(self, requests: Sequence[TopicRequest]) -> dict[str, str]:
        """Create topics, all or none, wait until metadata has every leader and return the ids by name."""
        self._refuse_existing([request.name for request in requests])
        futures = self._admin.client.create_topics(
            [_new_topic(request) for request in requests],
            operation_timeout=_CREATION_TIMEOUT_S,
            request_timeout=_CREATION_TIMEOUT_S + REQUEST_TIMEOUT_S,
        )
        longest_s = _CREATION_TIMEOUT_S + REQUEST_TIMEOUT_S + 1
        refused = {name: error for name, future in futures.items() if (error := future.exception(longest_s))}
        if refused:
            self._undo([name for name in futures if name not in refused])
            raise _creation_error(refused)
        try:
            return self._wait_for_leaders({request.name: request.partitions for request in requests})
        except BaseException:
            self._undo(list(futures))
            raise

    def describe(
        self, names: Sequence[str], timeout_s: float = REQUEST_TIMEOUT_S
    ) -> dict[str, TopicDescription | None]:
        """Describe topics by name; None where there is none."""
        if not names:
            return {}
        asked = TopicCollection(list(names))
        futures = self._admin.client.describe_topics(asked, request_timeout=timeout_s)
        return {name: self._description(future, timeout_s) for name, future in futures.items()}

    def delete(self, ids: Mapping[str, str], timeout_s: float) -> None:
        """Delete topics whose id still is the given one, and wait until brokers have forgotten them."""
        found = self.describe(list(ids), timeout_s)
        ours = [name for name, topic in found.items() if topic and topic.topic_id == ids[name]]
        if not ours:
            return
        futures = self._admin.client.delete_topics(
            ours, operation_timeout=timeout_s, request_timeout=timeout_s
        )
        for future in futures.values():
            error = future.exception(timeout_s + 1)
            if isinstance(error, KafkaException) and error_code(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise self._admin.unanswered("deletion of topics", error) from error
        deadline_s = time.monotonic() + _FORGET_TIMEOUT_S
        while any(self.describe(ours).values()) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)

    def _refuse_existing(self, names: Sequence[str]) -> None:
        if existing := sorted(name for name, found in self.describe(names).items() if found):
            raise topics_exist(existing)

    def _undo(self, names: Sequence[str]) -> None:
        if names:
            for future in self._admin.client.delete_topics(list(names)).values():
                future.exception(REQUEST_TIMEOUT_S)

    def _wait_for_leaders(self, partitions: Mapping[str, int]) -> dict[str, str]:
        deadline_s = time.monotonic() + _LEADER_TIMEOUT_S
        while True:
            found = self.describe(list(partitions))
            waiting = [name for name, count in partitions.items() if not _is_led(found[name], count)]
            if not waiting:
                return {name: topic.topic_id for name, topic in found.items() if topic}
            if time.monotonic() > deadline_s:
                late = ", ".join(waiting)
                raise ClusterError(f"no leader for every partition of {late} in {_LEADER_TIMEOUT_S:.0f} s")
            time.sleep(_POLL_S)

    def _description(
        self, future: Future[KafkaTopicDescription], timeout_s: float
    ) -> TopicDescription | None:
        try:
            found = future.result(timeout_s + 1)
        except KafkaException as error:
            if error_code(error) == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise self._admin.unanswered("topics", error) from error
        partitions = tuple(
            PartitionDescription(
                partition=one.id,
                leader=None if one.leader is None or one.leader.id < 0 else one.leader.id,
                replicas=tuple(node.id for node in one.replicas),
                in_sync_replicas=tuple(node.id for node in one.isr),
            )
            for one in found.partitions
        )
        return TopicDescription(found.name, str(found.topic_id), partitions)


def described(topic: TopicMetadata, topic_id: str) -> TopicDescription:
    """Describe a topic from metadata, for clusters that do not answer DescribeTopics."""
    partitions = tuple(
        PartitionDescription(
            number, one.leader if one.leader >= 0 else None, tuple(one.replicas), tuple(one.isrs)
        )
        for number, one in sorted((topic.partitions or {}).items())
    )
    return TopicDescription(str(topic.topic), topic_id, partitions)


def topics_exist(names: Sequence[str]) -> UsageError:
    """Make the error for topics that are there already."""
    return UsageError(
        f"{'topic' if len(names) == 1 else 'topics'} {', '.join(names)}: there already,"
        " and a run must not mix its records with others",
        fix="delete it, name another, or say `existing: true` if that is meant",
    )


def _new_topic(request: TopicRequest) -> NewTopic:
    return NewTopic(
        request.name,
        num_partitions=request.partitions,
        replication_factor=request.replication_factor,
        config=dict(request.config),
    )


def _is_led(topic: TopicDescription | None, partitions: int) -> bool:
    return (
        topic is not None
        and len(topic.partitions) == partitions
        and all(one.leader is not None for one in topic.partitions)
    )


def _creation_error(refused: Mapping[str, BaseException]) -> UsageError | ClusterError:
    codes = {name: error_code(error) for name, error in refused.items()}
    if existing := sorted(name for name, code in codes.items() if code == KafkaError.TOPIC_ALREADY_EXISTS):
        return topics_exist(existing)
    text = "; ".join(f"{name}: {_said(error)}" for name, error in refused.items())
    if (
        _REFUSALS.issuperset(code for code in codes.values() if code is not None)
        and None not in codes.values()
    ):
        return UsageError(f"the cluster refuses to create a topic: {text}")
    return ClusterError(f"topics could not be created: {text}")


def _said(error: BaseException) -> str:
    detail = error.args[0] if error.args else error
    return detail.str() if isinstance(detail, KafkaError) else str(error)

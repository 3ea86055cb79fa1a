"""Topics by Kafka's admin API: created whole or not at all, deleted only where they still are the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from loadlab.cluster.admin import REQUEST_TIMEOUT_S, KafkaAdmin, error_code
from loadlab.cluster.api import PartitionDescription, TopicDescription, TopicRequest
from loadlab.cluster.topic_creation import TopicCreation, outcome, refuse_too_large
from loadlab.cluster.topic_errors import listed, reasons, topics_exist
from loadlab.errors import ClusterError, LoadlabError
from loadlab.scenario.workload import MOST_RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient, TopicMetadata
    from confluent_kafka.admin import TopicDescription as KafkaTopicDescription

_READY_TIMEOUT_S, _READY_TIMEOUT_A_PARTITION_S = 60.0, 0.03
_FORGET_TIMEOUT_S = 5.0
_POLL_S = 0.02


class TopicAdmin:
    """Creates, describes and deletes topics.

    Args:
        admin: the connection.
    """

    def __init__(self, admin: KafkaAdmin) -> None:
        self._admin = admin
        self._deleted: set[str] = set()  # ids, which brokers may tell of a while longer

    @property
    def client(self) -> AdminClient:
        """The client that requests are made by."""
        return self._admin.client

    def refresh(self, timeout_s: float) -> None:
        """Have librdkafka renew what it knows of leaders and of the controller."""
        self._admin.refresh(timeout_s)

    def create(self, requests: Sequence[TopicRequest], await_service: Callable[[], None]) -> dict[str, str]:
        """Create topics, all or none, wait until every leader serves them and return the ids by name.

        Args:
            requests: the topics.
            await_service: waits, once metadata has every leader, until these answer for the topics.

        Raises:
            UsageError: one exists already, or the cluster refuses the request.
            ClusterError: the cluster did not answer; the message names what of the topics may be left on it.
        """
        refuse_too_large(requests)
        self._refuse_existing([request.name for request in requests])
        creation = TopicCreation(self, requests)
        try:
            creation.ask()
            ids = self._wait_for_leaders({request.name: request.partitions for request in requests})
            await_service()
        except BaseException as error:
            left = creation.undo()
            if left is None:
                raise
            if isinstance(error, LoadlabError):
                message, fix = f"{error.message}; topics {left}", error.fix or "delete by hand what is left"
                raise type(error)(message, fix=fix) from error
            error.add_note(f"topics {left}")
            raise
        return ids

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
        if kept := self.delete_named(ours, timeout_s):
            raise ClusterError(f"topics could not be deleted: {reasons(kept)}")
        self._deleted |= {ids[name] for name in ours}
        deadline_s = time.monotonic() + _FORGET_TIMEOUT_S
        while any(self.describe(ours).values()) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)

    def delete_named(self, names: Sequence[str], timeout_s: float) -> dict[str, BaseException]:
        """Delete topics by name; returns why those stay that can't be deleted.

        What is gone already is no error.
        """
        kept: dict[str, BaseException] = {}
        for first in range(0, len(names), MOST_RECORDS):
            part = list(names[first : first + MOST_RECORDS])
            futures = self._admin.client.delete_topics(
                part, operation_timeout=timeout_s, request_timeout=timeout_s
            )
            kept |= {
                name: error
                for name, future in futures.items()
                if (error := outcome(future, timeout_s + 1)) is not None
                and error_code(error) != KafkaError.UNKNOWN_TOPIC_OR_PART
            }
        return kept

    def _refuse_existing(self, names: Sequence[str]) -> None:
        deadline_s = time.monotonic() + _FORGET_TIMEOUT_S
        while existing := {name: found.topic_id for name, found in self.describe(names).items() if found}:
            if not self._deleted.issuperset(existing.values()) or time.monotonic() > deadline_s:
                raise topics_exist(existing)
            time.sleep(_POLL_S)  # another broker than the one that has forgotten them has answered

    def _wait_for_leaders(self, partitions: Mapping[str, int]) -> dict[str, str]:
        timeout_s = ready_timeout_s(sum(partitions.values()))
        deadline_s = time.monotonic() + timeout_s
        found: dict[str, TopicDescription | None] = {}
        waiting = list(partitions)
        while True:
            found |= self.describe(waiting)
            waiting = [name for name in waiting if not self._is_led(found[name], partitions[name])]
            if not waiting:
                return {name: topic.topic_id for name, topic in found.items() if topic}
            if time.monotonic() > deadline_s:
                raise ClusterError(f"no leader for every partition of {listed(waiting)} in {timeout_s:.0f} s")
            time.sleep(_POLL_S)

    def _is_led(self, topic: TopicDescription | None, partitions: int) -> bool:
        return (
            topic is not None
            and topic.topic_id not in self._deleted
            and len(topic.partitions) == partitions
            and all(one.leader is not None for one in topic.partitions)
        )

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


def ready_timeout_s(partitions: int) -> float:
    """Return how long new partitions may take until they are served: brokers open their logs one by one."""
    return _READY_TIMEOUT_S + partitions * _READY_TIMEOUT_A_PARTITION_S


def described(topic: TopicMetadata, topic_id: str) -> TopicDescription:
    """Describe a topic from metadata, for clusters that do not answer DescribeTopics."""
    partitions = tuple(
        PartitionDescription(
            number, one.leader if one.leader >= 0 else None, tuple(one.replicas), tuple(one.isrs)
        )
        for number, one in sorted((topic.partitions or {}).items())
    )
    return TopicDescription(str(topic.topic), topic_id, partitions)

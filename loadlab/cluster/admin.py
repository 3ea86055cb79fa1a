"""Kafka's admin API, as loadlab needs it: blocking, bounded in time, failing as ClusterError."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)
from confluent_kafka.admin import TopicDescription as KafkaTopicDescription

from loadlab.cluster.api import (
    OffsetSample,
    Partition,
    PartitionDescription,
    TopicDescription,
    TopicRequest,
)
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

Answer = TypeVar("Answer")
REQUEST_TIMEOUT_S = 10.0
_LEADER_TIMEOUT_S = 60.0
_FORGET_TIMEOUT_S = 5.0
_POLL_S = 0.02
_UNKNOWN = KafkaError.UNKNOWN_TOPIC_OR_PART
_LEADER_MOVES = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,  # a broker that has not heard of a new topic yet
    }
)
_REFUSALS = frozenset(
    {
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.POLICY_VIOLATION,
    }
)


class KafkaAdmin:
    """Admin calls to one cluster.

    Args:
        bootstrap_servers: host:port, comma separated.
        client_properties: TLS and SASL; secret.
    """

    def __init__(self, bootstrap_servers: str, client_properties: Mapping[str, str] | None = None) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.connection_errors: dict[str, None] = {}  # an ordered set of what librdkafka said
        properties: dict[str, Any] = {  # the stubs know no callbacks
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,  # errors come by error_cb; librdkafka's own lines would run into the display
            **(client_properties or {}),
            "bootstrap.servers": bootstrap_servers,
            "error_cb": self._note_error,
        }
        self._properties = properties
        self._client = AdminClient(properties)
        self._group_readers: dict[str, Consumer] = {}

    def _note_error(self, error: KafkaError) -> None:
        self.connection_errors[error.str()] = None

    def metadata(self, topic: str | None = None, timeout_s: float = REQUEST_TIMEOUT_S) -> ClusterMetadata:
        """Ask for brokers and topics; all topics unless one is named.

        Raises:
            ClusterError: no answer in time.
        """
        try:
            return self._client.list_topics(topic=topic, timeout=timeout_s)
        except KafkaException as error:
            self._client.poll(0)  # lets error_cb tell why
            raise self._unanswered("metadata", error) from error

    def broker_ids(self, timeout_s: float) -> frozenset[int]:
        """Ask for the brokers that live, and nothing else.

        Raises:
            ClusterError: no answer in time.
        """
        try:
            found = self._client.describe_cluster(request_timeout=timeout_s).result(timeout_s + 1)
        except KafkaException as error:
            raise self._unanswered("brokers", error) from error
        return frozenset(node.id for node in found.nodes)

    def _unanswered(self, what: str, error: KafkaException) -> ClusterError:
        return ClusterError(f"{self.bootstrap_servers} did not answer ({what}): {_reason(error)}")

    def _result(self, what: str, future: Future[Answer]) -> Answer:
        try:
            return future.result(REQUEST_TIMEOUT_S + 1)
        except KafkaException as error:
            raise self._unanswered(what, error) from error
        except TimeoutError as error:
            raise ClusterError(f"{self.bootstrap_servers} did not answer ({what}) in time") from error

    def create_topics(self, requests: Sequence[TopicRequest]) -> dict[str, str]:
        """Create topics, all or none, wait for every partition's leader and return the ids by name."""
        self._refuse_existing([request.name for request in requests])
        new = [
            NewTopic(
                request.name,
                num_partitions=request.partitions,
                replication_factor=request.replication_factor,
                config=dict(request.config),
            )
            for request in requests
        ]
        futures = self._client.create_topics(
            new, operation_timeout=30, request_timeout=REQUEST_TIMEOUT_S + 30
        )
        refused = {name: error for name, future in futures.items() if (error := future.exception(60))}
        if refused:
            self._undo_creation([name for name in futures if name not in refused])
            raise _creation_error(refused)
        return self._wait_for_leaders({request.name: request.partitions for request in requests})

    def _refuse_existing(self, names: Sequence[str]) -> None:
        if existing := sorted(name for name, found in self.describe_topics(names).items() if found):
            raise _exists(existing)

    def _undo_creation(self, names: Sequence[str]) -> None:
        if names:
            for future in self._client.delete_topics(list(names)).values():
                future.exception(REQUEST_TIMEOUT_S)

    def _wait_for_leaders(self, partitions: Mapping[str, int]) -> dict[str, str]:
        deadline_s = time.monotonic() + _LEADER_TIMEOUT_S
        while True:
            found = self.describe_topics(list(partitions))
            waiting = [name for name, count in partitions.items() if not _is_led(found[name], count)]
            if not waiting:
                break
            if time.monotonic() > deadline_s:
                raise ClusterError(
                    f"no leader for every partition of {', '.join(waiting)} in {_LEADER_TIMEOUT_S:.0f} s"
                )
            time.sleep(_POLL_S)
        self._wait_for_service(
            [(name, number) for name, count in partitions.items() for number in range(count)]
        )
        return {name: topic.topic_id for name, topic in found.items() if topic}

    def _wait_for_service(self, partitions: Sequence[Partition]) -> None:
        """Wait until the leaders serve: metadata names one a moment before it knows of it itself."""
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        failed = self.offsets(partitions, earliest, _LEADER_TIMEOUT_S).failed
        if failed:
            (topic, number), error = next(iter(failed.items()))
            raise ClusterError(f"the leader of {topic}-{number} does not serve it: {error}")

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription | None]:
        """Describe topics by name; None where there is none."""
        if not names:
            return {}
        futures = self._client.describe_topics(
            TopicCollection(list(names)), request_timeout=REQUEST_TIMEOUT_S
        )
        return {name: self._description(future) for name, future in futures.items()}

    def _description(self, future: Future[KafkaTopicDescription]) -> TopicDescription | None:
        try:
            found = future.result(REQUEST_TIMEOUT_S + 1)
        except KafkaException as error:
            if error.args[0].code() == _UNKNOWN:
                return None
            raise self._unanswered("topics", error) from error
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

    def delete_topics(self, ids: Mapping[str, str]) -> None:
        """Delete topics whose id still is the given one."""
        found = self.describe_topics(list(ids))
        ours = [name for name, topic in found.items() if topic and topic.topic_id == ids[name]]
        if not ours:
            return
        for future in self._client.delete_topics(ours, operation_timeout=REQUEST_TIMEOUT_S).values():
            error = future.exception(REQUEST_TIMEOUT_S + 1)
            if isinstance(error, KafkaException) and error.args[0].code() != _UNKNOWN:
                raise self._unanswered("deletion of topics", error) from error
        self._wait_until_gone(ours)

    def _wait_until_gone(self, names: Sequence[str]) -> None:
        """Give the brokers a moment to forget topics; the controller has deleted them already."""
        deadline_s = time.monotonic() + _FORGET_TIMEOUT_S
        while any(self.describe_topics(names).values()) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)

    def offsets(self, partitions: Sequence[Partition], spec: OffsetSpec, timeout_s: float) -> OffsetSample:
        """Ask each partition's leader for an offset; one request a leader, repeated while leadership moves."""
        before_ns = time.monotonic_ns()
        deadline_s = time.monotonic() + timeout_s
        found: dict[Partition, int] = {}
        failed: dict[Partition, str] = dict.fromkeys(partitions, "")
        while failed:
            left_s = max(0.1, deadline_s - time.monotonic())
            answered, failed, moving = self._ask_offsets(list(failed), spec, left_s)
            found |= answered
            if not moving or time.monotonic() > deadline_s:
                break
            time.sleep(_POLL_S)
        return OffsetSample(before_ns, time.monotonic_ns(), found, failed)

    def _ask_offsets(
        self, partitions: Sequence[Partition], spec: OffsetSpec, timeout_s: float
    ) -> tuple[dict[Partition, int], dict[Partition, str], bool]:
        """Ask once: what was answered, why the rest was not, and whether asking again may help."""
        futures = self._client.list_offsets(
            {TopicPartition(topic, number): spec for topic, number in partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=timeout_s,
        )
        found, failed, moving = {}, {}, False
        for one, future in futures.items():
            error = future.exception(timeout_s + 1)
            if error is None:
                found[one.topic, one.partition] = future.result().offset
            elif isinstance(error, KafkaException):
                failed[one.topic, one.partition] = error.args[0].name()
                moving |= error.args[0].code() in _LEADER_MOVES
            else:
                raise error
        return found, failed, moving

    def committed_offsets(
        self, group_id: str, partitions: Sequence[Partition]
    ) -> dict[Partition, int | None]:
        """Ask the group's coordinator for what it committed; None where it has not.

        By a consumer that never joins: in librdkafka (2.16 and before) an admin client that asks for offsets
        ends the process with a segmentation fault when the coordinator has moved.
        """
        wanted = [TopicPartition(topic, number) for topic, number in partitions]
        try:
            found = (
                self._group_reader(group_id).committed(wanted, timeout=REQUEST_TIMEOUT_S) if wanted else []
            )
        except KafkaException as error:
            raise self._unanswered("committed offsets", error) from error
        if failed := [one.error for one in found if one.error]:
            raise self._unanswered("committed offsets", KafkaException(failed[0]))
        return {(one.topic, one.partition): one.offset if one.offset >= 0 else None for one in found}

    def _group_reader(self, group_id: str) -> Consumer:
        if group_id not in self._group_readers:
            self._group_readers[group_id] = Consumer({**self._properties, "group.id": group_id})
        return self._group_readers[group_id]

    def close(self) -> None:
        """End the consumers that were made; the admin client ends with its last reference."""
        for reader in self._group_readers.values():
            reader.close()
        self._group_readers.clear()

    def finds_coordinator(self, group_id: str, timeout_s: float) -> bool:
        """Say whether a group's coordinator answers; asking makes Kafka create __consumer_offsets."""
        futures = self._client.describe_consumer_groups([group_id], request_timeout=timeout_s)
        error = futures[group_id].exception(timeout_s + 1)
        if error is None:
            return True
        return isinstance(error, KafkaException) and error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND

    def topic_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Ask for the effective configuration of topics."""
        asked = {ConfigResource(ResourceType.TOPIC, name): name for name in names}
        futures = self._client.describe_configs(list(asked), request_timeout=REQUEST_TIMEOUT_S)
        return {
            asked[resource]: _plain(self._result("topic configuration", future))
            for resource, future in futures.items()
        }

    def broker_config(self, broker_id: int) -> dict[str, str]:
        """Ask a broker for its properties that are not Kafka's defaults."""
        resource = ConfigResource(ResourceType.BROKER, str(broker_id))
        futures = self._client.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S)
        entries = self._result("broker configuration", futures[resource])
        return _plain(
            {
                name: entry
                for name, entry in entries.items()
                if entry.source != ConfigSource.DEFAULT_CONFIG.value
            }
        )


def described(topic: TopicMetadata, topic_id: str) -> TopicDescription:
    """Describe a topic from metadata, for clusters that do not answer DescribeTopics."""
    partitions = tuple(
        PartitionDescription(
            number, one.leader if one.leader >= 0 else None, tuple(one.replicas), tuple(one.isrs)
        )
        for number, one in sorted((topic.partitions or {}).items())
    )
    return TopicDescription(str(topic.topic), topic_id, partitions)


def _is_led(topic: TopicDescription | None, partitions: int) -> bool:
    return (
        topic is not None
        and len(topic.partitions) == partitions
        and all(one.leader is not None for one in topic.partitions)
    )


def _plain(entries: Mapping[str, ConfigEntry]) -> dict[str, str]:
    """Values by name; what Kafka calls sensitive comes without a value and is left out."""
    return {
        name: str(entry.value)
        for name, entry in sorted(entries.items())
        if entry.value is not None and not entry.is_sensitive
    }


def _creation_error(refused: Mapping[str, BaseException]) -> UsageError | ClusterError:
    codes = {name: error.args[0] for name, error in refused.items() if isinstance(error, KafkaException)}
    existing = [name for name, code in codes.items() if code.code() == KafkaError.TOPIC_ALREADY_EXISTS]
    if existing:
        return _exists(sorted(existing))
    text = "; ".join(
        f"{name}: {codes[name].str() if name in codes else error}" for name, error in refused.items()
    )
    if all(name in codes and codes[name].code() in _REFUSALS for name in refused):
        return UsageError(f"the cluster refuses to create a topic: {text}")
    return ClusterError(f"topics could not be created: {text}")


def _exists(names: Sequence[str]) -> UsageError:
    return UsageError(
        f"{'topic' if len(names) == 1 else 'topics'} {', '.join(names)} exist already, and a run must not mix its records"
        " with others",
        fix="delete it, name another, or say `existing: true` if that is meant",
    )


def _reason(error: KafkaException) -> str:
    detail = error.args[0]
    return f"{detail.name()}: {detail.str()}" if isinstance(detail, KafkaError) else str(error)

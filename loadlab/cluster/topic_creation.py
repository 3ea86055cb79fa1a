"""Topics in the making: asked for, and deleted again where something fails before they are ready."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError
from confluent_kafka.admin import NewTopic

from loadlab.cluster.admin import REQUEST_TIMEOUT_S, error_code
from loadlab.cluster.topic_errors import creation_error, listed, reasons
from loadlab.errors import ClusterError, UsageError
from loadlab.scenario.workload import MOST_RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from loadlab.cluster.api import TopicDescription, TopicRequest
    from loadlab.cluster.topics import TopicAdmin

_CREATION_TIMEOUT_S = 30.0
_REQUEST_TIMEOUT_S = _CREATION_TIMEOUT_S + REQUEST_TIMEOUT_S
_SETTLE_TIMEOUT_S, _UNDO_TIMEOUT_S = 5.0, 6.0
# A broker's answers after which the topic may exist all the same.
_UNSETTLED = frozenset({KafkaError.REQUEST_TIMED_OUT, KafkaError.NETWORK_EXCEPTION})


class TopicCreation:
    """Topics that are being made, none of which was there before.

    Args:
        topics: asks the cluster.
        requests: the topics.
    """

    def __init__(self, topics: TopicAdmin, requests: Sequence[TopicRequest]) -> None:
        self._topics = topics
        self._requests = {request.name: request for request in requests}
        self._asked: dict[str, Future[None]] = {}

    def ask(self) -> None:
        """Ask for the topics, in as many requests as it takes.

        Raises:
            UsageError: the cluster refuses one.
            ClusterError: it did not answer.
        """
        for part in parts(list(self._requests.values())):
            futures = self._topics.client.create_topics(
                [_new_topic(request) for request in part],
                operation_timeout=_CREATION_TIMEOUT_S,
                request_timeout=_REQUEST_TIMEOUT_S,
            )
            self._asked |= futures
            errors = {name: outcome(future, _REQUEST_TIMEOUT_S + 1) for name, future in futures.items()}
            if refused := {name: error for name, error in errors.items() if error is not None}:
                raise creation_error(refused)

    def undo(self) -> str | None:
        """Delete what was made; returns what may stay on the cluster, None where nothing does.

        A topic whose creation was not answered is deleted too, if it is there as it was asked for. One that
        the cluster refused to make is somebody else's, where it exists.
        """
        concurrent.futures.wait(self._asked.values(), _SETTLE_TIMEOUT_S)
        outcomes = {name: outcome(future, 0) for name, future in self._asked.items()}
        made = [name for name, error in outcomes.items() if error is None]
        unsettled = [name for name, error in outcomes.items() if error is not None and _is_unsettled(error)]
        try:
            found = self._topics.describe(unsettled)
        except ClusterError:
            found = {}  # then those that were not answered can't be told from those of others
        ours = [name for name in unsettled if _is_as_asked(found.get(name), self._requests[name])]
        kept = self._delete([*made, *ours])
        unseen = [name for name in unsettled if found.get(name) is None]
        left = [f"could not be deleted again: {reasons(kept)}"] if kept else []
        left += [f"may still be made: {listed(unseen)}"] if unseen else []
        return "; ".join(left) or None

    def _delete(self, names: Sequence[str]) -> dict[str, BaseException]:
        """Delete topics, asking twice where nobody answers; returns why those stay that can't be deleted."""
        kept = self._topics.delete_named(names, _UNDO_TIMEOUT_S)
        silent = [name for name, error in kept.items() if _is_unsettled(error)]
        if not silent:
            return kept
        self._topics.refresh(_UNDO_TIMEOUT_S)  # a controller that is silent may have been replaced
        kept = {name: error for name, error in kept.items() if name not in silent}
        return kept | self._topics.delete_named(silent, _UNDO_TIMEOUT_S)


def refuse_too_large(requests: Sequence[TopicRequest]) -> None:
    """Refuse a topic that Kafka's controller makes in no request.

    Raises:
        UsageError: there is one.
    """
    for request in requests:
        most = MOST_RECORDS - 1 - len(request.config)
        if request.partitions > most:
            raise UsageError(
                f"topic {request.name}: Kafka makes at most {most:,} partitions at once, and"
                f" {request.partitions:,} are asked for",
                fix="ask for fewer; or make it beforehand, in steps, and say `existing: true`",
            )


def parts(requests: Sequence[TopicRequest]) -> Iterator[list[TopicRequest]]:
    """Divide requests for topics into such as the controller takes, in their order."""
    part: list[TopicRequest] = []
    records = 0
    for request in requests:
        if part and records + _records(request) > MOST_RECORDS:
            yield part
            part, records = [], 0
        part.append(request)
        records += _records(request)
    if part:
        yield part


def _records(request: TopicRequest) -> int:
    """Return how many records the controller writes for a topic: itself, its properties and partitions."""
    return 1 + len(request.config) + request.partitions


def outcome(future: Future[None], timeout_s: float) -> BaseException | None:
    """Return how a request for one topic failed, which may be that no answer came; None where it did not."""
    try:
        return future.exception(timeout_s)
    except TimeoutError as error:
        return error


def _new_topic(request: TopicRequest) -> NewTopic:
    return NewTopic(
        request.name,
        num_partitions=request.partitions,
        replication_factor=request.replication_factor,
        config=dict(request.config),
    )


def _is_unsettled(error: BaseException) -> bool:
    """Say whether a topic may exist though its creation failed: the error is no broker's refusal."""
    code = error_code(error)
    return code is None or code < 0 or code in _UNSETTLED


def _is_as_asked(topic: TopicDescription | None, request: TopicRequest) -> bool:
    return (
        topic is not None
        and len(topic.partitions) == request.partitions
        and all(len(one.replicas) == request.replication_factor for one in topic.partitions)
    )

"""Topics in the making: asked for, and deleted again where something fails before they are ready."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError
from confluent_kafka.admin import NewTopic

from loadlab.cluster.admin import REQUEST_TIMEOUT_S, error_code
from loadlab.cluster.topic_errors import creation_error, reasons
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from loadlab.cluster.api import TopicDescription, TopicRequest
    from loadlab.cluster.topics import TopicAdmin

_CREATION_TIMEOUT_S = 30.0
_REQUEST_TIMEOUT_S = _CREATION_TIMEOUT_S + REQUEST_TIMEOUT_S
_SETTLE_TIMEOUT_S = 5.0
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
        """Ask for the topics.

        Raises:
            UsageError: the cluster refuses one.
            ClusterError: it did not answer.
        """
        futures = self._topics.client.create_topics(
            [_new_topic(request) for request in self._requests.values()],
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
        kept = self._topics.delete_named([*made, *ours], REQUEST_TIMEOUT_S)
        unseen = [name for name in unsettled if found.get(name) is None]
        parts = [f"could not be deleted again: {reasons(kept)}"] if kept else []
        parts += [f"may still be made: {', '.join(unseen)}"] if unseen else []
        return "; ".join(parts) or None


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

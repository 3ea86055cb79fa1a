"""The connection for Kafka's admin API: blocking calls, bounded in time, failing as ClusterError."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka.admin import ClusterMetadata, ConfigEntry

Answer = TypeVar("Answer")
REQUEST_TIMEOUT_S = 10.0
_BACKOFF = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 500}


class KafkaAdmin:
    """A connection for admin calls to one cluster.

    Args:
        bootstrap_servers: host:port, comma separated.
        client_properties: TLS and SASL; secret.
    """

    def __init__(self, bootstrap_servers: str, client_properties: Mapping[str, str] | None = None) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.connection_errors: dict[str, None] = {}  # an ordered set of what librdkafka said
        given = client_properties or {}
        # The user's own, as soon as one of the two is given: they must fit each other.
        backoff = {} if _BACKOFF.keys() & given.keys() else _BACKOFF
        self.properties: dict[str, Any] = {  # the stubs know no callbacks
            **backoff,
            "log_level": 0,  # errors come by error_cb; librdkafka's own lines would run into the display
            **given,
            "bootstrap.servers": bootstrap_servers,
            "error_cb": self._note_error,
        }
        self._client: AdminClient | None = AdminClient(self.properties)

    def _note_error(self, error: KafkaError) -> None:
        self.connection_errors[error.str()] = None

    @property
    def client(self) -> AdminClient:
        """The client.

        Raises:
            ClusterError: the connection was closed.
        """
        if self._client is None:
            raise ClusterError(f"the cluster at {self.bootstrap_servers} was stopped")
        return self._client

    def close(self) -> None:
        """End the client's threads and connections."""
        self._client = None

    def __enter__(self) -> Self:
        """Close it with the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    def metadata(self, topic: str | None = None, timeout_s: float = REQUEST_TIMEOUT_S) -> ClusterMetadata:
        """Ask for brokers and topics; all topics unless one is named.

        Raises:
            ClusterError: no answer in time.
        """
        try:
            return self.client.list_topics(topic=topic, timeout=timeout_s)
        except KafkaException as error:
            self.client.poll(0)  # lets error_cb tell why
            raise self.unanswered("metadata", error) from error

    def refresh(self, timeout_s: float) -> None:
        """Have librdkafka renew what it knows of leaders: it keeps a fenced epoch until told."""
        with contextlib.suppress(ClusterError):  # the request that follows says what is wrong
            self.metadata(timeout_s=timeout_s)

    def broker_ids(self, timeout_s: float) -> frozenset[int]:
        """Ask for the brokers that live, and nothing else.

        Raises:
            ClusterError: no answer in time.
        """
        future = self.client.describe_cluster(request_timeout=timeout_s)
        return frozenset(node.id for node in self.result("brokers", future, timeout_s).nodes)

    def topic_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Ask for the effective configuration of topics."""
        asked = {ConfigResource(ResourceType.TOPIC, name): name for name in names}
        futures = (
            self.client.describe_configs(list(asked), request_timeout=REQUEST_TIMEOUT_S) if asked else {}
        )
        return {
            asked[resource]: _plain(self.result("topic configuration", future))
            for resource, future in futures.items()
        }

    def broker_config(self, broker_id: int) -> dict[str, str]:
        """Ask a broker for its properties that are not Kafka's defaults."""
        resource = ConfigResource(ResourceType.BROKER, str(broker_id))
        futures = self.client.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S)
        entries = self.result("broker configuration", futures[resource])
        default = ConfigSource.DEFAULT_CONFIG.value
        return _plain({name: entry for name, entry in entries.items() if entry.source != default})

    def delete_groups(self, group_ids: Sequence[str], timeout_s: float) -> list[str]:
        """Delete consumer groups; returns those that may be deleted later."""
        futures = self.client.delete_consumer_groups(list(group_ids), request_timeout=timeout_s)
        return [group_id for group_id, one in futures.items() if not _is_deleted(one, timeout_s + 1)]

    def result(self, what: str, future: Future[Answer], timeout_s: float = REQUEST_TIMEOUT_S) -> Answer:
        """Wait for an answer.

        Raises:
            ClusterError: it is an error, or does not come.
        """
        try:
            return future.result(timeout_s + 1)
        except KafkaException as error:
            raise self.unanswered(what, error) from error
        except TimeoutError as error:
            raise self.unanswered_in_time(what) from error

    def unanswered_in_time(self, what: str) -> ClusterError:
        """Make the error for a request of which nothing was heard."""
        return ClusterError(f"{self.bootstrap_servers} did not answer ({what}) in time")

    def unanswered(self, what: str, error: KafkaException) -> ClusterError:
        """Make the error for a request that failed."""
        detail = error.args[0]
        reason = f"{detail.name()}: {detail.str()}" if isinstance(detail, KafkaError) else str(error)
        return ClusterError(f"{self.bootstrap_servers} did not answer ({what}): {reason}")


def error_code(error: BaseException | None) -> int | None:
    """Return Kafka's or librdkafka's code of an error; None where it has none."""
    detail = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return detail.code() if isinstance(detail, KafkaError) else None


def _is_deleted(deletion: Future[None], timeout_s: float) -> bool:
    """Say whether a group is gone: killed members, for one, stay in it until their session is over."""
    try:
        error = deletion.exception(timeout_s)
    except TimeoutError:
        return False
    return error is None or error_code(error) == KafkaError.GROUP_ID_NOT_FOUND


def _plain(entries: Mapping[str, ConfigEntry]) -> dict[str, str]:
    """Values by name; what Kafka calls sensitive comes without a value and is left out."""
    return {
        name: str(entry.value)
        for name, entry in sorted(entries.items())
        if entry.value is not None and not entry.is_sensitive
    }

"""The external provider: a cluster that somebody else runs, and that loadlab leaves as it found it."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import KafkaException

from loadlab.cluster.admin import REQUEST_TIMEOUT_S, KafkaAdmin
from loadlab.cluster.api import Availability, BrokerState, Capability, ClusterInfo, StartRequest
from loadlab.cluster.base import AdministeredCluster
from loadlab.errors import ClusterError, UsageError
from loadlab.scenario.client_properties import read_client_properties, without_secrets
from loadlab.scenario.cluster import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka.admin import ClusterMetadata

    from loadlab.scenario.cluster import ClusterSpec

Answer = TypeVar("Answer")
_CONNECT_TIMEOUT_S = 8.0
_STATE_TIMEOUT_S = 1.0
_HOW_LONG = re.compile(r" \(after \d+ms in state \w+.*\)$")  # what else is alike is told once


class ExternalCluster(AdministeredCluster):
    """A cluster that loadlab neither started nor ends.

    Args:
        info: what a result says of it.
        bootstrap_servers: as the scenario gives them.
        client_properties: what every client must be given; secret.
        broker_ids: the brokers that it had when loadlab first asked.
    """

    def __init__(
        self,
        info: ClusterInfo,
        bootstrap_servers: str,
        client_properties: Mapping[str, str],
        broker_ids: list[int],
    ) -> None:
        capabilities = frozenset({Capability.ADMIN, Capability.DURABILITY})
        super().__init__(info, bootstrap_servers, capabilities, client_properties)
        self._broker_ids = broker_ids

    def broker_states(self) -> list[BrokerState]:
        """Say which of the first seen brokers the cluster still names.

        Raises:
            ClusterError: the broker that was asked did not answer, which says nothing of the others.
        """
        try:
            named = self.admin.broker_ids(_STATE_TIMEOUT_S)
        except ClusterError:
            # librdkafka asks the one that it knows as controller, until another broker names another.
            self.admin.refresh(_STATE_TIMEOUT_S)
            raise
        return [
            BrokerState(
                broker_id,
                broker_id in named,
                "in the metadata" if broker_id in named else "not in the metadata",
            )
            for broker_id in self._broker_ids
        ]

    def broker_config(self) -> dict[str, str]:
        """Return the first named broker's properties that are not Kafka's defaults; this may take a while."""
        named = self.admin.broker_ids(REQUEST_TIMEOUT_S)
        return self.admin.broker_config(min(named, default=1))

    def stop(self) -> None:
        """Leave the cluster as it is."""
        self.disconnect()


class ExternalProvider:
    """Connects to bootstrap servers; what is not on this machine needs the consent of its cluster id."""

    name = "external"

    def check(self, spec: ClusterSpec) -> Availability:
        """Say whether bootstrap servers are given, and consent where they are not on this machine."""
        try:
            _refuse_without_consent(spec, (spec.bootstrap_servers or "").split(","))
        except UsageError as error:
            return Availability(available=False, reason=error.message, fix=error.fix)
        return Availability(available=True, reason=f"bootstrap servers {spec.bootstrap_servers}")

    def start(self, spec: ClusterSpec, request: StartRequest) -> ExternalCluster:
        """Connect, compare the cluster's id with the consent, and look at where its brokers are."""
        servers = spec.bootstrap_servers or ""
        _refuse_without_consent(spec, servers.split(","))
        file = spec.client_properties
        properties = read_client_properties(file, spec.bootstrap_servers) if file else {}
        request.progress(f"connecting to {servers}")
        metadata = _ask(servers, properties)
        _refuse_another_cluster(spec, metadata)
        info = ClusterInfo(
            provider=self.name,
            kind="kafka",
            kafka_version=None,
            brokers=len(metadata.brokers),
            network=None,
            config={},
            reason=request.reason,
            cluster_id=str(metadata.cluster_id),
        )
        return ExternalCluster(info, servers, properties, sorted(metadata.brokers))


def _refuse_without_consent(spec: ClusterSpec, addresses: list[str]) -> None:
    if not spec.bootstrap_servers:
        raise UsageError(
            "provider external needs cluster.bootstrap_servers", fix="bootstrap_servers: 127.0.0.1:9092"
        )
    foreign = [address.strip() for address in addresses if not is_loopback(address)]
    if foreign and spec.cluster_id is None:
        raise UsageError(
            f"{', '.join(foreign)} is not this machine, and load on it needs its owner's consent",
            fix="set cluster.cluster_id to the id of the cluster that may be loaded",
        )


def _refuse_another_cluster(spec: ClusterSpec, metadata: ClusterMetadata) -> None:
    if spec.cluster_id is not None and spec.cluster_id != metadata.cluster_id:
        raise UsageError(
            f"cluster.cluster_id gives consent to load {spec.cluster_id!r},"
            f" but {spec.bootstrap_servers} belongs to {metadata.cluster_id!r}",
            fix="check the address; change cluster_id only if this cluster may be loaded",
        )
    # A tunnel's near end is on this machine, the brokers that it names are not.
    _refuse_without_consent(spec, [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()])


def _ask(servers: str, properties: Mapping[str, str]) -> ClusterMetadata:
    try:
        admin = KafkaAdmin(servers, properties)
    except KafkaException as error:
        text = without_secrets(error.args[0].str(), properties)
        raise UsageError(
            f"cluster.client_properties: {text}", fix="write them by librdkafka's names"
        ) from None
    with admin:
        try:
            return _heeding_signals(partial(admin.metadata, timeout_s=_CONNECT_TIMEOUT_S))
        except ClusterError as error:
            told = dict.fromkeys(_HOW_LONG.sub("", line) for line in admin.connection_errors)
            tried = "\n".join(f"  {without_secrets(line, properties)}" for line in told)
            raise ClusterError(
                f"no Kafka answered at {servers} within {_CONNECT_TIMEOUT_S:.0f} s\n{tried}".rstrip(),
                fix="check that it listens there, and that client_properties has its TLS and SASL settings;"
                " it may not speak Kafka, or expect TLS",
            ) from error


def _heeding_signals(ask: Callable[[], Answer]) -> Answer:
    """Ask in another thread: librdkafka's calls let no signal through until they return, and a wait does."""
    answer: Future[Answer] = Future()

    def await_answer() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001  (it is raised where it is waited for)
            answer.set_exception(error)

    # A daemon, which an interrupted process does not wait for.
    threading.Thread(target=await_answer, daemon=True).start()
    return answer.result()

"""The docker provider: Kafka brokers in containers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from loadlab.cluster.api import Availability, ClusterInfo, StartRequest
from loadlab.cluster.capacity import check_machine, data_root, heap_bytes
from loadlab.cluster.container_cluster import Containers, DockerCluster
from loadlab.cluster.docker import (
    DATA_PATH,
    FAR_FIX,
    NAME_LABEL,
    OWNER_LABEL,
    RUN_LABEL,
    ContainerRequest,
    Engine,
)
from loadlab.cluster.image import IMAGE_VARIABLE, find_image, no_image, refuse_other_version
from loadlab.cluster.logs import failed_start, keep_logs, shows_port_clash
from loadlab.cluster.ports import LOOPBACK, HeldPorts, PortClashError, with_other_ports
from loadlab.cluster.processes import ProcessIdentity, signals_held
from loadlab.cluster.properties import (
    BrokerEndpoints,
    Endpoint,
    as_environment,
    broker_properties,
    new_cluster_id,
    shared_properties,
)
from loadlab.cluster.readiness import ReadinessWait
from loadlab.cluster.state import ClusterRecord, state_dir
from loadlab.cluster.telemetry_agent import ACCESS, agent_option, find_agent
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.scenario.cluster import ClusterSpec

_READY_TIMEOUT_S = 120.0
_JARS: Final = "/opt/kafka/libs"  # in Apache's image as in ours
# Inside a container with a network of its own.
_CLIENT_PORT, _CONTROLLER_PORT, _BROKER_PORT, _TELEMETRY_PORT = 9092, 9093, 19092, 8778
_AGENT, _ACCESS = "/loadlab/jolokia.jar", "/loadlab/access.xml"


class DockerProvider:
    """Starts brokers in containers of an image that follows the apache/kafka contract."""

    name = "docker"

    def check(self, spec: ClusterSpec) -> Availability:
        """Say whether an engine answers and an image is at hand or can be pulled."""
        try:
            engine = Engine()
        except ClusterError as error:
            return Availability(available=False, reason=error.message, fix=error.fix)
        if not engine.place.is_near:
            return Availability(
                available=False,
                reason=f"{engine.version} is {engine.place.why_far}",
                fix=FAR_FIX,
            )
        if spec.network == "host" and not engine.place.shares_loopback:
            return Availability(
                available=False,
                reason=f"{engine.version} does not share this machine's loopback address",
                fix="cluster.network: bridge",
            )
        try:
            image = find_image(engine, spec.kafka_version)
        except ClusterError as error:
            return Availability(available=False, reason=error.message, fix=error.fix)
        if image is None:
            missing = no_image(engine, spec.kafka_version)
            return Availability(available=False, reason=missing.message, fix=missing.fix)
        return Availability(available=True, reason=f"{engine.version} answers and has {image}")

    def start(self, spec: ClusterSpec, request: StartRequest) -> DockerCluster:
        """Start the brokers and wait until they are ready; a port lost to another process is tried again."""
        engine = Engine()
        check_machine(spec, engine.data_root or data_root(), request.needed_disk_bytes)
        image = find_image(engine, spec.kafka_version)
        if image is None:
            raise no_image(engine, spec.kafka_version)
        return with_other_ports(_Start(spec, request, engine, image).run, request.progress)


class _Start:
    """One attempt to start a cluster."""

    def __init__(self, spec: ClusterSpec, request: StartRequest, engine: Engine, image: str) -> None:
        self._spec = spec
        self._request = request
        self._engine = engine
        self._image = image
        self._cluster_id = new_cluster_id()
        on_host = spec.network == "host" or (spec.network == "auto" and engine.place.shares_loopback)
        self._network = "host" if on_host else "bridge"
        self._shared = shared_properties(spec.brokers, spec.kafka_version, spec.config)
        self._owner = ProcessIdentity.current()
        self._agent, self._no_telemetry = find_agent(request.progress)

    def run(self) -> DockerCluster:
        """Start it, or clean up and raise what the brokers said."""
        with HeldPorts(2 * self._spec.brokers) as held, HeldPorts(self._spec.brokers) as telemetry:
            endpoints = self._endpoints(held.ports)
            servers = ",".join(one.clients.reached_at for one in endpoints)
            record = self._record(servers, telemetry.ports)
            containers = Containers(self._engine, record)
            try:
                try:
                    record.save()
                    self._launch(endpoints, telemetry.ports)
                    ReadinessWait(servers, containers.ending, _READY_TIMEOUT_S).wait()
                except ClusterError as error:
                    raise self._failure(error, containers) from error
                self._refuse_other_version()
                containers.record = record.answered()
                return DockerCluster(containers, ends_with_owner=self._request.standing_name is None)
            except BaseException:
                with signals_held():
                    self._remove(containers)
                raise

    def _remove(self, containers: Containers) -> None:
        """Removes what was started; why that failed must not take the place of why the start did."""
        try:
            containers.end()
        except ClusterError as error:
            self._request.progress(f"what was started is left: {error}; loadlab cluster clean removes it")

    def _refuse_other_version(self) -> None:
        if os.environ.get(IMAGE_VARIABLE):
            jars = self._engine.run_inside(self._name(1), ["ls", _JARS])
            refuse_other_version(jars, self._spec.kafka_version)

    @property
    def _labels(self) -> dict[str, str]:
        name = self._request.standing_name
        named = {NAME_LABEL: name} if name else {}
        return {RUN_LABEL: self._request.run_id, OWNER_LABEL: str(self._owner), **named}

    def _name(self, broker_id: int) -> str:
        return f"loadlab-{self._request.run_id}-{broker_id}"

    def _endpoints(self, ports: list[int]) -> list[BrokerEndpoints]:
        pairs = list(enumerate(zip(ports[::2], ports[1::2], strict=True), 1))
        if self._network == "host":
            return [BrokerEndpoints(broker_id, _here(one), _here(other)) for broker_id, (one, other) in pairs]
        return [
            BrokerEndpoints(
                broker_id,
                clients=Endpoint(f"0.0.0.0:{_CLIENT_PORT}", f"{LOOPBACK}:{port}"),
                controller=_inside(broker_id, _CONTROLLER_PORT),
                brokers=_inside(broker_id, _BROKER_PORT),
            )
            for broker_id, (port, _) in pairs
        ]

    def _launch(self, endpoints: list[BrokerEndpoints], telemetry_ports: list[int]) -> None:
        network = "host" if self._network == "host" else f"loadlab-{self._request.run_id}"
        if network != "host":
            self._engine.create_network(network, self._labels)
        count, version = len(endpoints), self._spec.kafka_version
        self._request.progress(f"starting {count} container(s) of {self._image} (Kafka {version})")
        for one, port in zip(endpoints, telemetry_ports, strict=True):
            self._engine.start(self._container(one, endpoints, network, port))

    def _container(
        self, broker: BrokerEndpoints, cluster: list[BrokerEndpoints], network: str, telemetry_port: int
    ) -> ContainerRequest:
        resources = self._spec.resources
        port = int(broker.clients.reached_at.rpartition(":")[2])
        properties = broker_properties(broker, cluster, self._shared, DATA_PATH)
        return ContainerRequest(
            name=self._name(broker.broker_id),
            image=self._image,
            environment={**self._environment(properties), **self._telemetry_options(telemetry_port)},
            labels=self._labels,
            network=network,
            alias=_alias(broker.broker_id),
            published={} if network == "host" else {port: _CLIENT_PORT, telemetry_port: _TELEMETRY_PORT},
            cpus=resources.cpus if resources else None,
            memory_bytes=resources.memory_bytes if resources else None,
            cpuset=self._spec.cpuset,
            files={_AGENT: self._agent, _ACCESS: ACCESS} if self._agent else {},
        )

    def _telemetry_options(self, port: int) -> dict[str, str]:
        if self._agent is None:
            return {}
        host, inside = (LOOPBACK, port) if self._network == "host" else ("0.0.0.0", _TELEMETRY_PORT)  # noqa: S104  (only 127.0.0.1 leads to it)
        return {"KAFKA_OPTS": agent_option(_AGENT, _ACCESS, host, inside)}

    def _environment(self, properties: Mapping[str, str]) -> dict[str, str]:
        heap = heap_bytes(self._spec)
        return {
            **as_environment(properties),
            "CLUSTER_ID": self._cluster_id,
            "KAFKA_HEAP_OPTS": f"-Xms{heap} -Xmx{heap}",
        }

    def _record(self, bootstrap_servers: str, telemetry_ports: list[int]) -> ClusterRecord:
        info = ClusterInfo(
            provider="docker",
            kind="kafka",
            kafka_version=self._spec.kafka_version,
            brokers=self._spec.brokers,
            network=self._network,
            config=self._shared,
            reason=self._request.reason,
            cluster_id=self._cluster_id,
            image=self._image,
            engine=self._engine.version,
            cores=self._spec.cpuset,
            no_telemetry=self._no_telemetry,
        )
        return ClusterRecord(
            run_id=self._request.run_id,
            name=self._request.standing_name,
            owner=self._owner,
            info=info,
            bootstrap_servers=bootstrap_servers,
            engine=self._engine.identity,
            ready=self._request.standing_name is None,
            telemetry=tuple(f"{LOOPBACK}:{port}" for port in telemetry_ports) if self._agent else (),
        )

    def _failure(self, error: ClusterError, containers: Containers) -> ClusterError:
        kept = state_dir() / "logs" / self._request.run_id
        logs = keep_logs(containers.save_logs, kept)
        if (
            shows_port_clash(logs)
            or "already allocated" in error.message
            or "already in use" in error.message
        ):
            return PortClashError(failed_start(error, logs).message)
        return failed_start(error, logs)


def _here(port: int) -> Endpoint:
    return Endpoint(f"{LOOPBACK}:{port}", f"{LOOPBACK}:{port}")


def _inside(broker_id: int, port: int) -> Endpoint:
    return Endpoint(f"0.0.0.0:{port}", f"{_alias(broker_id)}:{port}")


def _alias(broker_id: int) -> str:
    """Name a broker on its cluster's own network: a container's name may be too long for a host's."""
    return f"broker-{broker_id}"

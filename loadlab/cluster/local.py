"""The local provider: real Apache Kafka as JVM processes of this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster import local_broker
from loadlab.cluster.affinity import own_cpuset
from loadlab.cluster.api import Availability, ClusterInfo, StartRequest
from loadlab.cluster.artifacts import find_jars, get_jars, home_version, missing
from loadlab.cluster.capacity import DATA_VARIABLE, check_machine, data_root, heap_bytes
from loadlab.cluster.class_archive import with_archive
from loadlab.cluster.java import MISSING, find_java, passed_over
from loadlab.cluster.leftovers import DIRECTORY_PREFIX
from loadlab.cluster.local_broker import Installation
from loadlab.cluster.local_cluster import Brokers, LocalCluster
from loadlab.cluster.logs import failed_start, keep_logs, shows_port_clash
from loadlab.cluster.maven import has_maven
from loadlab.cluster.ports import LOOPBACK, HeldPorts, PortClashError, with_other_ports
from loadlab.cluster.processes import ProcessIdentity, signals_held
from loadlab.cluster.properties import (
    BrokerEndpoints,
    Endpoint,
    broker_properties,
    new_cluster_id,
    shared_properties,
)
from loadlab.cluster.readiness import ReadinessWait
from loadlab.cluster.state import ClusterRecord, state_dir, unusable
from loadlab.cluster.storage import format_storage
from loadlab.cluster.telemetry_agent import ACCESS, agent_option, find_agent
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from loadlab.scenario.cluster import ClusterSpec

_READY_TIMEOUT_S = 90.0


class LocalProvider:
    """Starts Kafka's JVM, from KAFKA_HOME or Maven artifacts."""

    name = "local"

    def check(self, spec: ClusterSpec) -> Availability:
        """Say whether a Java runtime and Kafka's jars are here or can be fetched."""
        java, version = find_java(), spec.kafka_version
        jars = find_jars(version)
        wanting = [] if java else [MISSING]
        if jars is None and not has_maven():
            wanting.append(missing(version))
        if wanting:
            held = home_version()
            other = f" (KAFKA_HOME holds {held})" if held else ""
            what = "no Java" if java is None else f"no Kafka {version} and no Maven{other}"
            return Availability(available=False, reason=f"there is {what}", fix="; ".join(wanting))
        source = f"Kafka {version} from {jars.source}" if jars else f"Kafka {version} by Maven"
        return Availability(available=True, reason=f"{source}, Java {java}")

    def start(self, spec: ClusterSpec, request: StartRequest) -> LocalCluster:
        """Start the brokers and wait until they are ready; a port lost to another process is tried again."""
        check_machine(spec, data_root(), request.needed_disk_bytes, within_limits=True)
        shared = shared_properties(spec.brokers, spec.kafka_version, spec.config)
        installation = _installation(spec, request)
        return with_other_ports(_Start(spec, request, installation, shared).run, request.progress)


class _Start:
    """One attempt to start a cluster."""

    def __init__(
        self, spec: ClusterSpec, request: StartRequest, installation: Installation, shared: dict[str, str]
    ) -> None:
        self._spec = spec
        self._request = request
        self._installation = installation
        self._shared = shared
        self._cluster_id = new_cluster_id()
        self._agent, self._no_telemetry = find_agent(request.progress)

    def run(self) -> LocalCluster:
        """Start it, or clean up and raise what the brokers said."""
        root = _new_directory(f"{DIRECTORY_PREFIX}{self._request.run_id}-")
        with HeldPorts(2 * self._spec.brokers) as held, HeldPorts(self._spec.brokers) as telemetry:
            endpoints = _endpoints(held.ports)
            servers = ",".join(one.clients.reached_at for one in endpoints)
            ends_with_owner = self._request.standing_name is None
            brokers = Brokers(self._record(root, servers, telemetry.ports), deaf=ends_with_owner)
            try:
                try:
                    self._launch(brokers, root, endpoints, telemetry.ports)
                    ReadinessWait(servers, brokers.ending, _READY_TIMEOUT_S).wait()
                    brokers.answered()
                except ClusterError as error:
                    raise self._failure(error, brokers) from error
                return LocalCluster(brokers, ends_with_owner=ends_with_owner)
            except BaseException:
                with signals_held():
                    brokers.end()
                raise

    def _record(self, root: Path, bootstrap_servers: str, telemetry_ports: list[int]) -> ClusterRecord:
        info = ClusterInfo(
            provider="local",
            kind="kafka",
            kafka_version=self._spec.kafka_version,
            brokers=self._spec.brokers,
            network=None,
            config=self._shared,
            reason=self._request.reason,
            cluster_id=self._cluster_id,
            java=str(self._installation.java),
            cores=self._spec.cpuset,
            no_telemetry=self._no_telemetry,
        )
        return ClusterRecord(
            run_id=self._request.run_id,
            name=self._request.standing_name,
            owner=ProcessIdentity.current(),
            info=info,
            bootstrap_servers=bootstrap_servers,
            data_dir=str(root),
            ready=self._request.standing_name is None,
            cpuset=None if self._request.standing_name is None else own_cpuset(),
            telemetry=tuple(f"{LOOPBACK}:{port}" for port in telemetry_ports) if self._agent else (),
        )

    def _launch(
        self, brokers: Brokers, root: Path, endpoints: list[BrokerEndpoints], telemetry_ports: list[int]
    ) -> None:
        brokers.record.save()
        directories = [root / f"broker-{one.broker_id}" for one in endpoints]
        for one, directory in zip(endpoints, directories, strict=True):
            log_dirs = str(local_broker.data_dir(directory))
            local_broker.prepare(directory, broker_properties(one, endpoints, self._shared, log_dirs))
        format_storage(self._installation, directories, self._cluster_id, self._shared)
        if self._request.standing_name is None:
            brokers.guard()
        self._request.progress(
            f"starting {len(endpoints)} Kafka {self._spec.kafka_version} broker(s) on {LOOPBACK}"
        )
        for one, directory, port in zip(endpoints, directories, telemetry_ports, strict=True):
            options = [agent_option(str(self._agent), str(ACCESS), LOOPBACK, port)] if self._agent else []
            command = self._installation.broker_command(directory, *options)
            brokers.launch(one.broker_id, directory, command)

    def _failure(self, error: ClusterError, brokers: Brokers) -> ClusterError:
        kept = state_dir() / "logs" / self._request.run_id
        logs = keep_logs(brokers.save_logs, kept)
        if shows_port_clash(logs):
            return PortClashError(failed_start(error, logs).message)
        return failed_start(error, logs)


def _installation(spec: ClusterSpec, request: StartRequest) -> Installation:
    java = find_java()
    if java is None:
        raise ClusterError("provider local: there is no Java runtime", fix=MISSING)
    if (told := passed_over(java)) is not None:
        request.progress(told)
    jars = get_jars(spec.kafka_version, request.progress)
    return with_archive(Installation(jars, java, heap_bytes(spec), request.run_id), request.progress)


def _new_directory(prefix: str) -> Path:
    parent = data_root()
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise unusable(parent, DATA_VARIABLE, error) from error


def _endpoints(ports: list[int]) -> list[BrokerEndpoints]:
    addresses = [Endpoint(f"{LOOPBACK}:{port}", f"{LOOPBACK}:{port}") for port in ports]
    pairs = zip(addresses[::2], addresses[1::2], strict=True)
    return [
        BrokerEndpoints(broker_id, clients, controller)
        for broker_id, (clients, controller) in enumerate(pairs, 1)
    ]

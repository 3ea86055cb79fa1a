"""The JVM's archive of Kafka's classes, already parsed: brokers start in about two thirds of the time.

Class data sharing changes how classes are loaded and nothing of how they run, so it falsifies no measurement
(apache/kafka's images do the same). One archive is made for a runtime and a version of Kafka, when they first
meet.
"""

from __future__ import annotations

import hashlib
import secrets
import signal
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster import local_broker
from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.local_cluster import Brokers
from loadlab.cluster.ports import LOOPBACK, HeldPorts
from loadlab.cluster.processes import ProcessIdentity
from loadlab.cluster.properties import (
    BrokerEndpoints,
    Endpoint,
    broker_properties,
    new_cluster_id,
    shared_properties,
)
from loadlab.cluster.readiness import ReadinessWait
from loadlab.cluster.state import ClusterRecord, cache_dir
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from loadlab.cluster.api import Progress
    from loadlab.cluster.local_broker import Installation

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 60.0
_HEAP_BYTES = 512 << 20


def with_archive(installation: Installation, progress: Progress) -> Installation:
    """Give an installation its archive, made if there is none; without one brokers only start slower."""
    path = _path(installation)
    if not path.is_file():
        progress("preparing Kafka's classes for quick starts (once for this Java and Kafka)")
        try:
            run_id = f"archive-{secrets.token_hex(4)}"
            _make(replace(installation, heap_bytes=_HEAP_BYTES, run_id=run_id), path)
        except (ClusterError, OSError, subprocess.SubprocessError) as error:
            progress(f"no archive of classes could be made ({error}); brokers start slower")
            return installation
    return replace(installation, archive=path)


def _path(installation: Installation) -> Path:
    """Name the archive after all that it depends on."""
    jars, java = installation.jars, installation.java
    parts = [str(java.launcher.resolve()), java.version, str(jars.directory)]
    parts += sorted(f"{path.name} {path.stat().st_mtime_ns}" for path in jars.directory.glob("*.jar"))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_dir() / "archives" / f"kafka-{jars.version}-{digest}.jsa"


def _make(installation: Installation, path: Path) -> None:
    """Run one broker to its first connection and let its JVM write, as it ends, what it had loaded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="loadlab-archive-", dir=path.parent) as work,
        HeldPorts(2) as held,
    ):
        directory, draft = Path(work, "broker"), Path(work, "classes.jsa")
        address = f"{LOOPBACK}:{held.ports[0]}"
        _prepare(installation, directory, held.ports)
        launcher, *rest = installation.broker_command(directory)
        brokers = Brokers(_record(installation, work, address))
        try:
            brokers.guard()
            brokers.launch(1, directory, [launcher, f"-XX:ArchiveClassesAtExit={draft}", *rest])
            ReadinessWait(address, brokers.ending, _START_TIMEOUT_S).wait_for_sockets()
            broker = brokers.find(1).identity
            broker.send(signal.SIGTERM)
            broker.wait_until_gone(_END_TIMEOUT_S)
            draft.replace(path)
        finally:
            brokers.end()


def _record(installation: Installation, directory: str, address: str) -> ClusterRecord:
    """Remember the broker as any cluster is: were this process killed, it would be found."""
    info = ClusterInfo(
        provider="local",
        kind="kafka",
        kafka_version=installation.jars.version,
        brokers=1,
        network=None,
        config={},
        reason="makes an archive of classes",
        cluster_id="",
    )
    owner = ProcessIdentity.current()
    return ClusterRecord(installation.run_id, None, owner, info, address, data_dir=directory)


def _prepare(installation: Installation, directory: Path, ports: list[int]) -> None:
    clients, controller = (Endpoint(f"{LOOPBACK}:{port}", f"{LOOPBACK}:{port}") for port in ports)
    endpoints = [BrokerEndpoints(1, clients, controller)]
    shared = shared_properties(1, installation.jars.version, {})
    log_dirs = str(local_broker.data_dir(directory))
    local_broker.prepare(directory, broker_properties(endpoints[0], endpoints, shared, log_dirs))
    installation.format_storage([directory], new_cluster_id())

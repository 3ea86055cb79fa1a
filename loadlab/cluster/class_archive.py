"""The JVM's archive of Kafka's classes, already parsed: brokers start in about two thirds of the time.

Class data sharing changes how classes are loaded and nothing of how they run, so it falsifies no measurement
(apache/kafka's images do the same). One archive is made for a runtime and a version of Kafka, when they first
meet.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster import local_broker
from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.local_cluster import Brokers
from loadlab.cluster.logs import tail
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
from loadlab.cluster.storage import format_storage
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from loadlab.cluster.api import Progress
    from loadlab.cluster.java import Java
    from loadlab.cluster.local_broker import Installation

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 60.0
_HEAP_BYTES = 512 << 20
_AGAIN_AFTER_S = 24 * 3600.0


def with_archive(installation: Installation, progress: Progress) -> Installation:
    """Give an installation its archive, made if there is none; without one brokers only start slower."""
    path = _path(installation)
    failure = path.with_suffix(".failed")
    if path.is_file():
        return replace(installation, archive=path)
    if not _can_have_one(installation.java) or _is_fresh(failure):
        return installation
    progress("preparing Kafka's classes for quick starts (once for this Java and Kafka)")
    try:
        run_id = f"archive-{secrets.token_hex(4)}"
        _make(replace(installation, heap_bytes=_HEAP_BYTES, run_id=run_id), path)
    except (ClusterError, OSError, subprocess.SubprocessError) as error:
        progress(f"no archive of classes could be made ({error}); brokers start slower")
        with contextlib.suppress(OSError):
            failure.write_text(f"{error}\n", encoding="utf-8")
        return installation
    return replace(installation, archive=path)


def _can_have_one(java: Java) -> bool:
    """Say whether a runtime has the archive of its classes that Kafka's is built on; jlink makes none."""
    server = java.launcher.resolve().parent.parent / "lib" / "server"
    return not server.is_dir() or (server / "classes.jsa").is_file()  # what is no runtime's leads to one


def _is_fresh(failure: Path) -> bool:
    """Say whether it was tried in vain of late: each run would start a broker for it."""
    return failure.is_file() and time.time() - failure.stat().st_mtime < _AGAIN_AFTER_S


def _path(installation: Installation) -> Path:
    """Name the archive after all that it depends on."""
    jars, java = installation.jars, installation.java
    parts = [str(java.launcher.resolve()), java.version, *jars.identity]
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
            _await_archive(brokers, address, draft)
            draft.replace(path)
        except ClusterError as error:
            lines = tail(local_broker.log_dir(directory) / "console.log")
            said = [line for line in lines if "archive" in line.lower()] or lines
            raise ClusterError(": ".join([error.message, *said[-1:]])) from error
        finally:
            brokers.end()


def _await_archive(brokers: Brokers, address: str, draft: Path) -> None:
    """Wait until the broker answers, ask it to end and wait for what it writes.

    Raises:
        ClusterError: it never answered, or wrote nothing.
    """
    ReadinessWait(address, brokers.ending, _START_TIMEOUT_S).wait_for_sockets()
    broker = brokers.find(1).identity
    broker.send(signal.SIGTERM)
    if not broker.wait_until_gone(_END_TIMEOUT_S) or not draft.is_file():
        raise ClusterError("the JVM wrote none")


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
    format_storage(installation, [directory], new_cluster_id(), shared)

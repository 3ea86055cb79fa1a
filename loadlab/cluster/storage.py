"""Formatting the storage of local brokers: by Kafka's own tool once for each configuration, then by copies.

The tool is a JVM of its own, which takes most of a second and checks the configuration. What it writes hangs
on Kafka's version and on the configuration, but for the ids of cluster, broker and folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster.local_broker import data_dir, log_dir, properties_file
from loadlab.cluster.properties import as_file, new_cluster_id
from loadlab.cluster.state import cache_dir
from loadlab.errors import ClusterError
from loadlab.files import fsync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.cluster.local_broker import Installation

_TIMEOUT_S = 60
_OWN_OPTIONS = "Picked up "  # how a JVM begins that takes options from JAVA_TOOL_OPTIONS


def format_storage(
    installation: Installation, directories: Sequence[Path], cluster_id: str, shared: Mapping[str, str]
) -> None:
    """Format all brokers' storage, their properties being written.

    Args:
        installation: Kafka and the runtime for its tool.
        directories: the brokers', by their ids from 1 on.
        cluster_id: the cluster's.
        shared: the properties that all of the brokers have.

    Raises:
        ClusterError: Kafka's tool refuses.
    """
    source = kept = _kept(installation, shared)
    if not kept.is_dir():
        source = data_dir(directories[0])
        _format(installation, directories[0], cluster_id)
        _keep(source, kept)
    for node_id, directory in enumerate(directories, start=1):
        if data_dir(directory) != source:
            shutil.copytree(source, data_dir(directory), dirs_exist_ok=True)
        _give_ids(data_dir(directory) / "meta.properties", cluster_id, node_id)


def _kept(installation: Installation, shared: Mapping[str, str]) -> Path:
    """Where storage is kept that was formatted by this Kafka for this configuration."""
    jars = installation.jars
    digest = hashlib.sha256("\n".join([*jars.identity, as_file(shared)]).encode()).hexdigest()[:16]
    return cache_dir() / "formatted" / f"kafka-{jars.version}-{digest}"


def _format(installation: Installation, directory: Path, cluster_id: str) -> None:
    options = ("format", "-t", cluster_id, "-c", str(properties_file(directory)))
    tool = installation.java_command(log_dir(directory), "kafka.tools.StorageTool", *options)
    # It ends before anything is worth compiling well.
    command = [tool[0], "-XX:TieredStopAtLevel=1", "-Xmx256m", *tool[1:]]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"Kafka's storage tool could not be run: {error}") from error
    if done.returncode:
        (log_dir(directory) / "console.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        complaint = _first_complaint(f"{done.stderr}\n{done.stdout}")
        raise ClusterError(f"Kafka's storage tool refuses to format: {complaint}")


def _first_complaint(said: str) -> str:
    """Return the line that names the mistake, without Java's words around it."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(_OWN_OPTIONS)]
    line = next((line for line in lines if "Exception" in line), "; ".join(lines))
    return line.rpartition("Exception: ")[2]


def _keep(source: Path, kept: Path) -> None:
    """Keep formatted storage for later clusters, whole or not at all; where there is no room, nothing is."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=kept.parent) as work:
            draft = Path(shutil.copytree(source, Path(work, kept.name)))
            for path in draft.iterdir():
                fsync(path)
            draft.rename(kept)  # which fails where another run was first


def _give_ids(meta: Path, cluster_id: str, node_id: int) -> None:
    own = {"cluster.id": cluster_id, "node.id": str(node_id), "directory.id": new_cluster_id()}
    lines = meta.read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if line.partition("=")[0] not in own]
    given = (f"{key}={value}" for key, value in own.items())
    meta.write_text("\n".join([*others, *given, ""]), encoding="utf-8")

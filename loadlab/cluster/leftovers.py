"""Ending clusters of processes by their records, and only what is proved to be ours."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadlab.cluster.state import ClusterRecord

DIRECTORY_PREFIX = "loadlab-"


def marker(run_id: str) -> str:
    """Return the text that every process of a cluster has in its command line."""
    return f"loadlab.run={run_id}"


def remove_processes(record: ClusterRecord) -> list[str]:
    """Kill a cluster's processes, remove its directory and forget it; returns what was removed.

    A process is ours if its start time is the recorded one and its command line has the run's marker.
    """
    ours = [
        one
        for one in record.brokers
        if one.identity.is_alive and one.identity.has_marker(marker(record.run_id))
    ]
    removed = [
        f"process {broker.identity.pid} of {record.run_id}"
        for broker in ours
        if broker.identity.send(signal.SIGKILL)
    ]
    for broker in ours:
        broker.identity.wait_until_gone()
    directory = Path(record.data_dir) if record.data_dir else None
    if directory and directory.name.startswith(DIRECTORY_PREFIX) and directory.is_dir():
        shutil.rmtree(directory, ignore_errors=True)
        removed.append(f"directory {directory}")
    record.forget()
    return removed

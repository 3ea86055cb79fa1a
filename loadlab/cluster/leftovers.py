"""Ending clusters of processes by their records, and only what is proved to be ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from loadlab.cluster.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.cluster.state import ClusterRecord

DIRECTORY_PREFIX = "loadlab-"


def marker(run_id: str) -> str:
    """Return the text that every process of a cluster has in its command line."""
    return f"loadlab.run={run_id}"


def remove_processes(record: ClusterRecord) -> list[str]:
    """Kill a cluster's processes, remove its directory and forget it; returns what was removed.

    A process is ours if its command line has the run's marker, and its start time is the recorded one or its
    files are the cluster's: one that was just started may not be remembered yet.
    """
    known = (one.identity for one in record.brokers)
    ours = {one for one in known if one.is_alive and one.has_marker(marker(record.run_id))}
    ours.update(_unremembered(record))
    removed = [
        f"process {identity.pid} of {record.run_id}"
        for identity in sorted(ours, key=lambda one: one.pid)
        if identity.send(signal.SIGKILL)
    ]
    for identity in ours:
        identity.wait_until_gone()
    directory = Path(record.data_dir) if record.data_dir else None
    if directory and directory.name.startswith(DIRECTORY_PREFIX) and directory.is_dir():
        shutil.rmtree(directory, ignore_errors=True)
        removed.append(f"directory {directory}")
    record.forget()
    return removed


def _unremembered(record: ClusterRecord) -> Iterator[ProcessIdentity]:
    """Find this user's brokers that have the run's marker and files of the cluster's directory."""
    if record.data_dir is None or not record.is_here:
        return
    option, files = f"-D{marker(record.run_id)}", f"{record.data_dir}{os.sep}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            arguments = process.cmdline()
            if option in arguments and any(one.startswith(files) for one in arguments):
                identity = ProcessIdentity.of(process.pid)
                if identity is not None:
                    yield identity

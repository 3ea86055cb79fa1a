"""Whether the machine bears the cluster that is asked for; said before anything starts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from loadlab.cgroups import available_bytes
from loadlab.cluster.affinity import check_cores
from loadlab.cluster.state import usable
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from loadlab.scenario.cluster import ClusterSpec

DATA_VARIABLE = "LOADLAB_DATA_DIR"
DEFAULT_HEAP_BYTES = 1 << 30  # Kafka's own default
_BROKERS_PER_CORE = 4
_FEWEST_REFUSED = 4  # three brokers are the smallest real cluster: any machine may try them
_SMALL_HEAP_BYTES = 512 << 20
_DISK_PER_BROKER_BYTES = 256 << 20
LOW_DISK_BYTES = 1 << 30
"""What must stay free on the brokers' disk: a load stops when less is left, and no cluster starts without."""
LEAST_DISK_BYTES = LOW_DISK_BYTES + _DISK_PER_BROKER_BYTES
"""What one broker needs to start."""


def heap_bytes(spec: ClusterSpec) -> int:
    """Return a broker's heap: as asked, else Kafka's default, else half of a smaller memory limit."""
    resources = spec.resources
    if resources is None:
        return DEFAULT_HEAP_BYTES
    if resources.heap_bytes:
        return resources.heap_bytes
    return (
        min(DEFAULT_HEAP_BYTES, resources.memory_bytes // 2) if resources.memory_bytes else DEFAULT_HEAP_BYTES
    )


def broker_memory_bytes(spec: ClusterSpec) -> int:
    """Return what one broker takes: its limit, else its heap and what a JVM has beside it."""
    limit = spec.resources.memory_bytes if spec.resources else None
    heap = heap_bytes(spec)
    return limit or heap + heap // 4 + (256 << 20)


def data_root() -> Path:
    """Return the directory for brokers' data: LOADLAB_DATA_DIR, else a temporary one that is on a disk.

    Raises:
        UsageError: LOADLAB_DATA_DIR names what can't be used.
    """
    if own := os.environ.get(DATA_VARIABLE):
        return usable(Path(own), DATA_VARIABLE)
    on_disk = Path("/var/tmp")  # noqa: S108  (the parent only; and /tmp is often memory, which would falsify results)
    return on_disk if os.access(on_disk, os.W_OK) else Path(tempfile.gettempdir())


def free_bytes(directory: Path) -> int | None:
    """Return the space left on the disk that holds a directory; None where it is not there (any more)."""
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None


def check_machine(
    spec: ClusterSpec, directory: Path, needed_disk_bytes: int = 0, *, within_limits: bool = False
) -> None:
    """Refuse a cluster that the machine can't bear.

    Args:
        spec: what is asked for.
        directory: where the brokers' data will be.
        needed_disk_bytes: what the run will write, replicas included.
        within_limits: whether the brokers will be processes beside this one: in its control groups, and with
            their data where it says.

    Raises:
        UsageError: the request contradicts itself or the machine's cores.
        ClusterError: too little memory or disk now.
    """
    _check_cores(spec)
    _check_memory(spec, available_bytes() if within_limits else psutil.virtual_memory().available)
    needed = max(needed_disk_bytes, spec.brokers * _DISK_PER_BROKER_BYTES)
    free = free_bytes(directory)
    if free is not None:
        elsewhere = f", or set {DATA_VARIABLE} to a larger disk" if within_limits else ""
        check_disk(free, needed, f"in {directory}", fix=f"free some space, shorten the run{elsewhere}")


def check_disk(
    free: int, needed: int, where: str, *, fix: str = "free some space, or shorten the run"
) -> None:
    """Refuse a disk that what will be written does not fit on.

    Args:
        free: bytes that are free.
        needed: bytes that will be written.
        where: the disk, as the message tells it.
        fix: what to do about it.

    Raises:
        ClusterError: it does not fit.
    """
    if free < needed + LOW_DISK_BYTES:
        raise ClusterError(
            f"the plan needs {_size(needed)} of disk beside {_size(LOW_DISK_BYTES)} that must stay free, and"
            f" {_size(free)} are free {where}",
            fix=fix,
        )


def _check_cores(spec: ClusterSpec) -> None:
    cores = os.cpu_count() or 1
    most = max(_FEWEST_REFUSED - 1, cores * _BROKERS_PER_CORE)
    if spec.brokers > most:
        raise ClusterError(
            f"{spec.brokers} brokers are more than this machine bears: at most {most} on its {cores} cores",
            fix=f"--set cluster.brokers={most} or fewer",
        )
    if spec.cpuset:
        check_cores(spec.cpuset)
    if spec.resources and spec.resources.cpus and spec.resources.cpus > cores:
        raise UsageError(
            f"cluster.resources.cpus {spec.resources.cpus:g} is more than this machine's {cores} cores",
            fix=f"--set cluster.resources.cpus={cores}",
        )


def _check_memory(spec: ClusterSpec, available: int) -> None:
    one = broker_memory_bytes(spec)
    if heap_bytes(spec) >= one:
        raise UsageError(
            f"cluster.resources.heap {_size(heap_bytes(spec))} leaves nothing of its memory, {_size(one)}",
            fix="half of the memory is a good heap: the page cache counts too",
        )
    if one * spec.brokers > available:
        asked = "1 broker needs" if spec.brokers == 1 else f"{spec.brokers} brokers need"
        each = "" if spec.brokers == 1 else f" ({_size(one)} each)"
        most = f": at most {available // one} fit" if available >= one else ""
        raise ClusterError(
            f"{asked} {_size(one * spec.brokers)} of memory{each}, and {_size(available)} are available"
            f"{most}",
            fix=_less_memory(spec),
        )


def _less_memory(spec: ClusterSpec) -> str:
    """What to ask for less of."""
    ways = ["fewer brokers"] if spec.brokers > 1 else []
    if spec.resources and spec.resources.memory_bytes:
        ways.append("a smaller cluster.resources.memory")
    elif heap_bytes(spec) > _SMALL_HEAP_BYTES:
        ways.append(f"--set cluster.resources.heap={_SMALL_HEAP_BYTES >> 20}MiB")
    return ", or ".join([*ways, "end what else takes memory"])


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"

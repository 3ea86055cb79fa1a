"""The control groups that this process is in: a container's limits, a service's, a pod's."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path("/sys/fs/cgroup")
"""Where control groups are mounted."""
OWN: Final = Path("/proc/self/cgroup")
"""Which of them this process is in."""

_MEMORY_FILES: Final = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, use, and what of the use is files that give way, in control groups of version 2 and of version 1
(Linux's Documentation: admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/memory.rst)."""


def folders(controller: str, root: Path = ROOT, own: Path = OWN) -> Iterator[Path]:
    """The control groups that this process is in, the innermost first, as far as they can have a controller.

    Args:
        controller: as version 1 calls it: "cpu".
        root: where control groups are mounted.
        own: which groups this process is in.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base = root
        elif controller in controllers.split(","):
            # Whatever their order in the name: "cpu" leads to it, where it is not the name.
            base = root / controllers if (root / controllers).is_dir() else root / controller
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        yield from (base / folder for folder in (inside, *inside.parents))


def available_bytes(root: Path = ROOT, own: Path = OWN) -> int:
    """The memory that this process and its children may still take: the machine's, or less by its groups."""
    rooms = [room for folder in folders("memory", root, own) if (room := _room(folder)) is not None]
    return max(0, min([psutil.virtual_memory().available, *rooms]))


def _room(folder: Path) -> int | None:
    """What a group may take beyond what it has; None where it has no limit."""
    for limit, use, files in _MEMORY_FILES:
        try:
            most, taken = (int((folder / name).read_text(encoding="ascii")) for name in (limit, use))
            lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):  # not there, or "max"
            continue
        stat = dict(line.split(maxsplit=1) for line in lines if " " in line)
        return most - taken + int(stat.get(files, 0))
    return None

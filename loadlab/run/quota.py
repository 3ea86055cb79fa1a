"""How often a CPU quota stopped this process's control groups: a container's limit, a service's, a pod's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadlab.cgroups import OWN, ROOT, folders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Periods(NamedTuple):
    """Of a quota: periods in which its group wanted to run, and those of them in which it was stopped."""

    counted: int
    throttled: int


def read_periods(root: Path = ROOT, own: Path = OWN) -> dict[str, Periods]:
    """What the kernel has counted until now, by control group: this process's own and those above it.

    By cpu.stat, whose first two figures control groups of both versions have (Linux's Documentation:
    admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst). Groups without a quota are left out.

    Args:
        root: where control groups are mounted.
        own: which groups this process is in.
    """
    found = {str(folder): _periods(folder) for folder in folders("cpu", root, own)}
    return {name: periods for name, periods in found.items() if periods is not None}


def throttled_share(begin: Mapping[str, Periods], end: Mapping[str, Periods]) -> float | None:
    """The share of its periods in which a quota stopped its group, of the strictest; None without one."""
    passed = [(begin.get(name, Periods(0, 0)), after) for name, after in end.items()]
    shares = [
        (after.throttled - before.throttled) / (after.counted - before.counted)
        for before, after in passed
        if after.counted > before.counted
    ]
    return max(shares, default=None)


def _periods(folder: Path) -> Periods | None:
    try:
        text = (folder / "cpu.stat").read_text(encoding="ascii")
    except OSError:
        return None
    figures = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    periods = Periods(int(figures.get("nr_periods", 0)), int(figures.get("nr_throttled", 0)))
    return periods if periods.counted else None

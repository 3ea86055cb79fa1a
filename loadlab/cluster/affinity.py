"""Pinning child processes to cores from their first instruction: a JVM counts its cores when it starts."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from loadlab.errors import UsageError
from loadlab.scenario.fields import cpuset_cores

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def children_on(cpuset: str | None) -> Iterator[None]:
    """Let processes started in the block run on these cores only; the calling thread gets its own back.

    Raises:
        UsageError: the machine lacks one of the cores.
    """
    if cpuset is None:
        yield
        return
    before = os.sched_getaffinity(0)  # of the calling thread; children inherit it from there
    check_cores(cpuset)
    try:
        os.sched_setaffinity(0, cpuset_cores(cpuset))
    except OSError as error:
        raise UsageError(
            f"cluster.cpuset {cpuset}: {error.strerror}",
            fix=f"choose of the cores that may be used here: {', '.join(map(str, sorted(before)))}",
        ) from error
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def own_cpuset() -> str | None:
    """The cores that this process may use; None where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


def check_cores(cpuset: str) -> None:
    """Refuse cores that the machine has not.

    Raises:
        UsageError: there is one.
    """
    cores = os.cpu_count() or 1
    if max(cpuset_cores(cpuset)) >= cores:
        raise UsageError(
            f"cluster.cpuset {cpuset}: this machine has the cores 0 to {cores - 1}",
            fix="name cores that it has",
        )

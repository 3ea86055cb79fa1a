"""Ports for brokers, held until the broker has them.

A port that was found free and let go can be taken before the broker binds it. So it is bound here,
exclusively, and only then marked as reusable: the broker (the JVM binds with SO_REUSEADDR) can bind and
listen beside the holder, while no other process that looks for a free port is given it.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LOOPBACK = "127.0.0.1"
_LOWEST = 10_000
_ATTEMPTS = 100
_STARTS = 3

Started = TypeVar("Started")


class PortClashError(ClusterError):
    """A broker found its port taken."""


def with_other_ports(start: Callable[[], Started], progress: Callable[[str], None]) -> Started:
    """Start something; while another process took a port of it, try again: each start holds new ones.

    Raises:
        PortClashError: the last try found a port taken, too.
    """
    for _ in range(_STARTS - 1):
        try:
            return start()
        except PortClashError:
            progress("another process took a port; trying again with others")
    return start()


class HeldPorts:
    """A number of free ports on the loopback address, held until the end of the block."""

    def __init__(self, count: int) -> None:
        self._sockets = [_hold() for _ in range(count)]
        self.ports = [int(held.getsockname()[1]) for held in self._sockets]

    def __enter__(self) -> Self:
        """Hold."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        for held in self._sockets:
            held.close()


def _hold() -> socket.socket:
    """Bind a port that no outgoing connection is given: a killed broker must find its own free again."""
    candidates = range(_LOWEST, _lowest_outgoing())
    for port in random.sample(candidates, min(_ATTEMPTS, len(candidates))):
        if held := _bind(port):
            return held
    if held := _bind(0):
        return held
    raise ClusterError(f"no port of {LOOPBACK} is free", fix="end programs that hold many ports")


def _bind(port: int) -> socket.socket | None:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.bind((LOOPBACK, port))
    except OSError:
        held.close()
        return None
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held


def _lowest_outgoing() -> int:
    """Return the lowest port that the system gives to outgoing connections."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return _LOWEST  # unknown: any free port will have to do

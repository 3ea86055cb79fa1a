"""Ports for brokers, held until the broker has them.

A port that was found free and let go can be taken before the broker binds it. So it is bound here,
exclusively, and only then marked as reusable: the broker (the JVM binds with SO_REUSEADDR) can bind and
listen beside the holder, while no other process that looks for a free port is given it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

LOOPBACK = "127.0.0.1"


class HeldPorts:
    """A number of free ports on the loopback address, held until `release` or the end of the block."""

    def __init__(self, count: int) -> None:
        self._sockets = [_hold() for _ in range(count)]
        self.ports = [int(held.getsockname()[1]) for held in self._sockets]

    def release(self) -> None:
        """Let the ports go."""
        for held in self._sockets:
            held.close()
        self._sockets.clear()

    def __enter__(self) -> Self:
        """Hold."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        self.release()


def _hold() -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.bind((LOOPBACK, 0))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held

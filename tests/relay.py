"""A relay that delays Kafka's requests and responses by a known time, and records the time it really took.

Run as a file, with nothing but the standard library:

    python relay.py TARGET_HOST TARGET_PORT

It prints the port of 127.0.0.1 that it listens on as its first line. Each line of its standard input is an
order, each answered by a line of JSON; it ends when that input does.

    delay REQUEST_US RESPONSE_US    hold what comes from now on for so long, and forget what was recorded
    report                          of produce requests in nanoseconds:
                                    {"request": [], "response": [], "round_trip": []}

A hold is from the moment at which the last byte of a request or response was here until the call that sent
it on has returned; a round trip is from the last byte of a request until its response was sent on. Requests
are told apart by Kafka's framing; other kinds are delayed too, but not recorded.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
_SPIN_NS = 100_000
_CHUNK_BYTES = 1 << 18
_PRODUCE = 0  # its API key
_PR_SET_TIMERSLACK = 29


@dataclass
class Direction:
    """One direction of one connection: what came in and waits for its time."""

    source: socket.socket
    target: socket.socket
    is_request: bool
    produces: dict[int, int]  # correlation id to arrival, of requests that wait for an answer
    buffer: bytearray = field(default_factory=bytearray)
    held: deque[tuple[int, bytes]] = field(default_factory=deque)

    def take(self) -> bool:
        """Reads what is there; whether the connection goes on."""
        try:
            chunk = self.source.recv(_CHUNK_BYTES)
        except OSError:
            return False
        arrived_ns = time.monotonic_ns()
        self.buffer += chunk
        while len(self.buffer) >= 4:
            end = 4 + int.from_bytes(self.buffer[:4], "big")
            if len(self.buffer) < end:
                break
            self.held.append((arrived_ns, bytes(self.buffer[:end])))
            del self.buffer[:end]
        return bool(chunk)

    def requested_ns(self, arrived_ns: int, frame: bytes) -> int | None:
        """When the produce request came that a frame is, or that it answers; None for other frames."""
        if not self.is_request:
            return self.produces.pop(int.from_bytes(frame[4:8], "big"), None)
        if int.from_bytes(frame[4:6], "big") != _PRODUCE:
            return None
        self.produces[int.from_bytes(frame[8:12], "big")] = arrived_ns
        return arrived_ns


class Relay:
    """All connections, served by one thread.

    Args:
        target: where requests go.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self._directions: dict[socket.socket, Direction] = {}
        self._delay_ns = {True: 0, False: 0}
        self._holds_ns: dict[bool, list[int]] = {True: [], False: []}
        self._round_trips_ns: list[int] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Relays until standard input ends."""
        while True:
            watched = [self._listener, sys.stdin, *self._directions]
            ready, _, _ = select.select(watched, [], [], self._wait_s())
            for one in ready:
                if one is self._listener:
                    self._connect()
                elif one is sys.stdin:
                    if not (line := sys.stdin.readline()):
                        return
                    _say(json.dumps(self._answer(*line.split())))
                elif one in self._directions and not self._directions[one].take():
                    self._close(self._directions[one])
            self._send_due()

    def _wait_s(self) -> float | None:
        """How long nothing has to be sent; none for the last 0.1 ms, which a sleep might miss."""
        dues = [self._due_ns(one) for one in self._directions.values() if one.held]
        return max(0, min(dues) - time.monotonic_ns() - _SPIN_NS) / 1e9 if dues else None

    def _due_ns(self, direction: Direction) -> int:
        return direction.held[0][0] + self._delay_ns[direction.is_request]

    def _send_due(self) -> None:
        for one in list(self._directions.values()):
            while one.held and self._due_ns(one) <= time.monotonic_ns():
                arrived_ns, frame = one.held.popleft()
                requested_ns = one.requested_ns(arrived_ns, frame)
                try:
                    one.target.sendall(frame)
                except OSError:
                    self._close(one)
                    break
                if requested_ns is not None:
                    self._record(one.is_request, arrived_ns, requested_ns)

    def _record(self, is_request: bool, arrived_ns: int, requested_ns: int) -> None:
        now_ns = time.monotonic_ns()
        self._holds_ns[is_request].append(now_ns - arrived_ns)
        if not is_request:
            self._round_trips_ns.append(now_ns - requested_ns)

    def _connect(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        produces: dict[int, int] = {}
        self._directions[near] = Direction(near, far, is_request=True, produces=produces)
        self._directions[far] = Direction(far, near, is_request=False, produces=produces)

    def _close(self, direction: Direction) -> None:
        for one in (direction.source, direction.target):
            self._directions.pop(one, None)
            one.close()

    def _answer(self, verb: str, *arguments: str) -> object:
        if verb == "delay":
            request_us, response_us = map(int, arguments)
            self._delay_ns = {True: request_us * 1_000, False: response_us * 1_000}
            self._holds_ns = {True: [], False: []}
            self._round_trips_ns = []
            return None
        holds_ns = self._holds_ns
        return {"request": holds_ns[True], "response": holds_ns[False], "round_trip": self._round_trips_ns}


class RelayProcess:
    """A relay as a process of its own.

    Args:
        target_port: where on 127.0.0.1 requests go.
    """

    def __init__(self, target_port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), LOOPBACK, str(target_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._line())

    def delay(self, request_us: int = 0, response_us: int = 0) -> None:
        """Delays what comes from now on, and forgets what was recorded."""
        self._ask(f"delay {request_us} {response_us}")

    def recorded_ns(self) -> dict[str, list[int]]:
        """How long each produce request and each answer to one was really held, and each round trip."""
        answer = self._ask("report")
        assert isinstance(answer, dict)
        return answer

    def stop(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _ask(self, line: str) -> object:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the relay ended"
        return line


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serves until standard input ends."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)
    # Where it may, it runs before everything else: a relay that waits for a core delays by more than it says.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    relay = Relay((sys.argv[1], int(sys.argv[2])))
    _say(str(relay.port))
    relay.serve()


if __name__ == "__main__":
    main()

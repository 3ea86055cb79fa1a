"""Knowing a process again: a pid alone may long belong to somebody else."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_END_TIMEOUT_S = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Ends what has to end: a signal that comes meanwhile is handled after the block.

    A mask would not do: a signal to the process goes to any thread that has none, and is handled at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    held = [number for number in _SIGNALS if callable(signal.getsignal(number))]
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in held}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in came[:1]:
            signal.raise_signal(number)


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, so described that no later process with its pid is mistaken for it.

    Attributes:
        pid: its process id.
        started: its start time, as the system writes it.
        boot_id: the boot of the machine that it ran in.
        pid_namespace: the namespace that its pid is counted in.
    """

    pid: int
    started: str
    boot_id: str
    pid_namespace: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Describe a living process; None if there is none (an ended child not yet waited for is none)."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started, boot_id(), pid_namespace())

    @classmethod
    def current(cls) -> ProcessIdentity:
        """Describe the calling process."""
        return cls(os.getpid(), _start_time(os.getpid()) or "", boot_id(), pid_namespace())

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity | None:
        """Read what `str` wrote; None if it is not that."""
        parts = text.split("/")
        if len(parts) != 4 or not parts[0].isdecimal():  # noqa: PLR2004  (the four fields)
            return None
        return cls(int(parts[0]), parts[1], parts[2], parts[3])

    def __str__(self) -> str:
        """Write it so that a container's label can hold it."""
        return f"{self.pid}/{self.started}/{self.boot_id}/{self.pid_namespace}"

    @property
    def is_judgeable(self) -> bool:
        """Whether this process can tell if that one lives: the same boot and pid namespace."""
        return self.boot_id == boot_id() and self.pid_namespace == pid_namespace()

    @property
    def is_alive(self) -> bool:
        """Whether it lives; False also where that can't be judged."""
        return self.is_judgeable and _start_time(self.pid) == self.started

    @property
    def has_ended(self) -> bool:
        """Whether it is known to live no more; False also where that can't be judged."""
        return self.is_judgeable and not self.is_alive and not _is_hidden(self.pid)

    @property
    def is_stopped(self) -> bool:
        """Whether it lives and stands still (SIGSTOP)."""
        try:
            return self.is_alive and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    def has_marker(self, marker: str) -> bool:
        """Say whether its command line holds a text: the second proof that it is ours."""
        try:
            return any(marker in argument for argument in psutil.Process(self.pid).cmdline())
        except psutil.Error:
            return False

    def send(self, number: signal.Signals) -> bool:
        """Send a signal if it lives; returns whether it was sent."""
        if not self.is_alive:
            return False
        with contextlib.suppress(ProcessLookupError):  # it ended in between, which is what counts
            os.kill(self.pid, number)
            return True
        return False

    def wait_until_gone(self, timeout_s: float = _END_TIMEOUT_S) -> bool:
        """Wait until it lives no more; returns whether that came in time."""
        deadline_s = time.monotonic() + timeout_s
        while self.is_alive:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.01)
        return True


def signal_name(number: int) -> str:
    """Name a signal; of the real-time ones Python knows only the first and the last by name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@functools.cache
def boot_id() -> str:
    """Return the id of this boot of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@functools.cache
def host_id() -> str:
    """Return this machine's name, and what tells it from others of that name: its id, else this boot."""
    try:
        machine_id = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        machine_id = ""
    return f"{socket.gethostname()}/{machine_id or boot_id()}"


@functools.cache
def pid_namespace() -> str:
    """Return the name of the namespace that pids are counted in; empty where there are none."""
    try:
        return Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """Read when a process started: clock ticks since boot, which no clock change moves."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_time_elsewhere(pid)
    state, threads, started = fields[0], int(fields[17]), fields[19]
    # A leader may be dead before its threads are, which still hold files and ports.
    return None if state in "ZX" and threads <= 1 else started


def _is_hidden(pid: int) -> bool:
    """Whether a process is there of which nothing can be read: another user's, by proc(5)'s hidepid."""
    if os.access(f"/proc/{pid}/stat", os.R_OK):
        return False
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _start_time_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None

"""A small process that ends brokers when the process that started them is gone, however it went.

Run as a file with nothing but the standard library: python guard.py MARKER DIRECTORY. Its standard input
holds one line for each broker, `PID START_TIME`; when the input ends (its writer ended, even by SIGKILL) it
kills those that are still the same processes, waits for them and removes the directory. Who ends the brokers
itself kills it after them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

_WAIT_S = 10.0


def main(marker: str, directory: str) -> None:
    """Read the brokers until the input ends, then end them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    brokers: set[tuple[int, str]] = set()
    for line in sys.stdin:
        pid, started = line.split()
        brokers.add((int(pid), started))
    for pid, started in brokers:
        if _is_same(pid, started, marker):
            with contextlib.suppress(ProcessLookupError):  # it ended by itself in between
                os.kill(pid, signal.SIGKILL)
    deadline_s = time.monotonic() + _WAIT_S
    while any(_is_same(pid, started, marker) for pid, started in brokers) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    shutil.rmtree(directory, ignore_errors=True)


def _is_same(pid: int, started: str, marker: str) -> bool:
    """Say whether a pid still is the broker: the same start time, and our marker in its command line."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    is_dead = fields[0] in "ZX" and int(fields[17]) <= 1
    return not is_dead and fields[19] == started and marker.encode() in command


if __name__ == "__main__":
    main(*sys.argv[1:3])

"""What a worker tells of itself in its slab: that it lives, and what it takes of CPU and memory."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from loadlab.measurement.slab import Command, Phase

if TYPE_CHECKING:
    import threading

    import numpy as np
    import numpy.typing as npt

    from loadlab.measurement.slab import Slab

COMMAND_POLL_S: Final = 0.001
"""How often a worker looks for a command."""


class ThreadTimes(NamedTuple):
    """For how long a thread has run, and has stood in line for a core."""

    ran_ns: int
    waited_ns: int


_NO_TIMES: Final = ThreadTimes(0, 0)


def times_of(thread: Path) -> ThreadTimes:
    """What a thread's /proc/PID/task/TID tells; zeros where it has ended or the kernel does not tell.

    The first figures of schedstat there (Documentation/scheduler/sched-stats.rst of Linux).
    """
    with contextlib.suppress(OSError):
        ran, waited, _ = (thread / "schedstat").read_text(encoding="ascii").split()
        return ThreadTimes(int(ran), int(waited))
    return ThreadTimes(0, 0)


class Watch:
    """The worker's side of the slab: commands, heartbeat and CPU time.

    Args:
        slab: the worker's slab.
        loop: the thread whose CPU time counts as the loop's.
    """

    def __init__(self, slab: Slab, loop: threading.Thread) -> None:
        self._record = slab.record
        self._loop = loop
        self._next_phase = 0
        self._started = False
        self._process_ns = 0
        self._threads: dict[str, ThreadTimes] = {}

    def told(self, command: Command) -> bool:
        """Whether the parent has come as far as this command."""
        return bool(self._record["command"][0] >= command)

    def await_command(self, command: Command) -> None:
        """Waits for a command; the kernel ends the wait if the parent dies."""
        while not self.told(command):
            self.beat()
            time.sleep(COMMAND_POLL_S)

    def beat(self) -> None:
        """Notes that the worker lives, and takes CPU times at each end of a phase that has passed."""
        now_ns = time.monotonic_ns()
        if self._started:
            gap_ns = now_ns - int(self._record["heartbeat_ns"][0])
            self._record["longest_gap_ns"] = max(gap_ns, int(self._record["longest_gap_ns"][0]))
        self._record["heartbeat_ns"] = now_ns
        start_ns = int(self._record["start_ns"][0])
        self._started = self._started or 0 < start_ns <= now_ns
        ends_ns = [int(self._record[name][0]) for name in ("warmup_end_ns", "measure_end_ns")]
        while self._started and self._next_phase < len(ends_ns) and now_ns >= ends_ns[self._next_phase]:
            self._take(self._record["usage"][:, self._next_phase])
            self._next_phase += 1

    def finish(self) -> None:
        """Takes the last CPU times and the most memory that was held."""
        self.beat()
        self._take(self._record["usage"][:, Phase.DRAIN])
        self._record["max_rss_bytes"] = _most_memory_bytes()

    def _take(self, usage: npt.NDArray[np.void]) -> None:
        # The sum over all threads was seen to fall by a millisecond where one of them ended.
        self._process_ns = max(self._process_ns, time.process_time_ns())
        usage["cpu_ns"] = self._process_ns
        if self._loop.is_alive() and self._loop.ident is not None:
            clock = time.pthread_getcpuclockid(self._loop.ident)
            usage["loop_cpu_ns"] = time.clock_gettime_ns(clock)
        else:
            usage["loop_cpu_ns"] = self._record["loop_cpu_ns"]
        loop = str(self._loop.native_id)
        others = {
            thread.name: times_of(thread)
            for thread in Path("/proc/self/task").iterdir()
            if thread.name != loop
        }
        left_ns = int(self._record["loop_wait_ns"][0]) or times_of(Path("/proc/self/task") / loop).waited_ns
        before = self._threads
        # Threads that have ended stay as they were last seen: what they took was taken.
        self._threads = before | {
            name: ThreadTimes(*map(max, times, before.get(name, _NO_TIMES))) for name, times in others.items()
        }
        usage["wait_ns"] = left_ns + sum(times.waited_ns for times in self._threads.values())
        usage["busiest_ns"] = max(
            times.ran_ns - before.get(name, _NO_TIMES).ran_ns for name, times in self._threads.items()
        )


def _most_memory_bytes() -> int:
    """The most memory that this process held; what getrusage tells includes the parent's at the fork."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0

"""What a worker asks of the kernel, beyond what Python offers."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

# int prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_TIMERSLACK: Final = 29
_SHORTEST_SLACK_NS: Final = 1


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def wake_punctually() -> None:
    """Lets this thread, and those it starts, wake at a deadline instead of up to 50 µs behind it."""
    _prctl(_PR_SET_TIMERSLACK, _SHORTEST_SLACK_NS)


def die_with_parent(parent_pid: int) -> None:
    """Makes the kernel kill this process when its parent is gone, also when it is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)

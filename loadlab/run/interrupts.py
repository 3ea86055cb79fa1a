"""Ctrl-C, SIGTERM and a closed terminal: the first keeps what was measured, the second ends at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _handled() -> list[signal.Signals]:
    """The signals that end a run; who started it under nohup wants it to outlive its terminal."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _SIGNALS if not (ignored and number is signal.SIGHUP)]


@dataclass(eq=False)
class Interrupts:
    """What the user asked for by signals.

    Attributes:
        requested: the load is to stop.
        gentle: whether a first signal only sets `requested`; otherwise it raises KeyboardInterrupt, as
            there is nothing measured yet that could be kept.
    """

    requested: bool = False
    gentle: bool = field(default=False)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.gentle and not self.requested:
            self.requested = True
            return
        raise KeyboardInterrupt

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handles the signals; in any other thread than the main one Python can't, and nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in _handled()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ends what has to end: signals that come meanwhile are ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _handled()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

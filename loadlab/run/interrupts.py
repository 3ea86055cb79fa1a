"""Ctrl-C, SIGTERM and a closed terminal: the first keeps what was measured, the second ends at once."""

from __future__ import annotations

import math
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ECHO_S: Final = 0.1
"""Nobody asks twice within so short a time."""


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
        missed: a signal came that `requested` does not tell of: it was let pass while something was being
            ended, or raised KeyboardInterrupt.
    """

    requested: bool = False
    gentle: bool = False
    missed: bool = False
    _told_s: dict[int, float] = field(default_factory=dict)

    @property
    def came(self) -> bool:
        """Whether the user asked for the end at any time: no further run may begin then."""
        return self.requested or self.missed

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._is_same_word(number):
            return
        if self.gentle and not self.requested:
            self.requested = True
            return
        self.missed = True  # Python drops what is raised in a weak reference's callback
        raise KeyboardInterrupt

    def _is_same_word(self, number: int) -> bool:
        """Whether a signal tells once more of what was told of before.

        Of a closed terminal shell and kernel both tell; and timeout(1) tells the process, and then its group.
        """
        before_s, now_s = self._told_s.get(number, -math.inf), time.monotonic()
        self._told_s[number] = now_s
        return now_s - before_s < (math.inf if number == signal.SIGHUP else _ECHO_S)

    def _on_late_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._is_same_word(number)
        self.missed = True

    def heed(self) -> None:
        """Handles the signals from now on: for the process that is the command, from its very beginning."""
        for number in _handled():
            signal.signal(number, self._on_signal)

    @contextmanager
    def handled(self) -> Iterator[Interrupts]:
        """Handles the signals; in any other thread than the main one Python can't, and nothing is done.

        Raises:
            KeyboardInterrupt: one came before, and Python dropped what was raised then.
        """
        outer = heeding()
        if outer is not None and outer.came:
            raise KeyboardInterrupt
        with _handlers(self._on_signal):
            try:
                yield self
            finally:
                if outer is not None:
                    outer.missed |= self.missed

    def _on_deferred_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._is_same_word(number):
            return
        if self.missed or self.requested:
            raise KeyboardInterrupt
        self.missed = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Does what must not be left half done: a first signal is only noted, the user's second ends it."""
        with _handlers(self._on_deferred_signal):
            yield

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Ends what has to end: signals that come meanwhile are only noted."""
        with _handlers(self._on_late_signal):
            yield


def heeding() -> Interrupts | None:
    """Who handles the signals now; None where it is Python or somebody else."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, Interrupts) else None


def heed_no_more() -> None:
    """Ignores signals that are ours, as what they ask for is under way: this process ends."""
    if heeding() is not None and threading.current_thread() is threading.main_thread():
        for number in _handled():
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _handled()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)

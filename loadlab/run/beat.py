"""A thread that asks once a second: what asks the brokers must not hold up the run when they hang."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EVERY_NS: Final = NS_PER_S
_GOLDEN: Final = (5**0.5 - 1) / 2
"""Of all shares, its multiples fall most evenly into the unit interval, however many there are."""


@dataclass(eq=False)
class Beat:
    """Calls something once a second and at the ends of phases, until it is stopped.

    Attributes:
        name: the thread's.
        call: what is called; it must not raise.
        spread: call once in each second, each time at another place in it, and not at its beginning: what
            goes up and down once a second (bursts, commits) would be seen at one point of its way for ever.
    """

    name: str
    call: Callable[[], object]
    spread: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, start_ns: int, marks_ns: Sequence[int]) -> None:
        """Begins at the common start.

        Args:
            start_ns: the common start.
            marks_ns: further moments at which to call: the ends of phases.
        """
        self._thread = threading.Thread(
            target=self._follow, args=(start_ns, sorted(marks_ns)), name=self.name, daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """Ends it after the call under way, which is not waited for."""
        self._stop.set()

    def stop(self) -> None:
        """Ends it; a call under way is waited for."""
        self.cancel()
        if self._thread is not None:
            self._thread.join()

    def _follow(self, start_ns: int, marks_ns: list[int]) -> None:
        marks = [mark for mark in marks_ns if mark > start_ns]
        due_ns = start_ns
        while not self._stop.wait(max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S)):
            self.call()
            now_ns = time.monotonic_ns()
            marks = [mark for mark in marks if mark > now_ns]
            due_ns = min([self.next_ns(start_ns, now_ns), *marks])

    def next_ns(self, start_ns: int, now_ns: int) -> int:
        """When it is due next, marks left aside.

        Args:
            start_ns: the common start.
            now_ns: after which.
        """
        second = (now_ns - start_ns) // _EVERY_NS
        dues = (start_ns + self._place_ns(number) for number in (second, second + 1))
        return next(due_ns for due_ns in dues if due_ns > now_ns)

    def _place_ns(self, second: int) -> int:
        within = second * _GOLDEN % 1.0 if self.spread else 0.0
        return second * _EVERY_NS + int(within * _EVERY_NS)

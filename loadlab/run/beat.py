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


@dataclass(eq=False)
class Beat:
    """Calls something once a second and at the ends of phases, until it is stopped.

    Attributes:
        name: the thread's.
        call: what is called; it must not raise.
    """

    name: str
    call: Callable[[], object]
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
            due_ns = start_ns + ((now_ns - start_ns) // _EVERY_NS + 1) * _EVERY_NS
            marks = [mark for mark in marks if mark > now_ns]
            due_ns = min([due_ns, *marks])

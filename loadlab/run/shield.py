"""Observers that can't end a run: where a display fails, the run goes on without one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadlab.run.progress import Progress, RunObserver


@dataclass(eq=False)
class Shield:
    """Hands everything on, until that fails for the first time.

    Attributes:
        observer: who is told; a terminal that has been closed gives OSError for good.
        gone: whether that has happened.
    """

    observer: RunObserver
    gone: bool = False

    def message(self, text: str) -> None:
        """Hands a message on."""
        self._tell(partial(self.observer.message, text))

    def warn(self, text: str) -> None:
        """Hands a warning on."""
        self._tell(partial(self.observer.warn, text))

    def progress(self, progress: Progress) -> None:
        """Hands an interval on."""
        self._tell(partial(self.observer.progress, progress))

    def _tell(self, telling: Callable[[], None]) -> None:
        if not self.gone:
            try:
                telling()
            except OSError:
                self.gone = True


class Several:
    """Tells several observers; one that fails takes nothing from the others.

    Args:
        observers: who is told, in this order.
    """

    def __init__(self, *observers: RunObserver) -> None:
        self._shields = [Shield(observer) for observer in observers]

    def message(self, text: str) -> None:
        """Hands a message on."""
        for shield in self._shields:
            shield.message(text)

    def warn(self, text: str) -> None:
        """Hands a warning on."""
        for shield in self._shields:
            shield.warn(text)

    def progress(self, progress: Progress) -> None:
        """Hands an interval on."""
        for shield in self._shields:
            shield.progress(progress)

"""What happened in a run, in order: the lines of events.jsonl."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from loadlab.run.progress import RunObserver


@dataclass(eq=False)
class Events:
    """Takes down what happens, and tells whoever watches.

    Attributes:
        observer: is told each event in words.
        lines: one object an event: `at_s` (CLOCK_MONOTONIC less that of the first), `event`, `text`.
    """

    observer: RunObserver
    lines: list[dict[str, JsonValue]] = field(default_factory=list)
    _origin_ns: int = field(default_factory=time.monotonic_ns)

    def note(self, event: str, text: str, **details: JsonValue) -> None:
        """Takes an event down.

        Args:
            event: what kind of event.
            text: the event in words.
            details: further members of its line.
        """
        self._add(event, text, details)
        self.observer.message(text)

    def trouble(self, event: str, text: str, **details: JsonValue) -> None:
        """Takes an event down that nobody must miss."""
        self._add(event, text, details)
        self.observer.warn(text)

    def _add(self, event: str, text: str, details: Mapping[str, JsonValue]) -> None:
        at_s = (time.monotonic_ns() - self._origin_ns) / NS_PER_S
        self.lines.append({"at_s": round(at_s, 3), "event": event, "text": text, **details})

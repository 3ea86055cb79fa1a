"""What becomes of each key of OpenMessaging Benchmark's files, and the typed reading of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from loadlab.hints import near

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_FLAGS: Final = frozenset(("true", "false"))
"""YAML 1.2 has no others; Jackson, with which OMB reads its files, takes them as texts too."""

Outcome = Literal["mapped", "defaulted", "refused"]


@dataclass(frozen=True)
class KeyReport:
    """What became of one key.

    Attributes:
        file: "workload" or "driver".
        key: as the file has it; a property within a block as ``producerConfig.acks``.
        outcome: mapped: the scenario has it; defaulted: the file leaves it out, and the scenario has what OMB
            would do then; refused: the scenario has it not.
        told: where it stands in the scenario, or why it doesn't.
        blocks: whether without it the load would be another, so that no scenario is made.
        unknown: whether OMB has no such key.
    """

    file: str
    key: str
    outcome: Outcome
    told: str
    blocks: bool = False
    unknown: bool = False


@dataclass
class Keys:
    """The keys of one file; each that is read is reported.

    Attributes:
        file: "workload" or "driver".
        data: what the file holds.
        reports: what became of the keys so far.
    """

    file: str
    data: Mapping[str, object]
    reports: list[KeyReport] = field(default_factory=list)

    def has(self, key: str) -> bool:
        """Whether the file says anything for a key."""
        return self.data.get(key) is not None

    def whole(self, key: str, default: int = 0) -> int:
        """A whole number of 0 or more; the default where it is left out, or refused."""
        value = self.data.get(key, default)
        text = str(default if value is None else value)
        if isinstance(value, bool) or not _WHOLE.fullmatch(text):
            self.refused(key, "must be a whole number of 0 or more, below a billion billion", blocks=True)
            return default
        return int(text)

    def share(self, key: str, default: float) -> float:
        """A number from 0 to 1; the default where it is left out, or refused."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            self.refused(key, "must be a number from 0 to 1", blocks=True)
            return default
        return float(value)

    def flag(self, key: str) -> bool:
        """Whether a key is true; false where it is left out, or refused."""
        text = str(self.data.get(key)).lower()
        if self.has(key) and text not in _FLAGS:
            self.refused(key, "must be true or false", blocks=True)
        return text == "true"

    def text(self, key: str) -> str:
        """A text; empty where it is left out."""
        value = self.data.get(key)
        return "" if value is None else str(value)

    def taken(self, key: str, told: str) -> None:
        """Reports a key as mapped where the file has it, and as defaulted where it leaves it out."""
        self._report(key, "mapped" if self.has(key.partition(".")[0]) else "defaulted", told)

    def mapped(self, key: str, told: str) -> None:
        """Reports a key as mapped."""
        self._report(key, "mapped", told)

    def defaulted(self, key: str, told: str) -> None:
        """Reports something that the file leaves out."""
        self._report(key, "defaulted", told)

    def refused(self, key: str, why: str, *, blocks: bool = False) -> None:
        """Reports a key as refused."""
        self._report(key, "refused", why, blocks=blocks)

    def ignored(self, known: Collection[str]) -> None:
        """Reports the keys that OMB ignores too: it doesn't know them, or has no use for them here."""
        reported = {each.key.partition(".")[0] for each in self.reports}
        for key in self.data:
            meant = near(key, known) if key not in known else None
            hint = f'; did you mean "{meant}"?' if meant else ""
            if key not in known:
                told = f"OpenMessaging Benchmark has no such key and ignores it{hint}"
                self._report(key, "refused", told, unknown=True)
            elif key not in reported:
                self.refused(key, "nothing comes of it, as the other keys are")

    def _report(
        self, key: str, outcome: Outcome, told: str, *, blocks: bool = False, unknown: bool = False
    ) -> None:
        if not any(each.key == key and each.outcome == "refused" for each in self.reports):
            self.reports.append(KeyReport(self.file, key, outcome, told, blocks, unknown))

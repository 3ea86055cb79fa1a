"""What a rule of the linter is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.scenario.lint.subject import Subject

Severity = Literal["high", "medium", "low"]
SEVERITIES: Final[tuple[Severity, ...]] = ("high", "medium", "low")
"""high: records are lost or refused, or a number doesn't mean what it seems to; medium: throughput, latency
or availability is given away; low: worth knowing."""


class Hit(NamedTuple):
    """A place where a configuration has the mistake.

    Attributes:
        path: where, dotted as in scenarios.
        message: what is so there, with its figures; one sentence without a full stop.
    """

    path: str
    message: str


@dataclass(frozen=True)
class Rule:
    """A mistake that configurations are known to have.

    Attributes:
        code: its name.
        severity: how much it matters.
        reason: why it is a mistake.
        source: the document that says so, by title and section.
        fix: what to do about it.
        find: finds where a configuration has it.
    """

    code: str
    severity: Severity
    reason: str
    source: str
    fix: str
    find: Callable[[Subject], Iterator[Hit]]


@dataclass(frozen=True)
class LintFinding:
    """A mistake in a configuration.

    Attributes:
        rule: which.
        path: where: dotted, as in scenarios.
        message: what is so there.
        place: the same as file:line; None for a default, and where nothing is known of a file.
    """

    rule: Rule
    path: str
    message: str
    place: str | None = None

    @property
    def in_short(self) -> str:
        """One line, as runs and plans warn of it."""
        return f"{self.rule.code}: {self.path}: {self.message}; fix: {self.rule.fix}"

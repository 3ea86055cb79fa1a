"""What is wrong with a scenario, and where: all problems of a file together, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.errors import ScenarioError
from loadlab.scenario.document import Document, Path, Place
from loadlab.scenario.secrets import holds_secret, redacted_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN: Final = 100
_WIDTH: Final = 120
_LONGEST: Final = 600


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: the keys that lead to it.
        message: what is wrong, in one sentence without a full stop.
        suggestion: what was probably meant, or None.
        at_key: whether the key is wrong, and not its value.
        place: what the problem is in, where the document has no such place: a ``--set`` that leads nowhere.
    """

    path: Path
    message: str
    suggestion: str | None = None
    at_key: bool = False
    place: str | None = None

    def placed(self, document: Document) -> Place:
        """Where the problem is."""
        return Place(self.place, None) if self.place else document.place(self.path, at_key=self.at_key)


def dotted(path: Path) -> str:
    """A path as people write it: ``producers.checkout.topic``, ``thresholds.backlog[0]``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def scenario_error(problems: Iterable[Problem], document: Document) -> ScenarioError:
    """One error that tells of every problem, in the order of their places."""
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: _order(problem, document))
    lines = [_rendered(problem, document) for problem in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"… and {len(ordered) - _SHOWN} problems more")
    return ScenarioError("\n".join(lines))


def _order(problem: Problem, document: Document) -> tuple[int, int, int]:
    place = problem.placed(document)
    return (1, 0, 0) if place.mark is None else (0, place.mark.line, place.mark.column)


def _rendered(problem: Problem, document: Document) -> str:
    place = problem.placed(document)
    where = f"{dotted(problem.path)}: " if problem.path else ""
    lines = [_printable(f"{place.name}: {where}{problem.message}"[:_LONGEST])]
    if place.mark is not None and place.mark.line <= len(document.lines):
        line = document.lines[place.mark.line - 1]
        # A secret may stand on a line of its own, below its key.
        if not holds_secret(problem.path) or line != redacted_line(line):
            lines += _quoted(line, place.mark.column)
    if problem.suggestion:
        lines.append(_printable(f'    did you mean "{problem.suggestion}"?'))
    return "\n".join(lines)


def _quoted(line: str, column: int) -> list[str]:
    """A source line and a caret under its column (1-based), cut to a width that a terminal holds."""
    text = _printable(redacted_line(line.replace("\t", " ")))
    start = max(0, column - _WIDTH * 2 // 3)
    return [f"    {text[start : start + _WIDTH]}", f"    {' ' * (min(column, len(text) + 1) - 1 - start)}^"]


def _printable(text: str) -> str:
    """A text that can't move a terminal's cursor or colour it, whatever a scenario holds."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)

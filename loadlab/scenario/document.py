"""A scenario as plain data that remembers where each value came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Key = str | int
Path = tuple[Key, ...]
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
OriginKind = Literal["file", "environment", "set", "default"]


def lines_of(text: str) -> list[str]:
    """The lines of a text as YAML and java.util.Properties count them: other separators end none."""
    *lines, last = _LINE_END.split(text)
    return [*lines, last] if last else lines


def is_property(path: Path) -> bool:
    """Whether a path leads to a property of a client, topic or broker; a topic called config is none."""
    return len(path) > 1 and path[1 if path[0] == "cluster" else 2 : -1] == ("config",)


def keeps_digits(path: Path) -> bool:
    """Whether a number is the text that it was written as there: 4.10 is another version than 4.1."""
    return is_property(path) or path == ("cluster", "kafka_version")


def is_number(value: object) -> bool:
    """Whether a plain value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Mark:
    """A place in a text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Marks:
    """Where a key stands and where its value starts; an entry of a list has no key of its own."""

    key: Mark
    value: Mark


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: the file, a variable of the environment, ``--set``, or the default.
        place: ``file:line:column``, the variable's name, the text of ``--set``, or ``default``.
    """

    kind: OriginKind
    place: str


@dataclass(frozen=True)
class Place:
    """What a problem's first line starts with, and the place in the file where there is one."""

    name: str
    mark: Mark | None


@dataclass
class Document:
    """Plain data (mappings, lists, texts, numbers, true and false) with the origin of each value.

    Attributes:
        name: what the file is called in messages.
        lines: the file's lines.
        data: the mapping that the file holds, overrides applied.
        marks: places of all that comes from the file.
        overrides: origins of all that was set over it.
        numbers: as the file writes them: 1.10 is another property than 1.1.
    """

    name: str
    lines: list[str]
    data: dict[str, object]
    marks: dict[Path, Marks] = field(default_factory=dict)
    overrides: dict[Path, Origin] = field(default_factory=dict)
    numbers: dict[Path, str] = field(default_factory=dict)

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Where the value of a path is, or the nearest thing around it that the user wrote."""
        if path and path not in self.marks:
            # What nothing but an override brought is where the override is.
            below = (place for place in self.overrides if place[: len(path)] == path)
            if (first := next(below, None)) is not None:
                return Place(self.overrides[first].place, None)
        for length in range(len(path), -1, -1):
            if path[:length] in self.overrides:
                return Place(self.overrides[path[:length]].place, None)
            if path[:length] in self.marks:
                marks = self.marks[path[:length]]
                mark = marks.key if at_key or length < len(path) else marks.value
                return Place(f"{self.name}:{mark.line}:{mark.column}", mark)
        return Place(self.name, None)

    def origin(self, path: Path) -> Origin:
        """Where the value of a path comes from."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.overrides:
                return self.overrides[path[:length]]
        if path in self.marks:
            return Origin("file", self.place(path).name)
        return Origin("default", "default")

    def forget(self, path: Path) -> None:
        """Drops the origins of a path and of all below it."""
        self.marks = {other: marks for other, marks in self.marks.items() if other[: len(path)] != path}
        self.overrides = {other: one for other, one in self.overrides.items() if other[: len(path)] != path}


def value_at(data: object, path: Path) -> object:
    """The value that a path leads to, or None where it leads nowhere."""
    for key in path:
        if isinstance(data, Mapping):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data

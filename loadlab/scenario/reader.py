"""Reads YAML into plain data with the place of each node; what a scenario has no use for is refused at once.

Anchors, aliases, tags, directives, keys that are no text, more than one document, nesting over 32 and files
over 1 MiB never reach a model: most of them are ways to make a small file expand into a huge one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from loadlab.errors import ScenarioError
from loadlab.hints import is_text
from loadlab.scenario.document import Document, Mark, Marks, Path, is_number, keeps_digits, lines_of
from loadlab.scenario.problems import Problem, scenario_error
from loadlab.scenario.secrets import holds_secret
from loadlab.scenario.wording import HALF_A_CHARACTER

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 32
MAX_NODES: Final = 20_000
MAX_TEXT: Final = 16_384

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_WORDS: Final[dict[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def parse(text: str, name: str) -> tuple[Document, list[Problem]]:
    """Reads a scenario's text.

    Returns:
        The document, and a problem for each key that is there twice.

    Raises:
        ScenarioError: not YAML, or YAML that a scenario may not have.
    """
    document = Document(name, lines_of(text), {})
    value, problems = _Reader(text, document).read()
    if value is None:
        raise ScenarioError(f"{name}: is empty; a scenario starts with name: and topics:")
    if not isinstance(value, dict):
        raise ScenarioError(f"{name}:1:1: must be a mapping with keys such as name and topics")
    document.data = value
    return document, problems


def parse_value(text: str, name: str, place: Path) -> object:
    """Reads one value, as ``--set`` takes it.

    Args:
        text: the value.
        name: what messages call it.
        place: where it is to stand in the scenario.

    Raises:
        ScenarioError: not YAML, or YAML that a scenario may not have.
    """
    reader = _Reader(text, Document(name, [], {}), place)
    value, problems = reader.read()
    if text[reader.end :].strip():
        raise ScenarioError(
            f"{name}: is cut at #, which begins a comment in YAML; quote the value: '\"a #b\"'"
        )
    if problems:
        raise ScenarioError(f"{name}: {problems[0].message}")
    return value


class _Reader:
    """Turns the events of ruamel.yaml into plain data and places."""

    def __init__(self, text: str, document: Document, place: Path = ()) -> None:
        self._events: Iterator[Event] = self._noted(YAML(typ="safe", pure=True).parse(text))
        self._text = text
        self._document = document
        self._place = place
        self._nodes = 0
        self._at: Path = ()
        self._problems: list[Problem] = []
        self.end = 0

    def _noted(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events; `end` is where the last value ends."""
        for event in events:
            if isinstance(event, ScalarEvent | SequenceEndEvent | MappingEndEvent):
                self.end = event.end_mark.index
            yield event

    def read(self) -> tuple[object, list[Problem]]:
        try:
            return self._stream(), self._problems
        except MarkedYAMLError as error:
            # What is wrong with a tag holds the tag, which may be the beginning of a password.
            problem = str(error.problem or error.context)
            message = "tags (!) are not allowed" if "tag" in problem else f"is not YAML: {problem}"
            self._refuse(message, self._where(error))
        except ReaderError as error:
            upto = lines_of(f"{self._text[: error.position]}?")
            self._refuse(f"is not YAML: {error.reason}", Mark(len(upto), len(upto[-1])))
        except YAMLError as error:
            first = str(error).partition("\n")[0]
            raise ScenarioError(f"{self._document.name}: is not YAML: {first}") from None
        except (ValueError, OverflowError):
            # By ruamel.yaml, of an escape beyond Unicode and the like.
            why = "an escape or a version has a number beyond what there is"
            raise ScenarioError(f"{self._document.name}: is not YAML: {why}") from None

    def _where(self, error: MarkedYAMLError) -> Mark:
        """The place of an error; where that is only the end of the text, the start of what is not closed."""
        mark = error.problem_mark or error.context_mark
        if error.context_mark and mark and mark.line >= len(self._document.lines):
            mark = error.context_mark
        return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)

    def _stream(self) -> object:
        value: object = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("a second document starts here; a scenario is one", _mark(event))
                if event.version or event.tags:
                    self._refuse("directives (%) have no use in a scenario", _mark(event))
                value = self._node(next(self._events), (), None, 0)
            elif isinstance(event, StreamEndEvent):
                break
        return value

    def _node(self, event: Event, path: Path, key: Mark | None, depth: int) -> object:
        mark = _mark(event)
        self._guard(event, mark, depth)
        absent = isinstance(event, ScalarEvent) and not event.value and not event.style
        self._document.marks[path] = Marks(key or mark, key if key and absent else mark)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path, depth)
        if isinstance(event, ScalarEvent):
            value = (
                _joined(event.value)
                if event.style
                else _resolved(event.value, as_text=keeps_digits((*self._place, *path)))
            )
            if is_number(value):
                self._document.numbers[path] = event.value
            return value
        raise AssertionError(f"ruamel.yaml sent a {type(event).__name__} where a node starts")

    def _guard(self, event: Event, mark: Mark, depth: int) -> None:
        """Refuses what could expand, and what a scenario has no use for."""
        self._nodes += 1
        if isinstance(event, AliasEvent):
            self._refuse("aliases (*) are not allowed; write the value out", mark)
        if getattr(event, "anchor", None):
            self._refuse("anchors (&) are not allowed; write the value out", mark)
        if getattr(event, "tag", None) is not None:
            self._refuse("tags (!) are not allowed", mark)
        if depth > MAX_DEPTH:
            self._refuse(f"nesting is deeper than {MAX_DEPTH}", mark)
        if isinstance(event, ScalarEvent) and len(event.value) > MAX_TEXT:
            self._refuse(f"a text is longer than {MAX_TEXT:,} characters", mark)
        if self._nodes > MAX_NODES:
            self._refuse(f"holds more than {MAX_NODES:,} values", mark)

    def _sequence(self, path: Path, depth: int) -> list[object]:
        values: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            values.append(self._node(event, (*path, len(values)), None, depth + 1))
        return values

    def _mapping(self, path: Path, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            mark = _mark(event)
            self._guard(event, mark, depth)
            if not isinstance(event, ScalarEvent):
                self._refuse("a key must be a text", mark)
            key = _joined(str(event.value))
            if not is_text(key):
                self._refuse(f"a key {HALF_A_CHARACTER}", mark)
            if key in values:
                self._twice(path, key, mark, depth)
            else:
                self._at = (*path, key)
                values[key] = self._node(next(self._events), self._at, mark, depth + 1)
        return values

    def _twice(self, path: Path, key: str, mark: Mark, depth: int) -> None:
        """Keeps the first value of a key that is there twice, and tells where the second is."""
        first = self._document.marks[(*path, key)].key.line
        again = (*path, f"{key} (again)")
        self._node(next(self._events), again, mark, depth + 1)
        self._problems.append(
            Problem(again, f'"{key}" is there twice; the first is on line {first}', at_key=True)
        )

    def _refuse(self, message: str, mark: Mark) -> NoReturn:
        self._document.marks = {(): Marks(mark, mark)}
        if holds_secret(self._at):
            self._document.lines = []  # none is quoted
        raise scenario_error([Problem((), message)], self._document)


def _joined(text: str) -> str:
    """A text with the characters that surrogate pairs stand for, as JSON escapes those beyond 16 bits."""
    if is_text(text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return text


def _mark(event: Event) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _resolved(text: str, *, as_text: bool = False) -> object:
    """The value of a plain scalar by YAML 1.2's core schema: ``yes``, ``on`` and dates are texts.

    Of a property or a version a number stays the text that it is: 0123 may be a secret, 4.10 is not 4.1.
    """
    if text in _WORDS:
        return _WORDS[text]
    if as_text:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text

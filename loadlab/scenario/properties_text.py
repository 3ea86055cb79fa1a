"""Texts in the form of java.util.Properties, as Kafka's own tools and OpenMessaging Benchmark read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.hints import HintedError
from loadlab.scenario.document import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT: Final = re.compile(r"\s*([#!]|$)")
_ENTRY: Final = re.compile(r"\s*(?P<key>(?:\\.|[^\s=:\\])+)(?:\s*[=:]\s*|\s+)(?P<value>.*)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_BEHIND: Final = re.compile(r"(?<!\\)((?:\\\\)*)\s+$")
_LETTERS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True)
class Entry:
    """One property of a text.

    Attributes:
        key: its name.
        value: its value; may be secret.
        line: where it begins, from 1.
    """

    key: str
    value: str
    line: int

    def __repr__(self) -> str:
        """The entry without its value, which may be a password."""
        return f"Entry({self.key!r}, line {self.line})"


def entries(text: str) -> list[Entry]:
    """The properties of a text, in its order; of a key that is there twice, the last counts.

    Raises:
        HintedError: a line is no ``key=value``, or holds what is no character; it names the line, never its
            text.
    """
    found: dict[str, Entry] = {}
    for number, line in _logical_lines(text):
        if _COMMENT.match(line):
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            raise HintedError(f"line {number} is not of the form key=value")
        try:
            # Java keeps spaces behind a value; nobody means them, unless they are escaped.
            key, value = _unescaped(entry["key"]), _unescaped(_BEHIND.sub(r"\1", entry["value"]))
        except UnicodeDecodeError:
            raise HintedError(f"line {number} has an escape that is half a character") from None
        if "\0" in key + value:
            raise HintedError(f"line {number} has a character 0, where librdkafka's texts end")
        found[key] = Entry(key, value, number)
    return list(found.values())


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that they go on in: a line goes on where it ends with an odd number of backslashes."""
    whole, first = "", 0
    for number, line in enumerate(lines_of(text), start=1):
        part = line.lstrip() if whole else line
        first = first if whole else number
        is_comment = not whole and _COMMENT.match(part) is not None
        if not is_comment and (len(part) - len(part.rstrip("\\"))) % 2:
            whole += part[:-1]
            continue
        yield first, whole + part
        whole = ""
    if whole:
        yield first, whole


def _unescaped(text: str) -> str:
    """A text without escapes; those of characters beyond 16 bits come in two halves, as in Java.

    Raises:
        UnicodeDecodeError: half of such a character stands alone.
    """

    def letter(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(letter, text).encode("utf-16", "surrogatepass").decode("utf-16")

"""Write to stdout and stderr so that a closed pipe or a narrow encoding ends nothing."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

Style = Literal["plain", "good", "warn", "bad", "dim"]

# ECMA-48 "select graphic rendition".
_LOOKS: dict[Style, str] = {
    "plain": "",
    "good": "\x1b[1;32m",
    "warn": "\x1b[1;33m",
    "bad": "\x1b[1;31m",
    "dim": "\x1b[2m",
}
_LOOK_END = "\x1b[0m"


@dataclass(frozen=True)
class Line:
    """A line of text and how it looks where colours are shown."""

    text: str
    style: Style = "plain"


def print_lines(lines: Iterable[Line]) -> None:
    """Write lines to stdout, in colour where it is a terminal and NO_COLOR is not set."""
    colour = wants_colour(sys.stdout)
    for line in lines:
        print_text(_painted(line) if colour else line.text)


def print_text(text: str) -> None:
    """Write a text and a line end to stdout."""
    _write(sys.stdout, text)


def print_json(document: object) -> None:
    """Write a document to stdout as JSON; dates and paths become their text."""
    print_text(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_note(text: str) -> None:
    """Write a text and a line end to stderr."""
    _write(sys.stderr, text)


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def wants_colour(stream: TextIO) -> bool:
    """Whether colours may be written there; NO_COLOR (no-color.org) forbids them."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def _painted(line: Line) -> str:
    look = _LOOKS[line.style]
    return f"{look}{line.text}{_LOOK_END}" if look else line.text


def _write(stream: TextIO, text: str) -> None:
    """Write and flush; once the reader or the terminal has gone, what else is written goes nowhere."""
    try:
        stream.write(text + "\n")
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

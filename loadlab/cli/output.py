"""Write to stdout and stderr so that a closed pipe or a narrow encoding ends nothing."""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

from loadlab.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from loadlab.cli.options import OutputFormat

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
_UNSHOWN = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
"""What moves the cursor of a terminal, or worse: a stored text may be somebody else's."""

_NOBODY_READS = {errno.EPIPE, errno.EIO}  # a pipe, a terminal


@dataclass(frozen=True)
class Line:
    """A line of text and how it looks where colours are shown."""

    text: str
    style: Style = "plain"


def print_lines(lines: Iterable[Line]) -> None:
    """Write lines to stdout, in colour where it is a terminal and NO_COLOR is not set."""
    colour = wants_colour(sys.stdout)
    for line in lines:
        shown = Line(line.text.translate(_UNSHOWN), line.style)
        print_text(_painted(shown) if colour else shown.text)


def print_text(text: str) -> None:
    """Write a text and a line end to stdout."""
    _write(sys.stdout, text)


def print_json(document: object) -> None:
    """Write a document to stdout as JSON; dates and paths become their text."""
    print_document(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_document(text: str) -> None:
    """Write a text for other programs to stdout and a line end: in UTF-8, whatever the locale."""
    _write(sys.stdout, text, encoding="utf-8")


def print_stored(document: Path, output: OutputFormat, lines: Callable[[], Iterable[Line]]) -> None:
    """Write what is stored: its document as it stands on the disk, or the lines that sum it up."""
    if output == "json":
        print_document(document.read_text(encoding="utf-8").rstrip("\n"))
    else:
        print_lines(lines())


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


def _write(stream: TextIO, text: str, encoding: str | None = None) -> None:
    """Write and flush; once the reader or the terminal has gone, what else is written goes nowhere.

    Raises:
        RunError: stdout takes no more for another reason, such as a full disk.
    """
    try:
        if encoding is None:
            stream.write(text + "\n")
        else:
            stream.flush()
            stream.buffer.write(f"{text}\n".encode(encoding, errors="replace"))
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if stream is sys.stdout and error.errno not in _NOBODY_READS:
            raise RunError(f"standard output can't be written: {error.strerror}") from error

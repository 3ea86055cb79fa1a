"""Reads the text of a scenario file, and refuses what can't be one before it is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.errors import ScenarioError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 2**20


def is_missing(path: Path) -> bool:
    """Whether there is no such file; of one that can't be looked at, reading it tells why."""
    try:
        return not path.is_file()
    except OSError:
        return False


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        ScenarioError: no file, no plain file, not readable, larger than MAX_BYTES, or not UTF-8.
    """
    try:
        if path.is_dir():
            raise ScenarioError(f"{path}: is a directory, not a scenario file")
        if path.exists() and not path.is_file():
            raise ScenarioError(f"{path}: is no plain file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ScenarioError(f"{path}: can't be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ScenarioError(f"{path}: is larger than 1 MiB; a scenario is a few kB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ScenarioError(f"{path}:{line}: is not UTF-8 text") from None

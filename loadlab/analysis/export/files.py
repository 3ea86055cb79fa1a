"""What an export came to, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.errors import RunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_UNSAFE: Final = re.compile(r"[^\w.-]")
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


@dataclass(frozen=True)
class Exported:
    """An export.

    Attributes:
        contents: of each file, by its name in the export's folder; a single file has the name "".
        notes: what the reader must know of its figures and the format can't say.
    """

    contents: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


def file_name(*parts: str) -> str:
    """A name of those parts that leads nowhere else: a scenario or result may say what it likes."""
    return "-".join(_UNSAFE.sub("_", part) for part in parts).lstrip(".") or "_"


def write_files(contents: Mapping[Path, bytes], *, replace: bool, make_folders: bool = True) -> None:
    """Write files under temporary names, and give them their own when all are on the disk.

    Args:
        contents: by path.
        replace: whether files that exist may go.
        make_folders: whether folders that are missing are made.

    Raises:
        UsageError: one exists and may not go, or can't be written; none of them is changed then.
        RunError: the disk is full; likewise.
    """
    for path in contents:
        _check_place(path, replace=replace)
    drafts = {path: path.with_name(f".new-{os.getpid()}-{place}") for place, path in enumerate(contents)}
    try:
        for path, draft in drafts.items():
            with _telling(path):
                if make_folders:
                    path.parent.mkdir(parents=True, exist_ok=True)
                _write(draft, contents[path])
        for path, draft in drafts.items():
            with _telling(path):
                draft.replace(path)
    finally:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _check_place(path: Path, *, replace: bool) -> None:
    """What a file can't take the place of is told before any other file has taken its own."""
    with _telling(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        taken = not replace and path.exists()
    if taken:
        raise UsageError(f"{path} exists already", fix="name another by --output, or give --force")


def unwritable(path: Path, error: OSError) -> UsageError | RunError:
    """What to raise for a file that can't be written; only a full disk is not the user's choice."""
    message = f"{path} can't be written: {error.strerror or error}"
    if error.errno in _FULL:
        return RunError(message, fix="free disk space, or name a place elsewhere by --output")
    return UsageError(message, fix="name a place that is there and can be written by --output")


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

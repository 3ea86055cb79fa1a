"""Files that are there whole or not at all, and locks that a process loses when it is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = fcntl.LOCK_NB
"""Added to how a lock is taken: without waiting for it."""


def write_whole(path: Path, text: str) -> None:
    """Write a file; whoever reads it, also after a kill or a power cut, finds the old one or this one.

    Args:
        path: where; its folder is there.
        text: what it is to hold, stored as UTF-8.

    Raises:
        OSError: it can't be written; the old one is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        fsync(draft)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Bring a file, or what a folder names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX, *, made_with: int | None = None) -> Iterator[None]:
    """Hold a lock (flock) on a file or folder for as long as the block runs.

    Args:
        path: what to lock. It is opened for reading only: another user's may be locked, too.
        how: LOCK_EX or LOCK_SH of `fcntl`; with `NOW`, it is not waited for.
        made_with: the mode to make the file with where it is missing; None to make none.

    Raises:
        BlockingIOError: another process holds it, and it is not to be waited for.
        OSError: it can't be opened.
    """
    making = 0 if made_with is None else os.O_CREAT
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | making, made_with or 0)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)

"""Folders to make things in that take minutes and hundreds of megabytes, and that a kill must not leave."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadlab.files import NOW, locked

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "loadlab-unfinished-"
_LEAST_AGE_S: Final = 60.0
"""One that is younger may be about to be locked."""


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """An empty folder in another one; it goes with the block, and those that killed processes left go first.

    Raises:
        OSError: there is no place for it.
    """
    beside.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(beside)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=beside) as directory, locked(Path(directory)):
        yield Path(directory)


def _clear_abandoned(beside: Path) -> None:
    """Removes what no process has locked any more."""
    for folder in beside.glob(f"{_PREFIX}*"):
        with suppress(OSError), locked(folder, fcntl.LOCK_EX | NOW):
            if time.time() - folder.stat().st_mtime > _LEAST_AGE_S and not _has_mounts(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _has_mounts(folder: Path) -> bool:
    """Whether anything is mounted below a folder: what is there is not its own."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return any(f" {folder}/" in line for line in mounts)

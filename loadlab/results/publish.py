"""A folder that appears at once and whole, or not at all.

Files are written under a temporary name that its writer holds locked. A writer that is killed loses the lock,
by which the next writer knows that what it finds is nobody's any more. (A process id would not do: containers
that share the folder have ids of their own.)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.errors import RunError, UnwritableError
from loadlab.files import NOW, fsync, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

TEMPORARY_PREFIX = ".incomplete-"
_LOCK_FILE = ".lock"
_READ_ONLY_FILE = 0o444
_LEAST_FREE_BYTES = 16 << 20
"""A result takes some hundred kilobytes, one of hours some megabytes."""


def ensure_writable(results_dir: Path) -> None:
    """Make the folder for results and see that it can be written, before anything is measured.

    Raises:
        UnwritableError: it can't be made or written, or has no room.
    """
    try:
        results_dir.mkdir(parents=True, exist_ok=True)
        # To write tells why it can't be done; to ask for the right (access) tells only that.
        with tempfile.TemporaryFile(dir=results_dir), _locked(results_dir):
            free_bytes = shutil.disk_usage(results_dir).free
    except OSError as error:
        raise UnwritableError(
            f"results can't be written to {results_dir}: {_why_not(results_dir, error)}",
            fix="name a folder that can be written with --results-dir or LOADLAB_RESULTS_DIR",
        ) from error
    if free_bytes < _LEAST_FREE_BYTES:
        raise UnwritableError(
            f"results can't be written to {results_dir}: its disk has {free_bytes >> 10} KiB left",
            fix="free disk space, or name another folder with --results-dir",
        )


def _why_not(folder: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "it is a link to nothing" if folder.is_symlink() and not folder.exists() else "it is no folder"
    return error.strerror or str(error)


@contextlib.contextmanager
def published(results_dir: Path, name: str) -> Iterator[Path]:
    """Give a temporary folder to write into; publish it under its name when the block ends well.

    Args:
        results_dir: where the folder is to stand; made if it is missing.
        name: the folder's name.

    Yields:
        The temporary folder. Its files are read-only and on the disk before they appear.

    Raises:
        RunError: the name is taken, or writing failed; nothing is left behind then.
    """
    try:
        results_dir.mkdir(parents=True, exist_ok=True)
        with _temporary(results_dir, name) as temporary:
            yield temporary
            _settle(temporary)
            with _locked(results_dir):
                _refuse_existing(results_dir / name)
                temporary.rename(results_dir / name)
            fsync(results_dir)
    except OSError as error:
        raise RunError(
            f"the result could not be stored in {results_dir}: {error.strerror or error}",
            fix=fix_for(error),
        ) from error


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise RunError(f"{target} exists already: a stored result is never changed", fix="use another run id")


def fix_for(error: OSError) -> str:
    """What helps where results can't be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "free disk space, or name another folder with --results-dir"
    return "name a folder that can be written with --results-dir or LOADLAB_RESULTS_DIR"


def _locked(results_dir: Path) -> AbstractContextManager[None]:
    """Hold the folder's lock: for making, publishing and clearing away only, never while data is written."""
    return locked(results_dir / _LOCK_FILE, made_with=0o666)


@contextlib.contextmanager
def _temporary(results_dir: Path, name: str) -> Iterator[Path]:
    """A fresh temporary folder, locked as long as the block runs; gone afterwards unless renamed."""
    folder = results_dir / f"{TEMPORARY_PREFIX}{name}.{os.getpid()}"
    with contextlib.ExitStack() as stack:
        with _locked(results_dir):
            _clear_abandoned(results_dir)
            folder.mkdir()
            stack.enter_context(locked(folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _clear_abandoned(results_dir: Path) -> None:
    """Remove temporary folders whose writers are dead."""
    for folder in results_dir.glob(f"{TEMPORARY_PREFIX}*"):
        if folder.is_dir() and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether nobody holds it; one that can't be opened is gone meanwhile, or another user's."""
    try:
        with locked(folder, fcntl.LOCK_EX | NOW):
            return True
    except OSError:
        return False


def _settle(folder: Path) -> None:
    """Make all files read-only and bring them, and the folders that name them, to the disk."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent, name)
            fsync(path)
            path.chmod(_READ_ONLY_FILE)
        fsync(Path(parent))

"""Where capacity searches are kept: results/<capacity-id>/capacity.json, written anew after each probe."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.errors import RunError, UsageError
from loadlab.results.model_capacity import CAPACITY_SCHEMA_VERSION, CapacityResult
from loadlab.results.versions import read_versioned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPACITY_FILE = "capacity.json"
_TEMPORARY = ".capacity.json.new"


@dataclass(frozen=True)
class StoredCapacity:
    """A capacity search on the disk: what it found so far, and its folder."""

    result: CapacityResult
    path: Path


def save_capacity(result: CapacityResult, results_dir: Path) -> StoredCapacity:
    """Store a search as it is now: a reader, and whoever comes after a kill, finds the old or the new whole.

    Raises:
        RunError: it can't be written.
    """
    folder = results_dir / result.capacity_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _TEMPORARY).open("w", encoding="utf-8") as file:
            file.write(result.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        (folder / _TEMPORARY).replace(folder / CAPACITY_FILE)
    except OSError as error:
        raise RunError(
            f"the search could not be stored in {folder}: {error.strerror}",
            fix="free disk space, or name a folder that can be written with --results-dir",
        ) from error
    return StoredCapacity(result, folder)


@contextlib.contextmanager
def only_searcher(folder: Path) -> Iterator[None]:
    """Keep a second process from going on with the same search; a killed one loses its claim.

    Raises:
        UsageError: another process is at it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UsageError(f"another process goes on with {folder.name} now", fix="wait for its end") from error
    finally:
        os.close(descriptor)


def load_capacity(capacity_id: str, results_dir: Path) -> StoredCapacity:
    """Read a stored search.

    Raises:
        UsageError: there is none of that id, or it can't be read.
    """
    folder = results_dir / capacity_id
    if not (folder / CAPACITY_FILE).is_file():
        raise UsageError(
            f"no capacity search {capacity_id} in {results_dir}", fix="`loadlab list` shows what is stored"
        )
    return read_capacity(folder)


def read_capacity(folder: Path) -> StoredCapacity:
    """Read the search that stands in a folder.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    return StoredCapacity(
        read_versioned(folder / CAPACITY_FILE, CapacityResult, CAPACITY_SCHEMA_VERSION, {}), folder
    )

"""Where capacity searches are kept: results/<capacity-id>/capacity.json, written anew after each probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.errors import UsageError
from loadlab.results.growing import folder_of, is_under_way, refuse_other_id, write_anew
from loadlab.results.model_capacity import CAPACITY_SCHEMA_VERSION, CapacityResult
from loadlab.results.versions import read_versioned

if TYPE_CHECKING:
    from pathlib import Path

CAPACITY_FILE = "capacity.json"


@dataclass(frozen=True)
class StoredCapacity:
    """A capacity search on the disk: what it found so far, and its folder."""

    result: CapacityResult
    path: Path

    @property
    def under_way(self) -> bool:
        """Whether a process goes on with it."""
        return not self.result.finished and is_under_way(self.path)


def save_capacity(result: CapacityResult, results_dir: Path) -> StoredCapacity:
    """Store a search as it is now: a reader, and whoever comes after a kill, finds the old or the new whole.

    Raises:
        RunError: it can't be written.
    """
    folder = results_dir / result.capacity_id
    write_anew(result, folder / CAPACITY_FILE, "search")
    return StoredCapacity(result, folder)


def load_capacity(capacity_id: str, results_dir: Path) -> StoredCapacity:
    """Read a stored search, by its id, or the id's beginning or end.

    Raises:
        UsageError: there is none of that id, or it can't be read.
    """
    folder = folder_of(capacity_id, results_dir, CAPACITY_FILE)
    if not (folder / CAPACITY_FILE).is_file():
        raise UsageError(
            f"no capacity search {capacity_id} in {results_dir}", fix="`loadlab list` shows what is stored"
        )
    stored = read_capacity(folder)
    refuse_other_id(capacity_id, stored.result.capacity_id, folder, "search")
    return stored


def read_capacity(folder: Path) -> StoredCapacity:
    """Read the search that stands in a folder.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    return StoredCapacity(
        read_versioned(folder / CAPACITY_FILE, CapacityResult, CAPACITY_SCHEMA_VERSION, {}), folder
    )

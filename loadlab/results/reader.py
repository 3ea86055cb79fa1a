"""Find and read what is stored: runs, run sets, capacity searches and studies, of all schema versions."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from loadlab.errors import UsageError
from loadlab.results.capacity_store import CAPACITY_FILE, StoredCapacity, read_capacity
from loadlab.results.model import SCHEMA_VERSION, RunResult
from loadlab.results.run_id import is_called
from loadlab.results.runset import RUNSET_FILE, RunSet, read_set
from loadlab.results.study_store import STUDY_FILE, StoredStudy, read_study
from loadlab.results.versions import Upgrades, read_versioned

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT_FILE = "result.json"
_FILES = (RESULT_FILE, RUNSET_FILE, CAPACITY_FILE, STUDY_FILE)

# Version 1 is the first.
_UPGRADES: Upgrades = {}


@dataclass(frozen=True)
class StoredRun:
    """A run on the disk.

    Attributes:
        result: what it measured.
        path: its folder.
    """

    result: RunResult
    path: Path


@dataclass(frozen=True)
class StoredSet:
    """A run set on the disk.

    Attributes:
        runs: what it says.
        path: its folder; those of its runs stand beside it.
    """

    runs: RunSet
    path: Path

    def load_runs(self) -> list[StoredRun]:
        """Read its runs, in their order.

        Raises:
            UsageError: one is not there any more, or can't be read.
        """
        return [load(each.run_id, self.path.parent) for each in self.runs.runs]


Stored = TypeVar("Stored")


@dataclass(frozen=True)
class Entry(Generic[Stored]):
    """A line of a list of what is stored.

    Attributes:
        name: the folder's, which is the id of what is in it.
        path: the folder.
        stored: what is in it; None where it can't be read.
        problem: why it can't be read; None where it can.
    """

    name: str
    path: Path
    stored: Stored | None
    problem: str | None = None


def load(run: str | Path, results_dir: Path) -> StoredRun:
    """Read one stored run.

    Args:
        run: a run id, its beginning or its end, or the path of a run's folder or of its result.json.
        results_dir: where run ids are looked up.

    Raises:
        UsageError: there is no such run, or it can't be read.
    """
    found = load_any(run, results_dir)
    if isinstance(found, StoredSet):
        raise UsageError(f"{run} is a run set", fix=f"name one of its runs: {found.runs.runs[0].run_id}")
    return found


def load_any(name: str | Path, results_dir: Path) -> StoredRun | StoredSet:
    """Read one stored run or run set; otherwise as `load_stored`.

    Raises:
        UsageError: also where it is a capacity search or a study.
    """
    found = load_stored(name, results_dir)
    if isinstance(found, StoredStudy):
        runs = [run.measured.run_id for run in found.result.runs if run.measured.run_id is not None]
        raise UsageError(f"{name} is a study", fix=f"name one of its runs: {runs[-1]}" if runs else None)
    if isinstance(found, StoredCapacity):
        probes = found.result.probes
        fix = f"name the run of a probe: {probes[-1].run_id}" if probes else None
        raise UsageError(f"{name} is a capacity search", fix=fix)
    return found


def load_stored(name: str | Path, results_dir: Path) -> StoredRun | StoredSet | StoredCapacity | StoredStudy:
    """Read one stored run, run set, capacity search or study.

    Args:
        name: an id, its beginning or its end where no other has the same, or the path of a folder or of the
            file in it.
        results_dir: where ids are looked up.

    Raises:
        UsageError: there is none, there are several, or it can't be read.
    """
    folder = _find(name, results_dir)
    if _holds(folder, RUNSET_FILE):
        return _read_set(folder)
    if _holds(folder, CAPACITY_FILE):
        return read_capacity(folder)
    if _holds(folder, STUDY_FILE):
        return read_study(folder)
    return _read_run(folder)


def load_stored_study(name: str | Path, results_dir: Path) -> StoredStudy:
    """Read one stored study; arguments and errors are `load_stored`'s.

    Raises:
        UsageError: there is none, there are several, it can't be read, or it is something else.
    """
    found = load_stored(name, results_dir)
    if not isinstance(found, StoredStudy):
        raise UsageError(f"{name} is no study", fix=f"loadlab show {name}")
    return found


def list_capacities(results_dir: Path) -> list[Entry[StoredCapacity]]:
    """All stored capacity searches, oldest first; a damaged one is listed with its problem.

    Raises:
        UsageError: the folder can't be read.
    """
    return _listed(results_dir, CAPACITY_FILE, read_capacity)


def list_studies(results_dir: Path) -> list[Entry[StoredStudy]]:
    """All stored studies, oldest first; a damaged one is listed with its problem.

    Raises:
        UsageError: the folder can't be read.
    """
    return _listed(results_dir, STUDY_FILE, read_study)


def list_sets(results_dir: Path) -> list[Entry[StoredSet]]:
    """All stored run sets, oldest first; a damaged one is listed with its problem.

    Raises:
        UsageError: the folder can't be read.
    """
    return _listed(results_dir, RUNSET_FILE, _read_set)


def list_runs(results_dir: Path) -> list[Entry[StoredRun]]:
    """All stored runs, oldest first; a damaged one is listed with its problem.

    Raises:
        UsageError: the folder can't be read. One that doesn't exist holds no runs.
    """
    return _listed(results_dir, RESULT_FILE, _read_run)


def read_result(path: Path) -> RunResult:
    """Read a result.json of this schema version or an older one.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    return read_versioned(path, RunResult, SCHEMA_VERSION, _UPGRADES)


def _find(name: str | Path, results_dir: Path) -> Path:
    """The folder of a run or a set; an id goes before a path."""
    folders = [results_dir / name, Path(name)]
    if Path(name).name in _FILES:
        folders.append(Path(name).parent)
    for folder in folders:
        if any(_holds(folder, file) for file in _FILES):
            return folder
    known = [folder.name for folder in _folders(results_dir, *_FILES)]
    text = str(name)
    alike = [each for each in known if text and is_called(each, text)]
    if len(alike) == 1:
        return results_dir / alike[0]
    if alike:
        raise UsageError(f"{name} may be {', '.join(alike[:-1])} or {alike[-1]}", fix="write more of the id")
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    raise UsageError(
        f"nothing called {name} is stored in {results_dir}" + (f"; did you mean {near[0]}?" if near else ""),
        fix="`loadlab list` shows what is stored; --results-dir says where to look",
    )


def _folders(results_dir: Path, *files: str) -> list[Path]:
    """Folders that hold one of these files, oldest first; temporary ones are no results."""
    try:
        names = sorted(path for path in results_dir.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{results_dir} can't be read: {error.strerror}") from error
    return [folder for folder in names if any(_holds(folder, file) for file in files)]


def _holds(folder: Path, file: str) -> bool:
    """Whether a file is there; a folder that may not be looked into counts as a run, which tells why."""
    try:
        return (folder / file).is_file()
    except OSError:
        return file == RESULT_FILE


def _listed(results_dir: Path, file: str, read: Callable[[Path], Stored]) -> list[Entry[Stored]]:
    return [_entry(folder, read) for folder in _folders(results_dir, file)]


def _entry(folder: Path, read: Callable[[Path], Stored]) -> Entry[Stored]:
    try:
        return Entry(folder.name, folder, read(folder))
    except UsageError as error:
        return Entry(folder.name, folder, None, error.message)


def _read_set(folder: Path) -> StoredSet:
    return StoredSet(read_set(folder / RUNSET_FILE), folder)


def _read_run(folder: Path) -> StoredRun:
    return StoredRun(read_result(folder / RESULT_FILE), folder)

"""Read stored results, of this schema version and of older ones."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable  # noqa: TC003  the type of a constant
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, ValidationError

from loadlab.errors import UsageError
from loadlab.results.model import SCHEMA_VERSION, RunResult

RESULT_FILE = "result.json"

Document = dict[str, JsonValue]

# From each older version, the step that makes the next one of it. Version 1 is the first.
_UPGRADES: dict[int, Callable[[Document], Document]] = {}


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
class RunEntry:
    """A line of the list of runs.

    Attributes:
        run_id: the folder's name.
        path: the folder.
        result: what was measured; None where it can't be read.
        problem: why it can't be read; None where it can.
    """

    run_id: str
    path: Path
    result: RunResult | None
    problem: str | None = None


def load(run: str | Path, results_dir: Path) -> StoredRun:
    """Read one stored run.

    Args:
        run: a run id, or the path of a run's folder or of its result.json.
        results_dir: where run ids are looked up.

    Raises:
        UsageError: there is no such run, or it can't be read.
    """
    folder = _find(run, results_dir)
    return StoredRun(result=read_result(folder / RESULT_FILE), path=folder)


def list_runs(results_dir: Path) -> list[RunEntry]:
    """All stored runs, oldest first; a damaged one is listed with its problem.

    Raises:
        UsageError: the folder can't be read. One that doesn't exist holds no runs.
    """
    return [_entry(folder) for folder in _run_folders(results_dir)]


def read_result(path: Path) -> RunResult:
    """Read a result.json of this schema version or an older one.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    document = _read_document(path)
    version = document.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise UsageError(f"{path} is not a result of loadlab: it has no schema version")
    if version > SCHEMA_VERSION:
        raise UsageError(
            f"{path} has schema version {version}; this loadlab reads up to {SCHEMA_VERSION}",
            fix=f"use loadlab {document.get('loadlab_version', '')} or newer".replace("  ", " "),
        )
    for older in range(version, SCHEMA_VERSION):
        document = _UPGRADES[older](document)
    return _validated(document, path)


def _validated(document: Document, path: Path) -> RunResult:
    try:
        return RunResult.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{path} is damaged: {place}: {first['msg']}", fix="run the scenario again"
        ) from error


def _read_document(path: Path) -> Document:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {error}", fix="run the scenario again") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} is not a result of loadlab: no JSON object")
    return document


def _find(run: str | Path, results_dir: Path) -> Path:
    """The folder of a run; an id goes before a path."""
    folders = [results_dir / run, Path(run)]
    if Path(run).name == RESULT_FILE:
        folders.append(Path(run).parent)
    for folder in folders:
        if (folder / RESULT_FILE).is_file():
            return folder
    known = [folder.name for folder in _run_folders(results_dir)]
    near = difflib.get_close_matches(str(run), known, n=1, cutoff=0.5)
    raise UsageError(
        f"no run {run} in {results_dir}" + (f"; did you mean {near[0]}?" if near else ""),
        fix="`loadlab list` shows the stored runs; --results-dir says where to look",
    )


def _run_folders(results_dir: Path) -> list[Path]:
    """Folders that hold a result, oldest first; temporary ones are no runs."""
    try:
        names = sorted(path for path in results_dir.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{results_dir} can't be read: {error.strerror}") from error
    return [folder for folder in names if (folder / RESULT_FILE).is_file()]


def _entry(folder: Path) -> RunEntry:
    try:
        return RunEntry(folder.name, folder, read_result(folder / RESULT_FILE))
    except UsageError as error:
        return RunEntry(folder.name, folder, None, error.message)

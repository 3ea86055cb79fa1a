"""Stored runs from Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.analysis.frames import runs_frame
from loadlab.api.result import Result, ResultSet
from loadlab.errors import UsageError
from loadlab.results import reader

if TYPE_CHECKING:
    import pandas as pd

_DEFAULT = "results"


def folder_of_results(results_dir: str | Path | None = None) -> Path:
    """The folder that is meant: the one given, else LOADLAB_RESULTS_DIR, else "results"."""
    return Path(results_dir or os.environ.get("LOADLAB_RESULTS_DIR") or _DEFAULT)


def load(run: str | Path, results_dir: str | Path | None = None) -> Result:
    """Read a stored run.

    Args:
        run: its id, the id's beginning or end where no other has the same, or its folder.
        results_dir: where ids are looked up; LOADLAB_RESULTS_DIR or "results" if None.

    Raises:
        UsageError: there is no such run (the nearest id is named), it is damaged, or a newer loadlab's.
    """
    return Result(reader.load(run, folder_of_results(results_dir)))


def load_set(runs: str | Path, results_dir: str | Path | None = None) -> ResultSet:
    """Read a stored run set.

    Args:
        runs: its id, the id's beginning or end where no other has the same, or its folder.
        results_dir: as of `load`.

    Raises:
        UsageError: there is no such set, it or one of its runs is damaged, or a newer loadlab wrote it.
    """
    found = reader.load_any(runs, folder_of_results(results_dir))
    if isinstance(found, reader.StoredRun):
        raise UsageError(f"{runs} is a run, not a run set", fix="read it with loadlab.load")
    return ResultSet(found)


def results(results_dir: str | Path | None = None) -> pd.DataFrame:
    """All stored runs as a frame, oldest first.

    Args:
        results_dir: the folder; LOADLAB_RESULTS_DIR or "results" if None. One that doesn't exist has no runs.

    Returns:
        One row a run; the columns are those of `loadlab.analysis.runs.RunRow`, told in docs/python.md. A run
        that can't be read has its problem in the column `problem` and no figures.

    Raises:
        UsageError: the folder can't be read.
    """
    return runs_frame(folder_of_results(results_dir))

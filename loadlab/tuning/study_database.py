"""Optuna's part of a study: one SQLite file, opened only if this loadlab's study made it.

Optuna unpickles what some samplers keep in a database, and a database says by itself which of them it wants
read. So before Optuna opens a file, SQLite alone has to show that it is the one that belongs to this study.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from loadlab.errors import RunError, UsageError
from loadlab.files import fsync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.study_model import Direction

OWNER: Final = "loadlab.study_id"
"""The attribute of Optuna's study that says whose it is."""

_PATIENCE_S: Final = 60.0
_NO_PICKLES: Final = "cma:"
_STORAGE_ERRORS: Final = (StorageInternalError, SQLAlchemyError)
"""What Optuna raises for SQLite's errors, and what it lets through."""


@contextlib.contextmanager
def open_database(
    stored: StoredStudy, directions: Sequence[Direction]
) -> Iterator[tuple[optuna.Study, RDBStorage]]:
    """Opens a study's database; makes it where there is none yet.

    Args:
        stored: the study.
        directions: "maximize" or "minimize", for each objective.

    Yields:
        Optuna's study, and the storage that it is in.

    Raises:
        UsageError: the file is not this study's, is damaged, or that of a study with trials is gone.
        RunError: it can't be made, or can't be used any more.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not stored.database.exists():
        if stored.result.trials:
            raise UsageError(
                f"{stored.database} is gone, and with it what the sampler knows of the study",
                fix=f"begin a new study with --warm-start {stored.result.study_id}",
            )
        _make(stored, directions)
    refuse_foreign(stored.database, stored.result.study_id)
    try:
        with _opened(stored.database) as storage:
            yield optuna.load_study(study_name=stored.result.study_id, storage=storage), storage
    except _STORAGE_ERRORS as error:
        study = stored.result.study_id
        go_on = (
            f" and go on with --resume {study}; if that ends so again, begin a new study with --warm-start"
        )
        fix = f"see to it{f'{go_on} {study}' if stored.result.runs else ', and begin again'}"
        raise RunError(f"{stored.database} can't be used: {_reason(error)}", fix=fix) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[RDBStorage]:
    # Whoever looks at the study, optuna-dashboard too, may hold the file for a moment.
    waiting = {"connect_args": {"timeout": _PATIENCE_S}}
    # In a URL, and in Optuna's template of one, a folder's name may mean something else.
    storage = RDBStorage(f"sqlite:///{quote(str(path.resolve()))}", engine_kwargs=waiting)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _reason(error: BaseException) -> str:
    """What SQLite or the system said, whoever passed it on."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _make(stored: StoredStudy, directions: Sequence[Direction]) -> None:
    """Makes the database under another name: one that is there is whole."""
    unfinished = stored.database.with_name(f".{stored.database.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        with _opened(unfinished) as storage:
            study = optuna.create_study(
                storage=storage, study_name=stored.result.study_id, directions=list(directions)
            )
            study.set_user_attr(OWNER, stored.result.study_id)
        unfinished.rename(stored.database)
        fsync(stored.path)
    except (OSError, *_STORAGE_ERRORS) as error:
        raise RunError(
            f"{stored.database} could not be made: {_reason(error)}",
            fix="free disk space, or name a folder that can be written with --results-dir",
        ) from error


def refuse_foreign(path: Path, study_id: str) -> None:
    """Refuses a database that this study did not make, or that is damaged, without letting Optuna read it.

    Raises:
        UsageError: why it is not this study's.
    """
    try:
        reason = _why_foreign(path, study_id)
    except sqlite3.Error as error:
        reason = f"SQLite says: {error}"
    if reason is not None:
        raise UsageError(
            f"{path} is not the database of study {study_id}: {reason}",
            fix="loadlab opens only what it made itself, and whole: begin a new study with --warm-start"
            f" {study_id}",
        )


def _why_foreign(path: Path, study_id: str) -> str | None:
    if path.is_symlink() or not path.is_file():
        return "it is no plain file"
    # Not for reading only: what a killed process left half done in the file, SQLite has to take back first.
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as database:
        (checked,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if checked != "ok":
            return f"it is damaged: {checked}"
        names = [name for (name,) in database.execute("SELECT study_name FROM studies")]
        if names != [study_id]:
            return f"it holds {', '.join(names) or 'no study'}"
        owners = database.execute("SELECT value_json FROM study_user_attributes WHERE key = ?", (OWNER,))
        if [value for (value,) in owners] != [f'"{study_id}"']:
            return "loadlab did not make it"
        pickles = database.execute(
            "SELECT count(*) FROM trial_system_attributes WHERE key LIKE ?", (f"{_NO_PICKLES}%",)
        ).fetchone()
    return "it holds pickled data of another sampler" if pickles != (0,) else None

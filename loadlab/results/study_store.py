"""Where studies are kept: results/<study-id>/, with study.json, which is written anew after each run.

Beside it stands study.db, Optuna's, which the sampler goes by and optuna-dashboard shows. All that loadlab
tells of a study is in study.json. What it recommends, if anything, is written as .properties files too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.errors import UsageError
from loadlab.results.growing import folder_of, is_under_way, refuse_other_id, write_anew
from loadlab.results.model_study import STUDY_SCHEMA_VERSION, StudyResult
from loadlab.results.versions import read_versioned

if TYPE_CHECKING:
    from pathlib import Path

STUDY_FILE = "study.json"
DATABASE_FILE = "study.db"
LIBRDKAFKA_FILE = "librdkafka.properties"
JAVA_FILE = "java.properties"


@dataclass(frozen=True)
class StoredStudy:
    """A study on the disk: what it did so far, and its folder."""

    result: StudyResult
    path: Path

    @property
    def under_way(self) -> bool:
        """Whether a process goes on with it."""
        return not self.result.finished and is_under_way(self.path)

    @property
    def database(self) -> Path:
        """Optuna's part of it."""
        return self.path / DATABASE_FILE


def save_study(result: StudyResult, results_dir: Path) -> StoredStudy:
    """Store a study as it is now.

    Raises:
        RunError: it can't be written.
    """
    folder = results_dir / result.study_id
    write_anew(result, folder / STUDY_FILE, "study")
    return StoredStudy(result, folder)


def load_study_result(study_id: str, results_dir: Path) -> StoredStudy:
    """Read a stored study, by its id, or the id's beginning or end.

    Raises:
        UsageError: there is none of that id, or it can't be read.
    """
    folder = folder_of(study_id, results_dir, STUDY_FILE)
    if not (folder / STUDY_FILE).is_file():
        raise UsageError(f"no study {study_id} in {results_dir}", fix="`loadlab study list` shows them")
    stored = read_study(folder)
    refuse_other_id(study_id, stored.result.study_id, folder, "study")
    return stored


def read_study(folder: Path) -> StoredStudy:
    """Read the study that stands in a folder.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    return StoredStudy(read_versioned(folder / STUDY_FILE, StudyResult, STUDY_SCHEMA_VERSION, {}), folder)

"""Writes what a study recommends as files that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.errors import RunError
from loadlab.files import write_whole
from loadlab.results.study_store import JAVA_FILE, LIBRDKAFKA_FILE
from loadlab.tuning.apply import with_values
from loadlab.tuning.properties_files import Handover, java_properties, librdkafka_properties

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model_study import StudyTrial
    from loadlab.results.model_study_answer import StudyAnswer
    from loadlab.tuning.study_model import LoadedStudy


def hand_over(loaded: LoadedStudy, trial: StudyTrial, answer: StudyAnswer, folder: Path) -> None:
    """Writes the recommended configuration, for librdkafka and for Java's clients.

    Args:
        loaded: the study.
        trial: what is recommended.
        answer: why.
        folder: where the files go.

    Raises:
        RunError: they can't be written.
    """
    handover = Handover(
        study=loaded.study.name,
        scenario=with_values(loaded.loaded, trial.assignment).scenario,
        chosen=tuple(trial.assignment),
        headline=answer.sentences,
    )
    files = {LIBRDKAFKA_FILE: librdkafka_properties(handover), JAVA_FILE: java_properties(handover)}
    for name, text in files.items():
        try:
            write_whole(folder / name, text)
        except OSError as error:
            raise RunError(f"{folder / name} could not be written: {error.strerror}") from error

"""A study's own record: what is measured is on the disk before anything else happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loadlab.results.study_store import save_study
from loadlab.run.progress import RunObserver

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model_study import StudyResult, StudyRun, StudyTrial
    from loadlab.results.study_store import StoredStudy


class TuneObserver(RunObserver, Protocol):
    """Whoever watches a study: its runs, and what each of them says."""

    def note(self, text: str) -> None:
        """Say something of the study itself; what its runs say comes as messages."""

    def begun(self, stored: StoredStudy) -> None:
        """Show what is going to be done; called once, before the first run."""

    def measured(self, stored: StoredStudy) -> None:
        """Show the last of the study's runs, which is on the disk by now."""


@dataclass(eq=False)
class Journal:
    """Keeps a study on the disk; `stored` is what the disk has of it."""

    stored: StoredStudy
    results_dir: Path
    observer: TuneObserver

    @property
    def result(self) -> StudyResult:
        """The study as far as it got."""
        return self.stored.result

    def add_trial(self, trial: StudyTrial) -> None:
        """Keeps what is going to be tried."""
        self.update(trials=(*self.result.trials, trial))

    def add_run(self, run: StudyRun) -> None:
        """Keeps what was measured, and tells of it."""
        self.update(runs=(*self.result.runs, run))
        self.observer.measured(self.stored)

    def update(self, **changes: object) -> None:
        """Stores the study with other values of some fields."""
        self.stored = save_study(self.result.model_copy(update=changes), self.results_dir)

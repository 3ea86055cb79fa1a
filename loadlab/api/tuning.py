"""Studies from Python: what `loadlab tune` does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.analysis.frames import study_frame
from loadlab.api.html import lines_as_html
from loadlab.api.running import observed, override_texts
from loadlab.api.stored import folder_of_results
from loadlab.cli.study_view import study_lines
from loadlab.cli.tune_view import StudyWatcher
from loadlab.cluster import brokers_of
from loadlab.results import reader
from loadlab.tuning import study as studies
from loadlab.tuning.begin import stands_already
from loadlab.tuning.study_file import load_study as load_study_file
from loadlab.tuning.study_plots import StudyPlots

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from loadlab.api.running import Overrides
    from loadlab.results.model_study import StudyResult
    from loadlab.results.study_store import StoredStudy
    from loadlab.scenario import Provider


@dataclass(frozen=True, eq=False, repr=False)
class TuneResult:
    """A stored study. In Jupyter it shows what `loadlab tune` ends with.

    Attributes:
        stored: what is on the disk.
    """

    stored: StoredStudy

    @property
    def study_id(self) -> str:
        """Such as 20261123T161500-throughput-study-k3f9."""
        return self.stored.result.study_id

    @property
    def path(self) -> Path:
        """The study's folder; those of its runs stand beside it."""
        return self.stored.path

    @property
    def document(self) -> StudyResult:
        """Everything that study.json holds, typed."""
        return self.stored.result

    @property
    def finished(self) -> bool:
        """Whether it came to its end; else ``tune(…, resume=study_id)`` goes on."""
        return self.stored.result.finished

    @property
    def recommended(self) -> Mapping[str, str | int | float | None] | None:
        """All values that were confirmed, by their paths, to be given as `overrides`.

        They go over the study's scenario, with what the study sets. A knob that has no effect beside the
        others is None, which unsets what the scenario has there. None where nothing beats the default.
        """
        result = self.stored.result
        if result.confirmed is None:
            return None
        space = result.study["search_space"]
        unset = dict.fromkeys(space) if isinstance(space, dict) else {}
        return {**unset, **result.trial(result.confirmed).assignment}

    @property
    def plot(self) -> StudyPlots:
        """All plots of the study: history, confirmation, importance, contour and Pareto front."""
        return StudyPlots(self.stored.result)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row for each run of the study, see `loadlab.analysis.frames.study_frame`."""
        return study_frame(self.stored.result)

    def __repr__(self) -> str:
        """One line: which study, what it found, where it lies."""
        answer = self.stored.result.answer
        found = answer.finding if answer is not None else "not finished"
        return f"<loadlab.TuneResult {self.study_id}: {found}; {self.path}>"

    def __str__(self) -> str:
        """The summary that `loadlab tune` prints."""
        return "\n".join(line.text for line in study_lines(self.stored))

    def _repr_html_(self) -> str:
        return lines_as_html(study_lines(self.stored))


def tune(  # noqa: PLR0913 (keywords, as the options of `loadlab tune`)
    study: str | Path,
    *,
    overrides: Overrides = (),
    provider: Provider | None = None,
    cluster: str | None = None,
    results_dir: str | Path | None = None,
    resume: str | None = None,
    warm_start: str | None = None,
    force: bool = False,
    warm_up: bool = True,
    progress: bool = True,
) -> TuneResult:
    """Search the configuration that does best, as a study says, and confirm it against the default.

    Ctrl-C keeps what was measured; `resume` goes on with it.

    Args:
        study: its file.
        overrides: values over the study's scenario's own, as of `load_scenario`.
        provider: where the cluster comes from.
        cluster: one that `loadlab cluster up` left standing, by its name.
        results_dir: where the study and its runs go; LOADLAB_RESULTS_DIR or "results" if None.
        resume: the id of a study that was interrupted.
        warm_start: the id of an earlier study whose best trials are tried first.
        force: go on although the default is noisy or breaks a constraint.
        warm_up: load each cluster that the study starts until it serves no more from round to round.
        progress: whether the study is shown on standard error.

    Raises:
        LoadlabError: it can't begin, or can't go on; what was measured is kept.
    """
    texts = override_texts(overrides, provider)
    brokers = None if cluster is None else brokers_of(cluster)
    loaded = load_study_file(Path(study), texts, os.environ, brokers=brokers)
    options = studies.TuneOptions(
        results_dir=folder_of_results(results_dir),
        cluster_name=cluster,
        resume=resume,
        warm_start=warm_start,
        forced=force,
        warms_up=warm_up,
    )
    with observed(progress=progress) as observer:
        watcher = StudyWatcher(observer, loaded, starts_clusters=not stands_already(loaded, options))
        return TuneResult(studies.tune(loaded, options, watcher))


def load_study(study: str | Path, results_dir: str | Path | None = None) -> TuneResult:
    """Read a stored study, finished or not.

    Args:
        study: its id, the id's beginning or end where no other has the same, or its folder.
        results_dir: where ids are looked up; LOADLAB_RESULTS_DIR or "results" if None.

    Raises:
        UsageError: there is no such study, it is damaged, or a newer loadlab wrote it.
    """
    return TuneResult(reader.load_stored_study(study, folder_of_results(results_dir)))

"""How much of a study's good trials is due to which knob."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_samples import CODEC, KNOBS, LINGER, Lab, Watcher, broken, study

from loadlab.tuning.space import SearchSpace
from loadlab.tuning.study import TuneOptions, tune
from loadlab.tuning.study_model import Budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadlab.results.model_study import Measurement
    from loadlab.results.model_study_answer import StudyImportance
    from loadlab.tuning.space import Assignment


DEFAULT = {LINGER: 5.0, CODEC: "none"}


def importances_where(
    folder: Path, holds: Callable[[Assignment], bool], *, ends_early: bool
) -> dict[str, StudyImportance]:
    """Of a study in which all have the same value, and some do not hold a constraint."""

    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        if holds(assignment):
            return measured
        early = {"values": (), "ended_early": True} if ends_early else {}
        return measured.model_copy(update={"constraints": (broken(),), **early})

    lab = Lab(surface=lambda _: 100_000.0, judge=judge)
    loaded = study(space=SearchSpace(KNOBS), budget=Budget(trials=14), sampler="random")
    answer = tune(loaded, TuneOptions(folder), Watcher(), lab.open).result.answer
    assert answer is not None
    return {each.knob: each for each in answer.importances}


def short(assignment: Assignment) -> bool:
    return float(assignment[LINGER]) < 10.0


def test_what_was_ended_early_counts_too(tmp_path: Path) -> None:
    """Without them there were too few trials to say anything."""
    found = importances_where(tmp_path, short, ends_early=True)
    assert set(found) == {LINGER, CODEC}


def test_where_few_hold_the_constraints_no_knob_is_said_to_matter_or_not(tmp_path: Path) -> None:
    """The best third would be of trials that nothing was measured of."""
    assert importances_where(tmp_path, lambda assignment: assignment == DEFAULT, ends_early=False) == {}

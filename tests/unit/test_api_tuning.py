from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench_samples import CODEC, LINGER, Lab, Watcher, study
from recorded_runs import copied
from study_samples import SCENARIO, TRACKER, loaded

import loadlab
from loadlab.api import tuning
from loadlab.errors import ScenarioError, UsageError
from loadlab.tuning.apply import with_values
from loadlab.tuning.study import TuneOptions, tune

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.study_store import StoredStudy
    from loadlab.run.progress import RunObserver
    from loadlab.tuning.study_model import LoadedStudy


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStudy:
    """A whole study on a bench that is made up, where lz4 wins."""
    return tune(study(), TuneOptions(tmp_path_factory.mktemp("results")), Watcher(), Lab().open)


def test_a_stored_study_tells_what_it_recommends(stored: StoredStudy) -> None:
    found = loadlab.load_study(stored.result.study_id[-4:], stored.path.parent)

    assert found.finished
    assert (found.study_id, found.path) == (stored.result.study_id, stored.path)
    assert found.recommended is not None
    assert found.recommended[CODEC] == "lz4"
    assert found.document == stored.result
    assert "beats the default" in repr(found)
    assert stored.result.answer is not None
    assert str(found).startswith(stored.result.answer.sentences)
    assert "lz4" in found._repr_html_()


def test_the_scenario_with_what_is_recommended_is_what_was_confirmed(tmp_path: Path) -> None:
    """Though the scenario sets what the winner leaves at its default, and a level that has no effect then."""
    names = ("linger.ms", "compression.type", "compression.level")
    linger, codec, level = (f"{TRACKER}.{name}" for name in names)
    given = loaded(
        tmp_path,
        search_space={
            linger: {"choices": [5, 50]},
            codec: {"choices": ["none", "zstd"]},
            level: {"low": 1, "high": 9, "when": {codec: ["zstd"]}},
        },
        noise={"runs": 4},
        confirm={"blocks": 5, "p_value": 0.05, "screen_blocks": 1},
    )
    lab = Lab(surface=lambda values: 150_000.0 if (values[linger], values[codec]) == (50, "none") else 1e5)
    found = loadlab.TuneResult(tune(given, TuneOptions(tmp_path / "results"), Watcher(), lab.open))

    assert found.recommended == {linger: 50.0, codec: "none", level: None}
    again = loadlab.load_scenario(SCENARIO, overrides=found.recommended).scenario
    confirmed = with_values(given.loaded, found.document.trial(found.document.confirmed or 0).assignment)
    assert again.producers == confirmed.scenario.producers
    assert "compression.level" not in again.producers["tracker"].config


def test_the_runs_of_a_study_are_rows_with_objectives_and_knobs(stored: StoredStudy) -> None:
    runs = loadlab.TuneResult(stored).runs
    (objective,) = (one.field for one in stored.result.objectives)

    assert len(runs) == len(stored.result.runs)
    assert list(runs.purpose.unique()) == ["baseline", "trial", "default", "candidate", "confirm"]
    assert list(runs[objective]) == [run.measured.values[0] for run in stored.result.runs]
    assert {CODEC, LINGER} <= set(runs.columns)
    winner = runs[runs.trial == stored.result.confirmed]
    assert set(winner[CODEC]) == {"lz4"}
    assert runs.counts.all()


def test_without_a_winner_nothing_is_recommended(tmp_path: Path) -> None:
    options = TuneOptions(tmp_path)
    flat = Lab(surface=lambda _assignment: 100_000.0)
    found = loadlab.TuneResult(tune(study(), options, Watcher(), flat.open))

    assert found.finished
    assert found.recommended is None


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    run = copied("pair", tmp_path)
    with pytest.raises(UsageError, match="is no study"):
        loadlab.load_study(run.path.name, tmp_path)
    with pytest.raises(ScenarioError):
        loadlab.tune(tmp_path / "missing.yaml", progress=False)


def test_arguments_become_the_options_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: StoredStudy
) -> None:
    seen: list[tuple[LoadedStudy, TuneOptions]] = []

    def made(given: LoadedStudy, options: TuneOptions, _observer: RunObserver) -> StoredStudy:
        seen.append((given, options))
        return stored

    loaded(tmp_path)
    monkeypatch.setattr(tuning.studies, "tune", made)
    found = loadlab.tune(
        tmp_path / "study.yaml",
        overrides={"phases.measure": "7s"},
        cluster="lab",
        results_dir=tmp_path / "kept",
        warm_start="earlier",
        force=True,
        progress=False,
    )
    ((given, options),) = seen

    assert given.loaded.scenario.phases.measure_s == 7.0
    assert (options.cluster_name, options.warm_start, options.forced) == ("lab", "earlier", True)
    assert options.results_dir == tmp_path / "kept"
    assert found.study_id == stored.result.study_id

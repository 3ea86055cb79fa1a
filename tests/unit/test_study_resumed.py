"""Studies that were killed or interrupted go on as if they had not been, and only as they began."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import sqlite3
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import optuna
import pytest
from bench_samples import (
    KNOBS,
    LINGER,
    SCENARIO,
    WITH_BROKERS,
    Lab,
    essence,
    optuna_trials,
    stop_at,
    study,
    tuned,
)
from capacity_samples import capacity

from loadlab.errors import ClusterError, ClusterGoneError, RunError, UsageError
from loadlab.results.capacity_store import save_capacity
from loadlab.results.growing import only_writer
from loadlab.results.study_store import load_study_result
from loadlab.scenario import load_document
from loadlab.tuning import begin, proposals, study_database
from loadlab.tuning.again import contenders
from loadlab.tuning.journal import Journal
from loadlab.tuning.proposals import Proposals
from loadlab.tuning.rules import Rule
from loadlab.tuning.space import SearchSpace
from loadlab.tuning.study_model import Budget, ConfirmSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from loadlab.results.model_study import Planned, StudyTrial
    from loadlab.tuning.space import Assignment
    from loadlab.tuning.study_model import LoadedStudy


@pytest.mark.parametrize("sampler", ["random", "tpe", "additive"])
def test_a_killed_study_goes_on_as_if_it_had_not_been(tmp_path: Path, sampler: str) -> None:
    whole = essence(tuned(tmp_path / "whole", Lab(), study(sampler=sampler)).result)
    rng = random.Random(sampler)  # noqa: S311  where to stop is no secret
    lab = Lab()

    def before(number: int) -> None:
        if number > 1 and rng.random() < 0.3:
            raise KeyboardInterrupt

    lab.before = before
    resume = None
    stops = 0
    while True:
        stored = tuned(tmp_path / "killed", lab, study(sampler=sampler), resume=resume)
        if stored.result.finished:
            break
        stops += 1
        resume = stored.result.study_id
    assert stops > 3
    assert essence(stored.result) == whole


@pytest.mark.parametrize("proposed", [6])
def test_a_batch_of_proposals_that_was_cut_short_is_completed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proposed: int
) -> None:
    """Else the rest of it would know of results that it would not have known."""
    loaded = study(space=WITH_BROKERS, budget=Budget(trials=12), sampler="additive")
    whole = essence(tuned(tmp_path / "whole", Lab(), loaded).result)
    propose = Proposals.propose

    def stopped(
        proposals: Proposals, planned: Planned | None, tried: Collection[Assignment] = ()
    ) -> StudyTrial:
        trial = propose(proposals, planned, tried)
        if trial.number == proposed:
            raise KeyboardInterrupt
        return trial

    with monkeypatch.context() as patched:
        patched.setattr(Proposals, "propose", stopped)
        cut = tuned(tmp_path / "cut", Lab(), loaded).result
    assert len(cut.trials) == proposed
    assert essence(tuned(tmp_path / "cut", Lab(), loaded, resume=cut.study_id).result) == whole


def killed_after(delay_s: float, path: Path, resume: str | None) -> None:
    """A process of its own makes a study until it is killed."""
    process = multiprocessing.get_context("fork").Process(
        target=tuned, args=(path, Lab()), kwargs={"resume": resume}
    )
    process.start()
    process.join(delay_s)
    process.kill()
    process.join()


def test_a_study_survives_sigkill_at_any_time(tmp_path: Path) -> None:
    whole = tuned(tmp_path / "whole", Lab()).result
    rng = random.Random(1)  # noqa: S311  where to kill is no secret
    path = tmp_path / "killed"
    path.mkdir()
    resume, runs = None, 0
    for attempt in range(1, 11):
        # Later ones live longer: on a machine that is busy half a second is too short for a run.
        killed_after(attempt * rng.uniform(0.02, 0.5), path, resume)
        begun = [folder.name for folder in path.iterdir() if (folder / "study.json").is_file()]
        resume = begun[0] if begun else None
        kept = load_study_result(resume, path).result if resume else None
        assert runs <= (len(kept.runs) if kept else 0)
        runs = len(kept.runs) if kept else 0
        if kept is not None and kept.finished:
            break
    else:
        assert runs > 0
        tuned(path, Lab(), resume=resume)
    stored = load_study_result(resume or "", path)
    assert essence(stored.result) == essence(whole)
    assert {trial.state.name for trial in optuna_trials(stored)} == {"COMPLETE"}


def test_a_kill_between_proposal_and_record_costs_no_trial(tmp_path: Path) -> None:
    """What Optuna knows of and the study does not is taken over as the next proposal."""
    stored = tuned(tmp_path, Lab(before=stop_at(7)))
    assert not stored.result.finished
    storage = f"sqlite:///{stored.database}"
    optuna.load_study(study_name=stored.result.study_id, storage=storage).ask()
    result = tuned(tmp_path, Lab(), resume=stored.result.study_id).result
    assert result.finished
    assert len(result.settled("trial")) == 6
    assert Counter(trial.state.name for trial in optuna_trials(stored)) == {"COMPLETE": 7}


def gone(_: int) -> None:
    raise ClusterGoneError("no container engine answers", fix="start one")


@pytest.mark.parametrize(("before", "error"), [(stop_at(1), KeyboardInterrupt), (gone, ClusterGoneError)])
def test_a_study_without_a_run_leaves_nothing(
    tmp_path: Path, before: Callable[[int], None], error: type[BaseException]
) -> None:
    with pytest.raises(error) as raised:
        tuned(tmp_path, Lab(before=before))
    assert not list(tmp_path.iterdir())
    assert "--resume" not in str(getattr(raised.value, "fix", ""))


def test_a_study_whose_first_capacity_search_was_interrupted_is_kept(tmp_path: Path) -> None:
    """The search is its trial, which nobody else may go on with."""

    def interrupted(_: int) -> None:
        (folder,) = tmp_path.glob("*-study-*")
        save_capacity(capacity(study=folder.name), tmp_path)
        raise KeyboardInterrupt

    stored = tuned(tmp_path, Lab(before=interrupted))
    assert not stored.result.runs
    assert tuned(tmp_path, Lab(), resume=stored.result.study_id).result.finished


def test_a_second_process_on_one_study_is_refused(tmp_path: Path) -> None:
    stored = tuned(tmp_path, Lab(before=stop_at(2)))
    before = (stored.path / "study.json").read_bytes()
    with only_writer(stored.path), pytest.raises(UsageError, match="another process goes on with"):
        tuned(tmp_path, Lab(), resume=stored.result.study_id, forced=True)
    assert (stored.path / "study.json").read_bytes() == before


def test_a_study_is_not_resumed_by_another_one_or_when_it_is_finished(tmp_path: Path) -> None:
    stored = tuned(tmp_path, Lab(before=stop_at(2)))
    with pytest.raises(UsageError, match="began with another study"):
        tuned(tmp_path, Lab(), study(seed=8), resume=stored.result.study_id)
    tuned(tmp_path, Lab(), resume=stored.result.study_id)
    with pytest.raises(UsageError, match="is finished"):
        tuned(tmp_path, Lab(), resume=stored.result.study_id)


def on_another_machine(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    here = begin.capture_host()
    monkeypatch.setattr(begin, "capture_host", lambda: here.model_copy(update=changes))


def test_a_study_goes_on_where_only_the_kernel_takes_other_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_bytes = begin.capture_host().memory_bytes
    stored = tuned(tmp_path, Lab(before=stop_at(2)))
    on_another_machine(monkeypatch, memory_bytes=memory_bytes * 2)
    with pytest.raises(UsageError, match="began where memory_bytes was") as told:
        tuned(tmp_path, Lab(), resume=stored.result.study_id)
    assert "go on where it began" in str(told.value.fix)
    on_another_machine(monkeypatch, memory_bytes=memory_bytes - memory_bytes // 200)
    assert tuned(tmp_path, Lab(), resume=stored.result.study_id).result.finished


def other_study(database: Path) -> None:
    database.unlink()
    optuna.create_study(study_name="other", storage=f"sqlite:///{database}")


def other_owner(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE study_user_attributes SET value_json = '\"another\"'")


def no_database(database: Path) -> None:
    database.write_bytes(b"no SQLite at all" * 100)


def gone(database: Path) -> None:
    database.unlink()


def linked(database: Path) -> None:
    database.rename(database.with_name("elsewhere.db"))
    database.symlink_to("elsewhere.db")


def pickled(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (1, 'cma:optimizer', '1')"
        )


def damaged(database: Path) -> None:
    """In a table that tells nothing of whose it is."""
    with sqlite3.connect(database) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trial_params'")
        ((size,),) = connection.execute("PRAGMA page_size")
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"x" * size)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damaged, "it is damaged"),
        (other_study, "it holds other"),
        (other_owner, "loadlab did not make it"),
        (no_database, "file is not a database"),
        (linked, "it is no plain file"),
        (gone, "is gone, and with it what the sampler knows"),
        (pickled, "it holds pickled data"),
    ],
)
def test_a_database_that_is_not_the_study_s_is_refused_before_optuna_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], reason: str
) -> None:
    stored = tuned(tmp_path, Lab(before=stop_at(2)))
    change(stored.database)
    monkeypatch.setattr(study_database, "RDBStorage", None)
    with pytest.raises(UsageError, match=reason):
        tuned(tmp_path, Lab(), resume=stored.result.study_id)


def test_a_database_that_optuna_can_t_read_is_told_of_and_what_is_left_of_the_study(tmp_path: Path) -> None:
    stored = tuned(tmp_path, Lab(before=stop_at(2)))
    with sqlite3.connect(stored.database) as connection:
        connection.execute("ALTER TABLE trials RENAME COLUMN state TO other")
    with pytest.raises(RunError, match="no such column") as told:
        tuned(tmp_path, Lab(), resume=stored.result.study_id)
    assert f"--warm-start {stored.result.study_id}" in str(told.value.fix)


def test_a_database_that_can_t_be_made_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = f"sqlite:///{tmp_path}/missing/study.db"
    storage = study_database.RDBStorage
    monkeypatch.setattr(study_database, "RDBStorage", lambda _, **keys: storage(elsewhere, **keys))
    with pytest.raises(RunError, match="could not be made: unable to open database file"):
        tuned(tmp_path, Lab())


def test_a_study_is_named_by_its_id_and_not_by_a_path(tmp_path: Path) -> None:
    stored = tuned(tmp_path / "results", Lab(before=stop_at(2)))
    for path in (str(stored.path), f"../results/{stored.path.name}", f"{stored.path.name}/"):
        with pytest.raises(UsageError, match="is not the id of the study in") as told:
            tuned(tmp_path / "results", Lab(), resume=path)
        assert stored.result.study_id in str(told.value.fix)
    assert [folder.name for folder in (tmp_path / "results").iterdir()] == [stored.path.name]


@pytest.mark.parametrize("stop", [8, 12])
def test_a_search_that_was_over_is_over_for_those_who_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Else a trial that the study would not have had could join those of which the contenders are chosen."""
    monkeypatch.setattr(proposals, "_MOST_REFUSED", 5)
    # Two presets keep it, and hardly anything that is drawn.
    rule = Rule(LINGER, "==", 50.0)
    loaded = study(space=SearchSpace(KNOBS, rules=(rule,)))
    whole = tuned(tmp_path / "whole", Lab(), loaded).result
    assert 1 < len(whole.trials) < 7
    stored = tuned(tmp_path / "killed", Lab(before=stop_at(stop)), loaded)
    assert {run.purpose for run in stored.result.runs} >= ({"confirm"} if stop == 12 else {"trial"})
    resumed = tuned(tmp_path / "killed", Lab(), loaded, resume=stored.result.study_id)
    assert essence(resumed.result) == essence(whole)
    assert len(optuna_trials(resumed)) == len(whole.trials) + 5


def test_who_is_being_confirmed_stays_a_contender_whatever_rounds_there_are_now(tmp_path: Path) -> None:
    """A study that another version began has measured fewer trials again, and each of them otherwise."""
    stored = tuned(tmp_path, Lab(before=stop_at(20)))
    (first,) = {run.contender for run in stored.result.settled("confirm")}
    noisy = study(confirm=ConfirmSettings(blocks=5, p_value=0.05, screen_blocks=1, effect_floor=0.0))
    assert contenders(noisy.study, stored.result)[0] == first


def test_a_kill_behind_a_default_outside_the_space_gives_it_no_second_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        shutil.copytree(tmp_path / "begun", tmp_path / "killed")  # as nobody could clear it away
        raise KeyboardInterrupt

    loaded = study(own={"producers.checkout.config.linger.ms": 5_000.0}, baseline="scenario")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "add_trial", killed)
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path / "begun", Lab(), loaded)
    (folder,) = (tmp_path / "killed").iterdir()
    result = tuned(tmp_path / "killed", Lab(), loaded, resume=folder.name).result
    assert [trial.number for trial in result.trials] == list(range(7))


def test_a_study_of_a_cluster_that_is_gone_is_told_so(tmp_path: Path) -> None:
    """Its brokers were the scenario's: without them it would be told to be another study."""
    stored = tuned(tmp_path, Lab(before=stop_at(2)))
    with pytest.raises(ClusterError, match="no cluster stands under the name 'lab'"):
        tuned(tmp_path, Lab(), resume=stored.result.study_id, cluster_name="lab")


def test_a_study_does_not_go_on_with_another_trace(tmp_path: Path) -> None:
    def replaying(text: str) -> LoadedStudy:
        trace.write_text(text)
        sends = {**SCENARIO["producers"]["checkout"], "schedule": {"rate": {"trace": {"file": str(trace)}}}}
        return replace(study(), loaded=load_document({**SCENARIO, "producers": {"checkout": sends}}))

    trace = tmp_path / "trace.csv"
    first = replaying("time\n0\n1\n")
    stored = tuned(tmp_path, Lab(before=stop_at(2)), first)
    with pytest.raises(UsageError, match="began with another trace of producer checkout"):
        tuned(tmp_path, Lab(), replaying("time\n0\n2\n"), resume=stored.result.study_id)
    assert tuned(tmp_path, Lab(), first, resume=stored.result.study_id).result.finished


def test_what_blocks_within_a_study_is_not_told_as_another_process(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), only_writer(tmp_path):
        raise BlockingIOError

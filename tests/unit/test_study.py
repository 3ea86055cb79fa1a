"""Whole studies on a bench that is made up: their course, what ends them, and what it takes to go on."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from bench_samples import (
    CODEC,
    KNOBS,
    LINGER,
    THREADS,
    WITH_BROKERS,
    Lab,
    Watcher,
    broken,
    essence,
    invalid,
    lz4_wins,
    optuna_trials,
    stop_at,
    study,
    tuned,
)
from click.testing import CliRunner

from loadlab.cli.main import cli
from loadlab.cli.study_view import study_lines
from loadlab.cli.tune_view import plan_document
from loadlab.errors import ClusterError, ClusterGoneError, LoadlabError, RunError, UnwritableError, UsageError
from loadlab.results.study_store import JAVA_FILE, StoredStudy, load_study_result
from loadlab.tuning import proposals, samplers, session
from loadlab.tuning.estimate import estimate
from loadlab.tuning.findings import baseline_values
from loadlab.tuning.noise import noise_of
from loadlab.tuning.proposals import NoProposalError, Proposals
from loadlab.tuning.rules import Rule
from loadlab.tuning.samplers import sampler_of
from loadlab.tuning.space import ChangeCost, Choices, Knob, SearchSpace
from loadlab.tuning.study import TuneOptions, to_go_on_with, tune
from loadlab.tuning.study_model import Budget, ConfirmSettings, NoiseSettings, Objective
from loadlab.tuning.warm_start import warm_starts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from optuna.samplers import BaseSampler

    from loadlab.results.model_study import Measurement, Planned, StudyResult, StudyTrial
    from loadlab.tuning.space import Assignment
    from loadlab.tuning.study_model import Sampler


def purposes(result: StudyResult) -> list[str]:
    return [run.purpose for run in result.runs]


def gone_at(number: int) -> Callable[[int], None]:
    def before(measurement: int) -> None:
        if measurement == number:
            raise ClusterGoneError("no engine answers")

    return before


def test_a_study_goes_from_noise_over_trials_to_a_confirmed_winner(tmp_path: Path) -> None:
    lab = Lab()
    watcher = Watcher()
    stored = tune(study(), TuneOptions(tmp_path), watcher, lab.open)
    result = stored.result
    assert result.finished
    assert result.confirmed is not None
    assert result.trial(result.confirmed).assignment[CODEC] == "lz4"
    order = purposes(result)
    assert order[:4] == ["baseline"] * 4
    assert order[4:12] == [*["trial"] * 3, "default", *["trial"] * 3, "default"]
    assert order[12:14] == ["candidate"] * 2
    assert set(order[14:]) == {"confirm"}
    confirm = [run.trial for run in result.runs[14:]]
    default = result.trials[0].number
    assert confirm == [default, result.confirmed, result.confirmed, default] * 5
    assert watcher.runs == list(range(len(result.runs) + 1))
    assert load_study_result(result.study_id, tmp_path) == stored


def test_optuna_is_told_of_all_trials_and_of_the_default(tmp_path: Path) -> None:
    stored = tuned(tmp_path, Lab())
    told = optuna_trials(stored)
    assert [trial.number for trial in told] == [trial.number for trial in stored.result.trials]
    assert {trial.state.name for trial in told} == {"COMPLETE"}
    values = {run.trial: run.measured.values[0] for run in stored.result.settled("trial")}
    assert {trial.number: trial.value for trial in told[1:]} == values


def test_presets_are_tried_before_the_sampler_has_its_say(tmp_path: Path) -> None:
    result = tuned(tmp_path, Lab()).result
    planned = [one.assignment for one in result.planned]
    assert len(planned) > 2
    assert [trial.assignment for trial in result.trials[: len(planned)]] == planned
    assert "sampled" in {trial.origin for trial in result.trials}


def test_a_knob_that_does_nothing_is_not_recommended(tmp_path: Path) -> None:
    for seed in (1, 2):
        lab = Lab(surface=lambda _: 100_000.0, cv=0.05)
        result = tuned(tmp_path, lab, study(seed=seed)).result
        assert result.finished
        assert result.confirmed is None


def test_an_invalid_run_is_repeated_once_and_then_the_trial_fails_with_its_reason(tmp_path: Path) -> None:
    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        return invalid(measured) if assignment[CODEC] == "zstd" else measured

    stored = tuned(tmp_path, Lab(judge=judge), study(budget=Budget(trials=12)))
    bad = {trial.number for trial in stored.result.trials if trial.assignment[CODEC] == "zstd"}
    assert bad
    for trial in bad:
        assert [run.settled for run in stored.result.runs if run.trial == trial] == [False, True]
    states = {trial.number: trial.state.name for trial in optuna_trials(stored)}
    assert {states[number] for number in bad} == {"FAIL"}
    reasons = {trial.user_attrs["loadlab.failure"] for trial in optuna_trials(stored) if trial.number in bad}
    assert reasons == {"generator_limited: records were sent late"}
    assert stored.result.confirmed not in bad


def test_a_trial_whose_brokers_do_not_start_fails_and_the_study_goes_on(tmp_path: Path) -> None:
    def surface(assignment: Assignment) -> float:
        if assignment[THREADS] == 16:
            raise ClusterError("broker 1 did not start: no memory")
        return lz4_wins(assignment)

    stored = tuned(tmp_path, Lab(surface), study(space=WITH_BROKERS, budget=Budget(trials=12)))
    failed = [run for run in stored.result.settled("trial") if run.measured.failure]
    assert failed
    assert {run.measured.failure for run in failed} == {"broker 1 did not start: no memory"}
    assert {stored.result.trial(run.trial).assignment[THREADS] for run in failed} == {16}
    assert stored.result.confirmed is not None


@pytest.mark.parametrize("at", [8, 13, 16])
@pytest.mark.parametrize("kind", [ClusterGoneError, UnwritableError])
def test_no_trial_is_blamed_for_a_cluster_that_is_gone_or_results_that_find_no_room(
    tmp_path: Path, kind: type[LoadlabError], at: int
) -> None:
    """Among the trials, the best of them again, and the blocks of the confirmation."""

    def before(number: int) -> None:
        if number == at:
            raise kind("topic orders: there already", fix="delete it")

    with pytest.raises(kind, match="there already") as told:
        tuned(tmp_path, Lab(before=before))
    (folder,) = tmp_path.iterdir()
    assert told.value.fix == f"delete it; then go on with --resume {folder.name}"
    kept = load_study_result(folder.name, tmp_path).result
    assert len(kept.runs) == at - 1
    assert not [run for run in kept.runs if run.measured.failure]
    assert essence(tuned(tmp_path, Lab(), resume=folder.name).result) == essence(
        tuned(tmp_path / "whole", Lab()).result
    )


def test_the_best_are_measured_again_each_configuration_once_and_never_the_default(tmp_path: Path) -> None:
    only_codec = SearchSpace((KNOBS[1],))
    result = tuned(tmp_path, Lab(), study(space=only_codec, budget=Budget(trials=8))).result
    assert sorted(str(trial.assignment[CODEC]) for trial in result.trials) == ["lz4", "none", "zstd"]
    again = [result.trial(run.trial).assignment[CODEC] for run in result.settled("candidate")]
    assert len(again) == len(set(again)) > 0
    assert "none" not in again


@pytest.mark.parametrize("sampler", ["additive", "tpe", "random"])
def test_nothing_is_tried_twice_however_often_it_is_drawn(tmp_path: Path, sampler: Sampler) -> None:
    """Below a special value the number that was drawn beside it has no effect."""
    loaded = study(space=SearchSpace(KNOBS), sampler=sampler, budget=Budget(trials=20))
    result = tuned(tmp_path, Lab(), loaded).result
    assert result.finished
    tried = {str(trial.assignment) for trial in result.trials}
    assert len(tried) == len(result.trials) == 21


def test_a_small_space_is_used_up_and_no_more_is_planned(tmp_path: Path) -> None:
    loaded = study(space=SearchSpace(KNOBS[1:]), budget=Budget(trials=20))
    assert plan_document(loaded)["trials"] == 2
    result = tuned(tmp_path, Lab(), loaded).result
    assert result.finished
    assert [trial.assignment[CODEC] for trial in result.trials[1:]] in (["lz4", "zstd"], ["zstd", "lz4"])


def test_each_of_the_best_is_measured_as_often_as_asked_unless_it_is_out_already(tmp_path: Path) -> None:
    """The second repetition of the first one breaks a constraint: it is no contender then."""

    def judge(_: Assignment, measured: Measurement) -> Measurement:
        breaks = len(lab.measured) == 12 + 1
        return measured.model_copy(update={"constraints": (broken(),)}) if breaks else measured

    lab = Lab(judge=judge)
    confirm = study().study.confirm.model_copy(update={"candidate_runs": 3})
    result = tuned(tmp_path, lab, study(confirm=confirm)).result
    again = [run.trial for run in result.settled("candidate")]
    (out,) = (run.trial for run in result.settled("candidate") if not run.measured.feasible)
    assert sorted(Counter(again).values()) == [1, 3]
    assert again.count(out) == 1
    assert out not in {run.contender for run in result.settled("confirm")}


def test_one_stall_does_not_cost_the_winner_its_confirmation(tmp_path: Path) -> None:
    def judge(_: Assignment, measured: Measurement) -> Measurement:
        stalls = len(lab.measured) == 20
        return measured.model_copy(update={"values": (), "failure": "saturated"}) if stalls else measured

    lab = Lab(lz4_wins, judge=judge)
    result = tuned(tmp_path, lab).result
    (failed,) = [run for run in result.runs if run.measured.failure]
    assert (failed.purpose, failed.settled) == ("confirm", False)
    assert result.confirmed is not None


def test_a_worker_that_dies_once_does_not_cost_the_winner_its_confirmation(tmp_path: Path) -> None:
    def surface(assignment: Assignment) -> float:
        if len(lab.measured) == 20 and assignment[CODEC] == "lz4":
            raise RunError("worker 1 died")
        return lz4_wins(assignment)

    lab = Lab(surface)
    result = tuned(tmp_path, lab).result
    (failed,) = [run for run in result.runs if run.measured.failure]
    assert (failed.purpose, failed.settled) == ("confirm", False)
    assert result.confirmed is not None


def test_a_trial_that_ended_early_is_pruned_and_never_recommended(tmp_path: Path) -> None:
    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        if assignment[CODEC] != "lz4":
            return measured
        return measured.model_copy(update={"values": (), "ended_early": True, "constraints": (broken(),)})

    lab = Lab(judge=judge)
    stored = tuned(tmp_path, lab)
    early = {run.trial for run in stored.result.runs if run.measured.ended_early}
    assert early
    for trial in optuna_trials(stored):
        if trial.number in early:
            assert trial.state.name == "PRUNED"
            assert trial.constraints == {"publish_latency p99 < 50ms": 0.2}
    assert stored.result.confirmed is None
    may_end = {
        run.purpose
        for run, (_, terms) in zip(stored.result.runs, lab.measured, strict=True)
        if terms.may_end_early
    }
    assert may_end == {"trial"}


def test_the_default_that_can_t_be_measured_any_more_ends_the_study_which_is_kept(tmp_path: Path) -> None:
    def before(number: int) -> None:
        if number == 8:
            raise ClusterError("no engine answers")

    with pytest.raises(ClusterError, match="no engine answers"):
        tuned(tmp_path, Lab(before=before))
    (folder,) = tmp_path.iterdir()
    assert len(load_study_result(folder.name, tmp_path).result.runs) == 7
    assert tuned(tmp_path, Lab(), resume=folder.name).result.finished


def test_what_all_else_is_compared_with_is_measured_up_to_five_times(tmp_path: Path) -> None:
    def judge(_: Assignment, measured: Measurement) -> Measurement:
        return measured if len(lab.measured) % 5 == 0 else invalid(measured)

    lab = Lab(judge=judge)
    result = tuned(tmp_path, lab, study(budget=Budget(trials=1))).result
    assert result.finished
    counted = [run.purpose for run in result.runs if run.measured.counts]
    assert counted == ["baseline"] * 4
    assert [run.settled for run in result.runs] == [*[False] * 4, True] * 4 + [False, True]


@pytest.mark.parametrize("at", [2, 8, 15])
def test_a_default_that_fails_once_is_measured_again_when_the_study_goes_on(tmp_path: Path, at: int) -> None:
    """In the baseline, between trials, and in the first block of the confirmation."""

    def judge(_: Assignment, measured: Measurement) -> Measurement:
        return invalid(measured) if at <= len(lab.measured) < at + 5 else measured

    lab = Lab(judge=judge)
    with pytest.raises(RunError, match="the default could not be measured: generator_limited"):
        tuned(tmp_path, lab)
    (folder,) = tmp_path.iterdir()
    result = tuned(tmp_path, Lab(), resume=folder.name).result
    assert result.finished
    counted = Counter(run.purpose for run in result.runs if run.measured.counts)
    assert counted == {"baseline": 4, "trial": 6, "default": 2, "candidate": 2, "confirm": 20}


def test_a_noisy_default_is_measured_twice_as_long_and_then_ends_the_study_unless_forced(
    tmp_path: Path,
) -> None:
    lab = Lab(cv=0.6)
    with pytest.raises(RunError, match="the default varies by") as told:
        tuned(tmp_path, lab)
    assert [terms.measure_scale for _, terms in lab.measured] == [1] * 4 + [2] * 4
    (folder,) = tmp_path.iterdir()
    assert f"--force --resume {folder.name}" in str(told.value.fix)
    result = tuned(tmp_path, Lab(cv=0.6), resume=folder.name, forced=True).result
    assert result.finished
    assert {run.measure_scale for run in result.runs[4:]} == {2}


def test_a_constraint_that_the_default_breaks_is_told_with_its_figure(tmp_path: Path) -> None:
    def judge(_: Assignment, measured: Measurement) -> Measurement:
        return measured.model_copy(update={"constraints": (broken(),)})

    with pytest.raises(
        RunError, match="the default breaks publish_latency p99 < 50ms: it has 60 ms in the median"
    ):
        tuned(tmp_path, Lab(judge=judge))


def test_brokers_are_started_again_as_seldom_as_a_batch_of_proposals_allows(tmp_path: Path) -> None:
    lab = Lab()
    result = tuned(tmp_path, lab, study(space=WITH_BROKERS, budget=Budget(trials=12))).result
    threads = {trial.number: trial.assignment[THREADS] for trial in result.trials}
    runs = [run for run in result.runs if run.purpose in {"trial", "default"}]
    in_turn = iter(result.trials[1:])
    proposed = [run.trial if run.purpose == "default" else next(in_turn).number for run in runs]
    assert changes([threads[run.trial] for run in runs]) <= changes([threads[number] for number in proposed])
    numbers = [run.trial for run in result.settled("trial")]
    assert numbers != sorted(numbers)
    for batch in range(0, 12, 4):
        assert (
            sorted(numbers[batch : batch + 4])
            == [trial.number for trial in result.trials[1:]][batch : batch + 4]
        )


def changes(values: list[object]) -> int:
    return sum(before != after for before, after in itertools.pairwise(values))


def test_a_budget_of_minutes_is_spent_on_trials(tmp_path: Path) -> None:
    result = tuned(tmp_path, Lab(), study(budget=Budget(minutes=5))).result
    spent = [run for run in result.runs if run.purpose in {"trial", "default"}]
    assert sum(run.measured.took_s for run in spent) == 5 * 60


def test_what_was_proposed_is_left_untried_when_the_minutes_are_over(tmp_path: Path) -> None:
    stored = tuned(tmp_path, Lab(), study(space=WITH_BROKERS, budget=Budget(minutes=1)))
    spent = [run.measured for run in stored.result.settled("trial")]
    assert [run.failure for run in spent] == [None, None, *["the minutes of the budget were over"] * 2]
    assert stored.result.finished
    assert {trial.state.name for trial in optuna_trials(stored)} == {"COMPLETE", "FAIL"}


def test_a_search_that_finds_nothing_more_within_the_rules_goes_on_to_its_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose, asked = Proposals.propose, []

    def thrice(self: Proposals, planned: Planned | None, tried: Collection[Assignment] = ()) -> StudyTrial:
        asked.append(planned)
        if len(asked) > 3:
            raise NoProposalError("200 proposals in a row break the rules between knobs")
        return propose(self, planned, tried)

    monkeypatch.setattr(Proposals, "propose", thrice)
    result = tuned(tmp_path, Lab()).result
    assert result.finished
    assert len(result.settled("trial")) == len(result.trials) - 1 == 2


def test_why_no_trial_came_to_be_confirmed_is_told(tmp_path: Path) -> None:
    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        fails = measured.model_copy(update={"values": (), "failure": "no leader"})
        return measured if assignment == {LINGER: 5.0, CODEC: "none"} else fails

    answer = tuned(tmp_path, Lab(judge=judge)).result.answer
    assert answer is not None
    assert answer.sentences.startswith(
        "Nothing is recommended: 6 of 6 trials failed, the first by: no leader."
    )


@pytest.mark.parametrize("name", ["a{b}", "a?b", "a%20b", "a#b", "Gr\u00fc\u00dfe"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    stored = tuned(tmp_path / name, Lab())
    assert stored.result.finished
    assert stored.database.is_file()
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_database_older_than_its_study_is_refused(tmp_path: Path) -> None:
    stored = tuned(tmp_path, Lab(before=stop_at(8)))
    connection = sqlite3.connect(stored.database)
    with connection:
        connection.execute("DELETE FROM trials WHERE number > 1")
    connection.close()

    with pytest.raises(UsageError, match="older copy"):
        tuned(tmp_path, Lab(), resume=stored.result.study_id)


def test_what_breaks_a_rule_is_refused_before_a_run_is_spent(tmp_path: Path) -> None:
    rule = Rule(LINGER, "<", 20.0)
    lab = Lab()
    stored = tuned(
        tmp_path,
        lab,
        study(space=SearchSpace(KNOBS, rules=(rule,)), sampler="random", budget=Budget(trials=10)),
    )
    assert all(assignment[LINGER] < 20 for assignment, _ in lab.measured)
    assert len(stored.result.settled("trial")) == 10
    assert "PRUNED" in {trial.state.name for trial in optuna_trials(stored)}


def test_an_answer_is_kept_although_its_files_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RunError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(session, "hand_over", full)
        with pytest.raises(RunError, match="no space left"):
            tuned(tmp_path, Lab())
    (folder,) = tmp_path.iterdir()
    kept = load_study_result(folder.name, tmp_path)
    assert (kept.result.finished, kept.result.confirmed is not None) == (False, True)
    assert f"loadlab tune with --resume {folder.name} goes on" in [line.text for line in study_lines(kept)]
    asked = ["study", "export", folder.name, "--format", "java", "--results-dir", str(tmp_path)]
    assert "is not there" in CliRunner().invoke(cli, asked).output
    result = tuned(tmp_path, Lab(), resume=folder.name).result
    assert (result.finished, len(result.runs)) == (True, len(kept.result.runs))
    assert (folder / JAVA_FILE).is_file()


def test_an_earlier_study_s_best_are_tried_first(tmp_path: Path) -> None:
    earlier = tuned(tmp_path, Lab()).result
    result = tuned(tmp_path, Lab(), study(seed=8), warm_start=earlier.study_id).result
    warm = [one for one in result.planned if one.origin == earlier.study_id]
    assert list(result.planned[1 : 1 + len(warm)]) == warm
    best = earlier.trial(earlier.confirmed or 0).assignment
    assert best in [one.assignment for one in result.planned]
    assert len(warm) <= 3


def test_what_was_confirmed_is_a_beginning_though_one_of_its_runs_broke_a_constraint(tmp_path: Path) -> None:
    earlier = tuned(tmp_path, Lab()).result
    runs = [
        run.model_copy(update={"measured": run.measured.model_copy(update={"constraints": (broken(),)})})
        if run.purpose in {"trial", "confirm"} and run.trial != 0
        else run
        for run in earlier.runs
    ]
    space, objective = study().study.space, study().study.objectives[0]
    stored = StoredStudy(earlier.model_copy(update={"runs": tuple(runs)}), tmp_path)
    (first, *_) = warm_starts(stored, space, objective)
    assert first[1] == earlier.trial(earlier.confirmed or 0).assignment


def test_a_trial_that_broke_a_constraint_when_measured_again_is_no_beginning_for_another_study(
    tmp_path: Path,
) -> None:
    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        again = assignment[CODEC] == "lz4" and len(lab.measured) > 12
        return measured.model_copy(update={"constraints": (broken(),)}) if again else measured

    lab = Lab(judge=judge)
    earlier = tuned(tmp_path, lab).result
    lost = {run.trial for run in earlier.settled("candidate") if not run.measured.feasible}
    assert lost
    result = tuned(tmp_path, Lab(), study(seed=8), warm_start=earlier.study_id).result
    warm = [one.assignment for one in result.planned if one.origin == earlier.study_id]
    assert warm
    assert not [number for number in lost if earlier.trial(number).assignment in warm]


def test_a_study_goes_on_with_or_without_warming_up_as_it_began(tmp_path: Path) -> None:
    with pytest.raises(ClusterError):
        tuned(tmp_path, Lab(before=gone_at(6)), warms_up=False)
    (folder,) = tmp_path.iterdir()
    assert not tuned(tmp_path, Lab(), resume=folder.name).result.warms_up


def test_what_is_still_to_be_measured_of_a_study_is_planned(tmp_path: Path) -> None:
    with pytest.raises(ClusterError):
        tuned(tmp_path, Lab(before=gone_at(8)))
    (folder,) = tmp_path.iterdir()
    stored = to_go_on_with(study(), TuneOptions(tmp_path, resume=folder.name))
    assert stored is not None
    whole, left = plan_document(study()), plan_document(study(), stored.result)
    assert (left["baseline"], left["trials"]) == (0, 3)
    assert isinstance(whole["runs"], int)
    assert left["runs"] == whole["runs"] - 7
    assert to_go_on_with(study(), TuneOptions(tmp_path)) is None


def test_what_was_planned_is_measured_to_the_last_digit(tmp_path: Path) -> None:
    lab = Lab()
    loaded = study(own={LINGER: 12.345}, baseline="scenario")
    result = tuned(tmp_path, lab, loaded).result
    assert lab.measured[0][0] == {LINGER: 12.345, CODEC: "none"}
    planned = [one.assignment for one in result.planned]
    assert [trial.assignment for trial in result.trials[: len(planned)]] == planned


def test_a_default_outside_the_search_space_is_still_what_is_compared_with(tmp_path: Path) -> None:
    narrow = (Knob(CODEC, Choices(("lz4", "zstd")), ChangeCost.CLIENT, default="none"),)
    stored = tuned(tmp_path, Lab(), study(space=SearchSpace(narrow)))
    assert stored.result.trials[0].assignment == {CODEC: "none"}
    assert stored.result.confirmed is not None
    assert optuna_trials(stored)[0].state.name == "FAIL"


def test_the_sampler_gp_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="gp needs torch") as told:
        tuned(tmp_path, Lab(), study(sampler="gp"))
    assert "loadlab[gp]" in str(told.value.fix)
    assert not list(tmp_path.iterdir())


def test_a_study_is_not_begun_from_one_that_says_nothing_of_it(tmp_path: Path) -> None:
    before = tuned(tmp_path, Lab()).result
    loaded = study()
    other = replace(loaded.study, objectives=(Objective("producers.checkout.cpu_us_per_record", "minimize"),))
    with pytest.raises(UsageError, match="its objective was to maximize"):
        tuned(tmp_path, Lab(), replace(loaded, study=other), warm_start=before.study_id)

    knob = Knob("topics.orders.partitions", Choices(("1", "2")), ChangeCost.TOPIC, default="1")
    with pytest.raises(UsageError, match="none of this study's knobs"):
        tuned(tmp_path, Lab(), study(space=SearchSpace((knob,))), warm_start=before.study_id)


def test_a_default_is_not_due_for_trials_that_the_minutes_left_untried(tmp_path: Path) -> None:
    noise = NoiseSettings(runs=4, default_every=2)
    loaded = study(space=WITH_BROKERS, budget=Budget(minutes=1), noise=noise)
    assert len(tuned(tmp_path, Lab(), loaded).result.settled("default")) == 1


def test_where_runs_are_noisy_more_trials_are_measured_again_in_halving_rounds(
    tmp_path: Path,
) -> None:
    confirm = ConfirmSettings(blocks=5, p_value=0.05, screen_blocks=1, candidates=2, effect_floor=0.01)
    result = tuned(tmp_path, Lab(cv=0.04), study(budget=Budget(trials=10), confirm=confirm)).result
    again = [run.trial for run in result.settled("candidate")]
    values = {run.trial: [run.measured.values[0]] for run in result.settled("trial")}
    assert sorted(Counter(again[:8]).values()) == [2] * 4
    assert sorted(Counter(again[8:]).values()) == [4] * 2
    for run in result.settled("candidate")[:8]:
        values[run.trial].append(run.measured.values[0])
    assert set(again[8:]) == set(sorted(set(again), key=lambda trial: -np.log(values[trial]).mean())[:2])
    assert result.settled("confirm")[0].contender in again[8:]


def test_a_quiet_run_needs_no_longer_list(tmp_path: Path) -> None:
    result = tuned(tmp_path, Lab(cv=0.02), study(budget=Budget(trials=10))).result
    assert len(result.settled("candidate")) == 2


def test_the_sampler_knows_the_noise_that_the_baseline_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float | None] = []

    def noted(kind: Sampler, seed: int, number: int, noise: float | None, space: SearchSpace) -> BaseSampler:
        told.append(noise)
        return sampler_of(kind, seed, number, noise, space)

    monkeypatch.setattr(proposals, "sampler_of", noted)
    stored = tuned(tmp_path, Lab(before=stop_at(9)))
    result = tuned(tmp_path, Lab(), resume=stored.result.study_id).result
    noise = noise_of(baseline_values(result)).cv
    assert told[0] is None  # of the default itself
    assert set(told[1:]) == {noise}


def test_one_good_trial_is_not_measured_in_rounds_that_choose_nothing(tmp_path: Path) -> None:
    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        good = assignment[CODEC] != "zstd"
        return measured if good else measured.model_copy(update={"constraints": (broken(),)})

    space = SearchSpace((replace(KNOBS[1], domain=Choices(("none", "lz4", "zstd"))),))
    confirm = ConfirmSettings(blocks=5, p_value=0.05, screen_blocks=1, candidates=2, effect_floor=0.0)
    loaded = study(space=space, confirm=confirm, budget=Budget(trials=6))
    result = tuned(tmp_path, Lab(cv=0.04, judge=judge), loaded).result
    assert len(result.settled("candidate")) == 2
    assert estimate(loaded, result).candidates == 0
    assert result.settled("confirm")


@pytest.mark.parametrize("at", [13, 16])
def test_what_was_measured_before_and_does_not_begin_any_more_ends_no_study_with_an_answer(
    tmp_path: Path, at: int
) -> None:
    def before(number: int) -> None:
        if number >= at:
            raise ClusterError("no engine answers", fix="start it")

    with pytest.raises(ClusterError, match="no engine answers"):
        tuned(tmp_path, Lab(before=before))
    (folder,) = tmp_path.iterdir()
    kept = load_study_result(folder.name, tmp_path).result
    assert (kept.finished, kept.answer) == (False, None)
    assert tuned(tmp_path, Lab(), resume=folder.name).result.confirmed is not None


def test_suspect_runs_that_were_compared_are_told(tmp_path: Path) -> None:
    def judge(_: Assignment, measured: Measurement) -> Measurement:
        return measured.model_copy(update={"status": "suspect"})

    said = tuned(tmp_path, Lab(lz4_wins, judge=judge)).result.answer
    assert said is not None
    assert "20 of the 20 runs compared are suspect" in said.sentences

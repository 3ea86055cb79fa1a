"""What a study tells while it goes on, and what is shown, listed and exported of a stored one."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from bench_samples import CODEC, KNOBS, LINGER, THROUGHPUT, WITH_BROKERS, Lab, broken, invalid, study
from click.testing import CliRunner
from study_samples import loaded as of_file
from test_cli_display import PROGRESS

from loadlab.analysis.knobs import assignment_text, is_latency, objective_text, short_names
from loadlab.cli.coordinates import coordinates, header
from loadlab.cli.main import cli
from loadlab.cli.study_export import trials_csv
from loadlab.cli.study_view import study_lines
from loadlab.cli.tune_view import StudyWatcher, plan_lines
from loadlab.run.progress import SilentObserver
from loadlab.tuning.estimate import estimate
from loadlab.tuning.findings import baseline_values
from loadlab.tuning.noise import noise_of
from loadlab.tuning.space import SearchSpace
from loadlab.tuning.study import TuneOptions, tune
from loadlab.tuning.study_model import Budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadlab.results.model_study import Measurement
    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.space import Assignment


class Recorder(SilentObserver):
    """Keeps all lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.message(text)


def zstd_fails(assignment: Assignment, measured: Measurement) -> Measurement:
    """zstd is invalid, and what does not linger breaks a constraint."""
    if assignment[CODEC] == "zstd":
        return invalid(measured)
    return measured if assignment[LINGER] else measured.model_copy(update={"constraints": (broken(),)})


@pytest.fixture
def told(tmp_path: Path) -> tuple[StoredStudy, list[str]]:
    """A whole study, and what it told."""
    recorder = Recorder()
    loaded = study(budget=Budget(trials=12))
    stored = tune(loaded, TuneOptions(tmp_path), StudyWatcher(recorder, loaded), Lab(judge=zstd_fails).open)
    return stored, recorder.lines


def test_the_whole_time_is_told_before_the_first_run(told: tuple[StoredStudy, list[str]]) -> None:
    stored, lines = told
    planned = [line for line in lines if "in all" in line]
    assert lines.index(planned[0]) < next(number for number, line in enumerate(lines) if "baseline 1" in line)
    assert any(line.endswith(f"--resume {stored.result.study_id}") for line in lines)


def test_the_plan_counts_the_runs_of_each_part() -> None:
    lines = [line.text.strip() for line in plan_lines(study())]
    assert lines[0].startswith(
        "study orders-throughput: about 46 runs; fewer where nothing leads, more where"
    )
    assert lines[1:6] == [
        "4 of the default first, for its noise",
        "6 of trials",
        "2 of the default between them, for drift",
        "2 of the best trials again (8 where a run varies by more than 5 %)",
        "32 of default and winner in turns, as many again where they leave it open or runs vary so",
    ]


def test_the_plan_says_that_a_cluster_is_warmed_up_first() -> None:
    assert "warmed up first: 6 to 30 rounds of 5 s" in "\n".join(line.text for line in plan_lines(study()))


def test_the_plan_says_nothing_of_a_warm_up_that_was_left_out(told: tuple[StoredStudy, list[str]]) -> None:
    result = told[0].result
    assert "warmed up" not in "\n".join(line.text for line in plan_lines(study(), result, warms_up=False))


def test_the_noise_is_told_after_the_baseline_and_with_the_study(told: tuple[StoredStudy, list[str]]) -> None:
    stored, lines = told
    noise = noise_of(baseline_values(stored.result)).cv
    behind = lines[next(place for place, line in enumerate(lines) if line.startswith("baseline 4 of 4")) + 1]
    assert behind == f"the default varies by {noise:.1%} from run to run"
    (row,) = (line.text for line in study_lines(stored) if line.text.startswith("noise"))
    assert f"a run of the default varies by {noise:.1%}, of 4 runs" in row


def test_what_is_compared_with_the_scenario_says_so_everywhere(tmp_path: Path) -> None:
    own: Assignment = {LINGER: 5.0, CODEC: "none"}
    loaded, recorder = study(budget=Budget(trials=12), baseline="scenario", own=own), Recorder()
    stored = tune(loaded, TuneOptions(tmp_path), StudyWatcher(recorder, loaded), Lab(judge=zstd_fails).open)
    assert stored.result.answer is not None
    assert "times the records a second of the scenario" in stored.result.answer.sentences
    listed = CliRunner().invoke(cli, ["study", "list", "--results-dir", str(tmp_path)]).stdout
    assert "beats the scenario" in listed
    told = [line.text for line in (*plan_lines(loaded), *study_lines(stored))]
    files = [path.read_text(encoding="utf-8") for path in stored.path.glob("*.properties")]
    assert len(files) == 2
    for said in (*recorder.lines, *told, *files, listed):
        # What the libraries have by themselves is a default whatever is compared with.
        assert not re.search(r"the default\b(?! within)|of default|block \d+: default", said), said


def test_the_plan_is_data_where_that_is_asked_for(tmp_path: Path) -> None:
    of_file(tmp_path)
    told = CliRunner().invoke(cli, ["tune", str(tmp_path / "study.yaml"), "--plan", "--output", "json"])
    document = json.loads(told.stdout)
    assert (document["study"], document["baseline"], document["trials"]) == ("sample", 8, 15)
    assert document["seconds"] == document["runs"] * document["run_s"]


def test_each_run_has_a_line_and_each_trial_one_of_its_coordinates(
    told: tuple[StoredStudy, list[str]],
) -> None:
    stored, lines = told
    runs = [line for line in lines if line.endswith("left") and " · about " in line]
    assert len(runs) == len(stored.result.runs)
    assert sum(line.startswith("baseline ") for line in runs) == 4
    assert any("failed: generator_limited" in line for line in runs)
    assert any("publish_latency p99 < 50ms is broken" in line for line in runs)
    assert any("best so far" in line for line in runs)


def all_fail(assignment: Assignment, measured: Measurement) -> Measurement:
    return invalid(measured) if assignment[CODEC] != "none" or assignment[LINGER] != 5.0 else measured


def all_break(_: Assignment, measured: Measurement) -> Measurement:
    return measured.model_copy(update={"constraints": (broken(),)})


@pytest.mark.parametrize(
    ("judge", "said"),
    [(all_fail, "no trial was measured yet"), (all_break, "nothing holds the constraints yet")],
)
def test_that_no_trial_is_best_is_told_by_what_became_of_them(
    judge: Callable[[Assignment, Measurement], Measurement], said: str, tmp_path: Path
) -> None:
    recorder, loaded = Recorder(), study(budget=Budget(trials=2))
    options = TuneOptions(tmp_path, forced=True)
    tune(loaded, options, StudyWatcher(recorder, loaded), Lab(judge=judge).open)
    trials = [line for line in recorder.lines if line.startswith("trial ")]
    assert trials
    assert all(f" · {said} · about " in line for line in trials)


def test_coordinates_say_how_far_up_its_axis_each_value_lies() -> None:
    space = SearchSpace(KNOBS)
    assert header(space).split() == ["linger.ms", "compression.type"]
    assert coordinates(space, {LINGER: 0.5, CODEC: "none"}).split() == ["▁", "0.5", "▁", "none"]
    assert coordinates(space, {LINGER: 100.0, CODEC: "zstd"}).split() == ["█", "100", "█", "zstd"]
    assert coordinates(space, {LINGER: 7.0, CODEC: "lz4"}).split()[0] in "▄▅"
    assert coordinates(space, {CODEC: "lz4"}).split()[0] == "-"


def test_values_are_written_as_in_scenarios() -> None:
    values = {"producers.web.config.batch.size": 262144, "topics.orders.partitions": 12, LINGER: 5.0}
    assert assignment_text(values) == "batch.size=256KiB partitions=12 linger.ms=5"
    assert assignment_text({"producers.web.config.queue.buffering.max.messages": 2_000_000}) == (
        "queue.buffering.max.messages=2000000"
    )
    assert assignment_text({"producers.web.config.queue.buffering.max.kbytes": 65536}) == (
        "queue.buffering.max.kbytes=65536"
    )
    assert assignment_text({"cluster.config.socket.send.buffer.bytes": -1}) == "socket.send.buffer.bytes=-1"
    assert short_names([LINGER, "producers.billing.config.linger.ms"]) == {
        LINGER: "checkout.linger.ms",
        "producers.billing.config.linger.ms": "billing.linger.ms",
    }


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (
            ("topics.orders.eu.partitions", "topics.orders.us.partitions"),
            ("orders.eu.partitions", "orders.us.partitions"),
        ),
        (
            ("producers.orders.config.compression.type", "topics.orders.config.compression.type", LINGER),
            (
                "producers.orders.config.compression.type",
                "topics.orders.config.compression.type",
                "linger.ms",
            ),
        ),
        (
            ("cluster.config.socket.send.buffer.bytes", "producers.web.config.socket.send.buffer.bytes"),
            ("cluster.socket.send.buffer.bytes", "web.socket.send.buffer.bytes"),
        ),
        (
            ("topics.config.partitions", "cluster.config.alter.config.policy.class.name"),
            ("partitions", "alter.config.policy.class.name"),
        ),
        (("cluster.resources.heap", "topics.config.config.retention.ms"), ("heap", "retention.ms")),
    ],
)
def test_no_two_knobs_are_called_alike(paths: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert short_names(paths) == dict(zip(paths, names, strict=True))


def test_objectives_have_the_unit_of_their_field() -> None:
    assert objective_text(THROUGHPUT, 123_456.0) == "123,456 records/s"
    assert objective_text("producers.checkout.publish_latency_us.p99", 4_500.0) == "4.50 ms"
    assert objective_text("producers.checkout.cpu_us_per_record", 4_500.0) == "4.50 ms"


def test_what_a_group_is_called_makes_no_latency_of_its_fields() -> None:
    assert objective_text("producers.web_us.throughput.records_per_s", 20_000.0) == "20,000 records/s"
    assert not is_latency("producers.a.b_us.target_records_per_s")
    assert not is_latency("producers.web.publish_latency_us.count")
    assert is_latency("producers.web.publish_latency_us.p999")


def test_the_export_has_a_row_for_each_trial(told: tuple[StoredStudy, list[str]]) -> None:
    result = told[0].result
    rows = list(csv.DictReader(io.StringIO(trials_csv(result))))
    assert [int(row["trial"]) for row in rows] == [trial.number for trial in result.trials]
    assert rows[0]["origin"] == "default"
    baseline = sorted(run.measured.values[0] for run in result.settled("baseline"))
    assert float(rows[0][THROUGHPUT]) == baseline[2]
    for row in rows[1:]:
        if row[CODEC] == "zstd":
            assert row["state"] == "failed"
            assert row["failure"].startswith("generator_limited")
            assert row[THROUGHPUT] == ""
        else:
            assert row["state"] == ("feasible" if float(row[LINGER]) else "breaks a constraint")
            assert float(row[THROUGHPUT]) > 0


def test_a_stored_study_is_listed_and_shown(told: tuple[StoredStudy, list[str]]) -> None:
    stored, _ = told
    where = ["--results-dir", str(stored.path.parent)]
    for command in (["list"], ["study", "list"]):
        assert (
            f"{stored.result.study_id}  study of 12 trials"
            in CliRunner().invoke(cli, [*command, *where]).stdout
        )
    for command in (["show"], ["study", "show"]):
        shown = CliRunner().invoke(cli, [*command, stored.result.study_id[-4:], *where]).stdout
        assert stored.result.answer is not None
        assert shown.startswith(stored.result.answer.sentences)
        assert str(stored.path) in shown
    as_json = CliRunner().invoke(cli, ["study", "show", stored.result.study_id, "--output", "json", *where])
    assert json.loads(as_json.stdout)["study_id"] == stored.result.study_id
    (entry,) = json.loads(CliRunner().invoke(cli, ["list", "--output", "json", *where]).stdout)
    assert entry["kind"] == "study"


def test_what_is_recommended_is_exported_for_both_clients(tmp_path: Path) -> None:
    loaded = study()
    stored = tune(loaded, TuneOptions(tmp_path), StudyWatcher(Recorder(), loaded), Lab().open)
    for form in ("librdkafka", "java"):
        command = [
            "study",
            "export",
            stored.result.study_id,
            "--format",
            form,
            "--results-dir",
            str(tmp_path),
        ]
        assert "compression.type=lz4" in CliRunner().invoke(cli, command).stdout


def test_nothing_is_exported_where_nothing_is_recommended(tmp_path: Path) -> None:
    loaded = study()
    lab = Lab(surface=lambda _: 100_000.0)
    stored = tune(loaded, TuneOptions(tmp_path), StudyWatcher(Recorder(), loaded), lab.open)
    command = ["study", "export", stored.result.study_id, "--format", "java", "--results-dir", str(tmp_path)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 2
    assert "recommends nothing" in done.stderr


def test_what_is_left_of_a_confirmation_shrinks_once_a_contender_leads(
    told: tuple[StoredStudy, list[str]],
) -> None:
    stored, _ = told
    loaded = study(budget=Budget(trials=12))
    confirming = [place for place, run in enumerate(stored.result.runs) if run.purpose == "confirm"]
    left = [
        estimate(loaded, stored.result.model_copy(update={"runs": stored.result.runs[: place + 1]})).confirm
        for place in confirming
    ]
    assert left == sorted(left, reverse=True)
    assert left[len(left) - 2] == 1
    assert left[-1] == 0


def test_what_is_left_of_a_confirmation_grows_where_its_blocks_leave_it_open(tmp_path: Path) -> None:
    """One of the winner's six blocks speaks against it; from the eighth on none does."""
    confirm = study().study.confirm.model_copy(update={"blocks": 6, "p_value": 0.02, "candidates": 1})
    loaded = study(confirm=confirm)
    before = 4 + 6 + 2 + 1  # baseline, trials, the default between them, the best again
    ratios = [1.2, 1.3, 0.9, 1.25, 1.4, 1.35, *[1.3] * 6]

    def judge(_: Assignment, measured: Measurement) -> Measurement:
        block, place = divmod(len(lab.measured) - 1 - before, 4)
        ratio = ratios[block] if block >= 0 and place in {1, 2} else 1.0
        return measured.model_copy(update={"values": (100_000.0 * ratio,)}) if block >= 0 else measured

    lab = Lab(judge=judge)
    result = tune(loaded, TuneOptions(tmp_path), StudyWatcher(Recorder(), loaded), lab.open).result
    left = [
        estimate(loaded, result.model_copy(update={"runs": result.runs[: before + made]})).confirm
        for made in range(1, 12 * 4 + 1)
    ]
    assert left == [*range(6 * 4 - 1, 0, -1), *range(6 * 4, -1, -1)]
    assert len(result.runs) == before + 12 * 4


def test_what_went_wrong_is_told_at_any_time_of_a_study() -> None:
    recorder = Recorder()
    watcher = StudyWatcher(recorder, study())
    watcher.progress(PROGRESS)
    watcher.message("starting 2 workers")
    watcher.warn("topics could not be ended: nobody answered")

    assert recorder.lines == ["topics could not be ended: nobody answered"]


def test_starts_of_brokers_are_reckoned_with_until_a_trial_has_told_how_long_they_take(
    tmp_path: Path,
) -> None:
    loaded = study(space=WITH_BROKERS)
    result = tune(loaded, TuneOptions(tmp_path), StudyWatcher(Recorder(), loaded), Lab().open).result
    measured = [run.measured.model_copy(update={"took_s": 10.0}) for run in result.runs]
    runs = [
        run.model_copy(update={"measured": each}) for run, each in zip(result.runs, measured, strict=True)
    ]
    tried = next(place for place, run in enumerate(runs) if run.purpose == "trial")

    def run_s(amount: int) -> float:
        return estimate(loaded, result.model_copy(update={"runs": tuple(runs[:amount])})).run_s

    assert (run_s(tried), run_s(tried + 1)) == (70.0, 10.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trials": []}, "a run is of trial 0, which is not there"),
        ({"objectives": []}, "objectives"),
    ],
)
def test_a_study_that_contradicts_itself_is_damaged(
    told: tuple[StoredStudy, list[str]], change: dict[str, object], words: str
) -> None:
    file = told[0].path / "study.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    done = CliRunner().invoke(
        cli, ["study", "show", file.parent.name, "--results-dir", str(file.parent.parent)]
    )
    assert done.exit_code == 2
    assert "is damaged" in done.stderr
    assert words in done.stderr
    assert "fix: copy its folder again, or make it anew" in done.stderr

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from result_samples import RUN_ID, result

from loadlab.cli import run as run_module
from loadlab.cli import shipped
from loadlab.cli.exit_codes import exit_code
from loadlab.cli.main import cli
from loadlab.errors import RunError, UsageError
from loadlab.results.artifacts import Artifacts
from loadlab.results.model import RunResult, Threshold, Verdict
from loadlab.results.store import save
from loadlab.run.interrupts import Interrupts

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.reader import StoredRun
    from loadlab.run.progress import RunObserver
    from loadlab.run.runner import RunOptions
    from loadlab.scenario import LoadedScenario

SCENARIO = """\
name: small
topics: {orders: {partitions: 2}}
producers:
  checkout: {topic: orders, schedule: {rate: 1k/s}, records: {size: 100}}
phases: {measure: 5s}
"""
INVALID = Verdict(status="invalid")
FAILED = (Threshold(expression="publish_latency p99 < 1ms", measured=4_500.0, passed=False),)


@dataclass
class FakeRunner:
    """Stands in for the runner: stores a given result and remembers how it was called."""

    outcome: RunResult | Exception = field(default_factory=result)
    loaded: LoadedScenario | None = None
    options: RunOptions | None = None

    def __call__(self, loaded: LoadedScenario, options: RunOptions, observer: RunObserver) -> StoredRun:
        self.loaded, self.options = loaded, options
        observer.message("starting cluster…")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return save(self.outcome, Artifacts(), options.results_dir)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    fake = FakeRunner()
    monkeypatch.setattr(run_module, "run_scenario", fake)
    return fake


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def called(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(cli, [str(argument) for argument in arguments])


def test_a_run_prints_its_summary_to_stdout_and_its_progress_to_stderr(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    told = called("run", scenario, "--results-dir", tmp_path / "results")

    assert told.exit_code == 0
    assert told.stdout.splitlines()[0].startswith("VALID")
    assert told.stderr == "starting cluster…\n"
    assert runner.options is not None
    assert runner.options.results_dir == tmp_path / "results"


def test_output_json_is_the_stored_result_and_nothing_else(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    told = called("run", scenario, "--results-dir", tmp_path, "--output", "json")

    assert runner.options is not None
    assert told.stdout == (tmp_path / RUN_ID / "result.json").read_text()
    assert json.loads(told.stdout)["run_id"] == RUN_ID


def test_options_reach_the_scenario_and_the_runner(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    told = called(
        *("run", scenario, "--results-dir", tmp_path, "--provider", "embedded", "--keep-topics"),
        *(
            "--cluster",
            "mine",
            "--set",
            "producers.checkout.workers=2",
            "--set",
            "topics.orders.partitions=3",
        ),
    )

    assert told.exit_code == 0, told.stderr
    assert runner.loaded is not None
    assert runner.options is not None
    assert runner.loaded.scenario.cluster.provider == "embedded"
    assert runner.loaded.scenario.producers["checkout"].workers == 2
    assert (runner.options.cluster_name, runner.options.keep_topics) == ("mine", True)


def test_the_folder_of_results_may_come_from_the_environment(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    called("run", scenario, LOADLAB_RESULTS_DIR=str(tmp_path / "r"))

    assert runner.options is not None
    assert runner.options.results_dir == tmp_path / "r"


def test_an_empty_folder_of_results_is_refused(runner: FakeRunner, scenario: Path) -> None:
    """It stands for a variable that is not set, and would be the folder that the command runs in."""
    told = called("run", scenario, "--results-dir", "")
    assert told.exit_code == 2
    assert "the path is empty" in told.stderr
    assert runner.options is None


@pytest.mark.parametrize("provider", ["auto", "docker", "local", "embedded"])
def test_topics_that_are_to_exist_are_no_part_of_a_cluster_yet_to_be_started(
    tmp_path: Path, provider: str
) -> None:
    path = tmp_path / "existing.yaml"
    path.write_text(SCENARIO.replace("partitions: 2", "existing: true"))
    told = called("run", path, "--provider", provider, "--results-dir", tmp_path / "results")
    assert told.exit_code == 2
    assert "topics.orders says existing: true" in told.stderr
    assert "starting" not in told.stderr


def test_a_bad_scenario_starts_nothing(runner: FakeRunner, scenario: Path) -> None:
    scenario.write_text("name: [")

    assert called("run", scenario).exit_code == 2
    assert runner.loaded is None


def test_a_run_that_fails_exits_4_without_a_word_on_stdout(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    runner.outcome = RunError("the broker died", fix="look into its log")
    told = called("run", scenario, "--results-dir", tmp_path, "--output", "json")

    assert (told.exit_code, told.stdout) == (4, "")
    assert told.stderr.endswith("error: the broker died\nfix: look into its log\n")


def test_a_junit_file_is_written_of_runs_that_end_well_and_of_those_that_fail(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    path = tmp_path / "junit.xml"
    runner.outcome = result(thresholds=FAILED)
    assert called("run", scenario, "--results-dir", tmp_path, "--junit", path).exit_code == 99
    assert 'failures="1" errors="0"' in path.read_text()

    runner.outcome = RunError("the broker died")
    assert called("run", scenario, "--results-dir", tmp_path, "--junit", path).exit_code == 4
    assert 'message="the broker died"' in path.read_text()


@pytest.mark.parametrize(
    ("changes", "strict", "code"),
    [
        ({}, True, 0),
        ({"verdict": INVALID}, False, 0),
        ({"verdict": INVALID}, True, 5),
        ({"verdict": Verdict(status="suspect")}, True, 0),
        ({"thresholds": FAILED}, False, 99),
        ({"thresholds": FAILED, "verdict": INVALID}, True, 5),
        ({"thresholds": FAILED, "verdict": INVALID, "interrupted": True}, True, 130),
    ],
)
def test_the_exit_code_is_that_of_the_worst_that_holds(
    changes: dict[str, object], strict: bool, code: int
) -> None:
    assert exit_code(result(**changes), strict=strict) == code


def test_a_signal_that_came_when_the_result_was_whole_still_ends_a_loop_of_runs(
    runner: FakeRunner, scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadlab.cli.run.heeding", lambda: Interrupts(missed=True))
    told = called("run", scenario, "--results-dir", tmp_path)
    assert told.exit_code == 130
    assert told.stdout.startswith("VALID")
    assert runner.options is not None


def test_a_place_for_metrics_without_a_port_is_refused(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    told = called("run", scenario, "--results-dir", tmp_path, "--metrics-host", "0.0.0.0")  # noqa: S104
    assert told.exit_code == 2
    assert "add --metrics-port" in told.stderr
    assert runner.options is None


def test_strict_reaches_the_exit_code_and_the_result_is_shown_all_the_same(
    runner: FakeRunner, scenario: Path, tmp_path: Path
) -> None:
    runner.outcome = result(verdict=INVALID)
    told = called("run", scenario, "--results-dir", tmp_path, "--strict")

    assert told.exit_code == 5
    assert told.stdout.startswith("INVALID")


def test_the_demo_runs_the_quickstart(runner: FakeRunner, tmp_path: Path) -> None:
    told = called("demo", "--results-dir", tmp_path, "--provider", "embedded")

    assert told.exit_code == 0, told.stderr
    assert runner.loaded is not None
    assert runner.loaded.scenario.name == "quickstart"


def test_an_installation_without_the_quickstart_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shipped.loadlab, "__file__", str(tmp_path / "lib" / "loadlab" / "__init__.py"))
    monkeypatch.setattr(shipped, "_installed", lambda *_: [])
    with pytest.raises(UsageError, match=r"no scenarios/quickstart\.yaml") as caught:
        shipped.shipped_file("scenarios", "quickstart.yaml")
    assert caught.value.fix is not None


@pytest.mark.parametrize("name", ["run", "demo"])
def test_help_shows_an_example(name: str) -> None:
    assert f"  loadlab {name}" in called(name, "--help").stdout


def test_where_standard_output_is_full_the_result_is_told_to_be_safe(
    runner: FakeRunner, scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RunError("standard output can't be written: No space left on device")

    monkeypatch.setattr(run_module, "print_run", full)
    told = called("run", scenario, "--results-dir", tmp_path)

    assert runner.loaded is not None
    assert told.exit_code == 4
    assert told.stderr.splitlines()[-2:] == [
        (
            f"error: standard output can't be written: No space left on device; the result is stored in"
            f" {tmp_path / RUN_ID}"
        ),
        f"fix: loadlab show {tmp_path / RUN_ID}",
    ]

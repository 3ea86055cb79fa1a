"""The series of runs and its set, with runs that are made up."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from click.testing import CliRunner, Result
from result_samples import producer, result

from loadlab.cli.exit_codes import worst_exit_code
from loadlab.cli.main import cli
from loadlab.errors import RunError, UsageError
from loadlab.results.artifacts import Artifacts
from loadlab.results.model import Threshold, Verdict
from loadlab.results.reader import StoredSet, list_sets, load_any
from loadlab.results.store import save
from loadlab.run import repetitions
from loadlab.run.opening import OpenCluster, RunOptions
from loadlab.run.progress import SilentObserver
from loadlab.run.repetitions import RepeatOptions, repeat_scenario, repetition_seed
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.reader import StoredRun
    from loadlab.run.interrupts import Interrupts
    from loadlab.run.repetitions import Repeated
    from loadlab.scenario import LoadedScenario

DOCUMENT = {
    "name": "small",
    "seed": 7,
    "cluster": {"provider": "embedded"},
    "topics": {"orders": {}},
    "producers": {"checkout": {"topic": "orders", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}},
    "phases": {"measure": "5s"},
}
FAILED = {"thresholds": (Threshold(expression="p99 < 1ms", measured=4_500.0, passed=False),)}
ENDED = {"thresholds": (Threshold(expression="p99 < 1ms", measured=9.0, passed=False, ended_run_at_s=3.0),)}
INVALID = {"verdict": Verdict(status="invalid")}


@dataclass
class FakeRuns:
    """Stands in for the runner: each run has the next outcome.

    An outcome is what differs from a valid result, an error to raise, or a signal that comes during the run.
    """

    outcomes: list[dict[str, object] | BaseException | signal.Signals]
    seeds: list[int] = field(default_factory=list)
    opened: int = 0

    @contextmanager
    def open_cluster(self, *_arguments: object, interrupts: Interrupts) -> Iterator[OpenCluster]:
        self.opened += 1
        yield OpenCluster(cast("Cluster", None), 0, interrupts)

    def run_scenario(
        self, loaded: LoadedScenario, options: RunOptions, _observer: object, *, cluster: OpenCluster
    ) -> StoredRun:
        self.seeds.append(loaded.scenario.seed)
        outcome = self.outcomes[len(self.seeds) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        changes: dict[str, object] = {}
        if isinstance(outcome, signal.Signals):
            cluster.interrupts.gentle = True
            signal.raise_signal(outcome)
            changes = {"interrupted": True}
        else:
            changes = outcome
        number = len(self.seeds)
        group = producer().model_dump()
        group["throughput"]["records_per_s"] = 1_000.0 * number
        plain = {"run_id": f"run-{number}", "seed": loaded.scenario.seed, "producers": {"checkout": group}}
        return save(result(**{**plain, **changes}), Artifacts(), options.results_dir)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    fake = FakeRuns([{}, {}, {}])
    monkeypatch.setattr(repetitions, "open_cluster", fake.open_cluster)
    monkeypatch.setattr(repetitions, "run_scenario", fake.run_scenario)
    return fake


def repeated(results: Path, count: int = 3, *, fresh_clusters: bool = False) -> Repeated:
    return repeat_scenario(
        load_document(DOCUMENT), RunOptions(results), RepeatOptions(count, fresh_clusters), SilentObserver()
    )


def called(tmp_path: Path, *arguments: str) -> Result:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(json.dumps(DOCUMENT))
    return CliRunner().invoke(cli, ["run", str(scenario), "--results-dir", str(tmp_path), *arguments])


def test_all_runs_have_one_cluster_and_stand_whole(runs: FakeRuns, tmp_path: Path) -> None:
    stored = repeated(tmp_path).stored

    assert runs.opened == 1
    assert [run.run_id for run in stored.runs.runs] == ["run-1", "run-2", "run-3"]
    assert [run.result.run_id for run in stored.load_runs()] == ["run-1", "run-2", "run-3"]
    found = load_any(stored.runs.set_id, tmp_path)
    assert isinstance(found, StoredSet)
    assert found == stored


def test_each_run_has_a_cluster_where_that_is_asked_for(runs: FakeRuns, tmp_path: Path) -> None:
    assert repeated(tmp_path, fresh_clusters=True).stored.runs.fresh_clusters
    assert runs.opened == 3


def test_seeds_differ_follow_from_the_scenario_s_and_are_kept(runs: FakeRuns, tmp_path: Path) -> None:
    stored = repeated(tmp_path).stored.runs

    assert (
        runs.seeds == [7, repetition_seed(7, 2), repetition_seed(7, 3)] == [run.seed for run in stored.runs]
    )
    assert len(set(runs.seeds)) == 3
    assert all(0 <= repetition_seed(2**63 - 1, number) < 2**63 for number in range(1, 50))


def test_a_headline_number_is_the_median_with_its_interval(runs: FakeRuns, tmp_path: Path) -> None:
    stored = repeated(tmp_path).stored.runs
    figure = stored.headline["producers.checkout.throughput.records_per_s"]

    assert runs.seeds
    assert (figure.values, figure.median, figure.unit) == ((1_000.0, 2_000.0, 3_000.0), 2_000.0, "records/s")
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < 1_000.0
    assert figure.high > 3_000.0


@pytest.mark.parametrize("bad", [INVALID, ENDED])
def test_a_run_that_is_invalid_or_cut_short_does_not_count(
    runs: FakeRuns, tmp_path: Path, bad: dict[str, object]
) -> None:
    runs.outcomes = [{}, bad, {}]
    stored = repeated(tmp_path).stored.runs

    assert [run.used for run in stored.runs] == [True, False, True]
    assert stored.headline["producers.checkout.throughput.records_per_s"].values == (1_000.0, 3_000.0)


def test_an_error_ends_the_series_and_keeps_what_there_is(runs: FakeRuns, tmp_path: Path) -> None:
    runs.outcomes = [{}, RunError("all workers are gone"), {}]
    ended = repeated(tmp_path)

    assert (len(runs.seeds), len(ended.stored.runs.runs)) == (2, 1)
    assert ended.stored.runs.failure == "all workers are gone"
    assert isinstance(ended.error, RunError)


@pytest.mark.parametrize("error", [RunError("no room"), KeyboardInterrupt()])
def test_without_any_run_there_is_no_set(runs: FakeRuns, tmp_path: Path, error: BaseException) -> None:
    runs.outcomes = [error]
    with pytest.raises(type(error)):
        repeated(tmp_path)
    assert list_sets(tmp_path) == []


def test_an_interrupt_keeps_the_run_under_way_marked_and_begins_no_other(
    runs: FakeRuns, tmp_path: Path
) -> None:
    runs.outcomes = [{}, signal.SIGINT, {}]
    stored = repeated(tmp_path).stored.runs

    assert stored.interrupted
    assert [(run.cut_short, run.used) for run in stored.runs] == [(False, True), (True, False)]


def test_an_interrupt_between_runs_keeps_those_before(runs: FakeRuns, tmp_path: Path) -> None:
    runs.outcomes = [{}, KeyboardInterrupt()]
    stored = repeated(tmp_path).stored.runs

    assert stored.interrupted
    assert len(stored.runs) == 1


def test_topics_of_repetitions_can_t_be_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none can be kept"):
        repeat_scenario(
            load_document(DOCUMENT),
            RunOptions(tmp_path, keep_topics=True),
            RepeatOptions(2),
            SilentObserver(),
        )


def test_the_summary_tells_medians_intervals_and_which_runs_do_not_count(
    runs: FakeRuns, tmp_path: Path
) -> None:
    runs.outcomes = [{}, INVALID, {}]
    told = called(tmp_path, "--repeat", "3")

    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith("small · 3 of 3 repetitions · ")
    assert "figures              median of 2 runs and its 95 % interval by t of logarithms" in lines
    assert "verdicts             2 valid · 1 invalid" in lines
    assert "  2: run-2 invalid, not counted" in lines
    assert "repetition 2 of 3" in told.stderr


def test_as_json_the_set_is_printed_as_it_is_stored(runs: FakeRuns, tmp_path: Path) -> None:
    told = called(tmp_path, "--repeat", "3", "--output", "json")
    (entry,) = list_sets(tmp_path)

    assert len(runs.seeds) == 3
    assert told.stdout == (entry.path / "runset.json").read_text()


def test_a_set_that_is_killed_is_one_of_the_runs_until_then(runs: FakeRuns, tmp_path: Path) -> None:
    class Killed(BaseException):
        """Nothing of the process goes on."""

    runs.outcomes = [{}, {}, Killed()]
    with pytest.raises(Killed):
        repeated(tmp_path)

    (entry,) = list_sets(tmp_path)
    assert entry.stored is not None
    assert (len(entry.stored.runs.runs), entry.stored.runs.interrupted) == (2, True)


@pytest.mark.parametrize(
    ("outcomes", "strict", "code"),
    [
        ([{}, FAILED, {}], False, 99),
        ([FAILED, INVALID, {}], True, 5),
        ([FAILED, INVALID, {}], False, 99),
        ([INVALID, RunError("no room")], True, 4),
        ([FAILED, signal.SIGTERM], True, 130),
    ],
)
def test_the_exit_code_is_that_of_the_worst_run(
    runs: FakeRuns, tmp_path: Path, outcomes: list[object], code: int, *, strict: bool
) -> None:
    runs.outcomes = outcomes  # type: ignore[assignment]
    told = called(tmp_path, "--repeat", "3", *(["--strict"] if strict else []))

    assert told.exit_code == code


def test_no_run_is_done_well() -> None:
    assert worst_exit_code([]) == 0


@pytest.mark.parametrize("arguments", [("--fresh-cluster",), ("--repeat", "0")])
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert called(tmp_path, *arguments).exit_code == 2


def test_a_standing_cluster_is_no_fresh_one(tmp_path: Path) -> None:
    assert called(tmp_path, "--repeat", "2", "--fresh-cluster", "--cluster", "lab").exit_code == 2


def test_sets_are_listed_and_shown(runs: FakeRuns, tmp_path: Path) -> None:
    set_id = repeated(tmp_path).stored.runs.set_id
    listed = CliRunner().invoke(cli, ["list", "--results-dir", str(tmp_path)])
    as_json = CliRunner().invoke(cli, ["list", "--results-dir", str(tmp_path), "--output", "json"])
    shown = CliRunner().invoke(cli, ["show", set_id, "--results-dir", str(tmp_path)])

    assert runs.seeds
    assert f"{set_id}  set of 3 runs" in listed.stdout
    assert [entry["kind"] for entry in json.loads(as_json.stdout)] == ["run", "run", "run", "set"]
    assert shown.stdout.startswith("small · 3 of 3 repetitions")


def test_a_damaged_set_is_listed_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "broken-set").mkdir()
    (tmp_path / "broken-set" / "runset.json").write_text("{}")
    told = CliRunner().invoke(cli, ["list", "--results-dir", str(tmp_path)])

    assert "can't be read: " in told.stdout


def test_a_set_whose_run_is_gone_says_which(runs: FakeRuns, tmp_path: Path) -> None:
    stored = repeated(tmp_path).stored
    (tmp_path / "run-2").rename(tmp_path / ".gone")

    assert runs.seeds
    with pytest.raises(UsageError, match="nothing called run-2 is stored"):
        stored.load_runs()


def test_a_threshold_that_could_not_be_measured_says_so_in_the_set() -> None:
    missed = Threshold(
        expression="publish_latency p99.9 < 1s", passed=False, not_measurable="of 1,500 samples"
    )
    told = repetitions._failed(missed)
    assert told == "publish_latency p99.9 < 1s (not measurable: of 1,500 samples)"
    assert repetitions._failed(FAILED["thresholds"][0]) == "p99 < 1ms"

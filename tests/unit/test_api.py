from __future__ import annotations

import errno
import html
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from recorded_runs import RUNS, copied, recorded
from result_samples import RUN_ID, result
from run_samples import scenario_of

import loadlab
from loadlab.analysis.headline import headline_figures
from loadlab.analysis.plots.plot import Plot
from loadlab.api.running import load_scenario
from loadlab.cli.runset import set_lines
from loadlab.errors import LoadlabError, ScenarioError, UsageError
from loadlab.results import artifacts, reader
from loadlab.results.artifacts import Artifacts
from loadlab.results.model import ClusterUsed, Reason, Threshold, Verdict
from loadlab.results.reader import StoredSet
from loadlab.results.runset import Repetition, RunSet, save_set
from loadlab.results.store import save
from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import OpenCluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadlab.results.model import RunResult

HEAVY = ("pandas", "numpy", "numba", "confluent_kafka", "pydantic", "rich", "click", "loadlab.run.runner")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["loadlab", "loadlab.pytest_plugin"])
def test_importing_the_package_or_the_pytest_plugin_loads_nothing_heavy(module: str) -> None:
    assert python(f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])") == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    assert set(loadlab.__all__) <= set(dir(loadlab))
    for name in set(loadlab.__all__) - {"__version__"}:
        assert (getattr(loadlab, name).__doc__ or "").strip(), name
        assert f"`loadlab.{name}" in (RUNS.parents[2] / "docs" / "python.md").read_text("utf-8"), name


def test_run_and_results_stay_functions_whatever_was_imported_before() -> None:
    before = "import loadlab.run.runner as runner, loadlab.results.reader; from loadlab.run import plan"
    called = "callable(loadlab.run), len(loadlab.results('/nowhere')), plan.__name__"
    assert python(f"{before}; import loadlab; print({called})") == "True 0 loadlab.run.plan"


def test_help_on_run_shows_the_function_s_signature() -> None:
    assert {"scenario", "overrides", "provider", "repeat"} <= set(inspect.signature(loadlab.run).parameters)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        loadlab.nothing  # noqa: B018


def test_overrides_keep_their_types_and_go_over_the_scenario() -> None:
    loaded = load_scenario(
        {
            "name": "small",
            "topics": {"orders": {"partitions": 3}},
            "producers": {
                "checkout": {"topic": "orders", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}
            },
        },
        overrides={
            "producers.checkout.workers": 2,
            "producers.checkout.config.compression.type": "lz4",
            "producers.checkout.records.stamp": False,
            "thresholds.publish_latency": ["p99 < 20ms"],
        },
        provider="embedded",
    )
    checkout = loaded.scenario.producers["checkout"]

    assert (checkout.workers, checkout.records.stamp) == (2, False)
    assert checkout.config["compression.type"] == "lz4"
    assert loaded.scenario.cluster.provider == "embedded"
    assert loaded.scenario.thresholds["publish_latency"][0].text == "p99 < 20ms"


def test_overrides_may_be_numbers_of_numpy_and_nothing_that_no_file_can_hold() -> None:
    document = scenario_of().scenario.to_document()
    loaded = load_scenario(
        document, overrides={"seed": np.int64(3), "producers.checkout.records.size": np.int32(64)}
    )
    assert loaded.scenario.seed == 3
    with pytest.raises(UsageError, match=r"override of seed .*: set"):
        load_scenario(document, overrides={"seed": {1}})


def test_overrides_may_be_texts_as_of_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_SET", "phases.warmup=2s\nphases.measure=7s")
    quickstart = RUNS.parents[2] / "scenarios" / "quickstart.yaml"
    loaded = load_scenario(quickstart, overrides=["phases.warmup=3s"])

    assert (loaded.scenario.phases.warmup_s, loaded.scenario.phases.measure_s) == (3.0, 7.0)


def test_what_is_wrong_with_a_scenario_is_told_as_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="nothing called nobody"):
        load_scenario(scenario_of().scenario.to_document(), overrides={"producers.nobody.workers": 2})
    with pytest.raises(ScenarioError):
        load_scenario(tmp_path / "missing.yaml")
    with pytest.raises(UsageError, match="stays as it is"):
        load_scenario(scenario_of(), overrides={"seed": 2})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"provider": "embeded"}, 'did you mean "embedded"'),
        ({"provider": "local", "config": {"no.such": "1"}}, "has no broker property of this name"),
        ({"provider": "local", "config": {"num.io.threads": "many"}}, "must be a whole number"),
    ],
)
def test_a_cluster_is_checked_as_in_a_scenario_before_anything_starts(
    asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message), loadlab.open_cluster(**asked, progress=False):
        pass


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"fresh_cluster": True}, "says how to repeat"),
        ({"repeat": 0}, "whole number of runs"),
        ({"repeat": 2, "fresh_cluster": True, "cluster": "lab"}, "contradict"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    tmp_path: Path, keywords: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        loadlab.run(scenario_of(), results_dir=tmp_path, progress=False, **keywords)  # type: ignore[call-overload]


def test_an_open_cluster_of_another_provider_than_asked_for_is_refused(tmp_path: Path) -> None:
    opened = OpenCluster(SimpleNamespace(info=SimpleNamespace(provider="embedded")), 0, Interrupts())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cluster is of provider embedded, and provider is local"):
        loadlab.run(scenario_of(), cluster=opened, provider="local", results_dir=tmp_path, progress=False)


def test_a_stored_run_tells_what_it_measured() -> None:
    run = loadlab.load(recorded("pair").result.run_id[-4:], RUNS)

    assert run.run_id == recorded("pair").result.run_id
    assert run.path == recorded("pair").path
    assert run.document == recorded("pair").result
    assert run.scenario["name"] == "pair"
    assert run.verdict.status in {"valid", "suspect", "invalid"}
    assert not run.interrupted
    assert run.producers["checkout"].records.acked > 0
    assert run.consumers["billing"].records.consumed > 0
    assert len(run.metrics) > 100
    assert set(run.intervals.source) >= {"producer/checkout", "consumer/archive"}
    assert run.events[0]["event"] == "cluster"
    checkout = run.producers["checkout"].publish_latency_us
    assert run.histogram("publish_latency", "checkout").count == checkout.count
    assert not run.passed  # one of its thresholds can't hold


def test_plots_are_drawn_when_they_are_asked_for_with_the_sentence_that_explains_them(tmp_path: Path) -> None:
    shown = python("import sys, loadlab; loadlab.Result; print('matplotlib' in sys.modules)")
    plot = loadlab.Result(recorded("pair")).plot.spectrum()

    assert shown == "False"
    assert isinstance(plot, Plot)
    assert plot.sentence in html.unescape(plot._repr_html_())
    plot.save(tmp_path / "spectrum.svg")
    assert "<svg" in (tmp_path / "spectrum.svg").read_text("utf-8")


def test_a_threshold_that_holds_is_no_error_and_one_that_does_not_shows_measured_and_limit() -> None:
    run = loadlab.Result(recorded("pair"))
    run.assert_threshold("publish_latency{producer=checkout}", "p50 < 10s", allow_invalid=True)
    with pytest.raises(AssertionError) as caught:
        run.assert_threshold("publish_latency", "p50 < 1us", allow_invalid=True)
    with pytest.raises(AssertionError, match=r"not hold: not measurable: p99\.99 needs 100,000 samples"):
        run.assert_threshold("publish_latency", "p99.99 < 1s", allow_invalid=True)

    told = str(caught.value)
    assert "publish_latency p50 < 1us does not hold: measured " in told
    assert "limit 1.00 µs" in told
    assert run.run_id in told
    judged = run.judge("publish_latency", "p50 < 1us")
    assert judged.measured is not None
    assert f"{judged.measured / 1_000:.2f} ms" in told


def test_a_threshold_that_could_not_be_measured_fails_with_the_reason() -> None:
    with pytest.raises(AssertionError, match="not measurable: no record has the intended send time"):
        loadlab.Result(recorded("fast")).assert_threshold("send_delay", "p99 < 1s", allow_invalid=True)


def test_an_invalid_run_fails_every_assertion_unless_that_is_allowed() -> None:
    reason = Reason(code="generator_limited", message="the generator was the limit", severity="invalid")
    stored = recorded("pair")
    verdict = Verdict(status="invalid", reasons=(reason,))
    run = loadlab.Result(replace(stored, result=stored.result.model_copy(update={"verdict": verdict})))

    with pytest.raises(AssertionError, match=r"the run is invalid.*\n.*generator_limited: the generator was"):
        run.assert_threshold("publish_latency", "p99 < 10s")
    run.assert_threshold("publish_latency", "p99 < 10s", allow_invalid=True)


def test_the_repr_is_one_line_and_the_text_is_that_of_show() -> None:
    run = loadlab.Result(recorded("pair"))

    assert "\n" not in repr(run)
    assert run.run_id in repr(run)
    assert "publish latency" in str(run)
    assert str(run).startswith(run.verdict.status.upper())


def test_what_a_result_holds_is_no_mark_up_in_a_notebook(tmp_path: Path) -> None:
    evil = "<script>alert('1')</script> & more"
    stored = save(
        result(
            name=evil,
            thresholds=(Threshold(expression=evil, passed=False, not_measurable=evil),),
            verdict=Verdict(
                status="suspect", reasons=(Reason(code="drift", message=evil, severity="suspect"),)
            ),
        ),
        Artifacts(),
        tmp_path,
    )
    page = loadlab.Result(reader.StoredRun(stored.result, stored.path))._repr_html_()

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 3
    assert "&#x27;1&#x27;" in page


def test_a_run_that_does_not_exist_is_told_with_the_nearest(tmp_path: Path) -> None:
    save(result(), Artifacts(), tmp_path)
    with pytest.raises(UsageError, match=f"did you mean {RUN_ID}"):
        loadlab.load(RUN_ID.replace("k3f9", "k3f8"), tmp_path)
    with pytest.raises(UsageError, match="is a run, not a run set"):
        loadlab.load_set(RUN_ID, tmp_path)


def stored_set(results_dir: Path, *runs: RunResult) -> loadlab.ResultSet:
    """A set of runs that stand beside it."""
    for run in runs:
        save(run, Artifacts(), results_dir)
    repetitions = tuple(
        Repetition(repetition=number, run_id=run.run_id, seed=run.seed, status="valid", used=True)
        for number, run in enumerate(runs, start=1)
    )
    saved = RunSet(
        loadlab_version="0.1.0",
        set_id="20261123T161500-quickstart-set-aaaa",
        name="quickstart",
        started_at=runs[0].started_at,
        scenario=runs[0].scenario,
        seed=7,
        fresh_clusters=False,
        requested=len(runs),
        runs=repetitions,
        headline=headline_figures(runs),
    )
    save_set(saved, results_dir)
    return loadlab.load_set(saved.set_id, results_dir)


def test_a_run_set_is_a_sequence_of_its_results_with_their_headline(tmp_path: Path) -> None:
    runs = stored_set(tmp_path, result(), result(run_id="20261123T161600-quickstart-k3fa", seed=8))

    assert [run.document.seed for run in runs] == [7, 8]
    assert (len(runs), runs[-1].run_id) == (2, "20261123T161600-quickstart-k3fa")
    assert [run.run_id for run in runs[:1]] == [RUN_ID]
    assert (runs.set_id, runs.path.name) == (runs.document.set_id, runs.document.set_id)
    p99 = runs.headline.set_index("metric").loc["producers.checkout.publish_latency_us.p99"]
    assert (p99["median"], p99["unit"], p99["group"]) == (4_500.0, "µs", "checkout")
    assert "2 runs" in repr(runs)
    assert "publish p99" in str(runs)
    assert "publish p99" in runs._repr_html_()


def test_a_histogram_and_a_scenario_show_themselves_in_one_line() -> None:
    root = Path(__file__).parents[2]
    latency = loadlab.load("quickstart", root / "results" / "reference").histogram("publish_latency")
    assert re.fullmatch(
        r"<LatencyHistogram publish_latency of producer/checkout: [\d,]+ records, p50 .*, p99 .*, max .*s>",
        repr(latency),
    )
    assert latency._repr_html_().startswith("<code>&lt;LatencyHistogram publish_latency")
    loaded = load_scenario(root / "scenarios" / "quickstart.yaml")
    assert repr(loaded).endswith("scenarios/quickstart.yaml: checkout, billing>")
    assert repr(loaded).startswith("<LoadedScenario quickstart of ")
    assert "\n" not in loaded._repr_html_()


def test_a_run_of_a_set_that_has_gone_is_told(tmp_path: Path) -> None:
    runs = stored_set(tmp_path, result())
    shutil.rmtree(tmp_path / RUN_ID)

    with pytest.raises(UsageError, match=f"nothing called {RUN_ID} is stored"):
        runs[0]
    with pytest.raises(UsageError, match="is a run set"):
        loadlab.load(runs.set_id, tmp_path)


def test_a_result_of_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    run = copied("pair", tmp_path)
    path = run.path / "result.json"
    older = path.read_text("utf-8")
    path.write_text(older.replace('"schema_version": 1', '"schema_version": 99', 1), "utf-8")

    with pytest.raises(UsageError, match="has schema version 99; this loadlab reads up to"):
        loadlab.load(run.path.name, tmp_path)
    assert "schema version 99" in loadlab.results(tmp_path).problem[0]


def test_a_figure_that_is_no_number_is_a_damage(tmp_path: Path) -> None:
    run = copied("fast", tmp_path)
    file = run.path / "result.json"
    file.chmod(0o644)
    whole = json.loads(file.read_text("utf-8"))
    next(iter(whole["producers"].values()))["publish_latency_us"]["p50"] = float("nan")
    file.write_text(json.dumps(whole), "utf-8")
    with pytest.raises(UsageError, match="is damaged: NaN is no number"):
        loadlab.load(run.path.name, tmp_path)


READERS: dict[str, Callable[[loadlab.Result], object]] = {
    "intervals.parquet": lambda run: run.intervals,
    "histograms.npz": lambda run: run.histogram("publish_latency"),
    "events.jsonl": lambda run: run.events,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_told_in_one_line(tmp_path: Path, name: str, kept: float) -> None:
    run = copied("fast", tmp_path)
    path = run.path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    if name == "events.jsonl" and kept == 0.0:
        assert loadlab.Result(run).events == []
        return

    with pytest.raises(LoadlabError, match="is damaged") as caught:
        READERS[name](loadlab.Result(run))
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message


def test_brackets_nested_by_the_thousand_are_told_in_one_line(tmp_path: Path) -> None:
    run = copied("fast", tmp_path)
    (run.path / "events.jsonl").write_text("[" * 200_000)

    with pytest.raises(UsageError, match=r"events\.jsonl is damaged: maximum recursion depth exceeded"):
        READERS["events.jsonl"](loadlab.Result(run))


@pytest.mark.parametrize("name", ["intervals.parquet", "events.jsonl"])
def test_a_missing_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    run = copied("fast", tmp_path)
    (run.path / name).unlink()

    with pytest.raises(UsageError, match=f"{name} is not there"):
        READERS[name](loadlab.Result(run))


def test_bytes_turned_within_a_file_are_told_in_one_line(tmp_path: Path) -> None:
    run = copied("fast", tmp_path)
    for name in ("intervals.parquet", "histograms.npz"):
        path = run.path / name
        data = bytearray(path.read_bytes())
        data[200:1200] = bytes(1000)
        path.write_bytes(data)
        with pytest.raises(UsageError, match="is damaged"):
            READERS[name](loadlab.Result(run))


def test_a_file_that_may_not_be_read_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: object, **_keywords: object) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    run = copied("fast", tmp_path)
    monkeypatch.setattr(artifacts.parquet, "read_table", refused)
    with pytest.raises(UsageError, match=r"intervals\.parquet can't be read: Permission denied"):
        _ = loadlab.Result(run).intervals


def test_a_folder_that_may_not_be_looked_into_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tests run as root, whom no permission stops: the system's answer is put in its place.
    def refused(_self: Path, *_arguments: object, **_keywords: object) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    save(result(), Artifacts(), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", refused)
        patch.setattr(Path, "read_text", refused)
        with pytest.raises(UsageError, match="can't be read: Permission denied"):
            loadlab.load(RUN_ID, tmp_path)
        assert "Permission denied" in loadlab.results(tmp_path).problem[0]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refused)
        with pytest.raises(UsageError, match="can't be read: Permission denied"):
            loadlab.results(tmp_path)


def test_a_set_tells_its_cluster_lost_records_and_failed_thresholds(tmp_path: Path) -> None:
    lost = Reason(code="records_lost", message="500 records were lost", severity="info")
    repetitions = (
        Repetition(repetition=1, run_id="one", seed=1, status="valid", used=True),
        Repetition(repetition=2, run_id="two", seed=2, status="valid", used=True, reasons=(lost,)),
        Repetition(
            repetition=3,
            run_id="three",
            seed=3,
            status="valid",
            used=True,
            thresholds_failed=("publish_latency p99 < 50ms",),
        ),
    )
    runs = stored_set(tmp_path, result()).document.model_copy(
        update={
            "runs": repetitions,
            "requested": 3,
            "cluster": ClusterUsed(provider="embedded", kind="mock", brokers=1),
        }
    )
    lines = set_lines(StoredSet(runs, tmp_path))
    told = [line.text for line in lines]

    assert lines[0].style == "warn"
    assert "mock broker: not Kafka" in told
    assert any(line.startswith("clusters") and "embedded · 1 broker · one for all" in line for line in told)
    assert "  2: two valid: records_lost" in told
    assert "     FAILED  publish_latency p99 < 50ms" in told
    assert not any("1: one" in line for line in told)


def test_the_environment_counts_for_a_scenario_made_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    document = load_scenario(Path(__file__).parents[2] / "scenarios" / "quickstart.yaml").scenario
    monkeypatch.setenv("LOADLAB_PROVIDER", "embedded")
    monkeypatch.setenv("LOADLAB_SET", "phases.measure=55s")
    loaded = load_scenario(document.to_document(), overrides={"phases.drain": "9s"}).scenario

    assert (loaded.cluster.provider, loaded.phases.measure_s, loaded.phases.drain_s) == (
        "embedded",
        55.0,
        9.0,
    )

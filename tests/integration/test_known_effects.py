"""Effects of settings that are known from Kafka itself, found by the whole chain on a real broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import optuna
import pytest
from click.testing import CliRunner
from runs import Recorder

from loadlab.cli.main import cli
from loadlab.results.reader import load, load_stored_study
from loadlab.run.runner import RunOptions, open_cluster, run_scenario
from loadlab.scenario import load_document
from loadlab.tuning import capacity_scenario, warm_up
from loadlab.tuning.proposals import REFUSED

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model import RunResult
    from loadlab.results.study_store import StoredStudy
    from loadlab.run.opening import OpenCluster

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("local_kafka")]

CLUSTER = {"provider": "local", "resources": {"heap": "512MiB"}}
CONFIG = "producers.checkout.config"


def scenario(rate: str, config: dict[str, object]) -> dict[str, object]:
    """Records of 100 bytes to one partition, in runs as short as they may be."""
    return {
        "name": "known",
        "cluster": CLUSTER,
        "topics": {"orders": {"partitions": 1}},
        "producers": {
            "checkout": {
                "topic": "orders",
                "schedule": {"rate": rate},
                "records": {"size": 100},
                "config": config,
            }
        },
        # Of what was due and never sent nothing is told: it is left where it is.
        "phases": {"warmup": "300ms", "measure": "1200ms", "drain": "500ms"},
    }


def tuned(
    folder: Path, scenario: dict[str, object], warm_up: str = "--no-warm-up", **keys: object
) -> dict[str, object]:
    """What a small study of a scenario comes to, as study.json has it."""
    (folder / "known.yaml").write_text(json.dumps(scenario), encoding="utf-8")
    study = {
        "study": "known",
        "scenario": "known.yaml",
        "objective": {"maximize": "producers.checkout.throughput.records_per_s"},
        "baseline": "scenario",
        "noise": {"runs": 3, "max_cv": 1},
        "confirm": {
            "blocks": 3,
            "p_value": 0.13,
            "effect_floor": 0.2,
            "screen_blocks": 1,
            "candidates": 1,
            "candidate_runs": 1,
            "extend": False,
        },
        **keys,
    }
    (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    arguments = ["tune", str(folder / "study.yaml"), warm_up, "--force", "--output", "json"]
    found = json.loads(loadlab(*arguments, "--results-dir", folder / "results"))
    assert isinstance(found, dict)
    return found


def loadlab(*arguments: str | Path) -> str:
    """What a command that ends well prints."""
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_lingering_in_larger_batches_raises_the_throughput_of_small_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 200 bytes hold one record of 100: each request carries one, and waits for the one before.

    The default of a cold broker varies by 80 %, and no gain of less is claimed.
    """
    monkeypatch.setattr(capacity_scenario, "ROUND_S", 2.0)
    monkeypatch.setattr(warm_up, "MOST_ROUNDS", warm_up.FEWEST_ROUNDS)
    study = tuned(
        tmp_path,
        # More than that comes to, on quick machines too: a request takes some 0.1 ms at best.
        scenario("25k/s", {"linger.ms": 0, "batch.size": 200, "max.in.flight": 1}),
        search_space={
            f"{CONFIG}.linger.ms": {"choices": [0, 20]},
            f"{CONFIG}.batch.size": {"choices": [200, 100_000]},
        },
        warm_up="--warm-up",
        budget={"trials": 4},
    )
    answer = study["answer"]
    assert isinstance(answer, dict)
    assert answer["finding"] == "beats the default", answer["sentences"]
    assert answer["use"][f"{CONFIG}.batch.size"] == 100_000
    assert answer["ratio"] > 1.3
    results = tmp_path / "results"
    stored = load_stored_study(str(study["study_id"]), results)
    assert_each_run_had_its_values(stored, results)
    assert_optuna_knows_all_trials(stored)
    assert answer["sentences"] in loadlab("study", "show", stored.path)
    assert len(loadlab("study", "export", stored.path).splitlines()) == 1 + len(stored.result.trials)
    page = tmp_path / "known.html"
    loadlab("report", "--study", stored.path, "--output", page)
    assert "data:image/png" in page.read_text(encoding="utf-8")


def assert_each_run_had_its_values(stored: StoredStudy, results: Path) -> None:
    """What the runs say of themselves is what the study says of them, and all were on one cluster."""
    clusters = set()
    for each in stored.result.runs:
        result = load(each.measured.run_id or "", results).result
        clusters.add(result.cluster.cluster_id)
        if each.measured.counts:
            assert each.measured.values == (result.producers["checkout"].throughput.records_per_s,)
        used = load_document(result.scenario).scenario.producers["checkout"].config
        for path, value in stored.result.trial(each.trial).assignment.items():
            assert float(used[path.removeprefix(f"{CONFIG}.")]) == value
    assert len(clusters) == 1


def assert_optuna_knows_all_trials(stored: StoredStudy) -> None:
    storage = f"sqlite:///{stored.database}"
    trials = optuna.load_study(study_name=stored.result.study_id, storage=storage).trials
    tried = [trial.number for trial in trials if REFUSED not in trial.user_attrs]
    assert tried == [trial.number for trial in stored.result.trials]


def test_a_knob_that_does_nothing_is_not_recommended(tmp_path: Path) -> None:
    """Nothing is connected to anew in a run, so the patience for it makes no difference."""
    study = tuned(
        tmp_path,
        scenario("5k/s", {}),
        objective={"minimize": "producers.checkout.publish_latency_us.p50"},
        search_space={f"{CONFIG}.socket.connection.setup.timeout.ms": {"choices": [20_000, 30_000, 40_000]}},
        budget={"trials": 3},
    )
    answer = study["answer"]
    assert isinstance(answer, dict)
    assert answer["finding"] != "beats the default", answer["sentences"]


def sent(opened: OpenCluster, tmp_path: Path, compressibility: float, codec: str) -> RunResult:
    """A run of nine seconds, long enough for what brokers tell once a second of their bytes."""
    parts = scenario("2k/s", {"compression.type": codec, "linger.ms": 100})
    producers = parts["producers"]
    assert isinstance(producers, dict)
    producers["checkout"]["records"] = {"size": 1000, "compressibility": compressibility}
    parts["phases"] = {"warmup": "1s", "measure": "8s", "drain": "30s"}
    return run_scenario(load_document(parts), RunOptions(tmp_path), Recorder(), cluster=opened).result


def received_bytes_per_s(result: RunResult) -> float:
    """What the broker says that it received."""
    (broker,) = result.brokers.values()
    assert broker.bytes_in_per_s is not None
    return broker.bytes_in_per_s


@pytest.mark.beside
def test_compression_shrinks_what_is_compressible_and_nothing_else(tmp_path: Path) -> None:
    loaded = load_document(scenario("2k/s", {}))
    with open_cluster(loaded, RunOptions(tmp_path), Recorder()) as opened:
        plain, soft, hard = (
            sent(opened, tmp_path, compressibility, codec)
            for codec, compressibility in (("none", 0.8), ("lz4", 0.8), ("lz4", 0.0))
        )
    assert received_bytes_per_s(soft) < 0.5 * received_bytes_per_s(plain)
    assert received_bytes_per_s(hard) > 0.95 * received_bytes_per_s(plain)
    ratios = [result.producers["checkout"].compression_ratio for result in (soft, hard)]
    assert ratios[0] is not None
    assert ratios[1] is not None
    assert ratios[0] > 2.0
    assert ratios[1] < 1.05

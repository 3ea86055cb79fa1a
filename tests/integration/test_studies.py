"""A whole study on Kafka, with an effect that is known; and what a kill leaves of a study's process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import optuna
import pytest
from click.testing import CliRunner

from loadlab.cli.main import cli
from loadlab.results.store import load
from loadlab.results.study_store import load_study_result
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """
name: few-records
cluster: {provider: local, resources: {heap: 512MiB}}
topics: {orders: {partitions: 1}}
producers:
  checkout:
    topic: orders
    schedule: {rate: 500/s}
    records: {size: 100}
    config: {linger.ms: 80, batch.num.messages: 10000}
phases: {warmup: 500ms, measure: 1500ms, drain: 5s}
"""
STUDY = """
study: lingering
scenario: few-records.yaml
objective: {minimize: producers.checkout.publish_latency_us.p50}
baseline: scenario
search_space:
  producers.checkout.config.linger.ms: {choices: [0, 80]}
  producers.checkout.config.batch.num.messages: {choices: [5000, 10000]}
budget: {trials: 3}
noise: {runs: 3, max_cv: 0.5, default_every: 3}
confirm: {blocks: 4, p_value: 0.1, screen_blocks: 1, candidates: 1}
"""


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_a_default_that_lingers_is_found_out_and_confirmed(tmp_path: Path) -> None:
    """A record waits 40 ms in the median where linger.ms is 80 and the rate fills no batch.

    At 500 records a second that needs little of a CPU, which others may be using.
    """
    (tmp_path / "few-records.yaml").write_text(SCENARIO)
    (tmp_path / "lingering.yaml").write_text(STUDY)
    results = tmp_path / "results"
    told = loadlab(results, "tune", str(tmp_path / "lingering.yaml"), "--no-warm-up", "--output", "json")
    study = json.loads(told)
    assert study["answer"]["finding"] == "beats the default"
    assert study["answer"]["high"] < 0.8
    assert study["answer"]["use"]["producers.checkout.config.linger.ms"] == 0
    stored = load_study_result(study["study_id"], results)
    clusters = set()
    for run in stored.result.runs:
        result = load(run.measured.run_id or "", results).result
        clusters.add(result.cluster.cluster_id)
        if run.measured.counts:
            assert run.measured.values == (result.producers["checkout"].publish_latency_us.p50,)
        used = load_document(result.scenario).scenario.producers["checkout"].config
        for path, value in stored.result.trial(run.trial).assignment.items():
            assert float(used[path.removeprefix("producers.checkout.config.")]) == value
    assert len(clusters) == 1
    storage = f"sqlite:///{stored.database}"
    trials = optuna.load_study(study_name=study["study_id"], storage=storage).trials
    assert [trial.number for trial in trials] == [trial["number"] for trial in study["trials"]]
    assert study["answer"]["sentences"] in loadlab(results, "study", "show", study["study_id"])
    table = loadlab(results, "study", "export", study["study_id"])
    assert len(table.splitlines()) == 1 + len(study["trials"])


def loadlab(results: Path, *arguments: str) -> str:
    """What a command that ends well prints."""
    done = CliRunner().invoke(cli, [*arguments, "--results-dir", str(results)])
    assert done.exit_code == 0, done.output
    return done.stdout

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
name: small-records
cluster: {provider: local, resources: {heap: 512MiB}}
topics: {orders: {partitions: 1}}
producers:
  checkout:
    topic: orders
    schedule: {rate: max}
    records: {size: 100}
    config: {linger.ms: 0, batch.num.messages: 2}
phases: {warmup: 500ms, measure: 1500ms, drain: 5s}
"""
STUDY = """
study: batching
scenario: small-records.yaml
objective: {maximize: producers.checkout.throughput.records_per_s}
baseline: scenario
search_space:
  producers.checkout.config.linger.ms: {choices: [0, 5]}
  producers.checkout.config.batch.num.messages: {choices: [2, 10000]}
budget: {trials: 3}
noise: {runs: 3, max_cv: 0.5, default_every: 3}
confirm: {blocks: 4, p_value: 0.1, screen_blocks: 1, candidates: 1}
"""


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_batches_raise_the_throughput_of_small_records(tmp_path: Path) -> None:
    """The default has no linger and batches of two records: the study has to find that, and to confirm it."""
    (tmp_path / "small-records.yaml").write_text(SCENARIO)
    (tmp_path / "batching.yaml").write_text(STUDY)
    results = tmp_path / "results"
    told = loadlab(results, "tune", str(tmp_path / "batching.yaml"), "--no-warm-up", "--output", "json")
    study = json.loads(told)
    assert study["answer"]["finding"] == "beats the default"
    assert study["answer"]["low"] > 1.5
    assert study["answer"]["use"]["producers.checkout.config.batch.num.messages"] == 10000
    stored = load_study_result(study["study_id"], results)
    clusters = set()
    for run in stored.result.runs:
        result = load(run.measured.run_id or "", results).result
        clusters.add(result.cluster.cluster_id)
        assert run.measured.values == (result.producers["checkout"].throughput.records_per_s,)
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

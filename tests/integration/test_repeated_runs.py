"""Several runs on one cluster, and what is made of them."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from runs import Command, Recorder, document, start_command

from loadlab.cli.main import cli
from loadlab.errors import ClusterError
from loadlab.run.repetitions import RepeatOptions, repeat_scenario
from loadlab.run.runner import RunOptions, open_cluster, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model import RunResult

SHORT = {"warmup": "1s", "measure": "2s", "drain": "20s"}


def test_runs_on_one_cluster_have_fresh_topics(tmp_path: Path, provider: str) -> None:
    loaded = load_document(document(cluster={"provider": provider}, phases=SHORT))
    options, observer = RunOptions(tmp_path), Recorder()
    with open_cluster(loaded, options, observer) as cluster:
        results = [run_scenario(loaded, options, observer, cluster=cluster).result for _ in range(2)]
        assert not cluster.interrupts.came
        assert cluster.cluster.topic_ids(["orders"]) == {"orders": None}

    first, second = results
    assert first.run_id != second.run_id
    assert first.cluster.cluster_id == second.cluster.cluster_id
    for result in results:
        assert result.verdict.status != "invalid"
        assert result.reconciliation.consumed == {"billing": 6_000}
        assert result.reconciliation.log_end_growth == 6_000
        _assert_the_environment_is_whole(result, provider)
        _assert_brokers_and_producers_agree(result)
    assert second.startup is not None
    assert second.startup.cluster_s == 0.0
    assert 0.0 < second.startup.group_join_s < 30.0
    assert second.startup.first_sent_s is not None


def _assert_the_environment_is_whole(result: RunResult, provider: str) -> None:
    """What a reader needs who is to believe the numbers."""
    found = result.environment
    assert found.client_config["producer/checkout"]["queue.buffering.max.ms"] == "5"
    assert found.client_config["consumer/billing"]["isolation.level"]
    assert found.data_written_bytes == 6_000 * 200
    assert found.memory_bytes > found.data_written_bytes
    if provider != "embedded":
        assert found.topic_config["orders"]["retention.ms"]
        assert found.broker_config["controller.listener.names"]
        assert found.flush["log.flush.interval.messages"] == "9223372036854775807"
    assert (found.image is not None) == (found.container_engine is not None) == (provider == "docker")
    assert (found.java is not None) == (provider == "local")


def _assert_brokers_and_producers_agree(result: RunResult) -> None:
    """What the log grew by within the phase is what was acked, but for what was on its way at its ends."""
    producer, topic = result.producers["checkout"], result.topics["orders"].throughput
    assert topic is not None
    phase = next(each for each in result.phases if each.name == "measure")
    p99_us = producer.publish_latency_us.p99 or producer.publish_latency_us.max or 0.0
    # How long a question for log ends takes on a busy machine, at both ends of the phase.
    asked = 0.25 * 2_000
    apart = 2 * (p99_us / 1e6 * 2_000 + 3 * (producer.batch.records_mean or 1)) + asked
    acked_per_s = producer.throughput.records_per_s
    assert topic.records_per_s == pytest.approx(acked_per_s, abs=apart / (phase.end_s - phase.start_s))


@pytest.mark.beside
@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_a_cluster_that_lost_a_broker_gets_no_further_run(tmp_path: Path) -> None:
    loaded = load_document(document(cluster={"provider": "local"}, phases=SHORT))
    options, observer = RunOptions(tmp_path), Recorder()
    with open_cluster(loaded, options, observer) as cluster:
        cluster.cluster.kill(1)
        with pytest.raises(ClusterError, match="broker 1 has died"):
            run_scenario(loaded, options, observer, cluster=cluster)


@pytest.mark.beside
def test_each_repetition_may_have_a_cluster_of_its_own(tmp_path: Path) -> None:
    loaded, observer = load_document(document(phases=SHORT)), Recorder()
    repeat = RepeatOptions(2, fresh_clusters=True)
    repeated = repeat_scenario(loaded, RunOptions(tmp_path), repeat, observer)

    assert repeated.error is None
    assert len([text for text in observer.messages if text.startswith("starting mock brokers")]) == 2
    assert [result.reconciliation.consumed for result in repeated.results] == [{"billing": 6_000}] * 2


def _await_message(command: Command, words: str) -> None:
    assert command.process.stderr is not None
    assert any(words in line for line in command.process.stderr), f"it ended before it said {words!r}"


@pytest.mark.beside
def test_an_interrupt_in_the_second_repetition_keeps_both(tmp_path: Path) -> None:
    overrides = ("phases.warmup=1s", "phases.measure=4s", "phases.drain=5s")
    sets = [part for override in overrides for part in ("--set", override)]
    command = start_command(tmp_path, "--repeat", "3", *sets, provider="embedded")
    _await_message(command, "repetition 2 of 3")
    command.await_load()
    command.signal(signal.SIGINT)
    code, output, _ = command.end()

    assert code == 130
    runs = json.loads(output)
    assert runs["interrupted"]
    assert [run["cut_short"] for run in runs["runs"]] == [False, True]
    for run in runs["runs"]:
        assert json.loads((tmp_path / run["run_id"] / "result.json").read_text())["run_id"] == run["run_id"]


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_lingering_shows_in_the_latency_of_real_runs(tmp_path: Path) -> None:
    """500 records a second hardly fill a batch: a record waits for all of linger.ms."""
    sets = []
    for linger_ms in (0, 500):
        group = {
            "topic": "orders",
            "schedule": {"rate": "500/s"},
            "records": {"size": 100},
            "config": {"linger.ms": linger_ms},
        }
        parts = document(cluster={"provider": "local"}, producers={"checkout": group}, phases=SHORT)
        repeated = repeat_scenario(load_document(parts), RunOptions(tmp_path), RepeatOptions(2), Recorder())
        sets.append(repeated.stored.runs.set_id)
    # A busy machine may make a run invalid; the difference is far beyond what that does to it.
    arguments = ["compare", *sets, "--results-dir", str(tmp_path), "--format", "json", "--allow", "invalid"]
    told = CliRunner().invoke(cli, arguments)

    assert told.exit_code == 0, told.stderr
    compared = json.loads(told.stdout)
    (p50,) = (row for row in compared["rows"] if row["label"] == "publish p50")
    # How sure two runs a side can be depends on how busy the machine is.
    assert p50["ratio"] > 1
    assert p50["finding"] != "lower"
    assert compared["differs"] == [
        {"field": "producers.checkout.config.linger.ms", "baseline": "0", "contender": "500"}
    ]

"""Faults that a scenario asks for, done to real brokers."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from runs import Recorder, assert_accounts_add_up, document, processes_of, run, start_command

from loadlab.cluster import (
    TopicRequest,
    attach,
    clean_leftovers,
    down,
    list_clusters,
    start_cluster,
)
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import ClusterError
from loadlab.run.opening import open_cluster
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.beside

# A killed broker may come back only when the controller has missed it for this long.
QUICKLY_MISSED = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}


@pytest.mark.docker
@pytest.mark.usefixtures("docker_kafka")
def test_a_pause_is_told_with_its_times_and_what_it_cost(tmp_path: Path) -> None:
    faults = [{"at": "5s", "pause": 1, "for": "2500ms"}]
    phases = {"warmup": "1s", "measure": "14s", "drain": "20s"}
    stored = run({"cluster": {"provider": "docker"}, "phases": phases, "faults": faults}, tmp_path)
    (fault,) = stored.result.faults

    assert_accounts_add_up(stored.result)
    assert (fault.kind, fault.broker, fault.planned_at_s, fault.failure) == ("pause", 1, 5.0, None)
    assert fault.begun_s is not None
    assert fault.ended_s is not None
    assert fault.begun_s >= 5.0
    assert fault.ended_s - fault.begun_s >= 2.5
    # Two of the seconds hold no ack, whatever the phase of the pause within them.
    assert fault.no_acks_s is not None
    assert 1.0 <= fault.no_acks_s <= fault.ended_s - fault.begun_s + 1.0
    # Records that were due when it began had to wait for its end.
    assert fault.publish_latency_max_us is not None
    assert fault.publish_latency_max_us >= 0.99 * (fault.ended_s - fault.begun_s) * 1e6
    codes = {reason.code for reason in stored.result.verdict.reasons}
    assert not codes & {"broker_paused", "broker_died", "fault_failed"}
    assert (stored.result.reconciliation.lost, stored.result.reconciliation.unexplained) == (0, 0)


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_an_interrupt_lets_a_paused_broker_go_on_and_drains(tmp_path: Path) -> None:
    faults = "faults=[{at: 1s, pause: 1, for: 50s}]"
    command = start_command(
        tmp_path, "--set", "phases.measure=60s", "--set", "phases.warmup=1s", "--set", faults
    )
    command.await_line("stands still, as planned")
    command.signal(signal.SIGINT)
    code, output, errors = command.end(60)
    result = json.loads(output)

    assert code == 130
    assert "broker 1 goes on" in errors
    assert result["faults"][0]["ended_s"] is not None
    # The broker answers again: what was under way is acked and read.
    assert result["reconciliation"]["unseen"] == 0


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_runs_on_one_cluster_find_the_broker_alive_that_the_one_before_killed(tmp_path: Path) -> None:
    loaded = load_document(
        document(
            cluster={"provider": "local", "config": QUICKLY_MISSED},
            consumers={},
            phases={"warmup": "0s", "measure": "2s", "drain": "1s"},
            faults=[{"at": "1500ms", "kill": 1}],
        )
    )
    options = RunOptions(tmp_path)
    with open_cluster(loaded, options, Recorder()) as opened:
        for _ in range(2):
            stored = run_scenario(loaded, options, Recorder(), cluster=opened)
            assert stored.result.faults[0].ended_s is not None
            assert stored.result.reconciliation.acked > 0
        assert opened.cluster.broker_states()[0].alive


@pytest.mark.parametrize(
    ("provider", "fault", "words"),
    [
        pytest.param("local", "kill: 1", "is started again", marks=pytest.mark.local),
        pytest.param("docker", "pause: 1", "it goes on", marks=pytest.mark.docker),
    ],
    indirect=["provider"],
)
def test_what_a_fault_holds_is_left_alone_and_undone_after_its_run_was_killed(
    tmp_path: Path, provider: str, fault: str, words: str
) -> None:
    name = f"held-{provider}"
    spec = cluster_spec({"provider": provider, "config": QUICKLY_MISSED})
    start_cluster(spec, progress=print, run_id=f"{name}-1", standing_name=name).stop()
    try:
        faults = f"faults=[{{at: 200ms, {fault}, for: 50s}}]"
        times = ("--set", "phases.measure=60s", "--set", "phases.warmup=1s", "--set", faults)
        command = start_command(tmp_path, "--cluster", name, *times, provider=provider)
        command.await_line("as planned")
        assert not any(name in one for one in clean_leftovers())
        with pytest.raises(ClusterError, match="by a fault of a run that goes on"):
            attach(name, print)
        command.signal(signal.SIGKILL)
        command.end()

        messages: list[str] = []
        again = attach(name, messages.append)
        (message,) = messages
        assert words in message
        assert again.broker_states()[0].alive
        again.create_topics([TopicRequest("after", 1, 1)])
        again.stop()
        attach(name, messages.append).stop()
        assert len(messages) == 1
    finally:
        down(name)
    assert not processes_of(f"{name}-1")


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_a_broker_that_two_runs_have_started_again_ends_with_its_cluster() -> None:
    """Each run has looked at the cluster before the other one changed it."""
    mine = os.sched_getaffinity(0)
    spec = cluster_spec({"provider": "local", "config": QUICKLY_MISSED})
    start_cluster(spec, progress=print, run_id="twice-1", standing_name="twice").stop()
    try:
        first, second = attach("twice", print), attach("twice", print)
        for each, cores in ((first, mine), (second, {min(mine)})):
            os.sched_setaffinity(0, cores)  # a run that is pinned does not pin what outlives it
            each.kill(1)
            each.restart(1)
        assert [os.sched_getaffinity(pid) for pid in first.process_ids() or ()] == [mine]
        assert all(state.alive for state in [*first.broker_states(), *second.broker_states()])
        assert first.process_ids() == second.process_ids()
        first.stop()
        second.stop()
        assert [(one.alive, one.brokers) for one in list_clusters() if one.name == "twice"] == [(1, 1)]
    finally:
        os.sched_setaffinity(0, mine)
        removed = down("twice")
    assert sum(one.startswith("process") for one in removed) == 1
    assert not processes_of("twice-1")

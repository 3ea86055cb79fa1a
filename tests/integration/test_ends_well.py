"""Interrupts and deaths: what was measured is kept, and nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import psutil
import pytest
from runs import QUICKSTART, Command, Recorder, assert_accounts_add_up, document, start_command, workers_of

from loadlab.cluster.state import records
from loadlab.results.reader import list_runs
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load, load_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadlab.results.model import RunResult

pytestmark = [pytest.mark.local, pytest.mark.beside, pytest.mark.usefixtures("local_kafka")]


KAFKA = ["local", pytest.param("docker", marks=pytest.mark.docker)]
BEHIND = [
    *("--set", "consumers.billing.max_rate=10/s", "--set", "phases.warmup=1s"),
    *("--set", "phases.measure=60s"),
]


def _family(command: Command) -> list[psutil.Process]:
    return psutil.Process(command.pid).children(recursive=True)


def _owned(command: Command) -> set[str]:
    """The clusters that a command has started."""
    return {record.run_id for record in records() if record.owner.pid == command.pid}


def _left_of(runs: set[str], provider: str) -> list[str]:
    """What there still is of clusters: records, and containers."""
    left = [record.run_id for record in records() if record.run_id in runs]
    if provider == "docker":
        found = docker.from_env().containers
        left += [
            one.name for run in runs for one in found.list(all=True, filters={"label": f"loadlab.run={run}"})
        ]
    return left


def _assert_wakes_punctually(command: Command) -> None:
    """A worker wakes up to 50 µs behind a deadline unless it has asked for better."""
    workers = command.workers()
    assert workers
    for worker in workers:
        assert Path(f"/proc/{worker.pid}/timerslack_ns").read_text() == "1\n"


def _gone(processes: list[psutil.Process], timeout_s: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    return not alive


@pytest.mark.parametrize("provider", KAFKA, indirect=True)
def test_the_first_interrupt_keeps_what_was_measured(provider: str, tmp_path: Path) -> None:
    phases = ["--set", "phases.warmup=1s", "--set", "phases.measure=60s"]
    command = start_command(tmp_path, *phases, provider=provider)
    command.await_load()
    family, owned = _family(command), _owned(command)
    assert owned
    if os.geteuid() == 0:  # it is told to nobody else
        _assert_wakes_punctually(command)
    begin_s = time.monotonic()
    command.signal(signal.SIGINT)
    code, output, _ = command.end()
    assert code == 130
    assert time.monotonic() - begin_s < 15
    assert not _left_of(owned, provider)
    result = json.loads(output)
    assert result["interrupted"]
    records = result["producers"]["checkout"]["records"]
    assert records["attempted"] == records["acked"]
    assert [entry.name for entry in list_runs(tmp_path)] == [result["run_id"]]
    assert _gone(family, 5)


def test_a_drain_after_an_interrupt_takes_five_seconds_at_the_most(tmp_path: Path) -> None:
    """The consumer is too far behind ever to come to the log's end."""
    command = start_command(tmp_path, *BEHIND, provider="embedded")
    command.await_load()
    begin_s = time.monotonic()
    command.signal(signal.SIGINT)
    code, output, _ = command.end()
    assert code == 130
    assert 5.0 <= time.monotonic() - begin_s < 10.0
    drain = json.loads(output)["phases"][-1]
    assert drain["name"] == "drain"
    assert drain["end_s"] - drain["start_s"] == pytest.approx(5.0, abs=0.5)


@pytest.mark.parametrize("provider", KAFKA, indirect=True)
def test_the_second_interrupt_ends_at_once(provider: str, tmp_path: Path) -> None:
    """The consumer is far behind, so that the drain after the first would take its five seconds."""
    command = start_command(tmp_path, *BEHIND, provider=provider)
    command.await_load()
    family, owned = _family(command), _owned(command)
    command.signal(signal.SIGINT)
    time.sleep(0.5)  # two presses of a key, the second well within the drain
    begin_s = time.monotonic()
    command.signal(signal.SIGINT)
    code, _, errors = command.end()
    assert code == 130
    assert time.monotonic() - begin_s < 4
    assert "Traceback" not in errors
    assert _gone(family, 5)
    assert not _left_of(owned, provider)


def test_an_interrupt_before_the_load_leaves_nothing(tmp_path: Path) -> None:
    command = start_command(tmp_path)
    deadline = time.monotonic() + 60
    while not _family(command) and time.monotonic() < deadline:
        time.sleep(0.05)
    family = _family(command)
    assert family
    command.signal(signal.SIGINT)
    code, _, errors = command.end()
    assert code == 130
    assert "Traceback" not in errors
    assert _gone(family, 5)
    assert not list_runs(tmp_path)


def test_a_killed_parent_takes_workers_and_brokers_with_it(tmp_path: Path) -> None:
    command = start_command(tmp_path, "--set", "phases.measure=60s")
    command.await_load()
    family = _family(command)
    command.signal(signal.SIGKILL)
    command.end()
    assert _gone(family, 5)


def _run_and(
    disturb: Callable[[psutil.Process], None],
    tmp_path: Path,
    observer: Recorder | None = None,
    **parts: object,
) -> RunResult:
    """Runs in this process; after the third interval, something happens to its first worker."""
    observer = observer or Recorder()

    def on_progress() -> None:
        if len(observer.intervals) == 3:
            disturb(workers_of(os.getpid())[0])

    observer.on_progress = on_progress
    loaded = load_document(document(cluster={"provider": "local"}, **parts))
    return run_scenario(loaded, RunOptions(tmp_path), observer).result


TWO_WORKERS = {
    "checkout": {"topic": "orders", "workers": 2, "schedule": {"rate": "2k/s"}, "records": {"size": 200}}
}


def test_a_killed_worker_is_noticed_and_its_slab_counts(tmp_path: Path) -> None:
    phases = {"warmup": "1s", "measure": "6s", "drain": "10s"}
    killed_s: list[float] = []

    def kill(worker: psutil.Process) -> None:
        worker.kill()
        killed_s.append(time.monotonic())

    observer = Recorder()
    result = _run_and(kill, tmp_path, observer, producers=TWO_WORKERS, phases=phases)
    heard = zip(observer.messages, observer.heard_s, strict=True)
    assert next(at_s for text, at_s in heard if "killed by SIGKILL" in text) - killed_s[0] < 2
    assert_accounts_add_up(result)
    assert result.verdict.status == "invalid"
    assert "worker_died" in [reason.code for reason in result.verdict.reasons]
    first, second = result.producers["checkout"].workers
    assert first.exit == "killed by SIGKILL"
    assert 0 < first.records.acked < second.records.acked == 6_000
    assert not list((tmp_path / result.run_id).glob("worker-*.log")), "what is killed so has said nothing"


def test_all_workers_gone_ends_the_run_with_what_there_is(tmp_path: Path) -> None:
    command = start_command(tmp_path, "--set", "phases.measure=60s", "--set", "phases.warmup=1s")
    command.await_load()
    for worker in command.workers():
        worker.kill()
    code, _, errors = command.end(30)
    assert code == 4
    assert "all workers are gone" in errors
    assert len(list_runs(tmp_path)) == 1


@pytest.mark.docker
@pytest.mark.usefixtures("docker_kafka")
def test_three_brokers_lose_one_and_no_acked_record(tmp_path: Path) -> None:
    overrides = ["cluster.provider=docker", "phases.warmup=1s", "phases.measure=10s"]
    # A failover waits for the controller to miss the broker: 9 s by default, too long for a test.
    overrides += ["cluster.config.broker.session.timeout.ms=3000"]
    observer = Recorder()

    def on_progress() -> None:
        if len(observer.intervals) == 3:
            mine = {"label": f"loadlab.run={observer.intervals[-1].run_id}"}
            docker.from_env().containers.list(filters=mine)[0].kill()

    observer.on_progress = on_progress
    loaded = load(QUICKSTART.with_name("durable-3-brokers.yaml"), overrides)
    result = run_scenario(loaded, RunOptions(tmp_path), observer).result
    assert_accounts_add_up(result)
    assert "broker_died" in [reason.code for reason in result.verdict.reasons]
    assert result.reconciliation.unexplained == 0
    assert result.reconciliation.unseen == 0
    assert result.reconciliation.lost == result.reconciliation.duplicated == 0
    assert result.reconciliation.consumed["ledger"] >= result.reconciliation.acked
    # The failover is in the latency of the records that waited for it.
    assert (result.producers["checkout"].publish_latency_us.max or 0) > 1_000_000


def test_a_broker_that_dies_is_counted_and_said(tmp_path: Path) -> None:
    loaded = load(
        QUICKSTART, ["cluster.provider=local", "phases.warmup=1s", "phases.measure=5s", "phases.drain=5s"]
    )
    observer = Recorder()

    def on_progress() -> None:
        if len(observer.intervals) == 3:
            for child in psutil.Process().children(recursive=True):
                if "java" in child.name():
                    child.kill()

    observer.on_progress = on_progress
    result = run_scenario(loaded, RunOptions(tmp_path), observer).result
    assert_accounts_add_up(result)
    reasons = {reason.code: reason for reason in result.verdict.reasons}
    assert "broker_died" in reasons
    assert "undrained" in reasons
    assert any(name.name.startswith("broker") for name in (tmp_path / result.run_id / "logs").iterdir())


def test_a_stopped_worker_is_noticed_and_makes_the_run_invalid(tmp_path: Path) -> None:
    command = start_command(tmp_path, "--set", "phases.warmup=0s", "--set", "phases.measure=6s")
    command.await_load()
    worker = command.workers()[0]
    worker.suspend()
    try:
        command.await_line("gives no sign of life")
    finally:
        worker.resume()
    _, output, _ = command.end()
    result = json.loads(output)
    assert "worker_stalled" in {reason["code"] for reason in result["verdict"]["reasons"]}
    assert result["verdict"]["status"] == "invalid"


def test_a_freeze_of_all_processes_that_is_over_before_anybody_looks_makes_the_run_invalid(
    tmp_path: Path,
) -> None:
    phases = ("--set", "phases.warmup=0s", "--set", "phases.measure=6s")
    command = start_command(tmp_path, *phases, provider="embedded")
    command.await_load()
    # Resumed in this order, workers give a sign of life before their parent can miss one.
    frozen = [*command.workers(), psutil.Process(command.pid)]
    for process in reversed(frozen):
        process.suspend()
    time.sleep(3.0)  # as long as a freeze is
    for process in frozen:
        process.resume()
    _, output, _ = command.end()
    verdict = json.loads(output)["verdict"]
    stalled = [reason for reason in verdict["reasons"] if reason["code"] == "worker_stalled"]
    assert len(stalled) == len(frozen) - 1
    assert all(reason["figure"] >= 2.5 for reason in stalled)
    assert verdict["status"] == "invalid"


def test_a_parent_that_was_stopped_for_a_while_says_that_no_lag_was_sampled(tmp_path: Path) -> None:
    phases = ("--set", "phases.warmup=0s", "--set", "phases.measure=9s")
    command = start_command(tmp_path, *phases, provider="embedded")
    command.await_load()
    parent = psutil.Process(command.pid)
    parent.suspend()
    time.sleep(6.5)  # as long as it is stopped
    parent.resume()
    _, output, _ = command.end()
    result = json.loads(output)
    assert any("no lag was sampled" in warning["message"] for warning in result["warnings"])
    assert result["producers"]["checkout"]["records"]["attempted"] == 45_000

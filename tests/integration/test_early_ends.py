"""Runs that end early: by a signal, beside a silent cluster, on a full disk, by a killed parent."""

from __future__ import annotations

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import docker
import psutil
import pytest
from runs import QUICKSTART, ROOT, Command, Recorder, document, run, start_command

from loadlab.cluster import start_cluster
from loadlab.cluster.capacity import LOW_DISK_BYTES
from loadlab.cluster.docker import OWNER_LABEL
from loadlab.cluster.specs import cluster_spec
from loadlab.cluster.topics import TopicAdmin
from loadlab.errors import RunError
from loadlab.results import publish
from loadlab.results.reader import list_runs, load
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.local, pytest.mark.beside, pytest.mark.usefixtures("local_kafka")]

LONG = ("--set", "phases.warmup=1s", "--set", "phases.measure=60s")
# A drain of 5 s, a moment for each worker and question, and what a busy machine takes for it.
SILENT_END_S = 25


def brokers(command: Command) -> list[psutil.Process]:
    children = psutil.Process(command.pid).children(recursive=True)
    return [child for child in children if "java" in child.name()]


def test_sigterm_keeps_what_was_measured(tmp_path: Path) -> None:
    """What ends a service or a job sends it to each of its processes, brokers among them."""
    command = start_command(tmp_path, *LONG)
    command.await_load()
    for process in (*psutil.Process(command.pid).children(recursive=True), command):
        os.kill(process.pid, signal.SIGTERM)
    code, output, _ = command.end(120)

    assert code == 130
    result = json.loads(output)
    assert result["interrupted"]
    assert not {reason["code"] for reason in result["verdict"]["reasons"]} & {"worker_died", "broker_died"}
    assert result["reconciliation"]["unexplained"] == 0
    assert len(list_runs(tmp_path)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_run_and_then_to_its_group_keeps_what_was_measured(
    tmp_path: Path, number: signal.Signals
) -> None:
    """As timeout(1) sends it: twice within a moment, and meant once."""
    command = start_command(tmp_path, *LONG, provider="embedded")
    command.await_load()
    command.signal(number)
    time.sleep(0.01)  # a moment
    command.signal(number)
    code, output, _ = command.end(120)

    assert code == 130
    assert json.loads(output)["interrupted"]


def test_a_closed_terminal_keeps_what_was_measured(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    run = [sys.executable, "-m", "loadlab", "run", str(QUICKSTART), "--provider", "local"]
    process = subprocess.Popen(
        ["setsid", "--ctty", *run, "--results-dir", str(tmp_path), *LONG],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    _read_until(controller, b"measure")
    os.close(controller)
    process.wait(60)

    assert process.returncode == 130
    (entry,) = list_runs(tmp_path)
    assert entry.stored is not None
    assert entry.stored.result.interrupted


def _read_until(descriptor: int, word: bytes, timeout_s: float = 90.0) -> None:
    told, deadline_s = b"", time.monotonic() + timeout_s
    while word not in told:
        assert time.monotonic() < deadline_s, "no interval in time"
        told += os.read(descriptor, 65_536)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_interrupt_does_not_wait_for_a_cluster_that_is_silent(
    number: signal.Signals, tmp_path: Path
) -> None:
    command = start_command(tmp_path, *LONG)
    command.await_load()
    for broker in brokers(command):
        broker.send_signal(number)
    begun_s = time.monotonic()
    command.signal(signal.SIGINT)
    code, output, _ = command.end(120)

    assert code == 130
    assert time.monotonic() - begun_s < SILENT_END_S
    assert json.loads(output)["interrupted"]


def test_what_was_measured_outlives_a_disk_that_is_full_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    elsewhere.mkdir()
    whole = publish.fsync

    def full(path: Path) -> None:
        if path.is_relative_to(results):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(path)

    monkeypatch.setattr(publish, "fsync", full)
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    recorder = Recorder()
    stored = run({}, results, recorder)

    assert stored.path.parent == elsewhere / "loadlab-results"
    assert load(stored.path.name, stored.path.parent).result.reconciliation.acked == 8_000
    (said,) = [message for message in recorder.messages if "could not be stored" in message]
    assert str(stored.path) in said


def test_an_interrupted_creation_leaves_no_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TopicAdmin._wait_for_leaders

    def interrupted(admin: TopicAdmin, partitions: Mapping[str, int]) -> dict[str, str]:
        signal.raise_signal(signal.SIGINT)
        return whole(admin, partitions)

    cluster = start_cluster(cluster_spec({"provider": "local"}), progress=print, run_id="others")
    try:
        external = {"provider": "external", "bootstrap_servers": cluster.bootstrap_servers}
        monkeypatch.setattr(TopicAdmin, "_wait_for_leaders", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_scenario(load_document(document(cluster=external)), RunOptions(tmp_path), Recorder())
        assert cluster.topic_ids(["orders"]) == {"orders": None}
    finally:
        cluster.stop()


def test_a_disk_that_runs_low_ends_the_run_and_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figure is injected: the disk of a test can't be filled. It is low from the third look on."""
    looks = iter([LOW_DISK_BYTES, LOW_DISK_BYTES])
    monkeypatch.setattr(
        "loadlab.cluster.local_cluster.free_bytes", lambda _: next(looks, LOW_DISK_BYTES - (1 << 20))
    )
    phases = {"warmup": "1s", "measure": "60s", "drain": "20s"}
    scenario = load_document(document(cluster={"provider": "local"}, phases=phases))
    with pytest.raises(RunError, match="the brokers' disk has 1023 MiB left, less than 1024 MiB") as failed:
        run_scenario(scenario, RunOptions(tmp_path), Recorder())

    assert failed.value.stored_in is not None
    result = load(failed.value.stored_in, tmp_path).result
    assert result.producers["checkout"].records.acked > 0
    assert result.duration_s < 60


@pytest.mark.docker
@pytest.mark.usefixtures("docker_kafka")
def test_a_killed_parent_of_containers_leaves_what_cleaning_finds(tmp_path: Path) -> None:
    command = start_command(tmp_path, *LONG, provider="docker")
    command.await_load()
    workers = command.workers()
    assert workers
    assert _containers(command)
    command.signal(signal.SIGKILL)
    command.end()

    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []
    cleaning = [sys.executable, "-m", "loadlab", "cluster", "clean"]
    cleaned = subprocess.run(cleaning, cwd=ROOT, check=False, capture_output=True, text=True)
    assert cleaned.returncode == 0, cleaned.stderr
    assert _containers(command) == []


def _containers(command: Command) -> list[str]:
    """The containers that a run made, by the process id that its owner's label begins with."""
    marked = docker.from_env().containers.list(all=True, filters={"label": OWNER_LABEL})
    return [one.name for one in marked if one.labels[OWNER_LABEL].startswith(f"{command.pid}/")]

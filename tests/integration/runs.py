"""Scenarios as data, and ways to run them, for the integration tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import OpenCluster
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from loadlab.cluster import Cluster
    from loadlab.results.model import RunResult
    from loadlab.results.reader import StoredRun
    from loadlab.run.progress import Progress

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"
QUICK = ("phases.warmup=1s", "phases.measure=3s", "phases.drain=20s")


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes of one that runs a scenario, oldest first; dead children are left out."""
    children = psutil.Process(pid).children()
    living = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    workers = [child for child in living if "loadlab.run.worker" in child.cmdline()]
    return sorted(workers, key=lambda worker: worker.create_time())


def processes_of(run_id: str) -> list[psutil.Process]:
    """The processes that bear a run's mark."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"loadlab.run={run_id}" in argument for argument in process.info["cmdline"] or [])
    ]


class Recorder:
    """An observer that keeps what it is told, and when (CLOCK_MONOTONIC)."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.heard_s: list[float] = []
        self.intervals: list[Progress] = []
        self.on_progress: Callable[[], None] = lambda: None

    def message(self, text: str) -> None:
        self.messages.append(text)
        self.heard_s.append(time.monotonic())

    def warn(self, text: str) -> None:
        self.message(text)

    def progress(self, progress: Progress) -> None:
        self.intervals.append(progress)
        self.on_progress()


def document(**parts: object) -> dict[str, object]:
    """A small scenario: one producer and one consumer on the mock, unless parts say otherwise."""
    plain: dict[str, object] = {
        "name": "integration",
        "cluster": {"provider": "embedded"},
        "topics": {"orders": {"partitions": 3}},
        "producers": {
            "checkout": {"topic": "orders", "schedule": {"rate": "2k/s"}, "records": {"size": 200}}
        },
        "consumers": {"billing": {"topic": "orders"}},
        "phases": {"warmup": "1s", "measure": "3s", "drain": "20s"},
    }
    return {**plain, **parts}


def run(
    parts: dict[str, object],
    results_dir: Path,
    observer: Recorder | None = None,
    cluster: Cluster | None = None,
) -> StoredRun:
    opened = OpenCluster(cluster, time.monotonic_ns(), Interrupts()) if cluster else None
    loaded = load_document(document(**parts))
    return run_scenario(loaded, RunOptions(results_dir), observer or Recorder(), cluster=opened)


def assert_accounts_add_up(result: RunResult) -> None:
    """What holds for every run, however it went."""
    for producer in result.producers.values():
        records = producer.records
        ended = records.acked + records.failed + records.indeterminate + records.rejected
        assert records.attempted == ended


@dataclass(frozen=True)
class Command:
    """A `loadlab` process of its own."""

    process: subprocess.Popen[str]
    started_s: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return workers_of(self.pid)

    def await_load(self) -> None:
        """Waits until it tells its first interval."""
        self.await_line(" warmup ", " measure ")

    def await_line(self, *parts: str, timeout_s: float = 90.0) -> None:
        """Waits until it tells a line that holds one of the parts."""
        assert self.process.stderr is not None
        deadline = time.monotonic() + timeout_s
        for line in self.process.stderr:
            if any(part in line for part in parts):
                return
            assert time.monotonic() < deadline, f"none of {parts} in time"
        raise AssertionError(f"it ended before it told any of {parts}")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, timeout_s: float = 60.0) -> tuple[int, str, str]:
        """Waits for its end: exit code, standard output and the rest of standard error."""
        output, errors = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, output, errors


def start_command(results_dir: Path, *arguments: str, provider: str = "local") -> Command:
    """Starts `loadlab run` on the quickstart scenario."""
    command = [
        *(sys.executable, "-m", "loadlab", "run", str(QUICKSTART), "--provider", provider),
        *("--results-dir", str(results_dir), "--output", "json", *arguments),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    return Command(process, time.monotonic())

"""The verdict, where it is known what the limit was: the generator, the cluster, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from truths import Table, repetitions, run, scenario

from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model import Verdict

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
BUSY = "import os; os.sched_setaffinity(0, {int(os.environ['CORE'])})\nwhile True: pass"


@contextmanager
def busy_process(core: int) -> Iterator[None]:
    """A process that wants a core for itself."""
    with subprocess.Popen([sys.executable, "-c", BUSY], env={**os.environ, "CORE": str(core)}) as process:
        try:
            yield
        finally:
            process.kill()


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


@pytest.mark.ci
@pytest.mark.timeout(900)
def test_a_starved_generator_makes_a_run_invalid(table: Table, tmp_path: Path) -> None:
    """The worker is pinned to a core that a busy process has too, and is to send what it can't reach so."""
    core = max(os.sched_getaffinity(0))
    producer = {"schedule": {"rate": "20M/s"}, "cpuset": str(core)}
    verdicts = []
    with ExitStack() as stack:
        stack.enter_context(busy_process(core))
        for _ in range(repetitions(20)):
            phases = {"warmup": "1s", "measure": "4s", "drain": "5s"}
            document = scenario({"provider": "embedded"}, producer, phases=phases)
            verdicts.append(run(document, tmp_path).result.verdict)
    found = sum(one.status == "invalid" and "generator_limited" in codes(one) for one in verdicts)
    total = len(verdicts)
    assert table.add(
        "generator starved", "invalid", f"{found} of {total}", f"{total} of {total}", reached=found == total
    )


@pytest.mark.timeout(1_500)
@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_the_quickstart_on_a_quiet_machine_is_valid(table: Table, tmp_path: Path) -> None:
    verdicts = []
    for _ in range(repetitions(20)):
        loaded = load(QUICKSTART, ["cluster.provider=local"])
        verdicts.append(run_scenario(loaded, RunOptions(tmp_path), SilentObserver()).result.verdict)
    found, total = sum(one.status == "valid" for one in verdicts), len(verdicts)
    reasons = sorted({code for one in verdicts for code in codes(one)})
    measured = ", ".join([f"{found} of {total}", *reasons])
    assert table.add(
        "quickstart on a quiet machine", "valid", measured, "9 of 10", reached=found >= 0.9 * total
    )


@pytest.mark.ci
@pytest.mark.docker
@pytest.mark.usefixtures("docker_kafka")
def test_a_throttled_broker_saturates_a_run_and_leaves_it_trusted(table: Table, tmp_path: Path) -> None:
    cluster = {"provider": "docker", "resources": {"cpus": 0.4}}
    producer = {"schedule": {"rate": "150k/s"}, "records": {"size": "1KiB"}}
    phases = {"warmup": "3s", "measure": "6s", "drain": "2s"}
    verdict = run(scenario(cluster, producer, phases=phases), tmp_path).result.verdict
    measured = ", ".join([verdict.status, *["saturated"] * verdict.saturated, *codes(verdict)])
    assert table.add(
        "broker throttled to 0.4 cores",
        "saturated",
        measured,
        "saturated, not invalid",
        reached=verdict.saturated and verdict.status != "invalid",
    )

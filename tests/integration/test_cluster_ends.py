"""What is left when the process that owns a cluster is killed, and who removes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
import pytest
from runs import Recorder, run

from loadlab.cluster import clean_leftovers, list_clusters
from loadlab.cluster.capacity import data_root
from loadlab.cluster.container_cluster import remove_run
from loadlab.cluster.docker import RUN_LABEL, ContainerRequest, Engine, Marked
from loadlab.cluster.image import build_image
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.beside

OWNER = """
import sys
from loadlab.cluster import start_cluster
from loadlab.cluster.specs import cluster_spec
provider, run_id = sys.argv[1:]
fields = {"provider": provider} | ({} if provider == "embedded" else {"resources": {"heap": "384MiB"}})
start_cluster(cluster_spec(fields), progress=lambda line: None, run_id=run_id)
print("ready", flush=True)
sys.stdin.read()
"""
GONE_S = 5.0


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def run_id() -> str:
    return f"ends-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def engine() -> Engine:
    try:
        engine = Engine()
    except ClusterError as error:
        pytest.skip(error.message)
    build_image(engine, "4.3.1", print)
    return engine


@pytest.fixture
def own(run_id: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a process that owns a cluster; it is killed at the test's end if it still lives."""
    owners: list[subprocess.Popen[str]] = []

    def start(provider: str) -> subprocess.Popen[str]:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, provider, run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        owners.append(owner)
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        return owner

    yield start
    for owner in owners:
        owner.kill()
        owner.communicate()


def marked(run_id: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"loadlab.run={run_id}" in argument for argument in process.info["cmdline"] or [])
    ]


def wait_for(holds: Callable[[], bool], timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("provider", ["embedded", pytest.param("local", marks=pytest.mark.local)])
def test_processes_end_by_themselves_when_their_owner_is_killed(
    provider: str, run_id: str, own: Callable[[str], subprocess.Popen[str]]
) -> None:
    owner = own(provider)
    assert marked(run_id)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert wait_for(lambda: not marked(run_id), GONE_S)
    assert wait_for(
        lambda: provider == "embedded" or not any(run_id in one.name for one in data_root().iterdir()), GONE_S
    )
    clean_leftovers()
    assert list_clusters() == []


@pytest.mark.local
def test_brokers_whose_guard_was_killed_too_are_cleaned_by_the_next_run(
    run_id: str, own: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    owner = own("local")
    guards = [process for process in marked(run_id) if any("guard.py" in part for part in process.cmdline())]
    for process in guards:
        process.kill()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert [one.owner_alive for one in list_clusters()] == [False]
    observer = Recorder()
    run({}, tmp_path, observer)
    removed = [text for text in observer.messages if text.startswith("removed what a killed run left: ")]
    assert len(removed) == 2  # a process and a directory
    assert marked(run_id) == []
    assert not any(run_id in path.name for path in data_root().iterdir())


def test_a_living_owners_cluster_is_left_alone(
    run_id: str, own: Callable[[str], subprocess.Popen[str]]
) -> None:
    own("embedded")
    assert clean_leftovers() == []
    assert [(one.run_id, one.alive, one.owner_alive) for one in list_clusters()] == [(run_id, 1, True)]


@pytest.mark.docker
def test_containers_of_a_killed_owner_are_cleaned_and_others_are_not(
    engine: Engine, run_id: str, own: Callable[[str], subprocess.Popen[str]]
) -> None:
    owner = own("docker")
    clean_leftovers()
    assert [one.is_running for one in engine.containers(run_id)] == [True]
    stranger = f"stranger-{uuid.uuid4().hex[:8]}"
    foreign = ContainerRequest(stranger, "loadlab/kafka:4.3.1", {}, {"somebody": "else"}, "host", "none")
    engine.start(foreign)
    try:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        removed = clean_leftovers()
        assert f"container loadlab-{run_id}-1" in removed
        assert f"volume loadlab-{run_id}-1" in removed
        assert not any(stranger in one for one in removed)
        assert engine.inspect(stranger)["Name"] == f"/{stranger}"
        assert [*engine.containers(run_id), *engine.volumes(run_id)] == []
    finally:
        for kind in ("container", "volume"):
            engine.remove(Marked(kind, stranger, {}, ""))


@pytest.mark.docker
def test_containers_are_cleaned_though_their_record_is_lost(
    engine: Engine,
    run_id: str,
    own: Callable[[str], subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = own("docker")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "another"))
    removed = clean_leftovers()
    assert f"container loadlab-{run_id}-1" in removed
    assert engine.containers(run_id) == []


@pytest.mark.docker
def test_what_bears_our_label_but_no_owner_of_ours_is_left_alone(engine: Engine, run_id: str) -> None:
    engine.create_network(f"loadlab-{run_id}", {RUN_LABEL: run_id, "loadlab.owner": "somebody"})
    try:
        assert not any(run_id in one for one in clean_leftovers())
    finally:
        for network in engine.networks(run_id):
            engine.remove(network)


@pytest.mark.docker
def test_several_that_clean_at_once_are_in_nobody_s_way(engine: Engine, run_id: str) -> None:
    labels = {RUN_LABEL: run_id, "loadlab.owner": "somebody"}
    for round_ in range(3):
        name = f"loadlab-{run_id}-{round_}"
        engine.start(ContainerRequest(name, "loadlab/kafka:4.3.1", {}, labels, "host", "none"))
        with ThreadPoolExecutor(max_workers=6) as pool:
            removed = list(pool.map(lambda _: remove_run(Engine(), run_id), range(6)))
        assert engine.containers(run_id) == engine.volumes(run_id) == []
        assert sum(f"container {name}" in one for one in removed) == 1

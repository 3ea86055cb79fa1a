"""What the machine bears, how processes are known again, and that ports are held."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import pytest

from loadlab.cluster import affinity, capacity
from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.capacity import broker_memory_bytes, check_machine, heap_bytes
from loadlab.cluster.local_cluster import Brokers
from loadlab.cluster.ports import HeldPorts
from loadlab.cluster.processes import ProcessIdentity, signal_name
from loadlab.cluster.specs import cluster_spec
from loadlab.cluster.state import ClusterRecord
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, 4 GiB available."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4 * GIB))
    monkeypatch.setattr(capacity, "free_bytes", lambda _: 10 * GIB)


@pytest.mark.parametrize(
    ("resources", "heap"),
    [
        (None, GIB),
        ({"heap": "512MiB"}, 512 << 20),
        ({"memory": "1GiB"}, 512 << 20),
        ({"memory": "8GiB"}, GIB),
        ({"cpus": 1}, GIB),
    ],
)
def test_a_brokers_heap(resources: dict[str, object] | None, heap: int) -> None:
    assert heap_bytes(cluster_spec({"resources": resources})) == heap


def test_a_broker_without_a_limit_takes_more_than_its_heap() -> None:
    assert broker_memory_bytes(cluster_spec({})) == GIB + GIB // 4 + (256 << 20)
    assert broker_memory_bytes(cluster_spec({"resources": {"memory": "2GiB"}})) == 2 * GIB


def test_what_fits_is_let_through(tmp_path: Path) -> None:
    check_machine(cluster_spec({"brokers": 2, "cpuset": "0-1"}), tmp_path, needed_disk_bytes=9 * GIB)


@pytest.mark.parametrize(
    ("fields", "disk_bytes", "words"),
    [
        ({"brokers": 9}, 0, "at most 8 on its 2 cores"),
        ({"brokers": 3}, 0, "3 brokers need 4.5 GiB of memory .* 4.0 GiB are available: at most 2 fit"),
        (
            {},
            9 * GIB + 1,
            "the plan needs 9.0 GiB of disk beside 1.0 GiB that must stay free, and 10.0 GiB are free",
        ),
    ],
)
def test_what_the_machine_cannot_bear_is_refused_with_the_figure(
    fields: dict[str, object], disk_bytes: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match=words):
        check_machine(cluster_spec(fields), tmp_path, disk_bytes)


@pytest.mark.parametrize(
    ("fields", "fix"),
    [
        ({"resources": {"memory": "9GiB", "heap": "512MiB"}}, "a smaller cluster.resources.memory, or end"),
        ({"resources": {"heap": "9GiB"}}, "--set cluster.resources.heap=512MiB, or end"),
        ({"brokers": 3}, "fewer brokers, or --set cluster.resources.heap=512MiB, or end"),
    ],
)
def test_what_helps_where_memory_is_short_is_what_was_asked_for(
    fields: dict[str, object], fix: str, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError) as raised:
        check_machine(cluster_spec(fields), tmp_path)
    assert raised.value.fix == f"{fix} what else takes memory"


@pytest.mark.parametrize("beside", [True, False])
def test_where_local_brokers_have_their_data_is_no_help_for_others(tmp_path: Path, *, beside: bool) -> None:
    with pytest.raises(ClusterError) as raised:
        check_machine(cluster_spec({}), tmp_path, 9 * GIB + 1, within_limits=beside)
    assert ("LOADLAB_DATA_DIR" in (raised.value.fix or "")) == beside


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cpuset": "0,2"}, "this machine has the cores 0 to 1"),
        ({"resources": {"cpus": 3}}, "more than this machine's 2 cores"),
        ({"resources": {"memory": "1GiB", "heap": "1GiB"}}, "leaves nothing of its memory"),
    ],
)
def test_what_contradicts_itself_or_the_cores_is_a_usage_error(
    fields: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        check_machine(cluster_spec(fields), tmp_path)


def test_held_ports_are_given_to_nobody_but_a_listener_that_reuses_addresses() -> None:
    with HeldPorts(3) as held:
        assert len(set(held.ports)) == 3
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", held.ports[0]))
        with socket.socket() as broker:
            broker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            broker.bind(("127.0.0.1", held.ports[0]))
            broker.listen()
            socket.create_connection(("127.0.0.1", held.ports[0])).close()


def test_a_process_is_known_again_and_only_it() -> None:
    me = ProcessIdentity.current()
    assert me.is_alive
    assert ProcessIdentity.of(os.getpid()) == me
    assert ProcessIdentity.parse(str(me)) == me
    assert not replace(me, started="1").is_alive


def test_a_process_has_the_markers_of_its_own_command_line() -> None:
    command = [sys.executable, "-c", "print(flush=True); input()", "some marker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # while it is still being started, the kernel has no command line of it
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None
        assert identity.has_marker("some marker")
        assert not identity.has_marker("no such marker")
        child.communicate(b"\n")


def test_a_process_of_another_boot_or_namespace_can_not_be_judged() -> None:
    me = ProcessIdentity.current()
    for other in (replace(me, boot_id="earlier"), replace(me, pid_namespace="another")):
        assert not other.is_judgeable
        assert not other.is_alive


@pytest.mark.parametrize("text", ["", "1", "x/1/b/n", "1/2/3/4/5"])
def test_what_is_no_identity_is_none(text: str) -> None:
    assert ProcessIdentity.parse(text) is None


def test_an_ended_child_that_nobody_waited_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    identity = ProcessIdentity.of(child.pid)
    assert child.stdout is not None
    child.stdout.read()
    assert identity is None or identity.wait_until_gone(5)
    child.communicate()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system pins no processes")
def test_children_are_pinned_from_their_start_and_the_parent_is_not() -> None:
    before = os.sched_getaffinity(0)
    with affinity.children_on("0"):
        told = subprocess.run(
            [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"],
            check=True,
            capture_output=True,
            text=True,
        )
    assert told.stdout.strip() == "{0}"
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (34, "SIGRTMIN"), (40, "signal 40")])
def test_each_signal_has_a_name(number: int, name: str) -> None:
    assert signal_name(number) == name


def brokers_in(folder: Path) -> Brokers:
    (folder / "loadlab-r" / "logs").mkdir(parents=True)
    info = ClusterInfo("local", "kafka", "4.3.1", 1, None, {}, "asked for", "id")
    owner = ProcessIdentity.current()
    return Brokers(ClusterRecord("r", None, owner, info, "", data_dir=str(folder / "loadlab-r")))


def test_brokers_are_ended_though_their_guard_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))
    brokers = brokers_in(tmp_path)
    brokers.guard()
    guard = next(one for one in psutil.Process().children() if str(tmp_path / "loadlab-r") in one.cmdline())
    guard.suspend()
    brokers.end()

    assert not guard.is_running()


def test_a_broker_whose_start_was_interrupted_before_it_was_remembered_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def interrupted(pid: int) -> ProcessIdentity:
        started.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))
    brokers = brokers_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(ProcessIdentity, "of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            brokers.launch(1, tmp_path / "loadlab-r", ["sleep", "600"])
    assert ProcessIdentity.of(started[0]) is not None
    brokers.end()
    assert ProcessIdentity.of(started[0]) is None
    assert not (tmp_path / "loadlab-r").exists()

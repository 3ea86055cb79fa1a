"""Clusters of other machines and engines, whose records lie in the same directory, are left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import standing
from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.docker import Marked
from loadlab.cluster.own_topics import MadeTopics
from loadlab.cluster.processes import ProcessIdentity, host_id
from loadlab.cluster.state import BrokerProcess, ClusterRecord, records, state_dir
from loadlab.cluster.state import standing as find_standing
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ME = ProcessIdentity.current()
ENDED = replace(ME, started="no such start")
ELSEWHERE = replace(ENDED, boot_id="another boot")
LOCAL = ClusterInfo("local", "kafka", "4.3.1", 1, None, {}, "asked for", "id")
DOCKER = replace(LOCAL, provider="docker")
OTHER_HOST = "another/1234"


def attach(name: str) -> None:
    standing.attach(name, print)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))


class FakeEngine:
    """An engine that answers and has the containers of some runs."""

    identity = "here:/var/lib/docker"
    running: Mapping[str, str] = {}

    def require_answer(self) -> None:
        """It answers."""

    def containers(self, run_id: str | None = None) -> list[Marked]:
        named = [name for run, name in self.running.items() if run_id in {None, run}]
        return [Marked("container", name, {"loadlab.run": name}, "running") for name in named]

    def volumes(self, run_id: str | None = None) -> list[Marked]:  # noqa: ARG002
        return []

    networks = volumes

    def remove(self, marked: Marked) -> bool:
        raise AssertionError(marked)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(standing, "Engine", lambda: engine)
    return engine


def local_of(owner: ProcessIdentity, host: str, name: str | None = "lab") -> ClusterRecord:
    broker = BrokerProcess(1, replace(owner, pid=1), "/nowhere", ("java",))
    return ClusterRecord("local-1", name, owner, LOCAL, "127.0.0.1:1", brokers=(broker,), host=host)


def docker_on(engine: str | None, owner: ProcessIdentity = ENDED, host: str = "") -> ClusterRecord:
    record = ClusterRecord("docker-1", "lab", owner, DOCKER, "127.0.0.1:1", engine=engine)
    return replace(record, host=host or record.host)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "record",
    [
        local_of(ELSEWHERE, OTHER_HOST),
        local_of(ELSEWHERE, OTHER_HOST, name=None),
        docker_on("there:/var/lib/docker"),
        docker_on("here:/home/me/docker"),
        docker_on(FakeEngine.identity, ELSEWHERE, OTHER_HOST),
    ],
    ids=["machine", "machine, of a run", "engine", "engine of the same machine", "machine, same engine"],
)
def test_clusters_that_others_can_see_are_not_cleaned(record: ClusterRecord) -> None:
    record.save()
    assert standing.clean_leftovers() == []
    assert list(records()) == [record]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "record",
    [
        local_of(ENDED, host_id()),
        local_of(ELSEWHERE, host_id()),  # before this machine was started anew
        docker_on(FakeEngine.identity),
        docker_on(None),
    ],
    ids=["machine", "an earlier boot", "engine", "written before engines were"],
)
def test_what_was_here_and_is_no_more_is_cleaned_unless_it_has_a_name(record: ClusterRecord) -> None:
    record.save()
    standing.clean_leftovers()
    assert list(records()) == [record]
    replace(record, name=None).save()
    standing.clean_leftovers()
    assert list(records()) == []


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("record", "words"),
    [
        (local_of(ELSEWHERE, OTHER_HOST), "stands on the machine another,"),
        (docker_on("there:/var/lib/docker"), "stands on the container engine there:/var/lib/docker,"),
    ],
)
def test_a_cluster_out_of_reach_is_neither_used_nor_ended_nor_counted(
    record: ClusterRecord, words: str
) -> None:
    record.save()
    for call in (attach, standing.down):
        with pytest.raises(ClusterError, match=words) as told:
            call("lab")
        assert str(record.path) in (told.value.fix or "")
    assert [one.alive for one in standing.list_clusters()] == [None]
    standing.clean_leftovers(everything=True)
    assert list(records()) == [record]


def test_a_cluster_that_a_run_goes_on_is_ended_only_by_force() -> None:
    local_of(ENDED, host_id()).save()
    file = state_dir() / "topics" / "orders-k3f9.json"
    MadeTopics(file, LOCAL.cluster_id, {"orders": "id-1"}, ME).remember()
    says = rf"run orders-k3f9 on cluster 'lab' goes on \(process {ME.pid}\)"
    with pytest.raises(UsageError, match=says) as told:
        standing.down("lab")
    assert "--force" in (told.value.fix or "")
    standing.clean_leftovers(everything=True)
    assert len(list(records())) == 1

    standing.down("lab", force=True)
    assert list(records()) == []


def test_a_running_cluster_on_this_engine_is_counted_and_kept(engine: FakeEngine) -> None:
    docker_on(FakeEngine.identity).save()
    engine.running = {"docker-1": "loadlab-docker-1-1"}
    assert [one.alive for one in standing.list_clusters()] == [1]
    standing.clean_leftovers()
    assert len(list(records())) == 1


def test_a_machine_that_got_another_name_keeps_its_clusters() -> None:
    assert local_of(ENDED, OTHER_HOST).is_here


def test_a_name_of_another_machine_is_free_here_and_means_the_cluster_that_is_here() -> None:
    there = replace(local_of(ELSEWHERE, OTHER_HOST), run_id="z")
    there.save()
    standing.refuse_taken("lab")
    here = local_of(ENDED, host_id())
    here.save()
    assert find_standing("lab") == here
    with pytest.raises(UsageError, match="already"):
        standing.refuse_taken("lab")


def test_a_record_that_names_no_machine_and_no_engine_is_one_of_this_machine() -> None:
    record = docker_on("here", ELSEWHERE)
    record.save()
    fields = json.loads(record.path.read_text())
    del fields["host"], fields["engine"]
    record.path.write_text(json.dumps(fields))
    (read,) = records()
    assert (read.is_here, read.engine) == (True, None)


def test_a_name_is_held_while_a_cluster_is_started_under_it() -> None:
    with standing.claimed("lab"):
        with standing.claimed("other"):
            pass
        with pytest.raises(UsageError, match="another process is starting"), standing.claimed("lab"):
            pytest.fail("two have the name")
    with standing.claimed("lab"):
        local_of(ENDED, host_id()).save()
    with pytest.raises(UsageError, match="already"), standing.claimed("lab"):
        pytest.fail("the name is taken")


def test_a_cluster_that_is_still_being_started_is_neither_used_nor_ended() -> None:
    with standing.claimed("lab"):
        local_of(ENDED, host_id()).save()
        for use in (attach, standing.down):
            with pytest.raises(UsageError, match="'lab' is still being started"):
                use("lab")

"""Topics on clusters that go on without their runs, and what a killed run leaves of them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.own_topics import MadeTopics, delete_left, forget_lost_topics, forget_topics
from loadlab.cluster.processes import ProcessIdentity
from loadlab.cluster.state import ClusterRecord, state_dir
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadlab.cluster import Cluster


class Standing:
    """A cluster that stands, as far as its topics go."""

    def __init__(self, cluster_id: str = "here", provider: str = "local", **topics: str) -> None:
        self.info = SimpleNamespace(cluster_id=cluster_id, provider=provider)
        self.topics = topics
        self.groups = {"loadlab-run-billing"}
        self.with_members: set[str] = set()

    def topic_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        return {name: self.topics.get(name) for name in names}

    def delete_topics(self, ids: Mapping[str, str], _timeout_s: float) -> None:
        self.topics = {name: there for name, there in self.topics.items() if ids.get(name) != there}

    def delete_groups(self, group_ids: Sequence[str], _timeout_s: float) -> list[str]:
        self.groups -= set(group_ids) - self.with_members
        return [one for one in group_ids if one in self.with_members]


def as_cluster(standing: Standing) -> Cluster:
    return cast("Cluster", standing)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path))
    return state_dir() / "topics"


def left_by_a_killed_run(state: Path, cluster: Standing, run_id: str = "killed", **ids: str) -> None:
    """A record whose owner has ended: no process has started at a time that is none."""
    made = MadeTopics.of(run_id, as_cluster(cluster), ids)
    made.remember()
    path = made.path
    assert path.parent == state
    document = json.loads(path.read_text())
    document["owner"] = str(replace(ProcessIdentity.current(), started="0"))
    path.write_text(json.dumps(document))


def test_what_a_killed_run_left_is_deleted_once(state: Path) -> None:
    cluster = Standing(orders="id-1", others="id-2")
    left_by_a_killed_run(state, cluster, orders="id-1")
    assert delete_left(as_cluster(cluster)) == ["orders"]
    assert cluster.topics == {"others": "id-2"}
    assert not list(state.iterdir())
    assert delete_left(as_cluster(cluster)) == []


def test_a_topic_that_was_made_anew_by_others_stays(state: Path) -> None:
    cluster = Standing(orders="id-9")
    left_by_a_killed_run(state, cluster, orders="id-1")
    assert delete_left(as_cluster(cluster)) == []
    assert cluster.topics == {"orders": "id-9"}
    assert not list(state.iterdir())


def test_what_is_on_another_cluster_stays_there(state: Path) -> None:
    there, here = Standing("there", orders="id-1"), Standing("here", orders="id-1")
    left_by_a_killed_run(state, there, orders="id-1")
    assert delete_left(as_cluster(here)) == []
    assert here.topics == {"orders": "id-1"}
    assert len(list(state.iterdir())) == 1


def test_topics_of_a_run_that_goes_on_stay() -> None:
    cluster = Standing(orders="id-1")
    made = MadeTopics.of("living", as_cluster(cluster), {"orders": "id-1"})
    made.remember()
    assert delete_left(as_cluster(cluster)) == []
    assert cluster.topics == {"orders": "id-1"}
    made.delete(as_cluster(cluster), 1.0)
    assert not cluster.topics
    assert not made.path.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"owner": 1}', '{"owner": "1/2/3/4"}'])
def test_a_file_that_is_no_record_is_passed_over(state: Path, text: str) -> None:
    state.mkdir(parents=True)
    (state / "torn.json").write_text(text)
    assert delete_left(as_cluster(Standing(orders="id-1"))) == []


def test_what_can_not_be_remembered_can_still_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "file"))
    cluster = Standing(orders="id-1")
    made = MadeTopics.of("living", as_cluster(cluster), {"orders": "id-1"})
    with pytest.raises(UsageError, match="can't be used"):
        made.remember()
    made.delete(as_cluster(cluster), 1.0)
    assert not cluster.topics


def test_what_a_run_could_not_delete_the_next_one_of_its_process_deletes(state: Path) -> None:
    class Silent(Standing):
        def delete_topics(self, *_: object) -> None:
            raise ClusterError("did not answer")

    silent = Silent(orders="id-1")
    made = MadeTopics.of("first", as_cluster(silent), {"orders": "id-1"})
    made.remember()
    with pytest.raises(ClusterError, match="did not answer"):
        made.delete(as_cluster(silent), 1.0)
    cluster = Standing(orders="id-1")
    assert delete_left(as_cluster(cluster)) == ["orders"]
    assert not list(state.iterdir())


def test_what_was_on_a_cluster_that_is_no_more_is_forgotten(state: Path) -> None:
    for run_id, cluster_id in (("one", "here"), ("two", "there")):
        MadeTopics.of(run_id, as_cluster(Standing(cluster_id)), {"orders": "id"}).remember()
    forget_topics("here")
    assert [path.stem for path in state.iterdir()] == ["two"]


def test_topics_of_a_cluster_that_no_record_knows_are_forgotten_but_of_external_ones(state: Path) -> None:
    kept = remembered_cluster("standing", name="lab")
    for cluster in (kept, Standing("lost"), Standing("theirs", provider="external")):
        left_by_a_killed_run(state, cluster, orders="id-1", run_id=f"on-{cluster.info.cluster_id}")
    MadeTopics.of("living", as_cluster(Standing("lost")), {"orders": "id-1"}).remember()
    forget_lost_topics()
    assert sorted(path.stem for path in state.iterdir()) == ["living", "on-standing", "on-theirs"]


@pytest.mark.parametrize(("name", "ends"), [("lab", False), (None, True)])
def test_topics_end_with_a_cluster_that_stands_under_no_name(name: str | None, *, ends: bool) -> None:
    cluster = remembered_cluster("id", name)
    assert MadeTopics.of("run", as_cluster(cluster), {"orders": "id-1"}).end_with_cluster is ends


def remembered_cluster(cluster_id: str, name: str | None) -> Standing:
    info = ClusterInfo("local", "kafka", "4.3.1", 1, None, {}, "asked for", cluster_id)
    ClusterRecord("k3f9", name, ProcessIdentity.current(), info, "127.0.0.1:1").save()
    return Standing(cluster_id)


def test_a_run_deletes_its_groups_after_its_topics(state: Path) -> None:
    cluster = Standing(orders="id-1")
    made = MadeTopics.of("run", as_cluster(cluster), {"orders": "id-1"}, ["loadlab-run-billing"])
    made.remember()
    made.delete(as_cluster(cluster), 1.0)
    assert (cluster.topics, cluster.groups) == ({}, set())
    assert not list(state.iterdir())


def test_a_group_that_has_members_of_a_killed_run_is_left_to_the_next_ones(state: Path) -> None:
    cluster = Standing(orders="id-1")
    cluster.with_members = set(cluster.groups)
    MadeTopics.of("run", as_cluster(cluster), {"orders": "id-1"}, ["loadlab-run-billing"]).delete(
        as_cluster(cluster), 1.0
    )
    assert cluster.groups
    assert len(list(state.iterdir())) == 1

    cluster.with_members = set()
    delete_left(as_cluster(cluster))
    assert not cluster.groups
    assert not list(state.iterdir())


def test_groups_of_a_cluster_that_ends_with_the_run_are_left_to_it() -> None:
    cluster = remembered_cluster("id", name=None)
    MadeTopics.of("run", as_cluster(cluster), {}, ["loadlab-run-billing"]).delete(as_cluster(cluster), 1.0)
    assert cluster.groups

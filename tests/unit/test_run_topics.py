"""What a run makes on a cluster that goes on, and takes away at its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from run_samples import scenario_of

from loadlab.cluster import Capability
from loadlab.cluster.own_topics import MadeTopics, delete_left
from loadlab.cluster.own_topics import run_on as run_there
from loadlab.cluster.processes import ProcessIdentity
from loadlab.errors import UsageError
from loadlab.run.events import Events
from loadlab.run.interrupts import Interrupts
from loadlab.run.plan import plan_scenario
from loadlab.run.progress import SilentObserver
from loadlab.run.topics import RunTopics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadlab.cluster import Cluster, TopicRequest


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path))


class GoingOn:
    """A cluster that notes what is deleted on it."""

    info = SimpleNamespace(cluster_id="id", provider="external")

    def __init__(self, *capabilities: Capability) -> None:
        self.capabilities = frozenset(capabilities)
        self.deleted: list[str] = []

    def create_topics(self, requests: Sequence[TopicRequest]) -> dict[str, str]:
        return {one.name: f"id of {one.name}" for one in requests}

    def delete_topics(self, ids: Mapping[str, str], _timeout_s: float) -> None:
        self.deleted += ids

    def delete_groups(self, group_ids: Sequence[str], _timeout_s: float) -> list[str]:
        self.deleted += group_ids
        return []


def run_on(
    cluster: GoingOn, *, outlives: bool = True, keeps: bool = False, is_killed: bool = False
) -> list[str]:
    consumers = {"billing": {"topic": "orders"}, "audit": {"topic": "orders", "group_id": "the-users-own"}}
    plan = plan_scenario(scenario_of(consumers=consumers))
    topics = RunTopics(plan, "k3f9", cast("Cluster", cluster), Events(SilentObserver()), Interrupts())
    with topics.made(outlives=outlives, keeps=keeps, timeout_s=lambda: 1.0):
        assert cluster.deleted == []
        assert (run_there("id") is not None) == outlives, "who ends the cluster is not told"
    assert (run_there("id") is None) != is_killed
    return cluster.deleted


def test_a_run_deletes_its_topics_and_the_groups_whose_names_it_made_up() -> None:
    assert run_on(GoingOn(Capability.ADMIN)) == ["orders", "loadlab-k3f9-billing"]


def test_no_groups_are_deleted_where_no_admin_calls_are_answered() -> None:
    assert run_on(GoingOn()) == ["orders"]


@pytest.mark.parametrize("how", [{"outlives": False}, {"keeps": True}])
def test_nothing_is_deleted_where_the_cluster_ends_or_all_is_kept(how: dict[str, bool]) -> None:
    assert run_on(GoingOn(Capability.ADMIN), **how) == []


def test_a_topic_that_is_not_there_is_told_with_the_one_that_was_probably_meant() -> None:
    class Existing(GoingOn):
        def describe_topics(self, names: Sequence[str]) -> dict[str, None]:
            return dict.fromkeys(names)

        def topic_names(self) -> list[str]:
            return ["order", "payments"]

    plan = plan_scenario(scenario_of(topics={"orders": {"existing": True}}))
    topics = RunTopics(plan, "k3f9", cast("Cluster", Existing()), Events(SilentObserver()), Interrupts())
    with (
        pytest.raises(UsageError, match="the cluster has no topic orders") as told,
        topics.made(outlives=True, keeps=False, timeout_s=lambda: 1.0),
    ):
        pass
    assert told.value.fix is not None
    assert told.value.fix.startswith("did you mean order? Else create the topic")


def test_of_a_killed_run_that_keeps_its_topics_nothing_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = GoingOn(Capability.ADMIN)
    monkeypatch.setattr(MadeTopics, "delete", lambda *_: None)  # as nobody could end it
    run_on(cluster, keeps=True, is_killed=True)
    monkeypatch.undo()
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(ProcessIdentity, "has_ended", True)
    assert delete_left(cast("Cluster", cluster)) == []
    assert cluster.deleted == []
    assert not list(tmp_path.rglob("*.json"))

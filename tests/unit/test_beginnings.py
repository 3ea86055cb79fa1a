"""Where logs and groups stand before the load."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from run_samples import FakeCluster, scenario_of

from loadlab.errors import ClusterError
from loadlab.run import beginnings
from loadlab.run.beginnings import Beginnings
from loadlab.run.events import Events
from loadlab.run.plan import plan_scenario
from loadlab.run.progress import SilentObserver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.cluster import OffsetSample
    from loadlab.run.samples import Group, Partition

ENDS = {("orders", 0): 900, ("orders", 1): 900, ("orders", 2): 900}
FIRST = {("orders", 0): 500, ("orders", 1): 500, ("orders", 2): 500}


@dataclass
class Retaining(FakeCluster):
    """A cluster whose logs do not begin at 0; a leader is silent for some requests."""

    silent: int = 0
    why: str = "LEADER_NOT_AVAILABLE"
    ends_later: dict[Partition, int] = field(default_factory=dict)

    def start_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        return FakeCluster(FIRST).end_offsets(partitions, timeout_s)

    def end_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        self.silent -= 1
        ends = {**ENDS, **self.ends_later}
        cluster = FakeCluster(dict(list(ends.items())[: 2 if self.silent >= 0 else 3]))
        told = cluster.end_offsets(partitions, timeout_s)
        return replace(told, failed=dict.fromkeys(told.failed, self.why))


def beginnings_of(cluster: FakeCluster, **consumer: object) -> Beginnings:
    loaded = scenario_of(
        topics={"orders": {"existing": True}}, consumers={"billing": {"topic": "orders", **consumer}}
    )
    plan = plan_scenario(loaded)
    events = Events(SilentObserver())
    return Beginnings(cluster.as_cluster(), loaded.scenario, plan, "run-1", {"orders": 3}, events)


def group_of(committed: dict[Partition, int | None], reset: str = "earliest") -> Group:
    consumer = {"group_id": "billing", "config": {"auto.offset.reset": reset}}
    (group,) = beginnings_of(Retaining(committed=committed), **consumer).groups(ENDS)
    return group


@pytest.mark.parametrize(("reset", "begin"), [("earliest", 500), ("latest", 900)])
def test_a_commit_that_the_log_has_not_any_more_or_not_yet_is_none(reset: str, begin: int) -> None:
    """The consumer is told OFFSET_OUT_OF_RANGE there, and begins by auto.offset.reset."""
    group = group_of({("orders", 0): 499, ("orders", 1): 500, ("orders", 2): 901}, reset)

    assert group.start.tolist() == [begin, 500, begin]
    assert group.late is not None
    assert group.late.tolist() == [reset == "latest", False, reset == "latest"]


def test_a_group_without_a_commit_begins_where_auto_offset_reset_says() -> None:
    assert group_of({}).start.tolist() == [500, 500, 500]
    assert group_of({("orders", 1): 900}, "latest").start.tolist() == [900, 900, 900]


def test_a_commit_that_another_member_made_since_the_log_ends_were_asked_for_counts() -> None:
    consumer = {"group_id": "billing", "config": {"auto.offset.reset": "earliest"}}
    cluster = Retaining(committed={("orders", 1): 950}, ends_later={("orders", 1): 960})
    (group,) = beginnings_of(cluster, **consumer).groups(ENDS)
    assert group.start.tolist() == [500, 950, 500]


def test_a_leader_that_is_silent_before_the_load_is_waited_for_and_that_is_told() -> None:
    beginnings_here = beginnings_of(Retaining(silent=2))
    assert beginnings_here.log_ends().offsets == ENDS
    assert [line["event"] for line in beginnings_here.events.lines] == ["waiting"]


@pytest.mark.parametrize(
    ("why", "asked"), [("LEADER_NOT_AVAILABLE", range(2, 9)), ("TOPIC_AUTHORIZATION_FAILED", range(1, 2))]
)
def test_a_leader_that_stays_silent_refuses_the_run(
    monkeypatch: pytest.MonkeyPatch, why: str, asked: range
) -> None:
    """At once where no waiting helps, and never in a loop without a pause."""
    monkeypatch.setattr(beginnings, "_PATIENCE_S", 0.5)
    cluster = Retaining(silent=10**9, why=why)
    before = cluster.silent
    with pytest.raises(ClusterError, match=rf"where orders 2 begins and ends \({why}\); 1 partition of"):
        beginnings_of(cluster).log_ends()
    assert before - cluster.silent in asked

"""Where logs and groups stand before the load."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from run_samples import FakeCluster, scenario_of

from loadlab.errors import ClusterError
from loadlab.run import beginnings
from loadlab.run.beginnings import Beginnings
from loadlab.run.plan import plan_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.cluster import OffsetSample
    from loadlab.run.offsets import Group, Partition

ENDS = {("orders", 0): 900, ("orders", 1): 900, ("orders", 2): 900}
FIRST = {("orders", 0): 500, ("orders", 1): 500, ("orders", 2): 500}


@dataclass
class Retaining(FakeCluster):
    """A cluster whose logs do not begin at 0; a leader is silent for some requests."""

    silent: int = 0

    def start_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        return FakeCluster(FIRST).end_offsets(partitions, timeout_s)

    def end_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        self.silent -= 1
        cluster = FakeCluster(dict(list(ENDS.items())[: 2 if self.silent >= 0 else 3]))
        return cluster.end_offsets(partitions, timeout_s)


def beginnings_of(cluster: FakeCluster, **consumer: object) -> Beginnings:
    loaded = scenario_of(
        topics={"orders": {"existing": True}}, consumers={"billing": {"topic": "orders", **consumer}}
    )
    plan = plan_scenario(loaded)
    return Beginnings(cluster.as_cluster(), loaded.scenario, plan, "run-1", {"orders": 3})


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


def test_a_leader_that_is_silent_before_the_load_is_waited_for() -> None:
    assert beginnings_of(Retaining(silent=2)).log_ends().offsets == ENDS


def test_a_leader_that_stays_silent_refuses_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "_PATIENCE_S", 0.05)
    began_s = time.monotonic()
    with pytest.raises(
        ClusterError, match=r"the log of orders 2 stands .*LEADER_NOT_AVAILABLE.* 1 partitions"
    ):
        beginnings_of(Retaining(silent=10**9)).log_ends()
    assert time.monotonic() - began_s < 5

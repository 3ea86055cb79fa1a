"""Faults are done to brokers at their times, and undone whatever becomes of the load."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from engine_samples import until

from loadlab.cluster import BrokerState, Capability, ClusterInfo
from loadlab.cluster.api import PAUSED
from loadlab.errors import ClusterError, UsageError
from loadlab.run.broker_watch import BrokerWatch
from loadlab.run.events import Events
from loadlab.run.faults import FaultInjector, require_faults
from loadlab.run.plan import PlannedFault
from loadlab.run.progress import SilentObserver

if TYPE_CHECKING:
    from loadlab.cluster import Cluster

SOON_S = 5.0
INFO = ClusterInfo("local", "kafka", "4.3.1", 2, None, {}, "asked for", "id")
BOTH = frozenset({Capability.PAUSE, Capability.KILL})


@dataclass
class Brokers:
    """A cluster of two brokers that does as it is told, or refuses.

    Attributes:
        done: what was done, in order.
        refuses: what fails.
        killed: set once one is dead.
        starting: a restart lasts until it is set; None where it takes no time.
    """

    done: list[str] = field(default_factory=list)
    refuses: str = ""
    capabilities: frozenset[Capability] = BOTH
    killed: threading.Event = field(default_factory=threading.Event)
    starting: threading.Event | None = None
    info: ClusterInfo = INFO
    states: dict[int, BrokerState] = field(
        default_factory=lambda: {
            number: BrokerState(number, alive=True, detail="", started="1") for number in (1, 2)
        }
    )

    def _do(self, action: str, broker: int, state: BrokerState) -> None:
        if action == self.refuses:
            raise ClusterError(f"no {action}")
        self.done.append(f"{action} {broker}")
        self.states[broker] = state

    def pause(self, broker: int) -> None:
        self._do("pause", broker, BrokerState(broker, alive=True, detail=PAUSED, started="1"))
        self.killed.set()

    def resume(self, broker: int) -> None:
        self._do("resume", broker, BrokerState(broker, alive=True, detail="", started="1"))

    def kill(self, broker: int) -> None:
        self._do("kill", broker, BrokerState(broker, alive=False, detail="killed", started="1"))
        self.killed.set()

    def restart(self, broker: int) -> None:
        if self.starting is not None:
            self.starting.wait()
            if self.refuses == "late":
                raise ClusterError("the cluster is gone")
        self._do("restart", broker, BrokerState(broker, alive=True, detail="", started="2"))

    def broker_states(self) -> list[BrokerState]:
        return list(self.states.values())

    def free_disk_bytes(self) -> int | None:
        return None

    def injector(self, *planned: PlannedFault, revives: bool = False) -> FaultInjector:
        cluster, events = cast("Cluster", self), Events(SilentObserver())
        return FaultInjector(cluster, events, BrokerWatch(cluster, events), planned, revives=revives)


def started(brokers: Brokers, *planned: PlannedFault, revives: bool = False) -> FaultInjector:
    injector = brokers.injector(*planned, revives=revives)
    injector.start(time.monotonic_ns())
    return injector


def test_faults_are_done_and_undone_at_their_times() -> None:
    brokers = Brokers()
    begin_ns = time.monotonic_ns()
    injector = started(brokers, PlannedFault("kill", 2, 0.2, 0.2), PlannedFault("pause", 1, 0.05, 0.05))
    assert until(lambda: all(one.ended_ns is not None for one in injector.injected), SOON_S)
    injector.stop()

    assert brokers.done == ["pause 1", "resume 1", "kill 2", "restart 2"]
    for one in injector.injected:
        assert one.begun_ns is not None
        assert one.ended_ns is not None
        assert one.begun_ns - begin_ns >= one.fault.at_s * 1e9
        assert one.ended_ns - one.begun_ns >= (one.fault.for_s or 0.0) * 1e9
        assert one.failure is None
    assert [line["event"] for line in injector.events.lines] == ["fault", "fault_over"] * 2


@pytest.mark.parametrize(("revives", "done"), [(True, ["kill 2", "restart 2"]), (False, ["kill 2"])])
def test_a_broker_that_stays_dead_is_started_again_where_the_cluster_outlives_the_run(
    revives: bool, done: list[str]
) -> None:
    brokers = Brokers()
    injector = started(brokers, PlannedFault("kill", 2, 0.0, None), revives=revives)
    assert brokers.killed.wait(SOON_S)
    injector.stop()

    assert brokers.done == done
    assert (injector.injected[0].ended_ns is not None) == revives


def test_a_load_that_ends_early_lets_no_broker_stand_still_and_begins_nothing_more() -> None:
    brokers = Brokers()
    injector = started(brokers, PlannedFault("pause", 1, 0.0, 60.0), PlannedFault("kill", 2, 60.0, 1.0))
    assert brokers.killed.wait(SOON_S)
    injector.stop()

    assert brokers.done == ["pause 1", "resume 1"]
    assert injector.injected[1].begun_ns is None


@pytest.mark.parametrize("refuses", ["pause", "resume"])
def test_a_fault_that_fails_says_why(refuses: str) -> None:
    injector = started(Brokers(refuses=refuses), PlannedFault("pause", 1, 0.0, 0.01))
    assert until(lambda: injector.injected[0].failure is not None, SOON_S)
    injector.stop()

    assert injector.injected[0].failure == f"no {refuses}"
    assert injector.events.lines[-1]["event"] == "fault_failed"


@pytest.mark.parametrize("kind", ["pause", "kill"])
def test_what_the_run_does_itself_is_not_taken_for_a_death_or_a_pause(kind: str) -> None:
    brokers = Brokers()
    fault = PlannedFault(kind, 1, 0.0, None if kind == "kill" else 60.0)  # type: ignore[arg-type]
    injector = brokers.injector(fault, revives=True)
    injector.watch.look()
    injector.start(time.monotonic_ns())
    assert brokers.killed.wait(SOON_S)
    injector.watch.look()
    injector.stop()
    injector.watch.look()
    assert (injector.watch.dead, injector.watch.paused) == ({}, {})

    # What happens to it afterwards is somebody else's doing.
    brokers.states[1] = BrokerState(1, alive=True, detail="", started="3")
    injector.watch.look()
    assert list(injector.watch.dead) == [1]


def test_faults_need_a_cluster_that_can_and_a_broker_that_is_there() -> None:
    can, can_not = Brokers(), Brokers(capabilities=frozenset())
    require_faults(cast("Cluster", can_not), [])
    require_faults(cast("Cluster", can), [PlannedFault("kill", 2, 0.0, None)])
    with pytest.raises(UsageError, match="faults need brokers that loadlab started"):
        require_faults(cast("Cluster", can_not), [PlannedFault("kill", 1, 0.0, None)])
    with pytest.raises(UsageError, match="there is no broker 3"):
        require_faults(cast("Cluster", can), [PlannedFault("kill", 3, 0.0, None)])


def test_a_fault_waits_until_what_the_one_before_did_to_its_broker_is_undone() -> None:
    """A killed broker may take longer to answer than the scenario's author thought."""
    brokers = Brokers(starting=threading.Event())
    injector = started(brokers, PlannedFault("kill", 1, 0.0, 0.01), PlannedFault("pause", 1, 0.05, 0.01))
    assert brokers.killed.wait(SOON_S)
    time.sleep(0.1)  # the second one's time passes
    assert brokers.done == ["kill 1"]
    cast("threading.Event", brokers.starting).set()
    assert until(lambda: injector.injected[1].ended_ns is not None, SOON_S)
    injector.stop()
    assert brokers.done == ["kill 1", "restart 1", "pause 1", "resume 1"]


def test_a_fault_that_never_came_to_its_turn_is_a_failure() -> None:
    brokers = Brokers(starting=threading.Event())
    injector = started(brokers, PlannedFault("kill", 1, 0.0, 0.01), PlannedFault("pause", 1, 0.05, 0.01))
    assert brokers.killed.wait(SOON_S)
    time.sleep(0.1)  # the second one's time passes
    injector.cancel()
    cast("threading.Event", brokers.starting).set()
    injector.stop()
    assert injector.has_failed
    assert injector.injected[1].failure == (
        "what the fault at 0s did to it was not undone before the load was over"
    )


def test_an_interrupt_does_not_wait_for_a_broker_that_ends_with_the_run_anyway() -> None:
    brokers = Brokers(starting=threading.Event(), refuses="late")
    injector = started(brokers, PlannedFault("kill", 1, 0.0, 0.01))
    assert brokers.killed.wait(SOON_S)
    time.sleep(0.05)  # it is being started
    begin_s = time.monotonic()
    injector.stop(at_once=True)
    assert time.monotonic() - begin_s < SOON_S
    cast("threading.Event", brokers.starting).set()
    assert until(lambda: not any(one.is_alive() for one in injector._threads), SOON_S)
    assert not injector.has_failed

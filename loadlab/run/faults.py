"""Injects a scenario's faults while the load goes on, each at its time in a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.cluster import Capability
from loadlab.errors import LoadlabError, UsageError
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.cluster import Cluster
    from loadlab.run.broker_watch import BrokerWatch
    from loadlab.run.events import Events
    from loadlab.run.plan import PlannedFault


_DONE: Final = {"pause": "stands still, as planned", "kill": "is dead, as planned"}
_UNDONE: Final = {"pause": "goes on", "kill": "was started again and answers"}


@dataclass(eq=False)
class Injected:
    """What became of a fault.

    Attributes:
        fault: as planned.
        begun_ns: when the broker stood still or was dead, CLOCK_MONOTONIC; None where it never was.
        ended_ns: when it went on, or answered again; None where it did not.
        failure: why it could not be done, or undone; None where it could.
    """

    fault: PlannedFault
    begun_ns: int | None = None
    ended_ns: int | None = None
    failure: str | None = None


@dataclass(eq=False)
class FaultInjector:
    """Does to brokers what the scenario says, and undoes it.

    Attributes:
        cluster: whose brokers they are.
        events: is told what happens.
        watch: is told of brokers that it must not take for dead or paused by others.
        planned: the faults.
        revives: whether what is still dead at the end is started again, as the cluster outlives the run.
        injected: what became of each fault.
    """

    cluster: Cluster
    events: Events
    watch: BrokerWatch
    planned: Sequence[PlannedFault]
    revives: bool
    injected: Sequence[Injected] = field(init=False)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Has done nothing yet."""
        self.injected = [Injected(fault) for fault in self.planned]

    def start(self, measure_begin_ns: int) -> None:
        """Begins to wait for the faults' times, which count from the begin of the measure phase."""
        for one in self.injected:
            thread = threading.Thread(
                target=self._carry_out, args=(one, measure_begin_ns), name="fault", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def cancel(self) -> None:
        """Lets no fault begin any more, and ends those that have."""
        self._over.set()

    def stop(self) -> None:
        """Ends all faults; returns when every paused broker goes on, and those that are to be alive are."""
        self.cancel()
        for thread in self._threads:
            thread.join()

    def _carry_out(self, one: Injected, measure_begin_ns: int) -> None:
        fault, broker = one.fault, one.fault.broker
        if not self._wait(measure_begin_ns + round(fault.at_s * NS_PER_S)):
            return
        self.watch.expected.add(broker)
        try:
            (self.cluster.pause if fault.kind == "pause" else self.cluster.kill)(broker)
            one.begun_ns = time.monotonic_ns()
            self.events.note("fault", f"broker {broker} {_DONE[fault.kind]}", broker=broker)
            self._undo_in_time(one)
        except (LoadlabError, OSError) as error:
            one.failure = str(error)
            self.events.trouble("fault_failed", f"broker {broker}: {error}", broker=broker)
        else:
            if one.ended_ns is not None:
                self.watch.release(broker)

    def _undo_in_time(self, one: Injected) -> None:
        fault, broker = one.fault, one.fault.broker
        if fault.for_s is None:
            self._over.wait()
            is_over = False
        else:
            is_over = self._wait(int(one.begun_ns or 0) + round(fault.for_s * NS_PER_S))
        if fault.kind == "pause":
            self.cluster.resume(broker)
        elif is_over or self.revives:
            self.cluster.restart(broker)
        else:
            return
        one.ended_ns = time.monotonic_ns()
        self.events.note("fault_over", f"broker {broker} {_UNDONE[fault.kind]}", broker=broker)

    def _wait(self, until_ns: int) -> bool:
        """Waits for a moment; False where all is over before."""
        return not self._over.wait(max(0.0, (until_ns - time.monotonic_ns()) / NS_PER_S))


def require_faults(cluster: Cluster, faults: Sequence[PlannedFault]) -> None:
    """Refuses faults on a cluster to whose brokers they can't be done.

    Raises:
        UsageError: the provider can't, or there is no such broker.
    """
    if faults and not {Capability.PAUSE, Capability.KILL} <= cluster.capabilities:
        raise UsageError(
            f"faults need brokers that loadlab started, and the cluster is {cluster.info.provider}",
            fix="--provider docker or --provider local, or leave faults out",
        )
    missing = [fault.broker for fault in faults if fault.broker > cluster.info.brokers]
    if missing:
        raise UsageError(
            f"faults: there is no broker {missing[0]}", fix=f"brokers are 1 to {cluster.info.brokers}"
        )

"""Injects a scenario's faults while the load goes on, each at its time; those of one broker never overlap."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab import units
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
_MOMENT_S: Final = 1.0
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
    _abandoned: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Has done nothing yet."""
        self.injected = [Injected(fault) for fault in self.planned]

    @property
    def has_failed(self) -> bool:
        """Whether a fault could not be done or undone."""
        return any(one.failure is not None for one in self.injected)

    def start(self, measure_begin_ns: int) -> None:
        """Begins to wait for the faults' times, which count from the begin of the measure phase."""
        by_broker: dict[int, list[Injected]] = defaultdict(list)
        for one in sorted(self.injected, key=lambda each: each.fault.at_s):
            by_broker[one.fault.broker].append(one)
        for of_broker in by_broker.values():
            thread = threading.Thread(
                target=self._carry_out_all, args=(of_broker, measure_begin_ns), name="fault", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def cancel(self) -> None:
        """Lets no fault begin any more, and ends those that have."""
        self._over.set()

    def stop(self, *, at_once: bool = False) -> None:
        """Ends all faults; returns when every paused broker goes on, and those that are to be alive answer.

        Args:
            at_once: not to wait for the answers of brokers that end with the run anyway.
        """
        self.cancel()
        if at_once and not self.revives:
            self._abandoned.set()
        if self._join(_MOMENT_S) or self._abandoned.is_set():
            return
        self.events.note("faults_end", "waiting until the brokers that faults hold answer")
        self._join(None)

    def abandon(self) -> None:
        """Ends what can be ended in a moment: paused brokers go on, and nobody waits for killed ones."""
        self.cancel()
        if not self._abandoned.is_set():
            self._abandoned.set()
            self._join(_MOMENT_S)

    def _join(self, timeout_s: float | None) -> bool:
        """Waits for all faults to end; says whether they have."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _carry_out_all(self, of_broker: Sequence[Injected], measure_begin_ns: int) -> None:
        """Does all faults of one broker: none begins before the one before it is undone."""
        for before, one in zip([None, *of_broker], of_broker, strict=False):
            due_ns = measure_begin_ns + round(one.fault.at_s * NS_PER_S)
            if self._wait(due_ns):
                self._carry_out(one)
            elif before is not None and time.monotonic_ns() >= due_ns:
                at = units.format_duration(before.fault.at_s)
                self._fail(one, f"what the fault at {at} did to it was not undone before the load was over")

    def _carry_out(self, one: Injected) -> None:
        fault, broker = one.fault, one.fault.broker
        self.watch.expected.add(broker)
        try:
            (self.cluster.pause if fault.kind == "pause" else self.cluster.kill)(broker)
            one.begun_ns = time.monotonic_ns()
            self.events.note("fault", f"broker {broker} {_DONE[fault.kind]}", broker=broker)
            self._undo_in_time(one)
        except (LoadlabError, OSError) as error:
            if self._abandoned.is_set():
                return  # the cluster has ended meanwhile
            self._fail(one, str(error))
        else:
            if one.ended_ns is not None:
                self.watch.release(broker)

    def _fail(self, one: Injected, why: str) -> None:
        one.failure = why
        self.events.trouble("fault_failed", f"broker {one.fault.broker}: {why}", broker=one.fault.broker)

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

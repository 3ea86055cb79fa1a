"""Follows whether brokers live, run and have room, in a thread of its own: who is asked may hang."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadlab.cluster.api import PAUSED
from loadlab.cluster.capacity import LOW_DISK_BYTES
from loadlab.errors import ClusterError
from loadlab.measurement.validity import Incident
from loadlab.run.beat import Beat
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from loadlab.cluster import BrokerState, Cluster
    from loadlab.run.events import Events


@dataclass(eq=False)
class BrokerWatch:
    """Looks at the brokers once a second.

    Attributes:
        cluster: is asked.
        events: is told what happens.
        dead: brokers that died, or were started again between two looks, as first seen.
        paused: brokers that stood still, as first seen.
        expected: brokers to which the run itself does something: they are not looked at.
        alive: how many lived at the last look.
        low_disk: why the load can't go on, once the brokers' disk is nearly full.
    """

    cluster: Cluster
    events: Events
    dead: dict[int, Incident] = field(default_factory=dict)
    paused: dict[int, Incident] = field(default_factory=dict)
    expected: set[int] = field(default_factory=set)
    alive: int = 0
    low_disk: str | None = None
    _starts: dict[int, str] = field(default_factory=dict)
    _start_ns: int = 0
    _answering: bool = True

    def __post_init__(self) -> None:
        """Prepares the thread that asks."""
        self._beat = Beat("brokers", self.look)

    def start(self, start_ns: int) -> None:
        """Begins at once, and goes on half a second after the common start: at full seconds others ask."""
        self._start_ns = start_ns
        self._beat.start(start_ns - NS_PER_S // 2, ())

    def cancel(self) -> None:
        """Ends it after the look under way, which is not waited for."""
        self._beat.cancel()

    def stop(self) -> None:
        """Ends it with a last look, where the cluster answers; otherwise nothing is waited for."""
        self.cancel()
        if self._answering:
            self._beat.stop()
            self.look()

    def release(self, broker_id: int) -> None:
        """Looks at a broker again to which the run does nothing more, and that may have been started anew."""
        self._starts.pop(broker_id, None)
        self.expected.discard(broker_id)

    def look(self) -> None:
        """Looks once; that a cluster does not answer is told at the first time."""
        held = set(self.expected)
        try:
            states = self.cluster.broker_states()
            free_bytes = self.cluster.free_disk_bytes()
        except ClusterError as error:
            if self._answering:
                self.events.trouble("cluster_unanswering", str(error))
            self._answering = False
            return
        self._answering = True
        self.alive = sum(state.alive for state in states)
        held |= self.expected
        for state in states:
            if state.broker_id not in held:
                self._follow(state)
        if free_bytes is not None and free_bytes < LOW_DISK_BYTES:
            limit_mib = LOW_DISK_BYTES >> 20
            self.low_disk = f"the brokers' disk has {free_bytes >> 20} MiB left, less than {limit_mib} MiB"

    def _follow(self, state: BrokerState) -> None:
        """Tells of a broker what is new."""
        first = self._starts.setdefault(state.broker_id, state.started)
        if not state.alive:
            self._note(self.dead, "broker_died", state, f"died {self._when()}: {state.detail}")
        elif state.started != first:
            how = f"ended and was started again {self._when()}: {state.detail}"
            self._note(self.dead, "broker_died", state, how)
        elif state.detail == PAUSED:
            self._note(self.paused, "broker_paused", state, f"stood still {self._when()}: it was paused")

    def _when(self) -> str:
        return after_start((time.monotonic_ns() - self._start_ns) / NS_PER_S)

    def _note(self, seen: dict[int, Incident], event: str, state: BrokerState, how: str) -> None:
        if state.broker_id not in seen:
            seen[state.broker_id] = Incident(f"broker {state.broker_id}", how)
            self.events.trouble(event, f"broker {state.broker_id} {how}", broker=state.broker_id)


def after_start(at_s: float) -> str:
    """A moment of the load in words, by its seconds since the common start."""
    return "before the start" if at_s < 0 else f"{at_s:.1f} s after the start"

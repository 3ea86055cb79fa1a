"""Asking brokers for their telemetry while a run goes on, in a thread of its own: one may hang."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadlab.cluster import Capability
from loadlab.run.beat import Beat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.cluster import BrokerTelemetry, Cluster
    from loadlab.run.events import Events


@dataclass(eq=False)
class BrokerSampler:
    """Asks all brokers for their telemetry, where they have any, once a second and at the ends of phases.

    Attributes:
        cluster: is asked.
        samples: by broker id, in the order of time.
        missed: how often a broker gave no answer, by broker id.
        failures: why it gave none the first time.
    """

    cluster: Cluster
    samples: dict[int, list[BrokerTelemetry]] = field(default_factory=lambda: defaultdict(list))
    missed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    failures: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepares the thread that asks."""
        self._beat = Beat("telemetry", self.take)

    @property
    def _works(self) -> bool:
        return Capability.TELEMETRY in self.cluster.capabilities

    def wake(self) -> None:
        """Asks once, in passing, and drops the answer: the first question starts the brokers' agents."""
        if self._works:
            threading.Thread(target=self.cluster.telemetry, name="telemetry-wake", daemon=True).start()

    def note_missed(self, events: Events) -> None:
        """Takes down which brokers did not answer, how often, and why the first time."""
        for broker_id, why in sorted(self.failures.items()):
            missed = self.missed[broker_id]
            often = "once" if missed == 1 else f"{missed} times"
            text = f"broker {broker_id} told nothing of itself {often}: {why}"
            events.note("telemetry_missed", text, broker=broker_id)

    def start(self, start_ns: int, marks_ns: Sequence[int]) -> None:
        """Begins at the common start; further moments are the ends of phases."""
        if self._works:
            self._beat.start(start_ns, marks_ns)

    def stop(self) -> None:
        """Ends the sampling; a request under way is waited for, and a last sample is taken."""
        self._beat.stop()
        if self._works:
            self.take()

    def cancel(self) -> None:
        """Ends the sampling after the request under way, which is not waited for."""
        self._beat.cancel()

    def take(self) -> None:
        """Takes one sample of each broker; one that gives none is counted."""
        sample = self.cluster.telemetry()
        for broker_id, telemetry in sample.brokers.items():
            self.samples[broker_id].append(telemetry)
        for broker_id, failure in sample.failed.items():
            self.missed[broker_id] += 1
            self.failures.setdefault(broker_id, failure)


def follow_brokers(cluster: Cluster, events: Events) -> BrokerSampler:
    """Makes the sampler of a run and wakes the brokers' agents; takes down where there can be none."""
    if why := cluster.info.no_telemetry:
        events.note("no_telemetry", f"the brokers tell nothing of themselves: {why}")
    sampler = BrokerSampler(cluster)
    sampler.wake()
    return sampler

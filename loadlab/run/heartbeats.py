"""Noticing workers that live and do nothing: stopped, starved, or waiting for ever."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadlab.measurement.circumstances import STALL_LIMIT_S, Stall
from loadlab.measurement.slab import State
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.run.fleet import Fleet, WorkerProcess

_WORKING = (State.READY, State.SENT)


@dataclass(eq=False)
class Heartbeats:
    """Follows the heartbeats that workers leave in their slabs.

    Attributes:
        fleet: the workers.
        stalls: those that gave no sign of life for longer than STALL_LIMIT_S, by worker id.
    """

    fleet: Fleet
    stalls: dict[int, Stall] = field(default_factory=dict)

    def check(self) -> Iterator[Stall]:
        """Looks at all workers; gives those that are found stalled for the first time."""
        for worker in self.fleet.workers:
            number = worker.order.worker
            silent_s = max(_silent_s(worker), _longest_gap_s(worker))
            if silent_s <= STALL_LIMIT_S:
                continue
            known = self.stalls.get(number)
            longest_s = max(silent_s, known.longest_s if known else 0.0)
            self.stalls[number] = Stall(f"worker {number} of {worker.order.group}", longest_s)
            if known is None:
                yield self.stalls[number]


def _longest_gap_s(worker: WorkerProcess) -> float:
    """The longest for which a worker gave no sign of life, as it noted itself.

    What stops worker and parent together, a frozen container say, is over when the parent looks again.
    """
    return int(worker.slab.record["longest_gap_ns"][0]) / NS_PER_S


def _silent_s(worker: WorkerProcess) -> float:
    """How long a worker that should be at work has given no sign of life."""
    # The heartbeat first: one that comes between the two readings must not count as silence.
    beat_ns = int(worker.slab.record["heartbeat_ns"][0])
    if not beat_ns or worker.slab.state not in _WORKING or not worker.alive:
        return 0.0
    return (time.monotonic_ns() - beat_ns) / NS_PER_S

"""Loading a cluster until it is warm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.cluster import Capability
from loadlab.tuning.warm_up import is_warm
from loadlab.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.cluster import Cluster, TelemetrySample


def warmed_up(cluster: Cluster, load: Callable[[], float]) -> Iterator[float]:
    """Loads a cluster, round by round, until it is warm.

    Args:
        cluster: is asked how much its brokers compile, where it can tell.
        load: makes one round, and gives what was acked in it, records a second.

    Yields:
        What each round gave, when it is over.
    """
    rounds_per_s: list[float] = []
    compiling, before = 0.0, _told(cluster)
    while not is_warm(rounds_per_s, compiling):
        rounds_per_s.append(load())
        after = _told(cluster)
        compiling, before = _compiling(before, after), after
        yield rounds_per_s[-1]


def _told(cluster: Cluster) -> TelemetrySample | None:
    return cluster.telemetry() if Capability.TELEMETRY in cluster.capabilities else None


def _compiling(before: TelemetrySample | None, after: TelemetrySample | None) -> float:
    """The share of the time between two samples in which the busiest broker compiled; 0 where none tells."""
    if before is None or after is None:
        return 0.0
    return max(
        (
            (now.compile_ms - then.compile_ms) * NS_PER_MS / (now.at_ns - then.at_ns)
            for broker_id, now in after.brokers.items()
            if (then := before.brokers.get(broker_id)) and then.started_ms == now.started_ms
        ),
        default=0.0,
    )

"""The curve from rate to latency that a search leaves, and its knee."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from loadlab.results.model_capacity import Knee

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model_capacity import CapacityProbe

_FEWEST_RATES: Final = 3


def curve(probes: Sequence[CapacityProbe]) -> list[CapacityProbe]:
    """The probes that measured a rate, lowest rate first; repeats in the order in which they were made."""
    measured = [one for one in probes if one.rate_per_s is not None and one.verdict != "unmeasured"]
    return sorted(measured, key=lambda one: one.rate_per_s or 0.0)


def knee(probes: Sequence[CapacityProbe]) -> Knee | None:
    """The rate with the most power: records acked a second over the 99th percentile of publish latency.

    Power, throughput over delay, is greatest where a system is just full (Kleinrock, "Power and
    deterministic rules of thumb for probabilistic problems in computer communications", ICC 1979); for the
    mean delay that he takes, the percentile is put that users hold systems to. Of a rate that was probed
    several times the median counts.

    Returns:
        None where the curve shows none: fewer than three rates, or the most power at its first or last.
    """
    by_rate: dict[float, list[CapacityProbe]] = {}
    for probe in curve(probes):
        if probe.publish_p99_us:
            by_rate.setdefault(probe.rate_per_s or 0.0, []).append(probe)
    if len(by_rate) < _FEWEST_RATES:
        return None
    power = {rate: statistics.median(map(_power, repeats)) for rate, repeats in by_rate.items()}
    best = max(power, key=lambda rate: power[rate])
    if best in {min(by_rate), max(by_rate)}:
        return None
    return Knee(
        rate_per_s=best, publish_p99_us=statistics.median(one.publish_p99_us or 0.0 for one in by_rate[best])
    )


def _power(probe: CapacityProbe) -> float:
    return probe.achieved_per_s / (probe.publish_p99_us or 1.0)

"""When the phases of a run begin and end, on CLOCK_MONOTONIC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.results.model import Phase
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from loadlab.measurement.slab import Slab
    from loadlab.run.plan import RunPlan

INTERRUPTED_DRAIN_S: Final = 5.0
_CUT_LEAD_NS: Final = 20_000_000


@dataclass(frozen=True)
class Timeline:
    """The ends of phases, in nanoseconds.

    Attributes:
        start_ns: the common start of all workers, and of the warm-up.
        warmup_end_ns: where the measure phase begins.
        measure_end_ns: where the drain phase begins: no record is due from then on.
        stop_ns: when the drain phase ends at the latest.
    """

    start_ns: int
    warmup_end_ns: int
    measure_end_ns: int
    stop_ns: int

    @classmethod
    def of(cls, plan: RunPlan, start_ns: int) -> Timeline:
        """The timeline of a plan that starts at a given time."""
        warmup_end_ns = start_ns + round(plan.warmup_s * NS_PER_S)
        measure_end_ns = warmup_end_ns + round(plan.measure_s * NS_PER_S)
        return cls(start_ns, warmup_end_ns, measure_end_ns, measure_end_ns + round(plan.drain_s * NS_PER_S))

    def cut_short(self, now_ns: int) -> Timeline:
        """The timeline of a run whose load stops now, and which drains briefly.

        The load ends a moment later than now: no worker may have sent a record by then that the new
        timeline puts behind the end, or it would be counted in one phase when sent and in another when acked.
        """
        end_ns = now_ns + _CUT_LEAD_NS
        return replace(
            self,
            warmup_end_ns=min(self.warmup_end_ns, end_ns),
            measure_end_ns=min(self.measure_end_ns, end_ns),
            stop_ns=min(self.stop_ns, end_ns + round(INTERRUPTED_DRAIN_S * NS_PER_S)),
        )

    def write(self, slab: Slab) -> None:
        """Tells a worker."""
        slab.record["warmup_end_ns"] = self.warmup_end_ns
        slab.record["measure_end_ns"] = self.measure_end_ns
        slab.record["stop_ns"] = self.stop_ns
        # Last, because it is what the worker's loops look for.
        slab.record["start_ns"] = self.start_ns

    @property
    def measure_s(self) -> float:
        """The length of the measure phase in seconds."""
        return (self.measure_end_ns - self.warmup_end_ns) / NS_PER_S

    def elapsed_s(self, now_ns: int) -> float:
        """Seconds since the common start."""
        return (now_ns - self.start_ns) / NS_PER_S

    def phases(self, end_ns: int) -> tuple[Phase, ...]:
        """The phases of a run that ended at a given time, as a result tells them."""
        ends = {"warmup": self.warmup_end_ns, "measure": self.measure_end_ns, "drain": end_ns}
        phases, begin_s = [], 0.0
        for name, phase_end_ns in ends.items():
            end_s = max(begin_s, self.elapsed_s(phase_end_ns))
            phases.append(Phase(name=name, start_s=begin_s, end_s=end_s))
            begin_s = end_s
        return tuple(phases)

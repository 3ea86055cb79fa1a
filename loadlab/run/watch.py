"""Once an interval: drains the slabs into the series and tells whoever watches how the run goes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.measurement.generator import ACHIEVED_LIMIT, QUEUE_FULL_LIMIT
from loadlab.measurement.slab import AckMetric, ConsumeMetric, Counter
from loadlab.run.progress import PhaseName, Progress
from loadlab.run.series import INTERVAL_S
from loadlab.units import NS_PER_S, microseconds
from loadlab.workload.schedule import records_due

if TYPE_CHECKING:
    from loadlab.run.account import Account
    from loadlab.run.events import Events
    from loadlab.run.fleet import Fleet
    from loadlab.run.offsets import OffsetSampler
    from loadlab.run.plan import RunPlan
    from loadlab.run.progress import RunObserver
    from loadlab.run.series import LaneInterval, Series
    from loadlab.run.timeline import Timeline

# A thread that was not scheduled for a moment may still write into an interval that has just ended.
_GRACE_INTERVALS: Final = 1


@dataclass(eq=False)
class Watcher:
    """Follows a run interval by interval.

    Attributes:
        run_id: the run's.
        plan: what was to happen, and when records are due.
        fleet: the workers.
        sampler: knows the lag.
        series: takes the rows.
        observer: is told.
        account: the run's ledger, in which it folds what is complete; None where there is none.
        events: is told if the ledger has to be given up.
    """

    run_id: str
    plan: RunPlan
    fleet: Fleet
    sampler: OffsetSampler
    series: Series
    observer: RunObserver
    events: Events
    account: Account | None = None

    def each_interval(self, intervals: int, timeline: Timeline) -> None:
        """Called when `intervals` intervals have ended since the common start."""
        if self.account is not None:
            self.account.fold(self.fleet.producers, self.events)
        latest = self.series.drain(intervals - _GRACE_INTERVALS)
        if latest is not None:
            self.observer.progress(self._progress(latest, timeline))

    def finish(self, timeline: Timeline, ended_ns: int) -> None:
        """Drains what is left after the workers have ended."""
        until, now = (
            (at_ns - timeline.start_ns) // NS_PER_S + 1 for at_ns in (ended_ns, time.monotonic_ns())
        )
        self.series.drain_all(until, now)
        self.series.add_lag(self.sampler.samples, self.sampler.groups, timeline.start_ns)

    def _progress(self, latest: LaneInterval, timeline: Timeline) -> Progress:
        now_ns = time.monotonic_ns()
        phase, phase_end_ns = _phase(timeline, now_ns)
        target = self._target(self.series.drained - 1, timeline)
        counters = latest.counters
        rejected = counters[Counter.REJECTED] / INTERVAL_S
        sent = counters[Counter.ATTEMPTED] / INTERVAL_S - rejected
        full_share = counters[Counter.QUEUE_FULL_NS] / NS_PER_S / max(1, len(self.fleet.producers))
        saturated = full_share >= QUEUE_FULL_LIMIT or rejected > 0
        behind = target is not None and sent < ACHIEVED_LIMIT * target
        publish = latest.histogram(AckMetric.PUBLISH_LATENCY)
        end_to_end = latest.histogram(ConsumeMetric.END_TO_END_LATENCY)
        return Progress(
            run_id=self.run_id,
            name=self.plan.name,
            phase=phase,
            elapsed_s=timeline.elapsed_s(now_ns),
            phase_left_s=max(0.0, (phase_end_ns - now_ns) / NS_PER_S),
            target_records_per_s=target,
            sent_records_per_s=sent,
            acked_records_per_s=counters[Counter.ACKED] / INTERVAL_S,
            consumed_records_per_s=counters[Counter.CONSUMED] / INTERVAL_S,
            publish_p50_us=microseconds(publish.percentile_ns(50.0)),
            publish_p99_us=microseconds(publish.percentile_ns(99.0)),
            end_to_end_p99_us=microseconds(end_to_end.percentile_ns(99.0)),
            consumer_lag=self._lag(),
            errors=self._errors(),
            generator_limited=behind and not saturated,
            saturated=saturated,
        )

    def _target(self, interval: int, timeline: Timeline) -> float | None:
        """What the schedules asked for in an interval, per second; None where a rate is the maximum."""
        measure_end_s = timeline.elapsed_s(timeline.measure_end_ns)
        begin_s = min(interval * INTERVAL_S, measure_end_s)
        end_s = min(begin_s + INTERVAL_S, measure_end_s)
        due = 0
        for producer in self.plan.producers:
            if producer.target_records_per_s is None:
                return None
            due += records_due(producer.schedule, begin_s, end_s)
        return due / INTERVAL_S

    def _errors(self) -> int:
        """Producers' and consumers' errors since the start."""
        return sum(int(worker.slab.record["lanes"]["error_counts"].sum()) for worker in self.fleet.workers)

    def _lag(self) -> int | None:
        if not self.sampler.samples or not self.sampler.groups:
            return None
        return sum(group.total_lag for group in self.sampler.samples[-1].groups.values())


def _phase(timeline: Timeline, now_ns: int) -> tuple[PhaseName, int]:
    if now_ns < timeline.warmup_end_ns:
        return "warmup", timeline.warmup_end_ns
    if now_ns < timeline.measure_end_ns:
        return "measure", timeline.measure_end_ns
    return "drain", timeline.stop_ns

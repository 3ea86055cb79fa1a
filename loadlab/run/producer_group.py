"""What a producer group did, from its workers' slabs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.measurement.generator import ACK_GRACE_S, ProducerFigures
from loadlab.measurement.histogram import LARGEST_NS, samples_needed
from loadlab.measurement.slab import ACK_LANE, SEND_LANE, AckMetric, Counter, Phase, SendMetric
from loadlab.results.model import Batches, ProducerRecords, ProducerResult, ProducerWorker
from loadlab.run.readings import (
    busiest_s,
    cost,
    cpu_s,
    cpu_us_per_record,
    errors,
    latency_block,
    merged,
    share,
    throughput,
    total,
)
from loadlab.run.stages import StageSums, stages
from loadlab.run.steady import is_steady
from loadlab.scenario.client_settings import Settings
from loadlab.units import NS_PER_S
from loadlab.workload.schedule import records_due

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.measurement.histogram import Histogram
    from loadlab.results.model import Throughput
    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.plan import PlannedProducer
    from loadlab.run.readings import By
    from loadlab.run.stages import BrokerTimes
    from loadlab.run.timeline import Timeline
    from loadlab.scenario import ProducerSpec

_PURGED: Final = ("_PURGE_QUEUE", "_PURGE_INFLIGHT")
_SEND_DELAY_PERCENTILES: Final = (99.0, 95.0, 90.0, 50.0)


@dataclass(frozen=True)
class ProducerGroup:
    """A producer group after its run.

    Attributes:
        plan: what it was to do.
        spec: the scenario's word on it.
        workers: its processes.
        timeline: as it came to be.
        ended: whether the load is over: what has no ack by then gets none.
    """

    plan: PlannedProducer
    spec: ProducerSpec
    workers: Sequence[WorkerProcess]
    timeline: Timeline
    ended: bool = True

    @property
    def due(self) -> int | None:
        """Records due in the measure phase; None at the maximum rate."""
        if self.plan.target_records_per_s is None:
            return None
        timeline = self.timeline
        warmup_end_s = timeline.elapsed_s(timeline.warmup_end_ns)
        measure_end_s = timeline.elapsed_s(timeline.measure_end_ns)
        return records_due(self.plan.schedule, warmup_end_s, measure_end_s)

    def total(self, lane: int, counter: Counter, phase: Phase | None, *, by: By = "by_intent") -> int:
        """A counter of the whole group."""
        return total(self.workers, lane, counter, phase, by=by)

    @property
    def unsent(self) -> int:
        """Records of the measure phase that were never handed over."""
        return max(0, self.due - self.records().attempted) if self.due is not None else 0

    @property
    def idempotent(self) -> bool:
        """Whether the brokers drop what a retry sends twice."""
        return self.spec.config.get("enable.idempotence") == "true"

    @property
    def troubled(self) -> bool:
        """Whether any of its records came back with an error."""
        return bool(errors(self.workers, (ACK_LANE,)))

    @property
    def purged(self) -> int:
        """Records that were still on their way when the drain phase ended, and were given up."""
        found = errors(self.workers, (ACK_LANE,))
        return sum(found.get(name, 0) for name in _PURGED)

    def records(self, phase: Phase | None = Phase.MEASURE) -> ProducerRecords:
        """What became of each record of a phase, or of all."""
        return _records(self.workers, phase)

    def figures(self) -> ProducerFigures:
        """What the verdict needs to know."""
        moment = Phase.MEASURE
        measured_s = self.timeline.measure_s
        percentile, delay_us = self._own_send_delay()
        records = self.records()
        loops = [cpu_s(worker, "loop_cpu_ns") for worker in self.workers]
        return ProducerFigures(
            name=self.plan.name,
            intended=self.due,
            sent=self.total(SEND_LANE, Counter.ATTEMPTED, moment, by="by_moment"),
            rejected=self.total(SEND_LANE, Counter.REJECTED, moment, by="by_moment"),
            acked=self.total(ACK_LANE, Counter.ACKED, moment, by="by_moment"),
            queue_full_share=self._queue_full_share(),
            own_send_delay_us=None if self.due is None else delay_us,
            own_send_delay_percentile=percentile,
            loop_cpu_share=share(max(loops), measured_s) or 0.0,
            client_cpu_share=share(max(map(busiest_s, self.workers)), measured_s) or 0.0,
            limit_reached=self._limit_reached(),
            attempted=records.attempted - records.rejected,
            undelivered=records.failed + records.indeterminate,
            core_wait_share=self._core_wait_share(),
            on_their_way_s=self._on_their_way_s(),
            due_last=self._due_last(),
            acked_until_share=self._acked_until_share(),
            steady=is_steady(self.spec, self.timeline.elapsed_s(self.timeline.warmup_end_ns)),
        )

    def _on_their_way_s(self) -> float:
        """For how long a record waits for others at the most, and half of them for their acks."""
        half_ns = merged(self.workers, ACK_LANE, AckMetric.SERVICE_TIME).percentile_ns(50.0)
        return self._linger_s() + (half_ns or 0.0) / NS_PER_S

    def _due_last(self) -> int:
        """By how many more records than in the phase before acks may come after the measure phase.

        Of those that linger at its end as many have lingered at its begin, unless the rate has changed. How
        long acks take is no measure for it: that grows with the overload that is to be found.
        """
        if self.due is None:
            return 0
        begin_s, end_s = (
            self.timeline.elapsed_s(at_ns)
            for at_ns in (self.timeline.warmup_end_ns, self.timeline.measure_end_ns)
        )
        grace_s = ACK_GRACE_S + self._linger_s()
        more = self._due_before(end_s, grace_s) - self._due_before(begin_s, grace_s)
        return max(more, self._due_before(end_s, ACK_GRACE_S))

    def _due_before(self, at_s: float, length_s: float) -> int:
        """Records due in a length of time before a moment, from the common start on."""
        return records_due(self.plan.schedule, max(0.0, at_s - length_s), max(0.0, at_s))

    def _linger_s(self) -> float:
        return (Settings.of_client(self.spec.config).number("linger.ms") or 0.0) / 1_000.0

    def _acked_until_share(self) -> float:
        """The share of the measure phase that was over when the last ack came; 1 where it came later."""
        last_ns = max(int(worker.slab.record["last_acked_ns"][0]) for worker in self.workers)
        acked_s = (last_ns - self.timeline.warmup_end_ns) / NS_PER_S
        return min(1.0, max(0.0, share(acked_s, self.timeline.measure_s) or 0.0))

    def _core_wait_share(self) -> float:
        """How long a worker's threads stood in line for a core, on average, over the measure phase."""
        waited_s = sum(cpu_s(worker, "wait_ns") for worker in self.workers)
        return share(waited_s, self.timeline.measure_s * len(self.workers)) or 0.0

    def _queue_full_share(self) -> float:
        """The share of the workers' time in the measure phase for which the client queue was full."""
        full_s = self.total(SEND_LANE, Counter.QUEUE_FULL_NS, Phase.MEASURE) / NS_PER_S
        return share(full_s, self.timeline.measure_s * len(self.workers)) or 0.0

    def _own_send_delay(self) -> tuple[float, float | None]:
        """The highest percentile that the sample supports, 99 at most, and its send_delay in microseconds."""
        delays = merged(self.workers, SEND_LANE, SendMetric.OWN_SEND_DELAY)
        for percentile in _SEND_DELAY_PERCENTILES:
            if delays.count >= samples_needed(percentile):
                delay_ns = delays.percentile_ns(percentile)
                return percentile, (LARGEST_NS if delay_ns is None else delay_ns) / 1_000
        return _SEND_DELAY_PERCENTILES[0], None

    def _limit_reached(self) -> bool:
        limit = self.spec.schedule.records
        return limit is not None and self.records(None).attempted >= limit

    def latencies(self) -> dict[str, Histogram]:
        """The measure phase's durations by metric; at `rate: max` nothing is due, nor late.

        What was never acked, or never sent, is missing.
        """
        records = self.records()
        handed_over = merged(self.workers, ACK_LANE, AckMetric.SERVICE_TIME)
        service_time = self._with_missing(handed_over, records.attempted - records.rejected - records.acked)
        if self.due is None:
            return {"service_time": service_time, "publish_latency": service_time}
        publish_latency = merged(self.workers, ACK_LANE, AckMetric.PUBLISH_LATENCY)
        send_delay = merged(self.workers, SEND_LANE, SendMetric.SEND_DELAY)
        unacked = records.attempted + self.unsent - records.acked
        return {
            "service_time": service_time,
            "publish_latency": self._with_missing(publish_latency, unacked),
            "send_delay": self._with_missing(send_delay, self.unsent),
        }

    def _with_missing(self, histogram: Histogram, missing: int) -> Histogram:
        return replace(histogram, missing=max(0, missing)) if self.ended else histogram

    def result(self, brokers: BrokerTimes | None = None) -> ProducerResult:
        """The group as a result tells it.

        Args:
            brokers: what the brokers told of produce requests; None where they told nothing.
        """
        at_max = self.due is None
        latencies = {name: latency_block(histogram) for name, histogram in self.latencies().items()}
        figures = self.figures()
        acked = self.total(ACK_LANE, Counter.ACKED, Phase.MEASURE, by="by_moment")
        return ProducerResult(
            target_records_per_s=None if self.due is None else share(self.due, self.timeline.measure_s),
            records=self.records().model_copy(update={"unsent": self.unsent}),
            throughput=self._throughput(),
            send_delay_us=latencies.get("send_delay"),
            service_time_us=latencies["service_time"],
            publish_latency_us=latencies["publish_latency"],
            publish_latency_is_service_time=at_max,
            stages=stages(
                StageSums.of(self.workers), brokers, at_max_rate=at_max, measured_s=self.timeline.measure_s
            ),
            achieved_ratio=None if self.due is None else share(figures.sent - figures.rejected, self.due),
            cpu_us_per_record=cpu_us_per_record(self.workers, acked),
            batch=self._batches(),
            compression_ratio=self._compression_ratio(),
            errors=errors(self.workers, (SEND_LANE, ACK_LANE)),
            measured_errors=errors(self.workers, (SEND_LANE, ACK_LANE), "measured_error_counts"),
            workers=tuple(self._worker(worker) for worker in self.workers),
        )

    def _throughput(self) -> Throughput:
        acked = self.total(ACK_LANE, Counter.ACKED, Phase.MEASURE, by="by_moment")
        acked_bytes = self.total(ACK_LANE, Counter.ACKED_BYTES, Phase.MEASURE, by="by_moment")
        return throughput(acked, acked_bytes, self.timeline.measure_s)

    def _sum(self, name: str) -> int:
        return sum(int(worker.slab.record[name][0]) for worker in self.workers)

    def _batches(self) -> Batches:
        batches = self._sum("batches")
        return Batches(
            records_mean=share(self._sum("batch_records"), batches),
            bytes_mean=share(self._sum("batch_bytes"), batches),
        )

    def _compression_ratio(self) -> float | None:
        """Key and value bytes of a record before compression over its bytes in a batch."""
        config = self.spec.config
        if config.get("compression.type", config.get("compression.codec", "none")) == "none":
            return None
        acked = self.total(ACK_LANE, Counter.ACKED, Phase.MEASURE, by="by_moment")
        acked_bytes = self.total(ACK_LANE, Counter.ACKED_BYTES, Phase.MEASURE, by="by_moment")
        before = share(acked_bytes, acked)
        after = share(self._sum("batch_bytes"), self._sum("batch_records"))
        return share(before, after) if before and after else None

    def _worker(self, worker: WorkerProcess) -> ProducerWorker:
        records = _records([worker], Phase.MEASURE)
        return ProducerWorker(**cost(worker, self.timeline.measure_s), records=records)


def _records(workers: Sequence[WorkerProcess], phase: Phase | None) -> ProducerRecords:
    """Where records ended; those that nobody answered for are indeterminate."""

    def of(lane: int, counter: Counter) -> int:
        return total(workers, lane, counter, phase, by="by_intent")

    attempted = of(SEND_LANE, Counter.ATTEMPTED)
    acked = of(ACK_LANE, Counter.ACKED)
    failed = of(SEND_LANE, Counter.FAILED) + of(ACK_LANE, Counter.FAILED)
    rejected = of(SEND_LANE, Counter.REJECTED)
    return ProducerRecords(
        attempted=attempted,
        acked=acked,
        failed=failed,
        indeterminate=attempted - acked - failed - rejected,
        rejected=rejected,
    )

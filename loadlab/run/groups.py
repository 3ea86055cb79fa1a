"""What each producer and consumer group did, from its workers' slabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadlab.client.library import error_name
from loadlab.measurement.histogram import Histogram
from loadlab.measurement.slab import (
    ACK_LANE,
    CONSUME_LANE,
    ERROR_CODES,
    SEND_LANE,
    Counter,
    Metric,
    Phase,
)
from loadlab.measurement.validity import ProducerFigures
from loadlab.results.model import (
    Backlog,
    Batches,
    CommittedLag,
    ConsumerRecords,
    ConsumerResult,
    ConsumerWorker,
    Lag,
    LatencyBlock,
    PartitionLag,
    ProducerRecords,
    ProducerResult,
    ProducerWorker,
    Rebalances,
    Throughput,
)
from loadlab.run.offsets import SAMPLE_MARGIN_NS
from loadlab.run.timeline import NS_PER_S
from loadlab.workload.schedule import records_due, segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.offsets import Group, Sample
    from loadlab.run.plan import PlannedProducer
    from loadlab.run.timeline import Timeline
    from loadlab.scenario import ProducerSpec

_OTHER_ERRORS = "OTHER"


def counted(worker: WorkerProcess, lane: int, counter: Counter, phase: Phase | None, *, by: str) -> int:
    """A counter of one worker.

    Args:
        worker: whose.
        lane: of its slab.
        counter: which.
        phase: of which phase; None for all.
        by: "by_intent" or "by_moment": see `loadlab.measurement.slab`.
    """
    grouped = worker.slab.record["lanes"][0, lane][by]
    return int(grouped[:, counter].sum() if phase is None else grouped[phase, counter])


def total(
    workers: Sequence[WorkerProcess], lane: int, counter: Counter, phase: Phase | None, *, by: str
) -> int:
    """A counter of several workers added up."""
    return sum(counted(worker, lane, counter, phase, by=by) for worker in workers)


def merged(workers: Sequence[WorkerProcess], lane: int, metric: Metric) -> Histogram:
    """The measure phase's durations of several workers."""
    parts = [
        Histogram.read(worker.slab.record["lanes"][0, lane]["histograms"][Phase.MEASURE, metric])
        for worker in workers
    ]
    return sum(parts, Histogram())


def latency_block(histogram: Histogram) -> LatencyBlock:
    """A histogram as a result tells it."""
    return LatencyBlock.model_validate(histogram.summary_us())


def _errors(workers: Sequence[WorkerProcess], lanes: Sequence[int]) -> dict[str, int]:
    """How often each error came, all phases, by Kafka's name of it."""
    errors: dict[str, int] = {}
    for worker in workers:
        for lane in lanes:
            record = worker.slab.record["lanes"][0, lane]
            for place in np.flatnonzero(record["error_counts"]):
                named = place < ERROR_CODES - 1
                name = error_name(int(record["error_codes"][place])) if named else _OTHER_ERRORS
                errors[name] = errors.get(name, 0) + int(record["error_counts"][place])
    return errors


def _cpu_s(worker: WorkerProcess, clock: str = "cpu_ns") -> float:
    """CPU seconds of the measure phase; 0 for a worker that did not live to its end."""
    usage = worker.slab.record["usage"][0]
    used = int(usage[clock][Phase.MEASURE]) - int(usage[clock][Phase.WARMUP])
    return max(0, used) / NS_PER_S


def _total_cpu_s(worker: WorkerProcess) -> float:
    """CPU seconds of a worker's whole life; 0 for one that did not live to its end."""
    return int(worker.slab.record["usage"][0]["cpu_ns"][Phase.DRAIN]) / NS_PER_S


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


@dataclass(frozen=True)
class ProducerGroup:
    """A producer group after its run.

    Attributes:
        plan: what it was to do.
        spec: the scenario's word on it.
        workers: its processes.
        timeline: as it came to be.
    """

    plan: PlannedProducer
    spec: ProducerSpec
    workers: Sequence[WorkerProcess]
    timeline: Timeline

    @property
    def due(self) -> int | None:
        """Records due in the measure phase; None at the maximum rate."""
        return None if self.plan.target_records_per_s is None else self._due(Phase.MEASURE)

    def _due(self, *phases: Phase) -> int:
        timeline = self.timeline
        warmup_end_s = timeline.elapsed_s(timeline.warmup_end_ns)
        measure_end_s = timeline.elapsed_s(timeline.measure_end_ns)
        schedule = segments(self.spec.schedule, measure_end_s)
        begin_s = 0.0 if Phase.WARMUP in phases else warmup_end_s
        return records_due(schedule, begin_s, measure_end_s)

    def total(self, lane: int, counter: Counter, phase: Phase | None, *, by: str = "by_intent") -> int:
        """A counter of the whole group."""
        return total(self.workers, lane, counter, phase, by=by)

    @property
    def unsent(self) -> int:
        """Records of the measure phase that were never handed over."""
        return max(0, self.due - self.records().attempted) if self.due is not None else 0

    def records(self, phase: Phase | None = Phase.MEASURE) -> ProducerRecords:
        """What became of each record of a phase, or of all."""
        return _records(self.workers, phase)

    def figures(self) -> ProducerFigures:
        """What the verdict needs to know."""
        moment = Phase.MEASURE
        full_ns = self.total(SEND_LANE, Counter.QUEUE_FULL_NS, moment)
        measured_s = self.timeline.measure_s
        delay_ns = merged(self.workers, SEND_LANE, Metric.OWN_SEND_DELAY).percentile_ns(99.0)
        loops = [_cpu_s(worker, "loop_cpu_ns") for worker in self.workers]
        return ProducerFigures(
            name=self.plan.name,
            intended=self.due,
            sent=self.total(SEND_LANE, Counter.ATTEMPTED, moment, by="by_moment"),
            acked=self.total(ACK_LANE, Counter.ACKED, moment, by="by_moment"),
            queue_full_share=_share(full_ns / NS_PER_S, measured_s * len(self.workers)) or 0.0,
            own_send_delay_p99_us=None if self.due is None or delay_ns is None else delay_ns / 1_000,
            loop_cpu_share=_share(max(loops), measured_s) or 0.0,
        )

    def result(self) -> ProducerResult:
        """The group as a result tells it."""
        at_max = self.due is None
        service_time = latency_block(merged(self.workers, ACK_LANE, Metric.SERVICE_TIME))
        publish_latency = latency_block(merged(self.workers, ACK_LANE, Metric.PUBLISH_LATENCY))
        figures = self.figures()
        acked = self.total(ACK_LANE, Counter.ACKED, Phase.MEASURE, by="by_moment")
        cpu_s = sum(_cpu_s(worker) for worker in self.workers)
        return ProducerResult(
            target_records_per_s=None if self.due is None else _share(self.due, self.timeline.measure_s),
            records=self.records().model_copy(update={"unsent": self.unsent}),
            throughput=self._throughput(),
            send_delay_us=None
            if at_max
            else latency_block(merged(self.workers, SEND_LANE, Metric.SEND_DELAY)),
            service_time_us=service_time,
            publish_latency_us=service_time if at_max else publish_latency,
            publish_latency_is_service_time=at_max,
            achieved_ratio=None if self.due is None else _share(figures.sent, self.due),
            cpu_us_per_record=_share(cpu_s * 1e6, acked),
            batch=self._batches(),
            compression_ratio=self._compression_ratio(),
            errors=_errors(self.workers, (SEND_LANE, ACK_LANE)),
            workers=tuple(self._worker(worker) for worker in self.workers),
        )

    def _throughput(self) -> Throughput:
        measured_s = self.timeline.measure_s
        acked = self.total(ACK_LANE, Counter.ACKED, Phase.MEASURE, by="by_moment")
        acked_bytes = self.total(ACK_LANE, Counter.ACKED_BYTES, Phase.MEASURE, by="by_moment")
        return Throughput(
            records_per_s=_share(acked, measured_s) or 0.0,
            bytes_per_s=_share(acked_bytes, measured_s) or 0.0,
        )

    def _sum(self, name: str) -> int:
        return sum(int(worker.slab.record[name][0]) for worker in self.workers)

    def _batches(self) -> Batches:
        batches = self._sum("batches")
        return Batches(
            records_mean=_share(self._sum("batch_records"), batches),
            bytes_mean=_share(self._sum("batch_bytes"), batches),
        )

    def _compression_ratio(self) -> float | None:
        """Key and value bytes of a record before compression over its bytes in a batch."""
        config = self.spec.config
        if config.get("compression.type", config.get("compression.codec", "none")) == "none":
            return None
        acked = self.total(ACK_LANE, Counter.ACKED, None)
        before = _share(self.total(ACK_LANE, Counter.ACKED_BYTES, None), acked)
        after = _share(self._sum("batch_bytes"), self._sum("batch_records"))
        return _share(before, after) if before and after else None

    def _worker(self, worker: WorkerProcess) -> ProducerWorker:
        cpu_s = _cpu_s(worker)
        return ProducerWorker(
            worker=worker.order.worker,
            pid=worker.process.pid,
            cpu_s=cpu_s,
            cpu_share=_share(cpu_s, self.timeline.measure_s) or 0.0,
            max_rss_bytes=int(worker.slab.record["max_rss_bytes"][0]),
            total_cpu_s=_total_cpu_s(worker),
            exit=worker.exit_text(),
            records=_records([worker], Phase.MEASURE),
        )


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


@dataclass(frozen=True)
class ConsumerGroup:
    """A consumer group after its run.

    Attributes:
        group: what it read.
        workers: its processes.
        timeline: as it came to be.
        samples: of its lag, in the order of time.
        drained_ns: when it had read all; None if it never had.
        sent_ns: when the last record that it reads was acked.
        stamped: whether what it reads is stamped.
    """

    group: Group
    workers: Sequence[WorkerProcess]
    timeline: Timeline
    samples: Sequence[Sample]
    drained_ns: int | None
    sent_ns: int
    stamped: bool

    def result(self) -> ConsumerResult:
        """The group as a result tells it."""
        latency = latency_block(merged(self.workers, CONSUME_LANE, Metric.END_TO_END_LATENCY))
        consumed = total(self.workers, CONSUME_LANE, Counter.CONSUMED, Phase.MEASURE, by="by_moment")
        consumed_bytes = total(
            self.workers, CONSUME_LANE, Counter.CONSUMED_BYTES, Phase.MEASURE, by="by_moment"
        )
        measured_s = self.timeline.measure_s
        cpu_s = sum(_cpu_s(worker) for worker in self.workers)
        drained_ns = self.drained_ns
        return ConsumerResult(
            group_id=self.group.group_id,
            records=_consumer_records(self.workers),
            throughput=Throughput(
                records_per_s=_share(consumed, measured_s) or 0.0,
                bytes_per_s=_share(consumed_bytes, measured_s) or 0.0,
            ),
            end_to_end_latency_us=latency if self.stamped else None,
            lag=self._lag(),
            committed_lag=self._committed_lag(),
            backlog=self._backlog(),
            drain_s=None if drained_ns is None else max(0, drained_ns - self.sent_ns) / NS_PER_S,
            rebalances=Rebalances(
                count=sum(int(worker.slab.record["rebalances"][0]) for worker in self.workers),
                seconds=sum(int(worker.slab.record["rebalance_ns"][0]) for worker in self.workers) / NS_PER_S,
            ),
            cpu_us_per_record=_share(cpu_s * 1e6, consumed),
            errors=_errors(self.workers, (CONSUME_LANE,)),
            workers=tuple(self._worker(worker) for worker in self.workers),
        )

    def _measured(self) -> list[Sample]:
        timeline = self.timeline
        return [
            sample
            for sample in self.samples
            if timeline.warmup_end_ns <= sample.at_ns <= timeline.measure_end_ns + SAMPLE_MARGIN_NS
        ]

    def _lag(self) -> Lag | None:
        if not self.samples:
            return None
        name = self.group.name
        final = self.samples[-1].groups[name].lag
        rows = np.array([sample.groups[name].lag for sample in self._measured()] or [final])
        by_partition = {
            f"{topic}-{number}": PartitionLag(max=int(rows[:, place].max()), final=int(final[place]))
            for place, (topic, number) in enumerate(self.group.partitions)
        }
        totals = rows.sum(axis=1)
        return Lag(
            max=int(totals.max()),
            mean=float(totals.mean()),
            final=int(final.sum()),
            by_partition=by_partition,
        )

    def _committed_lag(self) -> CommittedLag | None:
        name = self.group.name
        rows = [sample.groups[name].committed_lag for sample in self._measured()]
        known = [row for row in rows if row is not None]
        if not known:
            return None
        final = self.samples[-1].groups[name].committed_lag
        return CommittedLag(max=max(known), mean=sum(known) / len(known), final=final)

    def _backlog(self) -> Backlog | None:
        if not self.samples:
            return None
        rows = [sample.groups[self.group.name].backlog for sample in self._measured()]
        final = self.samples[-1].groups[self.group.name].backlog
        return Backlog(max=max(rows, default=final), final=final)

    def _worker(self, worker: WorkerProcess) -> ConsumerWorker:
        cpu_s = _cpu_s(worker)
        return ConsumerWorker(
            worker=worker.order.worker,
            pid=worker.process.pid,
            cpu_s=cpu_s,
            cpu_share=_share(cpu_s, self.timeline.measure_s) or 0.0,
            max_rss_bytes=int(worker.slab.record["max_rss_bytes"][0]),
            total_cpu_s=_total_cpu_s(worker),
            exit=worker.exit_text(),
            records=_consumer_records([worker]),
        )


def _consumer_records(workers: Sequence[WorkerProcess]) -> ConsumerRecords:
    def of(counter: Counter) -> int:
        return total(workers, CONSUME_LANE, counter, Phase.MEASURE, by="by_intent")

    return ConsumerRecords(
        consumed=of(Counter.CONSUMED),
        unstamped=of(Counter.UNSTAMPED),
        foreign=of(Counter.FOREIGN),
    )

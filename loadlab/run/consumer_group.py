"""What a consumer group did, from its workers' slabs and the samples of its lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadlab.measurement.slab import CONSUME_LANE, Counter, Metric, Phase
from loadlab.results.model import (
    Backlog,
    CommittedLag,
    ConsumerRecords,
    ConsumerResult,
    ConsumerWorker,
    Lag,
    PartitionLag,
    Rebalances,
)
from loadlab.run.offsets import measured
from loadlab.run.readings import cost, cpu_s, errors, latency_block, merged, share, throughput, total
from loadlab.run.timeline import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.offsets import Group, Sample
    from loadlab.run.timeline import Timeline


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
        used_s = sum(cpu_s(worker) for worker in self.workers)
        drained_ns = self.drained_ns
        return ConsumerResult(
            group_id=self.group.group_id,
            records=_consumer_records(self.workers),
            throughput=throughput(consumed, consumed_bytes, self.timeline.measure_s),
            end_to_end_latency_us=latency if self.stamped else None,
            lag=self._lag(),
            committed_lag=self._committed_lag(),
            backlog=self._backlog(),
            drain_s=None if drained_ns is None else max(0, drained_ns - self.sent_ns) / NS_PER_S,
            rebalances=Rebalances(
                count=self._most("rebalances"),
                seconds=self._most("rebalance_ns") / NS_PER_S,
            ),
            cpu_us_per_record=share(used_s * 1e6, consumed),
            errors=errors(self.workers, (CONSUME_LANE,)),
            workers=tuple(self._worker(worker) for worker in self.workers),
        )

    def _most(self, name: str) -> int:
        """The largest that any worker's slab holds."""
        return max((int(worker.slab.record[name][0]) for worker in self.workers), default=0)

    def _lag(self) -> Lag | None:
        if not self.samples:
            return None
        name = self.group.name
        final = self.samples[-1].groups[name].lag
        rows = np.array(
            [sample.groups[name].lag for sample in measured(self.samples, self.timeline)] or [final]
        )
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
        rows = [sample.groups[name].committed_lag for sample in measured(self.samples, self.timeline)]
        known = [row for row in rows if row is not None]
        if not known:
            return None
        final = self.samples[-1].groups[name].committed_lag
        return CommittedLag(max=max(known), mean=sum(known) / len(known), final=final)

    def _backlog(self) -> Backlog | None:
        if not self.samples:
            return None
        rows = [sample.groups[self.group.name].backlog for sample in measured(self.samples, self.timeline)]
        final = self.samples[-1].groups[self.group.name].backlog
        return Backlog(max=max(rows, default=final), final=final)

    def _worker(self, worker: WorkerProcess) -> ConsumerWorker:
        records = _consumer_records([worker])
        return ConsumerWorker(**cost(worker, self.timeline.measure_s), records=records)


def _consumer_records(workers: Sequence[WorkerProcess]) -> ConsumerRecords:
    def of(counter: Counter) -> int:
        return total(workers, CONSUME_LANE, counter, Phase.MEASURE, by="by_intent")

    return ConsumerRecords(
        consumed=of(Counter.CONSUMED),
        unstamped=of(Counter.UNSTAMPED),
        foreign=of(Counter.FOREIGN),
    )

"""What a consumer group did, from its workers' slabs and the samples of its lag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.measurement.levels import mean_over_time
from loadlab.measurement.reading import ConsumerFigures
from loadlab.measurement.slab import CONSUME_LANE, ConsumeMetric, Counter, Phase
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
from loadlab.run.group_health import group_status
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
from loadlab.run.samples import in_measure_phase
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.measurement.generator import ProducerFigures
    from loadlab.measurement.histogram import Histogram
    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.samples import Group, GroupSample, Partition, Sample
    from loadlab.run.timeline import Timeline
    from loadlab.scenario import ConsumerSpec


_BACKLOG_SHARE: Final = 0.5
"""Who reads more than lay there already, by this share of it, keeps up with somebody who writes."""


@dataclass(frozen=True)
class ConsumerGroup:
    """A consumer group after its run.

    Attributes:
        group: what it read.
        workers: its processes.
        timeline: as it came to be.
        samples: of its lag, in the order of time.
        final: the one after the last read; None where the cluster did not answer then.
        drained_ns: when it had read all; None if it never had.
        sent_ns: when the last record that it reads was acked, or the measure phase ended, if later.
        stamped: whether what it reads is stamped.
        acked: records of the measure phase that were acked to its producers, and that it is to have read by
            now; None while the load goes on.
        unread_by_ledger: records with a stamp that were acked, concern it, and never came to it, of the whole
            run; None where no ledger tells.
        lost_by_ledger: those of them that are certainly lost, which its lag does not hold.
    """

    group: Group
    workers: Sequence[WorkerProcess]
    timeline: Timeline
    samples: Sequence[Sample]
    final: Sample | None
    drained_ns: int | None
    sent_ns: int
    stamped: bool
    acked: int | None = None
    unread_by_ledger: int | None = None
    lost_by_ledger: int = 0

    def result(self, *, live: bool = False) -> ConsumerResult:
        """The group as a result tells it.

        Args:
            live: the run goes on: nobody asks for status and lag by partition, which take all samples.
        """
        consumed = total(self.workers, CONSUME_LANE, Counter.CONSUMED, Phase.MEASURE, by="by_moment")
        consumed_bytes = total(
            self.workers, CONSUME_LANE, Counter.CONSUMED_BYTES, Phase.MEASURE, by="by_moment"
        )
        drained_ns = self.drained_ns
        return ConsumerResult(
            group_id=self.group.group_id,
            records=_consumer_records(self.workers),
            throughput=throughput(consumed, consumed_bytes, self.timeline.measure_s),
            end_to_end_latency_us=latency_block(self.latency()) if self.stamped else None,
            lag=self._lag(by_partition=not live),
            committed_lag=self._committed_lag(),
            status=None if live else group_status(self.group, self.samples, self.timeline),
            backlog=self._backlog(),
            drain_s=None if drained_ns is None else max(0, drained_ns - self.sent_ns) / NS_PER_S,
            rebalances=Rebalances(
                count=self._most("rebalances"),
                seconds=self._most("rebalance_ns") / NS_PER_S,
            ),
            cpu_us_per_record=cpu_us_per_record(self.workers, consumed),
            errors=errors(self.workers, (CONSUME_LANE,)),
            measured_errors=errors(self.workers, (CONSUME_LANE,), "measured_error_counts"),
            workers=tuple(self._worker(worker) for worker in self.workers),
        )

    def latency(self) -> Histogram:
        """The measure phase's end-to-end durations; what was never read is missing.

        That is what was acked and not read, as far as its position and the ledger say so, too: it may have
        begun later, what others have committed somebody has read, and not all that is acked has a stamp. What
        is lost can't be read any more, wherever it stands.
        """
        read = merged(self.workers, CONSUME_LANE, ConsumeMetric.END_TO_END_LATENCY)
        if self.acked is None:
            return read
        unread = self.acked - read.count - read.negative
        to_read = self.to_read({})
        by_lag = None if to_read is None else to_read + self.lost_by_ledger
        known = [each for each in (by_lag, self.unread_by_ledger) if each is not None]
        return replace(read, missing=max(0, min([unread, *known])))

    def figures(self, spec: ConsumerSpec, senders: Sequence[ProducerFigures]) -> ConsumerFigures:
        """What the verdict needs to know.

        Args:
            spec: the scenario's word on it.
            senders: the producers of the run that send what it reads.
        """
        measured_s = self.timeline.measure_s
        threads_s = [max(cpu_s(worker, "loop_cpu_ns"), busiest_s(worker)) for worker in self.workers]
        last_ns = self._most("last_consumed_ns")
        until = share((last_ns - self.timeline.warmup_end_ns) / NS_PER_S, measured_s) or 0.0
        consumed = total(self.workers, CONSUME_LANE, Counter.CONSUMED, Phase.MEASURE, by="by_moment")
        # What others send is not known, and who comes late has first to catch up.
        catches_up = self.group.existing or spec.start_after_s is not None
        nobody_sends = all(
            sender.limit_reached if sender.intended is None else sender.intended == 0 for sender in senders
        )
        lay_there = consumed <= (1.0 + _BACKLOG_SHARE) * self._first_lag()
        return ConsumerFigures(
            name=self.group.name,
            thread_cpu_share=share(max(threads_s), measured_s) or 0.0,
            keeps_pace=not catches_up and all(sender.intended is not None for sender in senders),
            limited=spec.max_rate_per_s is not None,
            read_all=self.unread == 0 and nobody_sends and lay_there,
            consumed=consumed,
            consumed_until_share=min(1.0, max(0.0, until)),
        )

    def _first_lag(self) -> int:
        """Its lag when the measure phase began."""
        return next((sample.total_lag for sample in self._measured()), 0)

    def _most(self, name: str) -> int:
        """The largest that any worker's slab holds."""
        return max((int(worker.slab.record[name][0]) for worker in self.workers), default=0)

    def _measured(self) -> list[GroupSample]:
        return [sample.groups[self.group.name] for sample in in_measure_phase(self.samples, self.timeline)]

    def times_s(self) -> list[float]:
        """When the samples of the measure phase were taken, seconds."""
        return [sample.at_ns / NS_PER_S for sample in in_measure_phase(self.samples, self.timeline)]

    @property
    def _final(self) -> GroupSample | None:
        """The sample after the last read; None unless all that the group reads told its log end then."""
        if self.final is None or not all(partition in self.final.ends for partition in self.group.partitions):
            return None
        return self.final.groups[self.group.name]

    @property
    def unread(self) -> int | None:
        """Records between the group's position and the log end, after the drain phase; None where unknown."""
        return None if self._final is None else self._final.total_lag

    def to_read(self, log_starts: Mapping[Partition, int]) -> int | None:
        """What of `unread` is still in the log, and not committed by others; None where unknown.

        Args:
            log_starts: the first offset that can still be read, by partition that told it.
        """
        if self._final is None or self.final is None:
            return None
        ends = np.array([self.final.ends[partition] for partition in self.group.partitions])
        gone_below = np.array([log_starts.get(partition, 0) for partition in self.group.partitions])
        if self._final.committed is not None:
            gone_below = np.maximum(gone_below, self._final.committed)  # somebody else may have read that
        return int(np.clip(ends - gone_below, 0, self._final.lag).sum())

    def levels(self) -> dict[str, list[int | None]]:
        """Lag and backlog in the samples of the measure phase, by metric; None where they were not told."""
        samples = self._measured()
        return {
            "consumer_lag": [sample.total_lag for sample in samples],
            "committed_lag": [sample.committed_lag for sample in samples],
            "backlog": [sample.backlog for sample in samples],
        }

    def _lag(self, *, by_partition: bool) -> Lag | None:
        samples = self._measured()
        if not samples:
            return None
        totals = [sample.total_lag for sample in samples]
        return Lag(
            max=max(totals),
            mean=mean_over_time(self.times_s(), totals),
            final=self.unread,
            by_partition=self._lag_by_partition(samples) if by_partition else {},
        )

    def _lag_by_partition(self, samples: Sequence[GroupSample]) -> dict[str, PartitionLag]:
        most = np.max([sample.lag for sample in samples], axis=0)
        ends = [None] * len(most) if self._final is None else [int(lag) for lag in self._final.lag]
        return {
            f"{topic}-{number}": PartitionLag(max=int(at_most), final=end)
            for (topic, number), at_most, end in zip(self.group.partitions, most, ends, strict=True)
        }

    def _committed_lag(self) -> CommittedLag | None:
        told = zip(self.times_s(), self.levels()["committed_lag"], strict=True)
        known = [(at_s, lag) for at_s, lag in told if lag is not None]
        if not known:
            return None
        times_s, lags = zip(*known, strict=True)
        final = None if self._final is None else self._final.committed_lag
        return CommittedLag(max=max(lags), mean=mean_over_time(times_s, lags), final=final)

    def _backlog(self) -> Backlog | None:
        rows = [sample.backlog for sample in self._measured()]
        if not rows:
            return None
        final = None if self._final is None else self._final.backlog
        return Backlog(max=max(rows), mean=mean_over_time(self.times_s(), rows), final=final)

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

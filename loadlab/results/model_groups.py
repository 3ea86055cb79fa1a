"""What each producer group and each consumer group did."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadlab.results.model_base import Measured, Model


class LatencyBlock(Model):
    """A latency's distribution in microseconds; a percentile that the sample does not support is None.

    Attributes:
        count: records that have it; mean, min and max are theirs.
        missing: records of the measure phase that never came through, and so took longer than any that
            did: percentiles count them as such.
    """

    count: int
    missing: int = 0
    mean: Measured = None
    min: Measured = None
    p50: Measured = None
    p90: Measured = None
    p95: Measured = None
    p99: Measured = None
    p999: Measured = None
    p9999: Measured = None
    max: Measured = None


class Throughput(Model):
    """What happened during the measure phase, per second of it."""

    records_per_s: float
    bytes_per_s: float


class TopicThroughput(Model):
    """By how much a topic grew, per second.

    Attributes:
        records_per_s: offsets.
        bytes_per_s: keys and values; None where the run neither sent nor read any of its records.
    """

    records_per_s: float
    bytes_per_s: float | None


class ProducerRecords(Model):
    """Where each record ended: attempted = acked + failed + indeterminate + rejected, always.

    Attributes:
        attempted: handed to the client, or refused by it under `when_full: reject`.
        acked: by the brokers; with acks=0, written to the socket.
        failed: an error with NOT_PERSISTED.
        indeterminate: an error with POSSIBLY_PERSISTED, or in the hands of a worker that died.
        rejected: the client queue was full and the scenario said to give the record up.
        unsent: due by the schedule and never attempted; not part of the sum.
    """

    attempted: int
    acked: int
    failed: int = 0
    indeterminate: int = 0
    rejected: int = 0
    unsent: int = 0


class ConsumerRecords(Model):
    """What a group received.

    Attributes:
        consumed: all records.
        unstamped: too short for a stamp: counted, no latency.
        foreign: stamped by another run, or by nobody.
    """

    consumed: int
    unstamped: int = 0
    foreign: int = 0


class WorkerCost(Model):
    """One worker process.

    Attributes:
        worker: run-wide id.
        pid: its process id.
        cpu_s: CPU seconds, user and system, of the measure phase.
        cpu_share: CPU seconds per second of the measure phase; 1 is one core.
        max_rss_bytes: the most memory it held.
        total_cpu_s: CPU seconds of its whole life, start and connecting included.
        exit: how it ended: "finished", "killed by SIGKILL", "exit code 1".
    """

    worker: int
    pid: int
    cpu_s: float
    cpu_share: float
    max_rss_bytes: int
    total_cpu_s: float = 0.0
    exit: str


class ProducerWorker(WorkerCost):
    """A producing worker and its share of the records."""

    records: ProducerRecords


class ConsumerWorker(WorkerCost):
    """A consuming worker and its share of the records."""

    records: ConsumerRecords


class Batches(Model):
    """Record batches as the client sent them."""

    records_mean: Measured = None
    bytes_mean: Measured = None


class Stage(Model):
    """A part of the mean publish latency.

    Attributes:
        name: which; docs/measurement.md says from where to where each goes.
        mean_us: over all records whose publish latency is known.
        share: of the mean publish latency.
    """

    name: str
    mean_us: float
    share: float


class ProducerResult(Model):
    """One producer group.

    Attributes:
        target_records_per_s: what the schedule asked for, mean of the measure phase; None at `rate: max`.
        records: by the phase of their intended send time: the measure phase's.
        throughput: acks received in the measure phase.
        send_delay_us: intended send time to the call that hands the record over; None at `rate: max`.
        service_time_us: that call to the ack.
        publish_latency_us: intended send time to the ack.
        publish_latency_is_service_time: at `rate: max` there is no intended time; the two are one.
        stages: where the time goes: they add up to the mean publish latency; `unexplained` is the last.
        achieved_ratio: sent over intended in the measure phase; None at `rate: max`.
        cpu_us_per_record: the workers' CPU time over the records acked.
        batch: sizes of the batches sent.
        compression_ratio: bytes before over bytes after; None without compression or a figure.
        errors: how often, in all phases, by Kafka's error name.
        measured_errors: of these, those of records of the measure phase; None in results that are older.
    """

    target_records_per_s: Measured = None
    records: ProducerRecords
    throughput: Throughput
    send_delay_us: LatencyBlock | None = None
    service_time_us: LatencyBlock
    publish_latency_us: LatencyBlock
    publish_latency_is_service_time: bool = False
    stages: tuple[Stage, ...] = ()
    achieved_ratio: Measured = None
    cpu_us_per_record: Measured = None
    batch: Batches = Batches()
    compression_ratio: Measured = None
    errors: dict[str, int] = Field(default_factory=dict)
    measured_errors: dict[str, int] | None = None
    workers: tuple[ProducerWorker, ...] = ()


class PartitionLag(Model):
    """One partition's lag in records; `final` is None where the last sample has none."""

    max: int
    final: int | None = None


class CommittedLag(Model):
    """Log end - committed offset, all partitions added, in records, over the samples taken."""

    max: int
    mean: float
    final: int | None = None


class Lag(CommittedLag):
    """Log end - position, all partitions added, in records; `by_partition` has keys such as "orders-0"."""

    by_partition: dict[str, PartitionLag] = Field(default_factory=dict)


class Backlog(Model):
    """Records acked and not yet consumed, by the counts of the groups that send and the one that reads.

    `mean` is None in results of before it was stored.
    """

    max: int
    mean: Measured = None
    final: int | None = None


GroupStatusName = Literal["OK", "WARN", "STALL", "STOP"]


class ConsumerStatus(Model):
    """How the group did by Burrow's rules, see `loadlab.measurement.group_status`.

    Attributes:
        final: of the worst partition, at the end of the measure phase.
        worst: of the worst partition, at any sample of the measure phase.
        by_partition: at the end of the measure phase, by names such as "orders-0".
    """

    final: GroupStatusName
    worst: GroupStatusName
    by_partition: dict[str, GroupStatusName] = Field(default_factory=dict)


class Rebalances(Model):
    """Group rebalances after the common start.

    Attributes:
        count: how often partitions were taken and given again, of the worker that saw it most often.
        seconds: how long that left a worker without any, of the one that was so for the longest.
    """

    count: int
    seconds: float


class ConsumerResult(Model):
    """One consumer group.

    Attributes:
        group_id: Kafka's group.id.
        records: of the measure phase, by intended send time.
        throughput: records received in the measure phase.
        end_to_end_latency_us: intended send time to the moment the consumer holds the record; None where
            records are too short for a stamp.
        lag: by the consumers' positions.
        committed_lag: by the group's committed offsets.
        status: by Burrow's rules; None where the group never committed, or not for long enough.
        backlog: acked and not yet consumed.
        drain_s: seconds from the last ack, or the end of the measure phase where that is later, until the
            group was seen to have read all; None if it never was.
        rebalances: after the common start.
        cpu_us_per_record: the workers' CPU time over the records received.
        errors: how often, in all phases, by Kafka's error name.
        measured_errors: of these, those that came in the measure phase; None in results that are older.
    """

    group_id: str
    records: ConsumerRecords
    throughput: Throughput
    end_to_end_latency_us: LatencyBlock | None = None
    lag: Lag | None = None
    committed_lag: CommittedLag | None = None
    status: ConsumerStatus | None = None
    backlog: Backlog | None = None
    drain_s: Measured = None
    rebalances: Rebalances = Rebalances(count=0, seconds=0.0)
    cpu_us_per_record: Measured = None
    errors: dict[str, int] = Field(default_factory=dict)
    measured_errors: dict[str, int] | None = None
    workers: tuple[ConsumerWorker, ...] = ()

"""What a run measured: the versioned model of result.json.

Every field's meaning and unit is defined in docs/measurement.md; units are in the names. The models are
frozen and refuse unknown fields, so that a stored result can't say what its schema version doesn't know.

    RunResult
    ├── cluster, environment                     where it ran        (environment: model_environment.py)
    ├── phases, verdict, thresholds, warnings    what it is worth
    ├── producers.<name>, consumers.<name>       what each group did (model_groups.py)
    └── topics.<name>, brokers.<id>, reconciliation    what the cluster says about it (model_brokers.py)
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import Field, JsonValue

from loadlab.results.model_base import Measured, Model
from loadlab.results.model_brokers import BrokerResult, FaultResult
from loadlab.results.model_environment import Environment, MachineUse
from loadlab.results.model_groups import (
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
    Stage,
    Throughput,
    TopicThroughput,
)

__all__ = [
    "SCHEMA_VERSION",
    "Backlog",
    "Batches",
    "ClusterUsed",
    "CommittedLag",
    "ConsumerRecords",
    "ConsumerResult",
    "ConsumerWorker",
    "Environment",
    "FaultResult",
    "GroupReconciliation",
    "Lag",
    "LatencyBlock",
    "MachineUse",
    "PartitionLag",
    "Phase",
    "ProducerRecords",
    "ProducerResult",
    "ProducerWorker",
    "Reason",
    "Rebalances",
    "Reconciliation",
    "RecordExample",
    "RunResult",
    "Stage",
    "Startup",
    "Threshold",
    "Throughput",
    "TopicResult",
    "TopicThroughput",
    "Verdict",
    "Warned",
]

SCHEMA_VERSION = 1

VerdictStatus = Literal["valid", "suspect", "invalid"]
ReasonSeverity = Literal["suspect", "invalid", "info"]


MOCK_NOTE: Final = "mock broker: not Kafka"
"""Stands beside every figure that was measured on a mock."""


class ClusterUsed(Model):
    """The cluster that the run used.

    Attributes:
        provider: docker, local, embedded or external.
        kind: "mock" for librdkafka's mock cluster, which is not Kafka.
        kafka_version: the brokers' version; None where the provider can't tell.
        brokers: number of brokers.
        network: host or bridge with docker; None elsewhere.
        config: the broker properties that loadlab rendered, the scenario's included.
        reason: why this provider: "asked for", or what auto found.
        cluster_id: Kafka's id of the cluster; None where it wasn't told.
        cores: the CPUs that the brokers are pinned to, as cpuset writes them; None where they aren't.
    """

    provider: str
    kind: Literal["kafka", "mock"]
    kafka_version: str | None = None
    brokers: int = Field(ge=1)
    network: str | None = None
    config: dict[str, str] = Field(default_factory=dict)
    reason: str | None = None
    cluster_id: str | None = None
    cores: str | None = None


class Phase(Model):
    """One phase, in seconds since the workers' common start."""

    name: str
    start_s: float
    end_s: float


class Reason(Model):
    """Why the verdict is not a plain "valid".

    Attributes:
        code: stable name, such as generator_limited.
        message: the sentence for the user; it holds figure and limit with their units.
        fix: what to do about it; None where nothing can be done.
        figure: what was measured; None where the reason has no number.
        limit: the figure's limit, in the same unit.
        severity: what the reason makes of the verdict.
    """

    code: str
    message: str
    fix: str | None = None
    figure: Measured = None
    limit: Measured = None
    severity: ReasonSeverity


class Verdict(Model):
    """Whether the measurement can be trusted.

    Attributes:
        status: valid, suspect or invalid.
        reasons: worst first.
        saturated: the target was missed because the cluster was the limit; no fault of the measurement.
    """

    status: VerdictStatus
    reasons: tuple[Reason, ...] = ()
    saturated: bool = False

    @property
    def saturation(self) -> str | None:
        """What `saturated` says, for people; None where it is not set."""
        if not self.saturated:
            return None
        doubts = (("client_cpu", "suspect"), ("client_cpu", "info"), ("generator_limited", "suspect"))
        if any((reason.code, reason.severity) in doubts for reason in self.reasons):
            return "saturated: the cluster was the limit, or the client itself; see the reasons"
        return "saturated: the cluster was the limit, not the generator"


class TopicResult(Model):
    """One topic as the brokers saw it in the measure phase.

    Attributes:
        partitions: number of partitions.
        log_end_growth: records by which the log end moved, all partitions, over the whole run; None where one
            was not told.
        throughput: growth between two samples of known time in the measure phase, over their distance; None
            where there were not two.
        partition_share: each partition's share of the growth, by partition number; sums to 1 unless empty.
    """

    partitions: int
    log_end_growth: int | None
    throughput: TopicThroughput | None = None
    partition_share: tuple[float, ...] = ()


RecordClass = Literal[
    "lost",
    "unseen",
    "evicted",
    "duplicated",
    "redelivered",
    "reordered",
    "seen_failed",
    "found",
    "absent",
    "unresolved",
    "never_sent",
]


class RecordExample(Model):
    """One record that the ledger has something to say of.

    Attributes:
        record_class: what, by the name of its count.
        consumer: the consumer whose reading shows it.
        worker: who sent it: the run-wide id in its stamp.
        sequence: its number within the worker, from 0.
        partition: as orders-0; None where nobody could tell.
        offset: likewise.
    """

    record_class: RecordClass
    consumer: str
    worker: int
    sequence: int
    partition: str | None = None
    offset: int | None = None


class GroupReconciliation(Model):
    """What became of the stamped records that a consumer group is concerned with, over the whole run.

    acked = seen + lost + unseen + evicted + earlier + unknown, in stamped records.

    Attributes:
        seen: acked and read.
        lost: acked and never read, although the group has read past them or the log ends before them; None
            where some are unknown.
        lost_at_least: those of which it is certain; the same as lost where that is known.
        unseen: acked, and nothing at their offset or behind it was read.
        evicted: acked and not read; now below the log's start.
        earlier: acked at an offset before the group's own start.
        unknown: acked and not read, and the ledger can't tell why.
        duplicated: copies in the log beyond the first, as the group read them.
        redelivered: read again at an offset that the group had read: no copy in the log.
        reordered: read for the first time behind a later one of the same worker, in the same partition.
        seen_failed: read, although their producer was told that they are not in the log.
        found: indeterminate ones that were read.
        absent: indeterminate ones that are not in the log, which was read from end to end.
        unresolved: indeterminate ones that can't be told.
        never_sent: read, with a number that their worker had not given to a record.
    """

    seen: int
    lost: int | None
    lost_at_least: int = 0
    unseen: int
    evicted: int
    earlier: int
    unknown: int
    duplicated: int
    redelivered: int
    reordered: int
    seen_failed: int
    found: int
    absent: int
    unresolved: int
    never_sent: int


class Reconciliation(Model):
    """Do the producers, the log and the consumers agree? Over the whole run, in records.

    Attributes:
        acked: acked by the brokers.
        failed: an error with NOT_PERSISTED.
        indeterminate: an error with POSSIBLY_PERSISTED, or in the hands of a worker that died.
        rejected: given up because the client queue was full.
        log_end_growth: records by which the log ends of the topics moved that the run sends to.
        consumed: by consumer name.
        lost: records that at least one group lost; None where it can't be known.
        lost_at_least: those of which it is certain; the same as lost where that is known.
        duplicated: copies in the logs beyond the first; None without a ledger.
        reordered: records behind a later one of their worker and partition; None without a ledger.
        unseen: in the log and not yet read at the end, all groups added; None where the log can't be asked.
        evicted: dropped from a partition before they were read.
        unexplained: log_end_growth - acked - duplicates in the log - indeterminate records found in it;
            None where the log can't be asked.
        groups: by consumer name; empty without a ledger.
        examples: the first 20 records of each class and consumer.
    """

    acked: int
    failed: int = 0
    indeterminate: int = 0
    rejected: int = 0
    log_end_growth: int | None = None
    consumed: dict[str, int] = Field(default_factory=dict)
    lost: int | None = None
    lost_at_least: int = 0
    duplicated: int | None = None
    reordered: int | None = None
    unseen: int | None = 0
    evicted: int = 0
    unexplained: int | None = None
    groups: dict[str, GroupReconciliation] = Field(default_factory=dict)
    examples: tuple[RecordExample, ...] = ()


class Threshold(Model):
    """One threshold, judged.

    Attributes:
        expression: metric, selector and condition, as the scenario has them.
        measured: what was compared, in `unit`; None where it could not be measured.
        limit: what it was compared with, in `unit`.
        unit: us, s, records, records/s, bytes, bytes/s, count or ratio.
        passed: whether it held; what could not be measured did not.
        not_measurable: why it could not be measured; None where it could.
        ended_run_at_s: when it failed and ended the run (abort_on_fail), seconds since the common start; None
            where it did not, and then it was judged at the end.
    """

    expression: str
    measured: Measured = None
    limit: Measured = None
    unit: str | None = None
    passed: bool
    not_measurable: str | None = None
    ended_run_at_s: Measured = None


class Warned(Model):
    """Something the user should know of that doesn't touch the verdict."""

    message: str
    fix: str | None = None


class Startup(Model):
    """How long it took until the load ran, in seconds.

    Attributes:
        cluster_s: from the start of the run until the cluster answered.
        first_sent_s: from then until the first record was handed to a client; None where none was.
        group_join_s: the part of it for which workers connected and consumer groups formed.
    """

    cluster_s: float
    first_sent_s: Measured = None
    group_join_s: Measured = None


class RunResult(Model):
    """Everything one run measured, in the form that is stored.

    Attributes:
        schema_version: of this model.
        loadlab_version: of the program that measured.
        run_id: see `loadlab.results.run_id`.
        name: the scenario's name.
        started_at: when the run began, UTC.
        duration_s: from the beginning to the end of the drain phase, seconds.
        startup: how long it took until the load ran; None in results of before it was measured.
        interrupted: the user stopped it; what was measured until then is here.
        scenario: the scenario as resolved, secrets redacted.
        seed: of everything random in the run.
        brokers: by Kafka's node id; those that told their own metrics in the measure phase.
        machine: who used the measuring machine; None where no measure phase was watched.
        events: number of lines in events.jsonl.
    """

    schema_version: int = SCHEMA_VERSION
    loadlab_version: str
    run_id: str
    name: str
    started_at: datetime
    duration_s: float
    startup: Startup | None = None
    interrupted: bool = False
    scenario: dict[str, JsonValue]
    seed: int
    environment: Environment
    cluster: ClusterUsed
    machine: MachineUse | None = None
    phases: tuple[Phase, ...]
    verdict: Verdict
    producers: dict[str, ProducerResult]
    consumers: dict[str, ConsumerResult]
    topics: dict[str, TopicResult]
    brokers: dict[str, BrokerResult] = Field(default_factory=dict)
    reconciliation: Reconciliation
    thresholds: tuple[Threshold, ...] = ()
    faults: tuple[FaultResult, ...] = ()
    warnings: tuple[Warned, ...] = ()
    events: int = 0

    @property
    def cut_short(self) -> bool:
        """Whether the user or a threshold ended the run before its time."""
        return self.interrupted or any(each.ended_run_at_s is not None for each in self.thresholds)

    def phase(self, name: str) -> Phase | None:
        """The phase of that name, or None where the run never reached it."""
        return next((phase for phase in self.phases if phase.name == name), None)

    @property
    def measured_s(self) -> float:
        """How long the measure phase was; 0 where the run never reached it."""
        measure = self.phase("measure")
        return measure.end_s - measure.start_s if measure else 0.0

"""What a run will do, worked out from the scenario alone: no cluster is needed to see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.measurement.ledger import BLOCK_RECORDS, MOST_MEMORY_BYTES, block_bytes
from loadlab.run.cores import check_pinned
from loadlab.run.traces import PlannedTrace, planned_trace, trace_warnings
from loadlab.run.volume import disk_bytes, sent_bytes
from loadlab.scenario.lint import lint_scenario
from loadlab.workload.schedule import group_schedule, group_seed, records_due
from loadlab.workload.sizes import mean_sent, mean_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.client.schedule import GroupSchedule
    from loadlab.scenario import ConsumerSpec, LoadedScenario, ProducerSpec, Scenario
    from loadlab.scenario.faults import FaultKind

_MOCK_PARTITION_BYTES: Final = 5 << 20
_MIB: Final = 1 << 20
_MENTIONED_BYTES: Final = 64 * _MIB


@dataclass(frozen=True)
class PlannedTopic:
    """A topic on the cluster.

    Attributes:
        name: on the cluster.
        key: in the scenario.
        partitions: None where the topic exists already and the cluster has to be asked.
        replication_factor: None likewise.
        config: its properties.
    """

    name: str
    key: str
    partitions: int | None
    replication_factor: int | None
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedProducer:
    """A producer group.

    Attributes:
        name: in the scenario.
        topics: names on the cluster.
        workers: run-wide ids of its worker processes.
        target_records_per_s: mean of the measure phase; None at the maximum rate.
        records: due in all phases together; None at the maximum rate.
        limit: how many the group sends at most; None without a limit.
        record_bytes_mean: mean size of a value.
        sent_bytes_mean: mean size of a record: value, key and headers; tombstones have no value.
        config: its properties.
        schedule: when its records are due in warm-up and measure phase. It is made once and asked by all,
            because one of many bursts takes long to make.
        trace: what it replays; None where its schedule says when records are due.
    """

    name: str
    topics: tuple[str, ...]
    workers: tuple[int, ...]
    target_records_per_s: float | None
    records: int | None
    limit: int | None
    record_bytes_mean: float
    sent_bytes_mean: float
    config: Mapping[str, str]
    schedule: GroupSchedule = field(repr=False, compare=False)
    trace: PlannedTrace | None = None


@dataclass(frozen=True)
class PlannedConsumer:
    """A consumer group.

    Attributes:
        name: in the scenario.
        topics: names on the cluster.
        workers: run-wide ids of its worker processes.
        group_id: as given; None for loadlab-<run-id>-<name>.
        start_after_s: when it joins, after the common start; None: before it.
        max_rate_per_s: the most that it reads; None: no limit.
        config: its properties.
    """

    name: str
    topics: tuple[str, ...]
    workers: tuple[int, ...]
    group_id: str | None
    start_after_s: float | None
    max_rate_per_s: float | None
    config: Mapping[str, str]


@dataclass(frozen=True)
class PlannedFault:
    """What is done to a broker in the measure phase.

    Attributes:
        kind: "pause", after which the broker goes on, or "kill", after which it is started again.
        broker: its id.
        at_s: when, seconds since the measure phase began.
        for_s: how long; None to the end of the run.
    """

    kind: FaultKind
    broker: int
    at_s: float
    for_s: float | None


@dataclass(frozen=True)
class RunPlan:
    """What would run.

    Attributes:
        name: the scenario's.
        provider: as the scenario says; "auto" is decided at the start.
        brokers: how many.
        warmup_s: length of the phase, as are measure_s and drain_s (at most).
        topics: as they will be on the cluster.
        producers: the groups that send.
        consumers: the groups that read.
        data_bytes: what the producers will send, before compression; None at the maximum rate.
        faults: what is done to brokers in the measure phase.
        disk_bytes: what of it lies on the brokers' disks at once, replicas included.
        warnings: what the user should know before the start.
    """

    name: str
    provider: str
    brokers: int
    warmup_s: float
    measure_s: float
    drain_s: float
    topics: tuple[PlannedTopic, ...]
    producers: tuple[PlannedProducer, ...]
    consumers: tuple[PlannedConsumer, ...]
    data_bytes: int | None
    disk_bytes: int | None
    faults: tuple[PlannedFault, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_scenario(loaded: LoadedScenario) -> RunPlan:
    """Works out what a scenario will do.

    Raises:
        UsageError: its workers are to run on cores that this machine lacks.
    """
    scenario = loaded.scenario
    check_pinned(scenario)
    ids = _worker_ids(scenario)
    producers = tuple(_producer(scenario, name, spec, ids) for name, spec in scenario.producers.items())
    consumers = tuple(_consumer(scenario, name, spec, ids) for name, spec in scenario.consumers.items())
    data_bytes = sent_bytes(producers)
    return RunPlan(
        name=scenario.name,
        provider=scenario.cluster.provider,
        brokers=scenario.cluster.brokers,
        warmup_s=scenario.phases.warmup_s,
        measure_s=scenario.phases.measure_s,
        drain_s=scenario.phases.drain_s,
        topics=tuple(_topics(scenario)),
        producers=producers,
        consumers=consumers,
        data_bytes=data_bytes,
        disk_bytes=disk_bytes(scenario, producers, scenario.cluster.config),
        faults=tuple(PlannedFault(one.kind, one.broker, one.at_s, one.for_s) for one in scenario.faults),
        warnings=(
            *loaded.warnings,
            *trace_warnings(scenario),
            *_idle_warnings(producers),
            *_mock_warnings(scenario, data_bytes),
            *_ledger_warnings(scenario, producers, consumers),
            *(each.in_short for each in lint_scenario(scenario) if each.rule.severity != "low"),
        ),
    )


def _worker_ids(scenario: Scenario) -> Iterator[int]:
    """Run-wide worker ids: producers first, in the order of the scenario."""
    producers = sum(group.workers for group in scenario.producers.values())
    consumers = sum(group.workers for group in scenario.consumers.values())
    return iter(range(producers + consumers))


def _topics(scenario: Scenario) -> Iterator[PlannedTopic]:
    for key, spec in scenario.topics.items():
        for name in spec.names(key):
            if spec.existing:
                yield PlannedTopic(name, key, None, None)
            else:
                yield PlannedTopic(name, key, spec.partitions, spec.replication_factor, spec.config)


def _producer(scenario: Scenario, name: str, spec: ProducerSpec, ids: Iterator[int]) -> PlannedProducer:
    phases = scenario.phases
    sending_s = phases.warmup_s + phases.measure_s
    at_max = spec.schedule.rate == "max"
    schedule = group_schedule(spec.schedule, sending_s, group_seed(scenario.seed, name))
    measured = None if at_max else records_due(schedule, phases.warmup_s, sending_s)
    records = None if at_max else records_due(schedule, 0.0, sending_s)
    value_bytes = mean_size(spec, records)
    return PlannedProducer(
        name=name,
        topics=tuple(scenario.topics[spec.topic].names(spec.topic)),
        workers=tuple(next(ids) for _ in range(spec.workers)),
        target_records_per_s=None if measured is None else measured / phases.measure_s,
        records=records,
        limit=spec.schedule.records,
        record_bytes_mean=value_bytes,
        sent_bytes_mean=mean_sent(spec, records, value_bytes),
        config=spec.config,
        schedule=schedule,
        trace=planned_trace(spec),
    )


def _consumer(scenario: Scenario, name: str, spec: ConsumerSpec, ids: Iterator[int]) -> PlannedConsumer:
    return PlannedConsumer(
        name=name,
        topics=tuple(scenario.topics[spec.topic].names(spec.topic)),
        workers=tuple(next(ids) for _ in range(spec.workers)),
        group_id=spec.group_id,
        start_after_s=spec.start_after_s,
        max_rate_per_s=spec.max_rate_per_s,
        config=spec.config,
    )


def _idle_warnings(producers: tuple[PlannedProducer, ...]) -> Iterator[str]:
    """A schedule whose records are all due in the warm-up, or behind the end."""
    for producer in producers:
        if producer.target_records_per_s == 0.0:
            yield f"no record of producer {producer.name} is due in the measure phase"


def _ledger_warnings(
    scenario: Scenario,
    producers: tuple[PlannedProducer, ...],
    consumers: tuple[PlannedConsumer, ...],
) -> Iterator[str]:
    """What a group has not read yet keeps its place in the ledger: that may be much."""
    record_bytes = block_bytes(len(consumers)) / BLOCK_RECORDS
    for consumer in consumers:
        waiting = _most_waiting(scenario, producers, consumer)
        needed_bytes = waiting * record_bytes
        if needed_bytes > MOST_MEMORY_BYTES:
            yield (
                f"consumer {consumer.name} may have {waiting:,.0f} records to read at once: the ledger would "
                f"take {needed_bytes / _MIB:,.0f} MiB for them and may take {MOST_MEMORY_BYTES / _MIB:,.0f}. "
                "Beyond that, lost and duplicated records are not told"
            )
        elif needed_bytes > _MENTIONED_BYTES:
            yield (
                f"consumer {consumer.name} may have {waiting:,.0f} records to read at once: the ledger takes "
                f"{needed_bytes / _MIB:,.0f} MiB of memory for them"
            )


def _most_waiting(
    scenario: Scenario, producers: tuple[PlannedProducer, ...], consumer: PlannedConsumer
) -> float:
    """How many records may wait for a group that comes late or is slow, at mean rates; 0 where unknown."""
    sending_s = scenario.phases.warmup_s + scenario.phases.measure_s
    sent = sum(producer.records or 0 for producer in producers if set(producer.topics) & set(consumer.topics))
    late = min(1.0, (consumer.start_after_s or 0.0) / sending_s) * sent
    slow = 0.0 if consumer.max_rate_per_s is None else max(0.0, sent - consumer.max_rate_per_s * sending_s)
    return max(late, slow)


def _mock_warnings(scenario: Scenario, data_bytes: int | None) -> Iterator[str]:
    """The mock keeps 5 MiB a partition: what a consumer has not read by then is evicted."""
    if scenario.cluster.provider != "embedded" or not scenario.consumers:
        return
    partitions = sum(topic.partitions * topic.count for topic in scenario.topics.values())
    if data_bytes is None or data_bytes > partitions * _MOCK_PARTITION_BYTES:
        yield (
            "the mock keeps 5 MiB of each partition: records that a consumer has not read by then are "
            "evicted, and counted as such"
        )

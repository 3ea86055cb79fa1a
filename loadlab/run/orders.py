"""From the scenario to one order for each worker process."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from loadlab.client.partitions import PARTITION_UA
from loadlab.client.property_table import NEW_PROTOCOL
from loadlab.client.settings import (
    NO_KEYS,
    ROUND_ROBIN_KEYS,
    UNIFORM_KEYS,
    WEIGHTED_KEYS,
    ConsumerSettings,
    ProducerSettings,
    RecordSettings,
    TopicSettings,
    TraceSettings,
    most_holders,
)
from loadlab.errors import UsageError
from loadlab.run.cores import pinned_cores
from loadlab.run.order import Order
from loadlab.scenario import Headers
from loadlab.scenario.client_settings import DEFAULTS, MOCK_FETCH_WAIT_MS
from loadlab.workload.payload import pool_bytes
from loadlab.workload.schedule import group_seed
from loadlab.workload.sizes import size_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.run.plan import PlannedConsumer, PlannedProducer, RunPlan
    from loadlab.scenario import ProducerSpec, Scenario

_KEY_KINDS: Final = {
    "none": NO_KEYS,
    "round_robin": ROUND_ROBIN_KEYS,
    "uniform": UNIFORM_KEYS,
    "zipf": WEIGHTED_KEYS,
    "trace": NO_KEYS,
}
# The mock answers an empty fetch only when its time is over, and lets who joins late wait for a session's.
_MOCK_SESSION_TIMEOUT_MS: Final = "6000"
_RETENTION: Final = frozenset(
    {
        "retention.bytes",
        "retention.ms",
        *(f"log.retention.{unit}" for unit in ("bytes", "hours", "minutes", "ms")),
    }
)
_NO_HEADERS: Final = Headers(share=0.0)


@dataclass(frozen=True)
class Target:
    """What orders need to know of the cluster.

    Attributes:
        bootstrap_servers: host:port, comma separated.
        client_properties: for every client; may be secret.
        partitions: by topic name on the cluster.
        is_mock: an empty fetch is answered only after fetch.wait.max.ms there.
    """

    bootstrap_servers: str
    client_properties: Mapping[str, str] = field(repr=False)
    partitions: Mapping[str, int]
    is_mock: bool


def group_id(run_id: str, consumer: PlannedConsumer) -> str:
    """The group.id of a consumer group."""
    return consumer.group_id or f"loadlab-{run_id}-{consumer.name}"


def make_orders(
    scenario: Scenario, plan: RunPlan, run_id: str, target: Target, traces: Mapping[str, int]
) -> list[Order]:
    """One order for each worker, in the order of their ids.

    Args:
        scenario: who sends and reads what.
        plan: the same, worked out.
        run_id: the run's.
        target: the cluster.
        traces: descriptors of the producers' traces, by `loadlab.run.traces.shared_traces`.
    """
    orders: list[Order] = []
    for producer in plan.producers:
        orders += _producer_orders(scenario, producer, run_id, target, traces)
    for group, consumer in enumerate(plan.consumers):
        orders += _consumer_orders(scenario, consumer, group, run_id, target)
    return orders


def _topics(names: Sequence[str], target: Target) -> tuple[TopicSettings, ...]:
    ends = accumulate(target.partitions.values(), initial=0)
    firsts = dict(zip(target.partitions, ends, strict=False))
    return tuple(TopicSettings(name, target.partitions[name], firsts[name]) for name in names)


def _properties(run_id: str, worker: int, target: Target, config: Mapping[str, str]) -> dict[str, str]:
    return {
        "bootstrap.servers": target.bootstrap_servers,
        "client.id": f"loadlab-{run_id}-{worker}",
        **target.client_properties,
        **config,
    }


def _partition(spec: ProducerSpec, topics: Sequence[TopicSettings]) -> int:
    """The partition that all records go to; where there is but one, no partitioner has to find it.

    Raises:
        UsageError: a topic, which existed before, does not have it.
    """
    asked = spec.records.partition
    if asked is not None:
        short = next((topic for topic in topics if asked >= topic.partitions), None)
        if short is None:
            return asked
        raise UsageError(
            f"topic {short.name} has the partitions 0 to {short.partitions - 1}, so none is {asked}",
            fix="set records.partition of its producer to one of them, or leave it out",
        )
    return 0 if all(topic.partitions == 1 for topic in topics) else PARTITION_UA


def pool_size_bytes(spec: ProducerSpec) -> int:
    """How much memory each worker of a producer cuts its values from."""
    batch_bytes = int(spec.config.get("batch.size", DEFAULTS["librdkafka"]["batch.size"]))
    return pool_bytes(spec.largest_bytes, batch_bytes)


def _record_settings(spec: ProducerSpec, seed: int, topics: Sequence[TopicSettings]) -> RecordSettings:
    records = spec.records
    headers = records.headers or _NO_HEADERS
    return RecordSettings(
        sizes_bytes=tuple(int(size) for size in size_table(records)) or (spec.largest_bytes,),
        compressibility=records.compressibility,
        seed=seed,
        pool_bytes=pool_size_bytes(spec),
        stamped=spec.stamped,
        partition=_partition(spec, topics),
        key_kind=_KEY_KINDS[records.keys.kind],
        key_count=records.keys.count,
        key_exponent=records.keys.exponent,
        null_key_share=records.keys.null_share,
        tombstone_share=records.tombstones,
        header_share=headers.share,
        header_count=headers.count if headers.share else 0,
        header_bytes=headers.size_bytes,
    )


def _trace_settings(spec: ProducerSpec, fd: int | None) -> TraceSettings | None:
    if fd is None or spec.trace is None:
        return None
    records = spec.records
    return TraceSettings(
        fd=fd,
        rows=len(spec.trace.rows),
        sizes=records.size == "trace",
        keys=records.keys.kind == "trace",
    )


def _producer_orders(
    scenario: Scenario,
    producer: PlannedProducer,
    run_id: str,
    target: Target,
    traces: Mapping[str, int],
) -> list[Order]:
    spec = scenario.producers[producer.name]
    seed = group_seed(scenario.seed, producer.name)
    topics = _topics(producer.topics, target)
    records = _record_settings(spec, seed, topics)
    segments = producer.schedule.segment_rows()
    settings = [
        ProducerSettings(
            properties=_properties(run_id, worker, target, producer.config),
            topics=topics,
            records=records,
            schedule=segments,
            at_max_rate=spec.schedule.rate == "max",
            reject_when_full=spec.schedule.when_full == "reject",
            run_id=run_id,
            worker=worker,
            place=place,
            workers=len(producer.workers),
            limit=spec.schedule.records,
            trace=_trace_settings(spec, traces.get(producer.name)),
            poisson_seed=seed if spec.schedule.arrivals == "poisson" else None,
        )
        for place, worker in enumerate(producer.workers)
    ]
    cores = pinned_cores(f"producers.{producer.name}", spec.cpuset)
    return [Order(producer.name, each.worker, each, cores) for each in settings]


def _expires(scenario: Scenario, topic: str) -> bool:
    """Whether a scenario says how long a topic keeps its records, or how many."""
    return not _RETENTION.isdisjoint((*scenario.topics[topic].config, *scenario.cluster.config))


def _for_the_mock(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties of a consumer that are others on the mock than by default."""
    session = {"session.timeout.ms": _MOCK_SESSION_TIMEOUT_MS}
    if properties.get("group.protocol") == NEW_PROTOCOL or "heartbeat.interval.ms" in properties:
        session = {}
    return {"fetch.wait.max.ms": MOCK_FETCH_WAIT_MS, **session}


def _consumer_orders(
    scenario: Scenario, consumer: PlannedConsumer, group: int, run_id: str, target: Target
) -> list[Order]:
    spec = scenario.consumers[consumer.name]
    topics = _topics(consumer.topics, target)
    # Of workers that hold no partition none reads its share of the rate.
    reading = min(len(consumer.workers), most_holders(consumer.config, topics))
    orders = []
    for worker in consumer.workers:
        properties = _properties(run_id, worker, target, consumer.config)
        properties["group.id"] = group_id(run_id, consumer)
        if target.is_mock:
            properties = {**_for_the_mock(properties), **properties}
        settings = ConsumerSettings(
            properties=properties,
            topics=topics,
            run_id=run_id,
            max_rate_per_s=consumer.max_rate_per_s and consumer.max_rate_per_s / reading,
            start_after_s=consumer.start_after_s,
            existing=scenario.topics[spec.topic].existing,
            expires=_expires(scenario, spec.topic),
            group=group,
        )
        cores = pinned_cores(f"consumers.{consumer.name}", spec.cpuset)
        orders.append(Order(consumer.name, worker, settings, cores))
    return orders

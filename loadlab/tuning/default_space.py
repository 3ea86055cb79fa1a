"""The default space: the knobs that are worth a trial, each within what Kafka and librdkafka allow.

The ranges are those of one machine or a small cluster. What can make no difference to the scenario at hand is
left out: the stickiness of records that have keys, replica fetchers without replicas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.cluster.capacity import heap_bytes
from loadlab.tuning.knobs import called, default_of, is_idempotent
from loadlab.tuning.space import Choices, Knob, Range, When
from loadlab.tuning.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.scenario import ProducerSpec, Scenario

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB

Domain = Range | Choices
_Named = tuple[str, Domain]

# 0 and -1 leave a buffer's size to the operating system.
_CLIENT_BUFFER: Final = Range(64 * _KIB, 4 * _MIB, whole=True, log=True, special=(0,))
_BROKER_BUFFER: Final = Range(64 * _KIB, 4 * _MIB, whole=True, log=True, special=(-1,))

_PRODUCER: Final[Mapping[str, Domain]] = {
    "linger.ms": Range(0.5, 100.0, whole=False, log=True, special=(0.0,)),
    "batch.size": Range(16 * _KIB, 1_000_000, whole=True, log=True),
    "batch.num.messages": Range(100, 100_000, whole=True, log=True),
    # gzip is left out: zstd compresses better for less CPU.
    "compression.type": Choices(("none", "lz4", "snappy", "zstd")),
    "queue.buffering.max.messages": Range(10_000, 1_000_000, whole=True, log=True),
    "queue.buffering.max.kbytes": Range(64 * _KIB, 1024 * _KIB, whole=True, log=True),
    "socket.send.buffer.bytes": _CLIENT_BUFFER,
}
_LEVEL: Final = Range(1, 9, whole=True, special=(-1,))
_WITH_LEVELS: Final = ("lz4", "zstd")
_STICKY: Final = Range(1, 100, whole=True, log=True, special=(0,))
_IN_FLIGHT: Final = Range(1, 20, whole=True, log=True, special=(1_000_000,))
_IN_FLIGHT_IDEMPOTENT: Final = Range(1, 5, whole=True)

_CONSUMER: Final[Mapping[str, Domain]] = {
    "fetch.min.bytes": Range(1, _MIB, whole=True, log=True),
    "fetch.wait.max.ms": Range(5, 500, whole=True, log=True),
    "queued.min.messages": Range(1_000, 1_000_000, whole=True, log=True),
    "queued.max.messages.kbytes": Range(4 * _KIB, 256 * _KIB, whole=True, log=True),
    "socket.receive.buffer.bytes": _CLIENT_BUFFER,
}
_BROKER: Final[Mapping[str, Domain]] = {
    "num.io.threads": Range(1, 32, whole=True, log=True),
    "num.network.threads": Range(1, 16, whole=True, log=True),
    "socket.send.buffer.bytes": _BROKER_BUFFER,
    "socket.receive.buffer.bytes": _BROKER_BUFFER,
}
_REPLICA_FETCHERS: Final = Range(1, 8, whole=True, log=True)
_MOST_PARTITIONS: Final = 24
_HEAP_STEP: Final = 128 * _MIB
_HEAPS: Final = (512 * _MIB, 2048 * _MIB)
_OWN_CLUSTER: Final = ("auto", "docker", "local")


def default_space(scenario: Scenario) -> dict[str, Knob]:
    """The knobs that are worth a trial, of all groups, topics and brokers that a study may change."""
    parts = (_of_producers, _of_consumers, _of_topics, _of_brokers)
    return {name: _knob(name, domain, scenario) for part in parts for name, domain in part(scenario)}


def _knob(name: str, domain: Domain, scenario: Scenario) -> Knob:
    target = target_of(name, scenario)
    when: tuple[When, ...] = ()
    if target.property_name == "compression.level":
        spec = scenario.producers[str(target.path[1])]
        codec = called(spec.config, "compression.type")
        when = (When(f"{name.removesuffix('compression.level')}{codec}", _WITH_LEVELS),)
    return Knob(name, domain, target.cost, when, default_of(target, scenario))


def _of_producers(scenario: Scenario) -> Iterator[_Named]:
    for owner, spec in scenario.producers.items():
        for name, domain in {**_PRODUCER, **_where_it_matters(spec)}.items():
            yield f"producers.{owner}.config.{called(spec.config, name)}", domain


def _where_it_matters(spec: ProducerSpec) -> dict[str, Domain]:
    """The knobs that are of use to some producers only."""
    domains: dict[str, Domain] = {"compression.level": _LEVEL}
    # Who sends with one request in flight asked for the order of records.
    if spec.config.get(called(spec.config, "max.in.flight")) != "1":
        domains["max.in.flight"] = _IN_FLIGHT_IDEMPOTENT if is_idempotent(spec) else _IN_FLIGHT
    keyless = spec.records.keys.kind == "none" or spec.records.keys.null_share > 0
    if keyless and spec.records.partition is None:
        domains["sticky.partitioning.linger.ms"] = _STICKY
    return domains


def _of_consumers(scenario: Scenario) -> Iterator[_Named]:
    # How long the mock waits for records says nothing about Kafka.
    left_out = "fetch.wait.max.ms" if scenario.cluster.provider == "embedded" else None
    for owner in scenario.consumers:
        for name, domain in _CONSUMER.items():
            if name != left_out:
                yield f"consumers.{owner}.config.{name}", domain


def _of_topics(scenario: Scenario) -> Iterator[_Named]:
    pinned = {one.topic for one in scenario.producers.values() if one.records.partition is not None}
    for name, topic in scenario.topics.items():
        if not topic.existing and name not in pinned and scenario.cluster.provider != "external":
            most = max(_MOST_PARTITIONS, topic.partitions)
            yield f"topics.{name}.partitions", Range(1, most, whole=True, log=True)


def _of_brokers(scenario: Scenario) -> Iterator[_Named]:
    if scenario.cluster.provider not in _OWN_CLUSTER:
        return
    for name, domain in _BROKER.items():
        yield f"cluster.config.{name}", domain
    if any(topic.replication_factor > 1 for topic in scenario.topics.values()):
        yield "cluster.config.num.replica.fetchers", _REPLICA_FETCHERS
    yield from _heap(scenario)


def _heap(scenario: Scenario) -> Iterator[_Named]:
    """Sizes around the one that a broker has, and within its memory where that is limited."""
    heap, resources = heap_bytes(scenario.cluster), scenario.cluster.resources
    limit = resources.memory_bytes if resources else None
    lowest, highest = min(_HEAPS[0], heap), max(_HEAPS[1], heap)
    if limit is not None:
        highest = min(highest, limit * 3 // 4)
    steps = (highest - lowest) // _HEAP_STEP
    if steps > 0:
        top = lowest + steps * _HEAP_STEP
        yield "cluster.resources.heap", Range(lowest, top, whole=True, step=_HEAP_STEP)

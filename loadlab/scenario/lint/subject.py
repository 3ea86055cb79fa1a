"""What the linter looks at: the clients and topics of a scenario, or of a properties file."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.scenario.checks_trace import sizes_known
from loadlab.scenario.client_settings import Settings
from loadlab.scenario.records import LognormalForm, UniformForm, WeightedForm
from loadlab.scenario.schedule import BurstsRate, RampRate, StepsRate, TraceRate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.scenario.model import Scenario
    from loadlab.scenario.schedule import Schedule
    from loadlab.scenario.workload import ConsumerSpec, ProducerSpec

TOPIC_DEFAULTS: Final = {
    "min.insync.replicas": "1",
    "unclean.leader.election.enable": "false",
    "compression.type": "producer",
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
}
"""Kafka's own, of topics."""

_BROKER_S: Final = {
    "cleanup.policy": "log.cleanup.policy",
    "compression.type": "compression.type",
    "flush.messages": "log.flush.interval.messages",
    "max.message.bytes": "message.max.bytes",
    "min.insync.replicas": "min.insync.replicas",
    "retention.ms": "log.retention.ms",
    "unclean.leader.election.enable": "unclean.leader.election.enable",
}
"""Topic properties, and the brokers' names of them."""


class _Configured:
    """What has properties."""

    path: str
    settings: Settings

    def at(self, name: str) -> str:
        """Where a property stands: dotted for a scenario, by itself for a properties file."""
        return f"{self.path}.config.{name}" if self.path else name


@dataclass(frozen=True)
class Topic(_Configured):
    """A topic.

    Attributes:
        path: where it is configured; empty for brokers' defaults in a properties file.
        settings: its properties, those of the brokers below them.
        replication_factor: None where it is not known, as with the next.
        partitions: of all topics that its name stands for.
        existing: whether it was there before, with settings of its own.
        inherited: the properties that are set for the brokers, and not for the topic itself.
    """

    path: str
    settings: Settings
    replication_factor: int | None = None
    partitions: int | None = None
    existing: bool = False
    inherited: frozenset[str] = frozenset()

    def at(self, name: str) -> str:
        """Where a property stands; one that is set for the brokers stands there, under their name of it."""
        if name not in self.inherited:
            return super().at(name)
        return f"cluster.config.{_BROKER_S[name]}" if self.path else _BROKER_S[name]


@dataclass(frozen=True)
class Producer(_Configured):
    """A producer.

    Attributes:
        name: its name in the scenario; empty for that of a properties file.
        path: where it is configured; empty for a properties file.
        settings: its properties.
        topic: where it sends; None where it is not known.
        spec: what the scenario says; None for a properties file.
    """

    name: str
    path: str
    settings: Settings
    topic: Topic | None = None
    spec: ProducerSpec | None = None

    @property
    def mean_bytes(self) -> float | None:
        """The mean size of its values, of a cut distribution about; None where it is not known."""
        return None if self.spec is None else _mean_bytes(self.spec)

    @property
    def peak_per_s(self) -> float | None:
        """The highest rate that it is asked for; None where it is not known, or as fast as it can."""
        return None if self.spec is None else _peak_per_s(self.spec.schedule)


@dataclass(frozen=True)
class Consumer(_Configured):
    """A consumer group.

    Attributes:
        name: its name in the scenario; empty for that of a properties file.
        path: where it is configured; empty for a properties file.
        settings: its properties.
        topic: what it reads; None where it is not known.
        spec: what the scenario says; None for a properties file.
    """

    name: str
    path: str
    settings: Settings
    topic: Topic | None = None
    spec: ConsumerSpec | None = None


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        producers: those that there are.
        consumers: as well.
        topics: as well.
        scenario: None for a properties file.
        misspelt: names that no client or broker has, each with the one that it nearly is.
        refused: names whose values no client or broker starts with, each with what is wrong.
        places: where values stand, as file:line, by path; those that are defaults have none.
        cores: how many cores the workers may use.
    """

    producers: tuple[Producer, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    topics: tuple[Topic, ...] = ()
    scenario: Scenario | None = None
    misspelt: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))


def of_scenario(scenario: Scenario) -> Subject:
    """A scenario's clients and topics."""
    topics = {name: _topic(scenario, name) for name in scenario.topics}
    return Subject(
        producers=tuple(
            Producer(name, f"producers.{name}", Settings.of_client(spec.config), topics[spec.topic], spec)
            for name, spec in scenario.producers.items()
        ),
        consumers=tuple(
            Consumer(name, f"consumers.{name}", _consumer_settings(spec), topics[spec.topic], spec)
            for name, spec in scenario.consumers.items()
        ),
        topics=tuple(topics.values()),
        scenario=scenario,
    )


def _consumer_settings(spec: ConsumerSpec) -> Settings:
    own = Settings.of_client(spec.config)
    return Settings(own.given, {**own.defaults, "auto.offset.reset": "earliest"})  # as loadlab sets it


def _topic(scenario: Scenario, name: str) -> Topic:
    spec = scenario.topics[name]
    path = f"topics.{name}"
    if spec.existing:
        return Topic(path, Settings({}, {}), existing=True)
    of_cluster = of_brokers(scenario.cluster.config)
    return Topic(
        path,
        Settings({**of_cluster, **spec.config}, TOPIC_DEFAULTS),
        spec.replication_factor,
        spec.partitions * spec.count,
        inherited=frozenset(of_cluster.keys() - spec.config.keys()),
    )


def of_brokers(config: Mapping[str, str]) -> dict[str, str]:
    """What brokers' properties set for topics, by the topics' names."""
    return {name: config[of_broker] for name, of_broker in _BROKER_S.items() if of_broker in config}


def _mean_bytes(spec: ProducerSpec) -> float | None:
    match spec.records.size:
        case UniformForm(uniform=size):
            return (size.min_bytes + size.max_bytes) / 2
        case LognormalForm(lognormal=size):
            return min(size.median_bytes * math.exp(size.sigma**2 / 2), float(size.max_bytes))
        case WeightedForm(weighted=choices):
            total = sum(choice.weight for choice in choices)
            return sum(choice.size_bytes * choice.weight for choice in choices) / total
        case "trace":
            trace = spec.trace if sizes_known(spec) else None
            return None if trace is None else float(trace.rows["size_bytes"].mean())
        case fixed:
            return float(fixed)


def _peak_per_s(schedule: Schedule) -> float | None:
    match schedule.rate:
        case "max" | TraceRate():
            return None
        case RampRate(ramp=ramp):
            return max(ramp.from_per_s, ramp.to_per_s)
        case StepsRate(steps=steps):
            return max(step.rate_per_s for step in steps)
        case BurstsRate(bursts=bursts):
            return bursts.rate_per_s
        case constant:
            return constant

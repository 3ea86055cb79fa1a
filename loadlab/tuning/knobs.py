"""What settings are without a study, which have two names, and on which durability hangs.

tests/unit/test_default_space.py holds the defaults to librdkafka's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.cluster.capacity import heap_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.scenario import ProducerSpec, Scenario
    from loadlab.tuning.space import Value
    from loadlab.tuning.targets import Target

CLIENT_DEFAULTS: Final[Mapping[str, Value]] = {
    "acks": "all",
    "batch.num.messages": 10_000,
    "batch.size": 1_000_000,
    "compression.codec": "none",
    "compression.level": -1,
    "compression.type": "none",
    "enable.idempotence": "false",
    "fetch.max.bytes": 52_428_800,
    "fetch.message.max.bytes": 1_048_576,
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 500,
    "linger.ms": 5.0,
    "max.in.flight": 1_000_000,
    "max.in.flight.requests.per.connection": 1_000_000,
    "max.partition.fetch.bytes": 1_048_576,
    "message.max.bytes": 1_000_000,
    "queue.buffering.max.kbytes": 1_048_576,
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.ms": 5.0,
    "queued.max.messages.kbytes": 65_536,
    "queued.min.messages": 100_000,
    "request.required.acks": "all",
    "socket.nagle.disable": "true",
    "socket.receive.buffer.bytes": 0,
    "socket.send.buffer.bytes": 0,
    "sticky.partitioning.linger.ms": 10,
}
"""librdkafka's own defaults."""

BROKER_DEFAULTS: Final[Mapping[str, Value]] = {
    "message.max.bytes": 1_048_588,
    "num.io.threads": 8,
    "num.network.threads": 3,
    "num.replica.fetchers": 1,
    "socket.receive.buffer.bytes": 102_400,
    "socket.request.max.bytes": 104_857_600,
    "socket.send.buffer.bytes": 102_400,
}
"""Kafka's own defaults."""

ALIASES: Final[Mapping[str, str]] = {
    "acks": "request.required.acks",
    "compression.codec": "compression.type",
    "compression.type": "compression.codec",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "linger.ms": "queue.buffering.max.ms",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "max.in.flight.requests.per.connection": "max.in.flight",
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
    "queue.buffering.max.ms": "linger.ms",
    "request.required.acks": "acks",
}
"""Properties of librdkafka with two names: a scenario and a study must not use both."""

_DURABLE: Final = frozenset(
    {
        "acks",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "min.insync.replicas",
        "replication_factor",
        "request.required.acks",
        "unclean.leader.election.enable",
    }
)
_DURABLE_STARTS: Final = ("flush.", "log.flush.")
_DURABLE_END: Final = "replication.factor"

_IN_FLIGHT: Final = ("max.in.flight", "max.in.flight.requests.per.connection")
MOST_IN_ORDER: Final = 5
"""How many requests in flight an idempotent producer may have; librdkafka refuses more."""


def is_durability(target: Target) -> bool:
    """Whether durability hangs on a setting: no study changes it without naming it."""
    name = str(target.path[-1])
    return name in _DURABLE or name.startswith(_DURABLE_STARTS) or name.endswith(_DURABLE_END)


def is_idempotent(spec: ProducerSpec) -> bool:
    """Whether the brokers drop what a producer sends twice."""
    return spec.config.get("enable.idempotence") == "true"


def called(config: Mapping[str, str], name: str) -> str:
    """The one of a property's two names that a scenario uses; the given one where it uses neither."""
    alias = ALIASES.get(name, name)
    return alias if alias in config else name


def library_default(target: Target, scenario: Scenario) -> Value | None:
    """What librdkafka or Kafka sets where nobody does; None for a field, or where it isn't known here."""
    name, part = target.property_name, target.path[0]
    if target.path == ("cluster", "resources", "heap"):
        return heap_bytes(scenario.cluster)
    if name is None:
        return None
    if part == "topics":
        return _topic_default(name, scenario)
    if part == "cluster":
        return BROKER_DEFAULTS.get(name)
    if name in _IN_FLIGHT and part == "producers" and is_idempotent(scenario.producers[str(target.path[1])]):
        return MOST_IN_ORDER
    return CLIENT_DEFAULTS.get(name)


def _topic_default(name: str, scenario: Scenario) -> Value | None:
    """The default of a topic's property, as far as rules ask for it; brokers have it under another name."""
    if name != "max.message.bytes" or scenario.cluster.provider == "external":
        return None
    given = scenario.cluster.config.get("message.max.bytes")
    return BROKER_DEFAULTS["message.max.bytes"] if given is None else int(given)


def default_of(target: Target, scenario: Scenario) -> Value | None:
    """What a setting is without a study: the library's default, else what the scenario has, else unknown."""
    default = library_default(target, scenario)
    return target.own(scenario) if default is None else default


def value_in(target: Target, scenario: Scenario) -> Value | None:
    """What a setting is in a scenario: its own value, else the library's default, else unknown."""
    own = target.own(scenario)
    return library_default(target, scenario) if own is None else own

"""What settings are without a study, which have two names, and on which durability hangs."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

from loadlab.client.property_table import CANONICAL
from loadlab.cluster.capacity import heap_bytes
from loadlab.cluster.properties import shared_properties
from loadlab.hints import HintedError
from loadlab.scenario.client_settings import DEFAULTS, MOCK_FETCH_WAIT_MS
from loadlab.scenario.kafka_properties import definitions

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from loadlab.scenario import ProducerSpec, Scenario
    from loadlab.tuning.space import Value
    from loadlab.tuning.targets import Target

ALIASES: Final[Mapping[str, str]] = {**CANONICAL, **{name: alias for alias, name in CANONICAL.items()}}
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
_DURABLE_ENDS: Final = (".min.isr", "replication.factor")
_UNSET: Final[Mapping[str, Value]] = {
    "acks": "all",
    "enable.idempotence": "false",
    "min.insync.replicas": 1,
    "request.required.acks": "all",
    "unclean.leader.election.enable": "false",
}
_BROKERS: Final = ("cluster", "brokers")  # of which the brokers' own topics have as many copies, up to three

_DELETE_DELAY: Final = "file.delete.delay.ms"  # own brokers have another than Kafka's, under another name
_IN_FLIGHT: Final = ("max.in.flight", "max.in.flight.requests.per.connection")
MOST_IN_ORDER: Final = 5
"""How many requests in flight an idempotent producer may have; librdkafka refuses more."""


def is_durability(target: Target) -> bool:
    """Whether durability hangs on a setting: no study changes it without naming it."""
    name = str(target.path[-1])
    named = name in _DURABLE or name.startswith(_DURABLE_STARTS) or name.endswith(_DURABLE_ENDS)
    return named or target.path == _BROKERS


def is_weaker(path: str, value: Value, than: Value | None) -> bool:
    """Whether a setting that durability hangs on promises less at a value than at another one.

    Args:
        path: the setting's, in the scenario.
        value: what it is, and
        than: what it was; None where that is not known, and then any value may be less.
    """
    if value == than:
        return False
    name = path.rpartition(".config.")[2]
    if than is None or name.startswith(_DURABLE_STARTS):  # the more seldom to the disk, the less
        return than is None or float(value) > float(than)
    if name == "unclean.leader.election.enable":
        return str(value).lower() == "true"
    return _promised(value) < _promised(than)


def is_weaker_unset(path: str, than: Value) -> bool:
    """Whether a setting that durability hangs on promises less where nobody sets it; unknown ones may."""
    default = _UNSET.get(path.rpartition(".config.")[2])
    return default is None or is_weaker(path, default, than)


def _promised(value: Value) -> float:
    """A number that is greater the more a value promises: of acks, of a switch, or of how many copies."""
    known = {"all": math.inf, "-1": math.inf, "true": 1.0, "false": 0.0}
    text = str(value).lower()
    return known[text] if text in known else float(value)


def is_idempotent(spec: ProducerSpec) -> bool:
    """Whether the brokers drop what a producer sends twice."""
    return spec.config.get("enable.idempotence") == "true"


def called(used: Container[str], name: str) -> str:
    """The one of a property's two names that is among those in use; the given one where neither is."""
    alias = ALIASES.get(name, name)
    return alias if alias in used else name


def library_default(target: Target, scenario: Scenario) -> Value | None:
    """What librdkafka or Kafka sets where nobody does; None for a field, or where it isn't known here."""
    name, part = target.property_name, target.path[0]
    if target.path == ("cluster", "resources", "heap"):
        return heap_bytes(scenario.cluster)
    if name is None:
        return None
    if part == "topics":
        return _topic_default(name, target, scenario)
    return (
        _broker_default(name, target, scenario)
        if part == "cluster"
        else _client_default(name, target, scenario)
    )


def _client_default(name: str, target: Target, scenario: Scenario) -> Value | None:
    producer = scenario.producers.get(str(target.path[1])) if target.path[0] == "producers" else None
    if name in _IN_FLIGHT and producer is not None and is_idempotent(producer):
        return MOST_IN_ORDER
    if name == "fetch.wait.max.ms" and scenario.cluster.provider == "embedded":
        return int(MOCK_FETCH_WAIT_MS)
    default = DEFAULTS["librdkafka"].get(CANONICAL.get(name, name)) or _librdkafka_defaults().get(name)
    try:
        return target.value(default) if default else None
    except HintedError:
        return None  # of what a scenario could not set to its default either


@cache
def _librdkafka_defaults() -> Mapping[str, str]:
    from loadlab.client.handle import effective_properties  # noqa: PLC0415 (it needs the compiler)

    return effective_properties({})


def _broker_default(name: str, target: Target, scenario: Scenario) -> Value | None:
    cluster = scenario.cluster
    ours = shared_properties(cluster.brokers, cluster.kafka_version, {})
    default = ours.get(name) or definitions("broker", cluster.kafka_version)[name].default
    return None if default is None else target.value(default)


def _topic_default(name: str, target: Target, scenario: Scenario) -> Value | None:
    """The default of a topic's property; brokers have it under another name, most often with ``log.``."""
    config = scenario.cluster.config
    if scenario.cluster.provider == "external":
        return None
    if name == "max.message.bytes" and "message.max.bytes" in config:
        return int(config["message.max.bytes"])
    if name == _DELETE_DELAY or name in config or any(key.startswith("log.") for key in config):
        return None
    default = definitions("topic", scenario.cluster.kafka_version)[name].default
    return None if default is None else target.value(default)


def default_of(target: Target, scenario: Scenario) -> Value | None:
    """What a setting is without a study: the library's default, else what the scenario has, else unknown."""
    default = library_default(target, scenario)
    return target.own(scenario) if default is None else default


def value_in(target: Target, scenario: Scenario) -> Value | None:
    """What a setting is in a scenario: its own value, else the library's default, else unknown."""
    own = target.own(scenario)
    return library_default(target, scenario) if own is None else own

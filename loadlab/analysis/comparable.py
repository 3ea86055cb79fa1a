"""Whether two runs may be compared: what differs between them, and which of it is the thing under test.

What a scenario sets of clients, topics and brokers is what comparisons are made for. Another load, another
machine or version, or other promises about durability make figures that say nothing of that: such a
difference is a mismatch, and has a kind by which the user can allow it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from loadlab.client.properties import OWNED
from loadlab.client.property_table import CANONICAL
from loadlab.scenario.client_settings import Settings
from loadlab.scenario.kafka_properties import is_owned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pydantic import JsonValue

    from loadlab.results.model import RunResult

Kind = Literal[
    "scenario",
    "durability",
    "machine",
    "provider",
    "kafka",
    "librdkafka",
    "loadlab",
    "schema",
    "invalid",
    "cut-short",
    "same-run",
    "tool",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""All that the user can allow."""

_MEMORY_TOLERANCE: Final = 0.01
"""Of what a kernel calls all memory, some is its own: that varies from boot to boot."""

_NOT_KNOWN: Final = "not known"
_NOT_SET: Final = "not set"
_CLIENT_DURABILITY: Final = ("request.required.acks", "enable.idempotence")
_TOPIC_DURABILITY: Final = ("min.insync.replicas", "flush.messages", "flush.ms")
_IN_FORCE: Final = frozenset(
    {
        *_CLIENT_DURABILITY,
        *_TOPIC_DURABILITY,
        "acks",
        "log.flush.interval.messages",
        "log.flush.interval.ms",
    }
)
_OF_CLUSTERS: Final = ("brokers", "cores")

_NOTED: Final = ("python", "numba", "numpy", "confluent_kafka")


@dataclass(frozen=True)
class Difference:
    """Something that the two sides don't have alike.

    Attributes:
        field: where it stands in result.json; of a property the path by which a scenario sets it.
        baseline: what the baseline has, and
        contender: what the contender has, as text.
    """

    field: str
    baseline: str
    contender: str


@dataclass(frozen=True)
class Mismatch(Difference):
    """A difference that makes figures incomparable.

    Attributes:
        kind: by which it can be allowed; None where nothing allows it.
    """

    kind: Kind | None


def mismatches(baseline: RunResult, contender: RunResult) -> list[Mismatch]:
    """All that speaks against comparing two runs, but for their verdicts."""
    return [
        Mismatch(field, _text(first, _missing(kind)), _text(second, _missing(kind)), kind)
        for kind, field, first, second in _pairs(baseline, contender)
        if first != second
    ]


def _missing(kind: Kind | None) -> str:
    """What stands for a value that a side lacks: what a scenario leaves out is known to be so."""
    return _NOT_SET if kind == "scenario" else _NOT_KNOWN


def under_test(baseline: RunResult, contender: RunResult) -> list[Difference]:
    """What differs and may: clusters, properties, what else is set, and versions that matter little.

    Properties are those in force wherever both runs tell them, else those that the scenarios set.
    """
    told = _told_in_force(baseline, contender)
    asked = [
        (".".join(path), first, second)
        for path, first, second in _scenario_differences(baseline, contender, "under test")
        if path[:3] not in told
    ]
    environments = baseline.environment, contender.environment
    noted = [(f"environment.{name}", *_both(*environments, name)) for name in _NOTED]
    used = [(f"cluster.{name}", *_both(baseline.cluster, contender.cluster, name)) for name in _OF_CLUSTERS]
    return [
        *_differences(used, _NOT_KNOWN),
        *_broker_differences(baseline, contender),
        *_differences(_property_pairs(told), _NOT_SET),
        *_differences(asked, _NOT_SET),
        *_differences(noted, _NOT_KNOWN),
    ]


def _differences(pairs: Iterable[tuple[str, object, object]], missing: str) -> Iterator[Difference]:
    """Of paths and both sides' values those that differ, as text."""
    for path, first, second in pairs:
        if first != second:
            yield Difference(path, _text(first, missing), _text(second, missing))


_Pair: TypeAlias = tuple[Kind | None, str, object, object]
_Path: TypeAlias = tuple[str, ...]
_Properties: TypeAlias = "Mapping[str, str]"
_Meaning: TypeAlias = Literal["nothing", "judged in force", "under test", "load"]


def _pairs(baseline: RunResult, contender: RunResult) -> Iterator[_Pair]:
    """What must be alike, of both sides."""
    yield None, "cluster.kind", baseline.cluster.kind, contender.cluster.kind
    for path, one, other in _scenario_differences(baseline, contender, "load"):
        yield "scenario", f"scenario.{'.'.join(path)}", one, other
    traces = baseline.environment.traces, contender.environment.traces
    for name in sorted(traces[0].keys() & traces[1].keys()):
        yield "scenario", f"environment.traces.{name}", traces[0][name], traces[1][name]
    yield from _machines(baseline, contender)
    for name in ("provider", "network"):
        yield "provider", f"cluster.{name}", *_both(baseline.cluster, contender.cluster, name)
    yield "kafka", "cluster.kafka_version", *_both(baseline.cluster, contender.cluster, "kafka_version")
    first, second = baseline.environment, contender.environment
    for name in ("java", "image"):
        yield "kafka", f"environment.{name}", *_both(first, second, name)
    yield "librdkafka", "environment.librdkafka", first.librdkafka, second.librdkafka
    yield "loadlab", "loadlab_version", baseline.loadlab_version, contender.loadlab_version
    yield "loadlab", "environment.git_commit", first.git_commit, second.git_commit
    yield from _durability(baseline, contender)


def _told_in_force(baseline: RunResult, contender: RunResult) -> dict[_Path, tuple[_Properties, _Properties]]:
    """What both sides tell of clients and topics, by the path of the scenario that sets such properties."""
    found: dict[_Path, tuple[_Properties, _Properties]] = {}
    one, other = baseline.environment.client_config, contender.environment.client_config
    for client in sorted(one.keys() & other.keys()):
        role, _, name = client.partition("/")
        found[f"{role}s", name, "config"] = _usual_names(one[client]), _usual_names(other[client])
    one, other = baseline.environment.topic_config, contender.environment.topic_config
    for name in _topic_names(baseline):
        topic = _first_topic(name, one)
        if topic in one and topic in other:
            found["topics", name, "config"] = one[topic], other[topic]
    return found


def _topic_names(result: RunResult) -> list[str]:
    """The scenario's names of topics."""
    topics = result.scenario.get("topics")
    return sorted(topics) if isinstance(topics, dict) else []


def _first_topic(name: str, told: Collection[str]) -> str:
    """The first topic on the cluster that a scenario's name stands for: all have one configuration."""
    of_many = (topic for topic in sorted(told) if re.fullmatch(rf"{re.escape(name)}-[0-9]+", topic))
    return name if name in told else next(of_many, name)


def _usual_names(properties: _Properties) -> _Properties:
    """A client's properties by the names that Kafka's documentation has: linger.ms, acks."""
    return {CANONICAL.get(name, name): value for name, value in properties.items()}


def _property_pairs(
    told: Mapping[_Path, tuple[_Properties, _Properties]],
) -> Iterator[tuple[str, str | None, str | None]]:
    """Both sides' values by path, but for what is judged, and what loadlab sets itself: names and places."""
    for path, (first, second) in told.items():
        for name in sorted((first.keys() | second.keys()) - _IN_FORCE - OWNED.keys()):
            if not is_owned(name):
                yield ".".join((*path, name)), first.get(name), second.get(name)


def _broker_differences(baseline: RunResult, contender: RunResult) -> Iterator[Difference]:
    """The properties of the brokers as used, which need not be those that the scenarios ask for."""
    first, second = baseline.environment.broker_config, contender.environment.broker_config
    if not (first and second):  # a cluster that did not tell
        first, second = baseline.cluster.config, contender.cluster.config
    missing = _NOT_SET if first and second else _NOT_KNOWN
    return _differences(_property_pairs({("cluster", "config"): (first, second)}), missing)


def _both(first: object, second: object, name: str) -> tuple[object, object]:
    return getattr(first, name), getattr(second, name)


def same_memory(first_bytes: int, second_bytes: int) -> bool:
    """Whether two machines have as much memory, as far as a kernel tells."""
    return abs(first_bytes - second_bytes) <= _MEMORY_TOLERANCE * first_bytes


def _machines(baseline: RunResult, contender: RunResult) -> Iterator[_Pair]:
    first, second = baseline.environment, contender.environment
    for name in ("cpu_model", "cores", "cpu_governor", "kernel", "os"):
        yield "machine", f"environment.{name}", *_both(first, second, name)
    if not same_memory(first.memory_bytes, second.memory_bytes):
        yield "machine", "environment.memory_bytes", first.memory_bytes, second.memory_bytes


def _durability(baseline: RunResult, contender: RunResult) -> Iterator[_Pair]:
    """What an ack promises, as it was in force."""
    first, second = baseline.environment, contender.environment
    for group in sorted(baseline.producers.keys() & contender.producers.keys()):
        where, client = f"environment.client_config.producer/{group}", f"producer/{group}"
        if client in first.client_config and client in second.client_config:
            clients = first.client_config[client], second.client_config[client]
            yield from _properties(where, *clients, _CLIENT_DURABILITY)
        else:
            yield from _asked_durability(group, baseline, contender)
    where, one, other = "environment.topic_config", first.topic_config, second.topic_config
    if not (one and other):  # a cluster that did not tell
        where, one, other = "scenario.topics", *map(_set_of_topics, (baseline, contender))
    for topic in sorted(one.keys() & other.keys()):
        yield from _properties(f"{where}.{topic}", one[topic], other[topic], _TOPIC_DURABILITY)
    flush = sorted(first.flush.keys() | second.flush.keys())
    yield from _properties("environment.flush", first.flush, second.flush, tuple(flush))
    asked, asked_too = dict(_flat(baseline.scenario)), dict(_flat(contender.scenario))
    for path in sorted(asked.keys() & asked_too.keys()):
        if path[0] == "topics" and path[2:] == ("replication_factor",):
            yield "durability", f"scenario.{'.'.join(path)}", asked[path], asked_too[path]


def _asked_durability(group: str, baseline: RunResult, contender: RunResult) -> Iterator[_Pair]:
    """What the scenarios ask for of a producer, librdkafka's defaults included."""
    one, other = (Settings.of_client(_set_of_producer(group, side)) for side in (baseline, contender))
    where = f"scenario.producers.{group}.config"
    yield "durability", f"{where}.acks", _acks(one), _acks(other)
    yield "durability", f"{where}.enable.idempotence", one.idempotent, other.idempotent


def _acks(settings: Settings) -> str:
    return "all" if settings.acks_all else settings.text("acks")


def _set_of_producer(group: str, result: RunResult) -> dict[str, str]:
    """The properties that a scenario sets for a producer."""
    where = ("producers", group, "config")
    return {path[3]: str(value) for path, value in _flat(result.scenario) if path[:3] == where}


def _set_of_topics(result: RunResult) -> dict[str, dict[str, str]]:
    """The properties that a scenario sets, by topic."""
    found: dict[str, dict[str, str]] = {}
    for path, value in _flat(result.scenario):
        match path:
            case ("topics", topic, "config", name):
                found.setdefault(topic, {})[name] = str(value)
            case ("topics", topic, *_):
                found.setdefault(topic, {})
    return found


def _properties(
    where: str, first: Mapping[str, str], second: Mapping[str, str], names: tuple[str, ...]
) -> Iterator[_Pair]:
    for name in names:
        yield "durability", f"{where}.{name}", first.get(name), second.get(name)


def _scenario_differences(
    baseline: RunResult, contender: RunResult, kind: _Meaning
) -> Iterator[tuple[_Path, JsonValue, JsonValue]]:
    """By path what the scenarios don't have alike, as far as it has this meaning."""
    first, second = dict(_flat(baseline.scenario)), dict(_flat(contender.scenario))
    for path in sorted(first.keys() | second.keys()):
        if _meaning(path) == kind and first.get(path) != second.get(path):
            yield path, first.get(path), second.get(path)


def _meaning(path: _Path) -> _Meaning:
    """What a value of a scenario says for a comparison."""
    match path:
        case ("description" | "seed" | "thresholds", *_):
            return "nothing"
        # "acks: all" says no more than leaving it out: what was in force is compared instead.
        case ("topics", _, "replication_factor") | ("cluster", "provider" | "network" | "kafka_version"):
            return "judged in force"
        case ("cluster", "brokers" | "config" | "cpuset", *_):
            return "judged in force"
        case (*_, "config", name) if name in _IN_FORCE:
            return "judged in force"
        case (
            ("cluster", *_)
            | ("producers" | "consumers" | "topics", _, "config", _)
            | ("producers" | "consumers", _, "workers")
            | ("topics", _, "partitions")
        ):
            return "under test"
    return "load"


def _flat(document: Mapping[str, JsonValue], prefix: _Path = ()) -> Iterator[tuple[_Path, JsonValue]]:
    """A document's values by their paths; lists are values. Older runs lack some: an empty one is as none."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, (*prefix, key))
        elif value != []:
            yield (*prefix, key), value


def _text(value: object, missing: str) -> str:
    return missing if value is None else str(value)

"""Whether two runs may be compared: what differs between them, and which of it is the thing under test.

What a scenario sets of clients, topics and brokers is what comparisons are made for. Another load, another
machine or version, or other promises about durability make figures that say nothing of that: such a
difference is a mismatch, and has a kind by which the user can allow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from loadlab.results.model import ClusterUsed, RunResult

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
_NOTED: Final = ("python", "numba", "numpy", "confluent_kafka")


@dataclass(frozen=True)
class Difference:
    """Something that the two sides don't have alike.

    Attributes:
        field: where it stands in result.json.
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
        Mismatch(field, _text(first), _text(second), kind)
        for kind, field, first, second in _pairs(baseline, contender)
        if first != second
    ]


def under_test(baseline: RunResult, contender: RunResult) -> list[Difference]:
    """What differs and may: clusters, what the scenarios set, and versions that touch the figures little."""
    pairs = [
        *_clusters(baseline.cluster, contender.cluster),
        *_scenario_differences(baseline, contender, "under test"),
    ]
    environments = baseline.environment, contender.environment
    pairs += [(f"environment.{name}", *_both(*environments, name)) for name in _NOTED]
    return [Difference(path, _text(first), _text(second)) for path, first, second in pairs if first != second]


_Pair: TypeAlias = tuple[Kind | None, str, object, object]
_Path: TypeAlias = tuple[str, ...]
_Meaning: TypeAlias = Literal["nothing", "judged in force", "under test", "load"]


def _pairs(baseline: RunResult, contender: RunResult) -> Iterator[_Pair]:
    """What must be alike, of both sides."""
    yield None, "cluster.kind", baseline.cluster.kind, contender.cluster.kind
    for path, one, other in _scenario_differences(baseline, contender, "load"):
        yield "scenario", f"scenario.{path}", one, other
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


def _clusters(first: ClusterUsed, second: ClusterUsed) -> Iterator[tuple[str, object, object]]:
    """What is under test of the clusters as used, which need not be those that the scenarios ask for."""
    for name in ("brokers", "cores"):
        yield f"cluster.{name}", *_both(first, second, name)
    for name in sorted((first.config.keys() | second.config.keys()) - _IN_FORCE):
        yield f"cluster.config.{name}", first.config.get(name), second.config.get(name)


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
    for group in sorted(first.client_config.keys() & second.client_config.keys()):
        if group.startswith("producer/"):
            clients = first.client_config[group], second.client_config[group]
            yield from _properties(f"environment.client_config.{group}", *clients, _CLIENT_DURABILITY)
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
) -> Iterator[tuple[str, JsonValue, JsonValue]]:
    """By dotted path what the scenarios don't have alike, as far as it has this meaning."""
    first, second = dict(_flat(baseline.scenario)), dict(_flat(contender.scenario))
    for path in sorted(first.keys() | second.keys()):
        if _meaning(path) == kind and first.get(path) != second.get(path):
            yield ".".join(path), first.get(path), second.get(path)


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
    """A document's values by their paths; lists are values."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def _text(value: object) -> str:
    return _NOT_KNOWN if value is None else str(value)

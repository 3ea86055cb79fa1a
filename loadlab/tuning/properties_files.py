"""The configuration that a study recommends, as .properties files: for librdkafka and for Java's clients.

Settings of topics and brokers are no business of a client; they stand in both files as comments, with the
commands that set them.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.client.property_table import CANONICAL, known_properties
from loadlab.scenario.client_settings import DEFAULTS
from loadlab.scenario.kafka_properties import definitions
from loadlab.scenario.secrets import is_secret
from loadlab.tuning.java_settings import (
    DEFAULT_PARTITIONER_NOTE,
    JavaClient,
    JavaSetting,
    java_limits,
    java_setting,
)
from loadlab.tuning.owners import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from loadlab.scenario.model import Scenario

_CONFIG: Final = "config."
_WIDTH: Final = 98
_SERVER: Final = "--bootstrap-server HOST:PORT"
_DYNAMIC: Final = frozenset(
    {
        "background.threads",
        "compression.type",
        "log.cleaner.threads",
        "log.flush.interval.messages",
        "log.flush.interval.ms",
        "log.segment.bytes",
        "message.max.bytes",
        "min.insync.replicas",
        "num.io.threads",
        "num.network.threads",
        "num.recovery.threads.per.data.dir",
        "num.replica.fetchers",
        "unclean.leader.election.enable",
    }
)
"""Broker properties that kafka-configs sets for all brokers while they run (Kafka's DynamicBrokerConfig)."""

_POOLS: Final = frozenset(
    {
        "background.threads",
        "log.cleaner.threads",
        "num.io.threads",
        "num.network.threads",
        "num.recovery.threads.per.data.dir",
        "num.replica.fetchers",
    }
)
"""Of these Kafka refuses more than double and less than half of what a broker has.

So do its DynamicThreadPool and its LogCleaner.
"""

_IDEMPOTENT_IN_FLIGHT: Final = 5
_ALL: Final = ("all", "-1")


@dataclass(frozen=True)
class Handover:
    """A configuration to be handed over.

    Attributes:
        study: the study's name.
        scenario: with the recommended values in place.
        chosen: the paths of the values that the study chose; all else is as the scenario had it.
        headline: what was found, for the head of each file.
    """

    study: str
    scenario: Scenario
    chosen: Collection[str]
    headline: str

    def chosen_of(self, group: str) -> list[str]:
        """What the study chose of a group such as topics.orders: config.retention.ms, partitions."""
        parts = ("producers", "consumers", "topics")
        groups = [f"{part}.{name}" for part in parts for name in getattr(self.scenario, part)]
        return [path.removeprefix(f"{group}.") for path in self.chosen if owner_of(path, groups) == group]


@dataclass(frozen=True)
class _Client:
    """A group's client properties, librdkafka's names, secrets left out."""

    kind: JavaClient
    name: str
    config: Mapping[str, str]
    chosen: frozenset[str]

    @property
    def java_limits(self) -> Mapping[str, JavaSetting]:
        """What Java must have instead of what was measured, by its name."""
        return java_limits(self.kind, self.config)

    def parts(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The properties that the study chose, and those that stay as they were."""
        chosen = {name: value for name, value in self.config.items() if name in self.chosen}
        rest = {name: value for name, value in self.config.items() if name not in self.chosen}
        if chosen:
            yield f"{self.kind} {self.name}, chosen by the study", chosen
        if rest:
            yield f"{self.kind} {self.name}, as in the scenario", rest


@dataclass
class _Settings:
    """What a file sets: each property once, for all its groups, as the last line would win.

    Attributes:
        has: whether a kind of client has a property of a name.
        default: what holds for a kind of client where a property is not set; None where that is not known.
        live: the name and the value of what is set, by the one name that rules use.
        told: what stands under the group at hand, set or as a comment.
        done: the groups before it.
    """

    has: Callable[[JavaClient, str], bool]
    default: Callable[[JavaClient, str], str | None]
    live: dict[str, tuple[str, str]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    done: list[_Client] = field(default_factory=list)

    def assigned(self, name: str, value: str) -> list[str]:
        """The line that sets a property; a comment where an earlier group has another value, or none."""
        known = CANONICAL.get(name, name)
        self.told.add(known)
        if known not in self.live:
            without = self._measured_without(name, value)
            if without is not None:
                why = f"{without} above was measured without it: this group needs a file of its own"
                return [f"# {name}={value}", f"#   is not set: {why}"]
            self.live[known] = name, value
            return [f"{name}={value}"]
        before = self.live[known][1]
        if before == value:
            return [f"# {name}={value}, as above"]
        return [f"# {name}={value}", f"#   is set to {before} above: this group needs a file of its own"]

    def _measured_without(self, name: str, value: str) -> str | None:
        """An earlier group that could have set a property to another value than its default, and did not."""
        for one in self.done:
            # Java's default of idempotence gives way to acks that rule it out; where it is set, they clash.
            is_default = self.default(one.kind, name) == value and name != "enable.idempotence"
            if self.has(one.kind, name) and not is_default:
                return f"{one.kind} {one.name}"
        return None

    def end_group(self, client: _Client) -> Iterator[str]:
        """What earlier groups set, and this one was measured without."""
        for known, (name, value) in self.live.items():
            is_default = self.default(client.kind, name) == value
            if known not in self.told and self.has(client.kind, name) and not is_default:
                whose = f"{client.kind} {client.name}"
                told = f"# {name} is set to {value} above, and was not for {whose}"
                yield f"{told}, which needs a file of its own"
        self.told.clear()
        self.done.append(client)


def _librdkafka_has(kind: JavaClient, name: str) -> bool:
    return name in known_properties() and kind in known_properties()[name].clients


def _librdkafka_default(_kind: JavaClient, name: str) -> str | None:
    return DEFAULTS["librdkafka"].get(CANONICAL.get(name, name))


def librdkafka_properties(handover: Handover) -> str:
    """The file for librdkafka and the clients that stand on it (confluent-kafka, node-rdkafka and others)."""
    lines = [*_head(handover, "librdkafka clients")]
    settings = _Settings(_librdkafka_has, _librdkafka_default)
    for client in _clients(handover):
        for title, config in client.parts():
            lines += ["", f"# {title}"]
            for name, value in config.items():
                lines += settings.assigned(name, value)
        lines += [*settings.end_group(client), *_left_out(client, handover)]
    return _text([*lines, *_elsewhere(handover)])


def java_properties(handover: Handover) -> str:
    """The file for Java's clients: each property under Java's name, with a comment where the two differ."""
    lines = [*_head(handover, "Java clients"), *_comment(_MEASURED)]
    version = handover.scenario.cluster.kafka_version

    def default(kind: JavaClient, name: str) -> str | None:
        known = definitions(kind, version).get(name)
        return None if known is None else known.default

    settings = _Settings(lambda kind, name: name in definitions(kind, version), default)
    for client in _clients(handover):
        for title, config in client.parts():
            lines += ["", f"# {title}"]
            for name, value in config.items():
                lines += _translated(client, name, value, version, settings)
        lines += [*_java_defaults(client, settings), *settings.end_group(client)]
        lines += _left_out(client, handover)
    return _text([*lines, *_elsewhere(handover)])


_MEASURED: Final = (
    "It was measured with librdkafka. Java's clients batch and queue otherwise: "
    "measure again before relying on the figures."
)


def _clients(handover: Handover) -> list[_Client]:
    """All groups, first those that the study chose something for: what is set for one is set for all."""
    return sorted(_groups(handover), key=lambda client: not client.chosen)


def _groups(handover: Handover) -> Iterator[_Client]:
    scenario = handover.scenario
    groups: tuple[tuple[JavaClient, str, Mapping[str, str]], ...] = (
        *(("producer", name, spec.config) for name, spec in scenario.producers.items()),
        *(("consumer", name, spec.config) for name, spec in scenario.consumers.items()),
    )
    for kind, name, config in groups:
        chosen = frozenset(field.removeprefix(_CONFIG) for field in handover.chosen_of(f"{kind}s.{name}"))
        yield _Client(kind, name, {key: value for key, value in config.items() if not is_secret(key)}, chosen)


def _head(handover: Handover, whose: str) -> Iterator[str]:
    yield f"# {whose}: the configuration that study {handover.study} confirmed"
    yield from _comment(handover.headline)


def _comment(sentence: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(sentence, _WIDTH)]


def _translated(client: _Client, name: str, value: str, version: str, settings: _Settings) -> Iterator[str]:
    setting = java_setting(client.kind, name, value, client.config, version)
    if setting.name is None or setting.value is None:
        yield f"# {name}={value} is librdkafka's: {setting.note}"
        return
    if setting.name in client.java_limits:
        return  # it is told with what Java must have instead
    if _too_many_in_flight(setting.name, setting.value, client.config):
        yield f"# measured: {name}={value}, with enable.idempotence=false, librdkafka's default"
        yield from _comment(f"{setting.note}; so this is the most that keeps what Java's default guarantees")
        yield from settings.assigned(setting.name, str(_IDEMPOTENT_IN_FLIGHT))
        return
    if setting.note is not None:
        was = "" if (setting.name, setting.value) == (name, value) else f" (librdkafka: {name}={value})"
        yield f"# {setting.note}{was}"
    yield from settings.assigned(setting.name, setting.value)


def _too_many_in_flight(name: str, value: str, config: Mapping[str, str]) -> bool:
    """Whether Java would refuse the value beside its default of enable.idempotence."""
    return (
        name == "max.in.flight.requests.per.connection"
        and int(value) > _IDEMPOTENT_IN_FLIGHT
        and config.get("enable.idempotence") != "false"
    )


_SOCKET_BUFFER: Final = "librdkafka leaves it to the operating system; Java's default is {}"
_SEND_BUFFER: Final = ("send.buffer.bytes", "-1", _SOCKET_BUFFER.format(131072))
_DIFFERENT_DEFAULTS: Final[Mapping[JavaClient, Mapping[str, tuple[str, str, str]]]] = {
    "producer": {
        "linger.ms": ("linger.ms", "5", "Java's default is 5 from Kafka 4.0 on, and 0 before"),
        "batch.size": ("batch.size", "1000000", "Java's default is 16384"),
        "delivery.timeout.ms": ("delivery.timeout.ms", "300000", "Java's default is 120000"),
        "socket.send.buffer.bytes": _SEND_BUFFER,
        "socket.receive.buffer.bytes": ("receive.buffer.bytes", "-1", _SOCKET_BUFFER.format(32768)),
    },
    "consumer": {
        "isolation.level": ("isolation.level", "read_committed", "Java's default is read_uncommitted"),
        "socket.send.buffer.bytes": _SEND_BUFFER,
        "socket.receive.buffer.bytes": ("receive.buffer.bytes", "-1", _SOCKET_BUFFER.format(65536)),
    },
}
"""Where Java's default is another, and would change what was measured: by librdkafka's name Java's, with
librdkafka's default."""

_OTHER_NAMES: Final = {name: alias for alias, name in CANONICAL.items()}
_IDEMPOTENCE: Final = "measured: enable.idempotence=false, librdkafka's default. "
_SAFER: Final = "Java's is true, the safer, and is left so here"
_OFF_BY_ITSELF: Final = "Java switches it off by itself beside acks or retries that rule it out, as here"
_IN_FLIGHT: Final = (
    "measured: max.in.flight=1000000, librdkafka's default. Java's is 5, the most that keeps the order"
)
_BUFFER: Final = (
    "Java's buffer.memory is 32 MiB, of which each partition takes batch.size while it is written"
    " to: raise it where batch.size times the partitions of a topic comes near to that"
)


def _java_defaults(client: _Client, settings: _Settings) -> Iterator[str]:
    """What was measured because it is librdkafka's default, and is not Java's."""
    missing = {
        name: each
        for name, each in _DIFFERENT_DEFAULTS[client.kind].items()
        if not {name, _OTHER_NAMES.get(name)} & client.config.keys() and name not in client.java_limits
    }
    if missing:
        yield from ("", f"# {client.kind} {client.name}, librdkafka's defaults where Java has another")
    for name, value, note in missing.values():
        yield from (f"# {note}", *settings.assigned(name, value))
    for limit in client.java_limits.values():
        yield from ("", *_comment(str(limit.note)), *settings.assigned(str(limit.name), str(limit.value)))
    if client.kind == "producer":
        yield from _of_producers(client)


def _of_producers(client: _Client) -> Iterator[str]:
    """What a producer has as librdkafka's default, and what that is in Java."""
    given = {CANONICAL.get(name, name): value for name, value in client.config.items()}
    if "enable.idempotence" not in given:
        ruled_out = given.get("acks", "all") not in _ALL or given.get("retries") == "0"
        yield from _comment(_IDEMPOTENCE + (_OFF_BY_ITSELF if ruled_out else _SAFER))
    if not {"max.in.flight.requests.per.connection", "enable.idempotence"} & given.keys():
        yield f"# {_IN_FLIGHT}"
    if "queue.buffering.max.kbytes" not in given:
        counted = (
            "" if "queue.buffering.max.messages" in given else " and queue.buffering.max.messages=100000"
        )
        plural = "s" if counted else ""
        kept = f"measured: queue.buffering.max.kbytes=1048576{counted}, librdkafka's default{plural}."
        yield from _comment(f"{kept} {_BUFFER}")
    if "partitioner" not in given:
        yield f"# {DEFAULT_PARTITIONER_NOTE}"


def _left_out(client: _Client, handover: Handover) -> Iterator[str]:
    groups = handover.scenario.producers if client.kind == "producer" else handover.scenario.consumers
    for name in groups[client.name].config:
        if is_secret(name):
            yield f"# {name} is a secret and is not written"


def _elsewhere(handover: Handover) -> Iterator[str]:
    """Numbers of processes, and settings of topics and brokers, as comments."""
    lines = [*_processes(handover), *_topics(handover), *_brokers(handover)]
    if lines:
        yield from ("", "# Not the client's to set:", *(f"# {line}" for line in lines))


def _processes(handover: Handover) -> Iterator[str]:
    """The processes of a group, where the study chose how many."""
    scenario = handover.scenario
    for kind, groups in (("producer", scenario.producers), ("consumer", scenario.consumers)):
        for name, spec in groups.items():
            if "workers" in handover.chosen_of(f"{kind}s.{name}"):
                yield f"{kind} {name}: measured with {spec.workers} processes, each with a client of its own"


def _topics(handover: Handover) -> Iterator[str]:
    for spec_name, spec in handover.scenario.topics.items():
        for setting in handover.chosen_of(f"topics.{spec_name}"):
            for topic in spec.names(spec_name):
                yield from _topic(topic, setting, spec.partitions, spec.replication_factor, spec.config)


def _topic(
    topic: str, field: str, partitions: int, replication_factor: int, config: Mapping[str, str]
) -> Iterator[str]:
    if field == "partitions":
        yield f"topic {topic}: {partitions} partitions. Kafka only adds some, and keys move to others then:"
        yield f"  kafka-topics.sh {_SERVER} --alter --topic {topic} --partitions {partitions}"
    elif field == "replication_factor":
        yield f"topic {topic}: replication factor {replication_factor}, by kafka-reassign-partitions.sh"
    else:
        name = field.removeprefix(_CONFIG)
        yield f"topic {topic}: {name}={config[name]}"
        to_topic = f"--alter --entity-type topics --entity-name {topic}"
        yield f"  kafka-configs.sh {_SERVER} {to_topic} {_add_config(name, config[name])}"


def _add_config(name: str, value: str) -> str:
    """The option that sets a property; kafka-configs takes a list only in brackets (its ConfigCommand)."""
    return f"--add-config {name}=[{value}]" if "," in value else f"--add-config {name}={value}"


def _brokers(handover: Handover) -> Iterator[str]:
    cluster = handover.scenario.cluster
    for path in handover.chosen:
        if path.startswith("cluster.config."):
            yield from _broker(path.removeprefix("cluster.config."), cluster.config)
        elif path == "cluster.resources.heap" and cluster.resources and cluster.resources.heap_bytes:
            size = cluster.resources.heap_bytes // 2**20
            yield f'brokers: KAFKA_HEAP_OPTS="-Xms{size}m -Xmx{size}m" in the environment, then a restart'
        elif path.startswith("cluster."):
            yield f"cluster: {path.removeprefix('cluster.')}, see the study"


def _broker(name: str, config: Mapping[str, str]) -> Iterator[str]:
    if name in _DYNAMIC:
        yield f"brokers: {name}={config[name]}"
        to_all = "--alter --entity-type brokers --entity-default"
        if name in _POOLS:
            yield "  Kafka refuses more than double or less than half of what it is: go there in steps"
        yield f"  kafka-configs.sh {_SERVER} {to_all} {_add_config(name, config[name])}"
    else:
        yield f"brokers: {name}={config[name]}, in each server.properties; then restart one after the other"


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"

"""What a property of librdkafka is for Java's clients: name, value, and what it means there.

Java's names, types, ranges and defaults are those of Kafka's own jars (tools/kafka_properties.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from loadlab.client.property_table import CANONICAL, NEW_PROTOCOL
from loadlab.scenario.client_settings import DEFAULTS
from loadlab.scenario.kafka_properties import definitions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JavaClient = Literal["producer", "consumer"]


@dataclass(frozen=True)
class JavaSetting:
    """A property of librdkafka as Java's clients have it.

    Attributes:
        name: Java's name; None where it has no such property.
        value: Java's value; None where the value has no counterpart.
        note: what differs in name, type or meaning, a sentence without a full stop; None where nothing does.
    """

    name: str | None
    value: str | None
    note: str | None = None


@dataclass(frozen=True)
class _Rule:
    """How one property is translated.

    Attributes:
        name: Java's name; None for the same name.
        convert: makes Java's value of librdkafka's; None of it where there is no counterpart.
        note: as JavaSetting's.
    """

    name: str | None = None
    convert: Callable[[str], str | None] = str
    note: str | None = None


def _whole_ms(value: str) -> str:
    """Whole milliseconds; a wait that there is stays one."""
    ms = float(value)
    return str(max(1, round(ms))) if ms > 0 else "0"


def _system_buffer(value: str) -> str:
    return "-1" if value == "0" else value


def _kib_as_bytes(value: str) -> str:
    return str(int(value) * 1024)


_ASSIGNORS: Final = {
    "cooperative-sticky": "CooperativeStickyAssignor",
    "range": "RangeAssignor",
    "roundrobin": "RoundRobinAssignor",
}
_RESETS: Final = {
    "beginning": "earliest",
    "earliest": "earliest",
    "smallest": "earliest",
    "end": "latest",
    "largest": "latest",
    "latest": "latest",
    "error": "none",
}


def _assignors(value: str) -> str | None:
    names = [_ASSIGNORS.get(name.strip()) for name in value.split(",")]
    package = "org.apache.kafka.clients.consumer"
    return None if None in names else ",".join(f"{package}.{name}" for name in names)


_IDLE: Final = _Rule(
    convert=lambda value: "-1" if value == "0" else value, note="-1 in Java is 0 in librdkafka: never"
)
_SEND_BUFFER: Final = _Rule(
    "send.buffer.bytes", _system_buffer, "the operating system's own size is -1 in Java, 0 in librdkafka"
)
_RECEIVE_BUFFER: Final = _Rule("receive.buffer.bytes", _system_buffer, _SEND_BUFFER.note)
_IN_FLIGHT: Final = _Rule(
    "max.in.flight.requests.per.connection",
    note="Java refuses more than 5 of an idempotent producer, which it is by default",
)
_LINGER: Final = _Rule("linger.ms", _whole_ms, "a whole number of ms in Java; librdkafka takes fractions")
_RETRIES: Final = _Rule("retries", note="message.send.max.retries is librdkafka's other name for it")
_FOR_EVER: Final = "2147483647"
_DELIVERY: Final = _Rule(
    "delivery.timeout.ms",
    lambda value: _FOR_EVER if value == "0" else value,
    "Java refuses less than linger.ms and request.timeout.ms together; 0, for ever in librdkafka, is"
    f" {_FOR_EVER} there",
)
_PARTITION_FETCH: Final = _Rule("max.partition.fetch.bytes")

_RULES: Final[Mapping[str, _Rule]] = {
    "auto.offset.reset": _Rule(convert=_RESETS.get),
    "batch.size": _Rule(
        note="Java sets so much of buffer.memory aside for each partition it is filling a batch for;"
        " for librdkafka it is only the most that a batch may have"
    ),
    "compression.codec": _Rule("compression.type"),
    "connections.max.idle.ms": _IDLE,
    "delivery.timeout.ms": _DELIVERY,
    "fetch.error.backoff.ms": _Rule(
        "retry.backoff.ms", note="in Java it is the wait before any request again"
    ),
    "fetch.message.max.bytes": _PARTITION_FETCH,
    "fetch.wait.max.ms": _Rule("fetch.max.wait.ms", note="the same, with its words in another order"),
    "linger.ms": _LINGER,
    "max.in.flight": _IN_FLIGHT,
    "max.in.flight.requests.per.connection": _IN_FLIGHT,
    "message.max.bytes": _Rule(
        "max.request.size", note="Java's limit is that of a whole request, librdkafka's that of a message"
    ),
    "message.send.max.retries": _RETRIES,
    "message.timeout.ms": _DELIVERY,
    "partition.assignment.strategy": _Rule(convert=_assignors, note="Java names classes"),
    "queue.buffering.max.kbytes": _Rule(
        "buffer.memory",
        _kib_as_bytes,
        "in bytes; Java's send() waits for room (max.block.ms) where librdkafka refuses the record",
    ),
    "queue.buffering.max.ms": _LINGER,
    "request.required.acks": _Rule("acks"),
    "socket.connection.setup.timeout.ms": _Rule(
        "socket.connection.setup.timeout.max.ms", note="Java begins with a shorter one and grows to this"
    ),
    "socket.receive.buffer.bytes": _RECEIVE_BUFFER,
    "socket.send.buffer.bytes": _SEND_BUFFER,
    "topic.metadata.refresh.interval.ms": _Rule(
        "metadata.max.age.ms", lambda value: None if value == "-1" else value
    ),
}

_UNKNOWN: Final[Mapping[str, str]] = {
    "batch.num.messages": "Java ends a batch by its bytes and by linger.ms only",
    "queue.buffering.max.messages": "Java's queue is limited in bytes only, by buffer.memory",
    "queued.max.messages.kbytes": "Java holds no more than it has fetched, by fetch.max.bytes",
    "queued.min.messages": "Java fetches the next batch of a partition when poll() has taken the last",
    "socket.nagle.disable": "Java always sends at once",
    "sticky.partitioning.linger.ms": "Java goes on to another partition after batch.size bytes",
}
_NO_COUNTERPART: Final = "Java's clients have no such property"
_SECURITY: Final = ("sasl.", "ssl.", "security.", "https.", "enable.ssl.", "enable.sasl.")

# lz4's levels below 3 are liblz4's fast compressor, and Java's is that of its default level, 9 (KIP-390;
# LZ4HC_CLEVEL_MIN of liblz4, Lz4BlockOutputStream of Kafka).
_LZ4_FAST: Final = "this is lz4's fast compressor, which is Java's default: leave compression.lz4.level out"
_LZ4_APART: Final[Mapping[int, str]] = {
    **dict.fromkeys(range(3), _LZ4_FAST),
    9: "Java's lz4 level 9 is its fast compressor, and librdkafka's is not: take compression.lz4.level=10",
}

_PARTITIONERS: Final[Mapping[str, tuple[str | None, str | None, str]]] = {
    "murmur2": (
        None,
        None,
        "Java's default places keys so; records without a key stick to a partition there",
    ),
    "murmur2_random": (None, None, "Java's default places keys so, and needs no setting"),
    "random": ("partitioner.ignore.keys", "true", "Java's way to place records whatever their key"),
}
DEFAULT_PARTITIONER_NOTE: Final = (
    "a key goes to another partition than with librdkafka's default, consistent_random (CRC32):"
    " Java's is murmur2. Where both write to a topic, give librdkafka partitioner=murmur2_random"
)


def java_setting(
    client: JavaClient, name: str, value: str, config: Mapping[str, str], kafka_version: str
) -> JavaSetting:
    """A property of librdkafka as Java's clients have it.

    Args:
        client: whose it is.
        name: librdkafka's name.
        value: as librdkafka takes it.
        config: all properties of the client: what a level means depends on the codec beside it.
        kafka_version: of Java's clients.
    """
    if name.startswith(_SECURITY):
        return JavaSetting(None, None, "security is set up otherwise in Java; it is not translated")
    if name == "compression.level":
        return _level(client, value, config, kafka_version)
    if name == "group.remote.assignor" and config.get("group.protocol") != NEW_PROTOCOL:
        return JavaSetting(
            None, None, f"without group.protocol={NEW_PROTOCOL} it changes nothing, and Java refuses it"
        )
    if name == "partitioner":
        placed = _PARTITIONERS.get(value, (None, None, f"Java has no partitioner like {value}"))
        return JavaSetting(*placed)
    rule = _RULES.get(name, _Rule())
    java_name, converted = rule.name or name, rule.convert(value)
    if java_name not in definitions(client, kafka_version):
        return JavaSetting(None, None, _UNKNOWN.get(name, _NO_COUNTERPART))
    note = rule.note or _renamed(name, rule)
    return JavaSetting(java_name, converted, note if converted is not None else "Java has no such value")


def java_limits(client: JavaClient, config: Mapping[str, str]) -> dict[str, JavaSetting]:
    """What Java's clients must have instead of what was measured, as they refuse the values together.

    Args:
        client: whose the properties are.
        config: all of them; librdkafka's names and values.

    Returns:
        By Java's name, each with the reason. The rules are those of KafkaProducer's configureDeliveryTimeout,
        of its BufferPool, which gives no batch more than there is, and of the consumer's Heartbeat.
    """
    given = {CANONICAL.get(name, name): value for name, value in config.items()}
    in_force = {**DEFAULTS["librdkafka"], **given}
    return _producer_limits(in_force) if client == "producer" else _consumer_limits(in_force)


def _consumer_limits(in_force: Mapping[str, str]) -> dict[str, JavaSetting]:
    session, heartbeat = in_force["session.timeout.ms"], in_force["heartbeat.interval.ms"]
    if in_force.get("group.protocol") == NEW_PROTOCOL or int(heartbeat) < int(session):
        return {}
    note = (
        f"measured: heartbeat.interval.ms={heartbeat}. Java refuses what is not less than session.timeout.ms"
    )
    return {"heartbeat.interval.ms": JavaSetting("heartbeat.interval.ms", str(int(session) // 3), note)}


def _producer_limits(in_force: Mapping[str, str]) -> dict[str, JavaSetting]:
    limits = {}
    batch, buffer = in_force["batch.size"], _kib_as_bytes(in_force["queue.buffering.max.kbytes"])
    if int(batch) > int(buffer):
        note = f"measured: batch.size={batch}. Java can't send any record where it is more than buffer.memory"
        limits["batch.size"] = JavaSetting("batch.size", buffer, note)
    request, delivery = in_force["request.timeout.ms"], in_force["delivery.timeout.ms"]
    left = int(delivery) - int(_whole_ms(in_force["linger.ms"]))
    if delivery != "0" and left < int(request):
        note = (
            f"measured: request.timeout.ms={request}. Java refuses more than what linger.ms leaves of"
            " delivery.timeout.ms"
        )
        limits["request.timeout.ms"] = JavaSetting("request.timeout.ms", str(max(1, left)), note)
    return limits


def _renamed(name: str, rule: _Rule) -> str | None:
    return f"librdkafka calls it {name}" if rule.name not in {None, name} else None


def _level(client: JavaClient, value: str, config: Mapping[str, str], kafka_version: str) -> JavaSetting:
    """compression.level, which Java has once for each codec that has levels, from Kafka 3.8 on."""
    codec = config.get("compression.type", config.get("compression.codec", "none"))
    java_name = f"compression.{codec}.level"
    known = definitions(client, kafka_version).get(java_name)
    if known is None:
        return JavaSetting(None, None, f"{codec} has no levels in Java")
    note = "Java has a level for each codec, from Kafka 3.8 on"
    if value == "-1" and codec != "gzip":
        return JavaSetting(
            None, None, f"{java_name} is best left out: -1 is librdkafka's word for the default"
        )
    level = int(value)
    if codec == "gzip" and level == 0:
        return JavaSetting(
            None, None, "Java's gzip has no level 0, which is none: take compression.type=none"
        )
    if codec == "lz4" and level in _LZ4_APART:
        return JavaSetting(None, None, _LZ4_APART[level])
    if codec == "lz4":
        note += "; lz4's is its high compressor, as in librdkafka from 3 on"
    if (known.lowest is not None and level < known.lowest) or (
        known.highest is not None and level > known.highest
    ):
        return JavaSetting(None, None, f"{java_name} goes from {known.lowest} to {known.highest}")
    return JavaSetting(java_name, value, note)

"""Properties of Java's clients in librdkafka's terms: other names, other units, other words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.client.java_properties import COUNTERPARTS
from loadlab.client.properties import PropertyProblem, resolve_property

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadlab.client.property_table import Client

_CLASSES: Final[Mapping[str, str]] = {
    "DefaultPartitioner": "murmur2_random",
    "RoundRobinPartitioner": "random",
    "UniformStickyPartitioner": "random",
}
"""Kafka's own partitioners by their class, and what in librdkafka comes nearest."""

_ASSIGNORS: Final[Mapping[str, str]] = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "CooperativeStickyAssignor": "cooperative-sticky",
}
"""Kafka's own assignors that librdkafka has, by their class."""

_WORDS: Final = frozenset(
    ("security.protocol", "isolation.level", "compression.type", "auto.offset.reset", "group.protocol")
)
_OF_CODE: Final = "partitioner.class"
_COOPERATIVE: Final = "cooperative-sticky"
_ASSIGNED_BY: Final = "partition.assignment.strategy"
_CONSUMERS: Final = "org.apache.kafka.clients.consumer."
_PARTITIONERS: Final = "org.apache.kafka.clients.producer."
_ZERO_FOR_MINUS_ONE: Final = frozenset(
    {"connections.max.idle.ms", "send.buffer.bytes", "receive.buffer.bytes"}
)
"""What is without a limit, or the operating system's own, by -1 in Java and by 0 in librdkafka."""

_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_SAME_MEANING: Final = frozenset(COUNTERPARTS) - {
    "sasl.jaas.config",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
}
"""What can be translated one by one; security needs all of a file's properties together."""


@dataclass(frozen=True)
class Translated:
    """A property that librdkafka has.

    Attributes:
        name: librdkafka's.
        value: in librdkafka's unit.
    """

    name: str
    value: str


@dataclass(frozen=True)
class Untranslatable:
    """A property that librdkafka can't be given.

    Attributes:
        reason: why, in one sentence without a full stop.
        at_key: whether librdkafka has no such property for the client, whatever its value.
        suggestion: the name or value that was probably meant, or None.
    """

    reason: str
    at_key: bool = False
    suggestion: str | None = None


def translated(client: Client, name: str, value: str) -> Translated | Untranslatable:
    """A property of Java's producer or consumer, by its own name, as librdkafka takes it.

    Args:
        client: which of the two it is given to.
        name: Java's name of it; librdkafka's own are taken too.
        value: as Java takes it.
    """
    try:
        target = COUNTERPARTS[name] if name in _SAME_MEANING else name
        found = resolve_property(client, target, _value(name, value))
    except ValueError as error:
        return Untranslatable(str(error), at_key=name == _OF_CODE)
    if isinstance(found, PropertyProblem):
        return Untranslatable(found.message, found.at_key, found.suggestion)
    return Translated(target, found)


def of_another_codec(name: str, codec: str) -> bool:
    """Whether a property is the level of a codec that is not in use: librdkafka has one level for all."""
    is_level = name.startswith("compression.") and name.endswith(".level")
    return is_level and COUNTERPARTS.get(name) is not None and name != f"compression.{codec}.level"


def _value(name: str, value: str) -> str:
    """A value in the unit and words of librdkafka's counterpart."""
    if name == "batch.size" and value == "0":
        return "1"  # no batches: librdkafka's least, which the first record of a batch exceeds
    if name in _BY_RULE:
        return _BY_RULE[name](value)
    if name in _ZERO_FOR_MINUS_ONE and value == "-1":
        return "0"
    if name in _WORDS:
        return value.lower()  # some of them Java takes in any case; of the others the linter tells
    return value


def _assignor(value: str) -> str:
    word = _ASSIGNORS.get(value.removeprefix(_CONSUMERS), value)
    if word not in _ASSIGNORS.values():
        raise ValueError(f"librdkafka has no such assignor; it has {', '.join(_ASSIGNORS.values())}")
    return word


def _kibibytes(value: str) -> str:
    if not _WHOLE.fullmatch(value):
        raise ValueError(f'must be a whole number of bytes, not "{value}"')
    return str(max(1, int(value) // 1024))


def _partitioner(value: str) -> str:
    known = _CLASSES.get(value.removeprefix(_PARTITIONERS))
    if known is None:
        raise ValueError("it names Java code; librdkafka has partitioner: murmur2_random, random and others")
    return known


def _assignors(value: str) -> str:
    """The words of a list, of which Java goes by the first; librdkafka takes lists of one protocol only."""
    words = [_assignor(each.strip()) for each in value.split(",")]
    return ",".join(word for word in words if (word == _COOPERATIVE) == (words[0] == _COOPERATIVE))


_BY_RULE: Final[Mapping[str, Callable[[str], str]]] = {
    "buffer.memory": _kibibytes,
    _OF_CODE: _partitioner,
    _ASSIGNED_BY: _assignors,
}

"""Checks topic and broker properties against Kafka's own list, which also has those of Java's clients.

tools/kafka_properties.py takes that list from Kafka's jars; it says how to make it anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

from loadlab import units
from loadlab.client.properties import PropertyProblem
from loadlab.client.property_table import known_properties
from loadlab.hints import near

if TYPE_CHECKING:
    from collections.abc import Mapping

Owner = Literal["topic", "broker", "producer", "consumer"]
"""Producer and consumer are Java's: librdkafka has its own list (client/property_table.py)."""
Limit = int | float | None

_PLACES: Final = "loadlab places the brokers and finds them again by it"
OWNED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "advertised.listeners",
            "broker.id",
            "inter.broker.listener.name",
            "listener.security.protocol.map",
            "listeners",
            "log.dir",
            "log.dirs",
            "metadata.log.dir",
            "node.id",
            "process.roles",
            "security.inter.broker.protocol",
        ),
        _PLACES,
    ),
}
"""Broker properties that the provider sets, each with the reason."""
_OWNED_PREFIXES: Final = ("controller.quorum.bootstrap", "controller.quorum.voters", "controller.listener")

_BESIDE: Final = {
    "partitions": "partitions",
    "num.partitions": "partitions",
    "replication.factor": "replication_factor",
    "replication_factor": "replication_factor",
}
"""What a topic is made with, and is no property of it."""

_BITS: Final = {"SHORT": 16, "INT": 32, "LONG": 64}
_WHOLE: Final = re.compile(r"[-+]?[0-9]+")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


LISTED: Final = ("3.9.1", "4.3.1")
"""The versions whose properties are known: each stands for all of its major version."""


def is_kafka_3(version: str) -> bool:
    """Whether a version is of Kafka 3, and not of a later one."""
    return version.startswith("3.")


@dataclass(frozen=True)
class Definition:
    """What Kafka says of a property.

    Attributes:
        kind: Kafka's type: INT, LONG, SHORT, DOUBLE, BOOLEAN, STRING, LIST, CLASS or PASSWORD.
        lowest: the lowest value, or None.
        highest: the highest value, or None.
        choices: the values that it may have, or that its list may hold; empty where they are free.
        default: what holds where it is not set, in the unit of its name; None where there is none.
    """

    kind: str
    lowest: Limit
    highest: Limit
    choices: tuple[str, ...]
    default: str | None


def is_owned(name: str) -> bool:
    """Whether a broker property is the provider's to set."""
    return name in OWNED or name.startswith(_OWNED_PREFIXES)


@cache
def definitions(owner: Owner, kafka_version: str) -> Mapping[str, Definition]:
    """Kafka's properties by name, as the version has them that stands for this one."""
    text = resources.files("loadlab.scenario").joinpath("kafka_properties.json").read_text("utf-8")
    third, later = LISTED
    listed = json.loads(text)[third if is_kafka_3(kafka_version) else later][owner]
    return {
        name: Definition(kind, lowest, highest, tuple(choices), default)
        for name, (kind, lowest, highest, choices, default) in listed.items()
    }


def resolve_property(owner: Owner, kafka_version: str, name: str, value: str) -> str | PropertyProblem:
    """A property's value as Kafka takes it: checked, and in the unit of the property's name."""
    if owner == "broker" and is_owned(name):
        return PropertyProblem(name, f"can't be set: {OWNED.get(name, _PLACES)}", at_key=True)
    known = definitions(owner, kafka_version)
    if name not in known:
        return _unknown(owner, kafka_version, name, known)
    definition = known[name]
    try:
        plain = units.property_value(name, value) if definition.kind in {*_BITS, "DOUBLE"} else value
    except units.UnitError as error:
        return PropertyProblem(name, str(error), error.suggestion)
    message = _refused(definition, plain)
    return plain if message is None else PropertyProblem(name, message, near(plain, definition.choices))


def _unknown(owner: Owner, kafka_version: str, name: str, known: Mapping[str, Definition]) -> PropertyProblem:
    """Tells of a name that the owner doesn't have; the other owner often has it, with or without ``log.``."""
    message = f"Kafka {kafka_version} has no {owner} property of this name"
    third, later = LISTED
    other = later if is_kafka_3(kafka_version) else third
    if name in definitions(owner, other):
        return PropertyProblem(name, f"{message}; Kafka {other} has", at_key=True)
    if owner == "topic" and name in _BESIDE:
        return PropertyProblem(name, f"stands beside config: topics.NAME.{_BESIDE[name]}", at_key=True)
    if name in known_properties():
        message = "is a property of clients: producers.NAME.config or consumers.NAME.config"
        return PropertyProblem(name, message, at_key=True)
    twin = f"log.{name}" if owner == "broker" else name.removeprefix("log.")
    free = [other for other in known if owner == "topic" or not is_owned(other)]
    suggestion = twin if twin in free else near(name, free)
    return PropertyProblem(name, message, suggestion, at_key=True)


def _refused(definition: Definition, value: str) -> str | None:
    """Why a value is wrong, or None."""
    match definition.kind:
        case "BOOLEAN":
            return None if value.lower() in {"true", "false"} else f'must be true or false, not "{value}"'
        case "INT" | "LONG" | "SHORT":
            return _refused_whole(definition, value)
        case "DOUBLE":
            if not _NUMBER.fullmatch(value):
                return f'must be a number, not "{value}"'
            return _out_of_range(float(value), definition.lowest, definition.highest)
        case "LIST":
            return _not_among([part.strip() for part in value.split(",") if part.strip()], definition.choices)
    return _not_among([value], definition.choices)


def _refused_whole(definition: Definition, value: str) -> str | None:
    if not _WHOLE.fullmatch(value) or len(value) > len(str(2**63)) + 1:
        return f'must be a whole number, not "{value}"'
    limit = 2 ** (_BITS[definition.kind] - 1)
    lowest = -limit if definition.lowest is None else definition.lowest
    highest = limit - 1 if definition.highest is None else definition.highest
    return _out_of_range(int(value), lowest, highest)


def _out_of_range(number: float, lowest: Limit, highest: Limit) -> str | None:
    if lowest is not None and number < lowest:
        return f"must be at least {lowest}, not {number}"
    if highest is not None and number > highest:
        return f"must be at most {highest}, not {number}"
    return None


def _not_among(values: list[str], choices: tuple[str, ...]) -> str | None:
    wrong = next((value for value in values if choices and value not in choices), None)
    return None if wrong is None else f'must be one of {", ".join(choices)}, not "{wrong}"'

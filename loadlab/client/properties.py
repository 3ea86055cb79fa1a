"""Checks client properties against librdkafka itself, before anything starts.

Each property is set on a configuration of librdkafka's, whose own message is told. What librdkafka lets pass
and would then read otherwise than meant is caught here: it takes ``batch.size=64KiB`` for 64, ``5.5`` for 5,
and 4294967396 for 100, what is left of it in 32 bits.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.client.handle import CONSUMER, PRODUCER
from loadlab.client.java_properties import COUNTERPARTS, NOTES, WITHOUT_COUNTERPART
from loadlab.client.library import librdkafka
from loadlab.client.property_table import NOT_BY_TEXT, Client, Property, known_properties, names_for
from loadlab.hints import near

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMITS: Final = "loadlab commits every second and at the end, so that lag can be told"
_CLUSTER: Final = "the cluster gives it; for one of your own set cluster.bootstrap_servers"
_LOG: Final = "loadlab reads the client's log itself"
_TRANSACTIONS: Final = "transactions are not supported"

OWNED: Final[Mapping[str, str]] = {
    "auto.commit.enable": _COMMITS,
    "auto.commit.interval.ms": _COMMITS,
    "bootstrap.servers": _CLUSTER,
    "client.id": "loadlab names each worker's client after its run",
    "delivery.report.only.error": "every record's ack is measured",
    "enable.auto.commit": _COMMITS,
    "enable.auto.offset.store": _COMMITS,
    "enable.partition.eof": "loadlab asks for it where it has to know the end of a partition",
    "enabled_events": "loadlab serves the client's events itself",
    "group.id": "use group_id, beside config",
    "group.instance.id": "all workers of the group would share it",
    "log.queue": _LOG,
    "log_level": _LOG,
    "metadata.broker.list": _CLUSTER,
    "offset.store.method": _COMMITS,
    "plugin.library.paths": "a scenario loads no code",
    "statistics.interval.ms": "loadlab takes the client's statistics itself",
    "transaction.timeout.ms": _TRANSACTIONS,
    "transactional.id": _TRANSACTIONS,
}
"""Properties that a scenario can't set, each with the reason."""

_MECHANISMS: Final = ("GSSAPI", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
ACKS: Final = ("all", "-1", "1", "0")
_CHOICES: Final = {
    "acks": ACKS,
    "request.required.acks": ACKS,
    "partitioner": (
        "random",
        "consistent",
        "consistent_random",
        "murmur2",
        "murmur2_random",
        "fnv1a",
        "fnv1a_random",
    ),
    "sasl.mechanism": _MECHANISMS,
    "sasl.mechanisms": _MECHANISMS,
}
"""Choices that librdkafka's table tells in prose only, and for acks those that brokers take."""

_NUMBERS: Final = {
    "integer": (re.compile(r"[-+]?[0-9]+"), "a whole number"),
    "float": (re.compile(r"[-+]?[0-9]+(\.[0-9]+)?"), "a number"),
}
_INTEGERS: Final = (-(2**31), 2**31 - 1)
"""What librdkafka's integers hold."""
_LONGEST_NUMBER: Final = 20
_ONE_OF: Final = ("enum value", "boolean", "string", "integer")
_ACTS_WHEN_BUILT: Final = ("sasl.", "ssl.engine.", "ssl.providers")
"""Properties by which building a client runs a command, loads code or asks a server: not for a mere check."""

_ERROR_BYTES: Final = 512


@dataclass(frozen=True)
class PropertyProblem:
    """A property that can't be used.

    Attributes:
        name: the property, or None where the properties don't fit each other and none can be named.
        message: what is wrong, in one sentence without a full stop.
        suggestion: what was probably meant, or None.
        at_key: whether the name is wrong, and not the value.
    """

    name: str | None
    message: str
    suggestion: str | None = None
    at_key: bool = False


def resolve_property(client: Client, name: str, value: str) -> str | PropertyProblem:
    """A property's value as librdkafka takes it: checked, and in the unit of the property's name.

    Args:
        client: whose property it is.
        name: librdkafka's name of it.
        value: as written: ``65536``, or ``64KiB`` for a property of bytes, ``5ms`` for one of milliseconds.
    """
    refused = _refused_name(client, name)
    if refused is not None:
        return refused
    known = known_properties()[name]
    written = _as_known(known, value)
    try:
        plain = units.property_value(name, written) if known.kind in _NUMBERS else written
    except units.UnitError as error:
        return PropertyProblem(name, str(error), error.suggestion)
    message = _refused_value(known, plain)
    if message is None:
        return plain
    return PropertyProblem(name, message, near(value, _choices(known)))


def check_together(client: Client, config: Mapping[str, str]) -> PropertyProblem | None:
    """Whether properties that are right one by one fit each other: librdkafka builds a client of them.

    The client has no broker to reach. Where building one does more, as with SASL, the check is left out.
    """
    sasl = config.get("security.protocol", "").lower().startswith("sasl")
    if sasl or any(name.startswith(_ACTS_WHEN_BUILT) for name in config):
        return None
    message = _built(client, config)
    if message is None:
        return None
    named = [name for name in re.findall(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+|acks", message) if name in config]
    return PropertyProblem(named[0] if named else None, f"librdkafka refuses it: {message}")


def _refused_name(client: Client, name: str) -> PropertyProblem | None:
    """What is wrong with a name, or None where the client has such a property and a text can set it."""
    known = known_properties().get(name)
    suggestion = None
    if name in OWNED:
        message = f"can't be set: {OWNED[name]}"
    elif name in COUNTERPARTS:
        suggestion = COUNTERPARTS[name]
        note = f", {NOTES[name]}" if name in NOTES else ""
        message = f"is a property of Java's clients; librdkafka has {suggestion}{note}"
    elif name in WITHOUT_COUNTERPART:
        message = f"is a property of Java's clients without a counterpart: {WITHOUT_COUNTERPART[name]}"
    elif known is None:
        suggestion = near(name, [*names_for(client)])
        message = f"librdkafka has no {client} property of this name"
    elif client not in known.clients:
        message = f"is a {next(iter(known.clients))} property; a {client} has no use for it"
    elif known.kind == NOT_BY_TEXT:
        message = "can't be set in a file: it takes code, not a value"
    else:
        return None
    return PropertyProblem(name, message, suggestion, at_key=True)


def _refused_value(known: Property, value: str) -> str | None:
    """Why a value is wrong, or None."""
    choices = _choices(known)
    if choices and known.kind in _ONE_OF and value not in choices:
        return f'must be one of {", ".join(choices)}, not "{value}"'
    if known.kind in _NUMBERS and known.name not in _CHOICES and not _NUMBERS[known.kind][0].fullmatch(value):
        return f'must be {_NUMBERS[known.kind][1]}, not "{value}"'
    message, read = _set(known.name, value)
    if message is not None:
        return f"librdkafka refuses it: {message}"
    if known.kind == "integer" and known.name not in _CHOICES and _NUMBERS["integer"][0].fullmatch(read):
        lowest, highest = known.bounds or _INTEGERS
        if len(value) > _LONGEST_NUMBER or int(read) != int(value):
            return f"must be {lowest:,} to {highest:,}, not {value}, which librdkafka takes for {read}"
    return None


def _as_known(known: Property, value: str) -> str:
    """One of a property's values as librdkafka's list writes it: Java's documents have SASL_SSL."""
    return next((choice for choice in _choices(known) if choice.lower() == value.lower()), value)


def _choices(known: Property) -> tuple[str, ...]:
    return _CHOICES.get(known.name, known.choices)


def _set(name: str, value: str) -> tuple[str | None, str]:
    """Sets one property on a configuration, and reads it back.

    Returns:
        librdkafka's message, None where it took the value; and what it has now, empty where it can't tell.
    """
    library = librdkafka()
    text = ctypes.create_string_buffer(_ERROR_BYTES)
    size = ctypes.c_size_t(_ERROR_BYTES)
    configuration = library.rd_kafka_conf_new()
    try:
        if library.rd_kafka_conf_set(configuration, name.encode(), value.encode(), text, _ERROR_BYTES):
            return text.value.decode(errors="replace").strip(), ""
        unread = library.rd_kafka_conf_get(configuration, name.encode(), text, ctypes.byref(size))
        return None, "" if unread else text.value.decode(errors="replace")
    finally:
        library.rd_kafka_conf_destroy(configuration)


def _built(client: Client, config: Mapping[str, str]) -> str | None:
    """Builds a client without brokers and drops it; librdkafka's message, or None where it could be built."""
    library = librdkafka()
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    configuration = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set_log_cb(configuration, None)
    # Without a property of topics librdkafka does not look at how those of topics and of the client fit.
    least = {"group.id": "check"} if client == "consumer" else {"acks": "all"}
    for name, value in {**least, **config}.items():
        library.rd_kafka_conf_set(configuration, name.encode(), value.encode(), error, _ERROR_BYTES)
    kind = CONSUMER if client == "consumer" else PRODUCER
    handle = library.rd_kafka_new(kind, configuration, error, _ERROR_BYTES)
    if handle:
        library.rd_kafka_destroy(handle)
        return None
    library.rd_kafka_conf_destroy(configuration)
    return error.value.decode(errors="replace").strip()

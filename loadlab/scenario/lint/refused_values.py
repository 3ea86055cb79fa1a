"""Values in properties files that a client or broker can't start with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from loadlab.client.java_properties import COUNTERPARTS
from loadlab.client.java_translation import Untranslatable, translated
from loadlab.client.properties import OWNED, PropertyProblem
from loadlab.client.property_table import known_properties
from loadlab.scenario.cluster import DEFAULT_KAFKA_VERSION
from loadlab.scenario.kafka_properties import definitions, resolve_property
from loadlab.scenario.secrets import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loadlab.client.property_table import Client
    from loadlab.scenario.client_settings import Flavour

_WHOLE: Final = re.compile(r"[-+]?[0-9]+")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_NUMBERS: Final = frozenset(("integer", "float"))
_WHOLE_KINDS: Final = frozenset(("SHORT", "INT", "LONG"))
_PLACEHOLDER: Final = "${"
"""Begins what Java puts in by a config provider."""

_JAVA_S_CHOICES: Final = frozenset(
    ("acks", "compression.type", "enable.idempotence", "isolation.level", "security.protocol")
)
"""Properties for which Java and librdkafka take the same words."""

_IN_ANY_CASE: Final = frozenset(("enable.idempotence", "security.protocol"))
"""Of them those that Java takes in capitals, too."""

_OFFSET_RESET: Final = "auto.offset.reset"
_OFFSET_RESETS: Final = ("earliest", "latest", "none")
_BY_DURATION: Final = "by_duration:"


def refused_by_client(
    clients: Iterable[Client], given: Mapping[str, str], flavour: Flavour
) -> dict[str, str]:
    """The properties of a client's file whose values can't be, each with what is wrong.

    Of Java's clients only that is told which they refuse for sure: what is no number and no boolean, or out
    of Kafka's range. What may hold a secret is not looked at.

    Args:
        clients: those that the file may be of.
        given: the file.
        flavour: whose client.
    """
    is_java = flavour == "java"
    refused, has = (_refused_by_java, _java_has) if is_java else (_refused_by_librdkafka, _librdkafka_has)
    messages = {
        name: message
        for client in clients
        for name, value in given.items()
        if has(client, name) and not is_secret(name) and _PLACEHOLDER not in value
        if (message := refused(client, name, value))
    }
    return _printable({name: messages[name] for name in given if name in messages})


def refused_by_broker(given: Mapping[str, str]) -> dict[str, str]:
    """The properties of a broker's file whose values Kafka refuses, each with what is wrong."""
    known = definitions("broker", DEFAULT_KAFKA_VERSION)
    messages = {}
    for name, value in given.items():
        if name not in known or is_secret(name) or _PLACEHOLDER in value:
            continue
        found = resolve_property("broker", DEFAULT_KAFKA_VERSION, name, value)
        if known[name].kind in _WHOLE_KINDS and not _WHOLE.fullmatch(value):
            messages[name] = _not(value, "a whole number")
        elif isinstance(found, PropertyProblem) and not found.at_key and known[name].kind != "DOUBLE":
            messages[name] = found.message
    return _printable(messages)


def _librdkafka_has(client: Client, name: str) -> bool:
    known = known_properties().get(COUNTERPARTS.get(name, name))
    return known is not None and client in known.clients and known.name not in OWNED


def _java_has(client: Client, name: str) -> bool:
    return name in definitions(client, DEFAULT_KAFKA_VERSION)


def _refused_by_librdkafka(client: Client, name: str, value: str) -> str | None:
    found = translated(client, name, value)
    if isinstance(found, Untranslatable):
        return None if found.at_key else found.reason
    # Scenarios may write 64KiB, which librdkafka itself would take for 64.
    changed = found.value != value and _kind(name) in _NUMBERS
    return _not(value, "a number") if changed and not _NUMBER.fullmatch(value) else None


def _refused_by_java(client: Client, name: str, value: str) -> str | None:
    if name in _JAVA_S_CHOICES:
        word = value.lower()
        spelt = value if name in _IN_ANY_CASE else word
        return _refused_by_librdkafka(client, name, word) or (None if value == spelt else _not(value, word))
    if name == _OFFSET_RESET:
        is_known = value in _OFFSET_RESETS or value.startswith(_BY_DURATION)
        return None if is_known else _not(value, f"{', '.join(_OFFSET_RESETS)} or {_BY_DURATION}PT…")
    kind = definitions(client, DEFAULT_KAFKA_VERSION)[name].kind
    if kind in _WHOLE_KINDS and not _WHOLE.fullmatch(value):
        return _not(value, "a whole number")
    if kind not in {*_WHOLE_KINDS, "BOOLEAN"}:
        return None
    found = resolve_property(client, DEFAULT_KAFKA_VERSION, name, value)
    return found.message if isinstance(found, PropertyProblem) else None


def _kind(name: str) -> str:
    return known_properties()[COUNTERPARTS.get(name, name)].kind


def _not(value: str, wanted: str) -> str:
    return f'must be {wanted}, not "{value}"'


def _printable(messages: Mapping[str, str]) -> dict[str, str]:
    """The messages on one line each, whatever the file holds."""
    return {
        name: "".join(letter if letter.isprintable() else "�" for letter in message)
        for name, message in messages.items()
    }

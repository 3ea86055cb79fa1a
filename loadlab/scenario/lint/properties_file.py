"""Properties files as the linter sees them: of a Java client, of librdkafka, or of a broker."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loadlab.client.java_properties import COUNTERPARTS, WITHOUT_COUNTERPART
from loadlab.client.java_translation import Translated, of_another_codec, translated
from loadlab.client.property_table import CANONICAL, known_properties
from loadlab.errors import UsageError
from loadlab.hints import HintedError, near
from loadlab.scenario.client_settings import Flavour, Settings
from loadlab.scenario.cluster import DEFAULT_KAFKA_VERSION
from loadlab.scenario.kafka_properties import definitions
from loadlab.scenario.lint.refused_values import refused_by_broker, refused_by_client
from loadlab.scenario.lint.subject import TOPIC_DEFAULTS, Consumer, Producer, Subject, Topic, of_brokers
from loadlab.scenario.properties_text import entries
from loadlab.scenario.source import read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from loadlab.client.property_table import Client

_BROKERS_HAVE: Final = frozenset(
    ("broker.id", "controller.quorum.voters", "listeners", "log.dir", "log.dirs", "node.id", "process.roles")
)
_BOTH_HAVE: Final = frozenset(("socket.connection.setup.timeout.ms",))
_LIBRDKAFKA_HAS: Final = (
    frozenset(CANONICAL) | frozenset(COUNTERPARTS.values()) - frozenset(COUNTERPARTS) - _BOTH_HAVE
)
_ALL_OF_JAVA_S_HAVE: Final = frozenset(("request.timeout.ms", "retry.backoff.ms", "retry.backoff.max.ms"))
"""Names that tell not which of Java's clients a file is, though librdkafka has some for producers only."""

_LIBRDKAFKA_BEGINS: Final = ("queue.", "queued.", "socket.nagle", "socket.keepalive", "batch.num")
_CLIENTS: Final[tuple[Client, ...]] = ("producer", "consumer")
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_A_SLIP: Final = 0.9
"""How alike a slip and the name it was meant to be are. Names that are merely unknown may be Java's."""

_CONSUMERS_HAVE: Final = frozenset(("group.id", "max.poll.records"))


def of_file(path: Path) -> Subject:
    """What a properties file configures.

    Raises:
        UsageError: it can't be read as one.
    """
    try:
        found = entries(read_text(path))
    except HintedError as error:
        raise UsageError(f"{path}: {error}", fix="one key=value a line, # for comments") from error
    places = {entry.key: f"{path}:{entry.line}" for entry in found}
    return replace(of_properties({entry.key: entry.value for entry in found}), places=places)


def of_properties(given: Mapping[str, str]) -> Subject:
    """What properties configure: brokers, a producer, a consumer, or, where they don't tell, both clients."""
    if _BROKERS_HAVE & given.keys():
        factor = given.get("default.replication.factor", "1")
        settings = Settings(of_brokers(given), TOPIC_DEFAULTS)
        replicas = int(factor) if _NUMBER.fullmatch(factor) else None
        topic = Topic("", settings, replicas, inherited=frozenset(settings.given))
        return Subject(
            topics=(topic,),
            misspelt=_misspelt(given, definitions("broker", DEFAULT_KAFKA_VERSION)),
            refused=refused_by_broker(given),
        )
    clients = [client for client in _CLIENTS if _only_for(client, given)] or [*_CLIENTS]
    known = {*known_properties(), *COUNTERPARTS, *WITHOUT_COUNTERPART}
    return Subject(
        producers=(Producer("", "", _settings("producer", given)),) if "producer" in clients else (),
        consumers=(Consumer("", "", _settings("consumer", given)),) if "consumer" in clients else (),
        misspelt=_misspelt(given, known),
        refused=refused_by_client(clients, given, _flavour(given)),
    )


def _misspelt(given: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """The names that are almost a known one; of others that are not known nothing is said."""
    found = {name: near(name, known, likeness=_A_SLIP) for name in given if name not in known}
    return {name: meant for name, meant in found.items() if meant is not None}


def _only_for(client: Client, given: Mapping[str, str]) -> bool:
    """Whether a property is of this client only."""
    if client == "consumer" and _CONSUMERS_HAVE & given.keys():
        return True
    shared = _ALL_OF_JAVA_S_HAVE if _flavour(given) == "java" else frozenset()
    targets = (COUNTERPARTS.get(name, name) for name in given if name not in shared)
    known = (known_properties()[name] for name in targets if name in known_properties())
    return any(found.clients == {client} for found in known)


def _settings(client: Client, given: Mapping[str, str]) -> Settings:
    """A client's settings by librdkafka's names; what it has no such property for is left out."""
    config = dict(given)
    codec = given.get("compression.type", "none").lower()
    for name, value in given.items():
        found = translated(client, name, value)
        if isinstance(found, Translated) and not of_another_codec(name, codec):
            config[found.name] = found.value
    return Settings.of_client(config, _flavour(given))


def _flavour(given: Mapping[str, str]) -> Flavour:
    own = any(name in _LIBRDKAFKA_HAS or name.startswith(_LIBRDKAFKA_BEGINS) for name in given)
    return "librdkafka" if own or any(map(_only_librdkafka_has, given)) else "java"


def _only_librdkafka_has(name: str) -> bool:
    of_java = any(name in definitions(client, DEFAULT_KAFKA_VERSION) for client in _CLIENTS)
    return name in known_properties() and not of_java

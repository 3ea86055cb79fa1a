"""Every properties map of a scenario, checked and written as Kafka writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.client import properties as client_properties
from loadlab.client.properties import PropertyProblem
from loadlab.client.property_table import CANONICAL
from loadlab.hints import HintedError
from loadlab.scenario import kafka_properties
from loadlab.scenario.cluster import DEFAULT_KAFKA_VERSION
from loadlab.scenario.document import Path, value_at
from loadlab.scenario.fields import property_text
from loadlab.scenario.problems import Problem
from loadlab.scenario.secrets import REDACTED, is_secret

if TYPE_CHECKING:
    from loadlab.client.property_table import Client

_GROUPS: Final[Mapping[str, Client]] = {"producers": "producer", "consumers": "consumer"}
_OF_JAVA: Final[Mapping[tuple[str, str], str]] = {("auto.offset.reset", "none"): "error"}
"""Values of Java's clients that librdkafka has under another name."""

Resolver = Callable[[str, str], str | PropertyProblem]


@dataclass(frozen=True)
class _Properties:
    """One properties map of a document, and what its names and values are checked by."""

    path: Path
    values: dict[str, object]
    resolve: Resolver
    client: Client | None = None


def resolve_properties(data: dict[str, object]) -> list[Problem]:
    """Checks every properties map and writes its values as Kafka does, in place.

    What is no mapping, or no plain value, is left for the model to refuse.
    """
    return [problem for properties in _maps(data) for problem in _resolve(properties)]


def _maps(data: Mapping[str, object]) -> Iterator[_Properties]:
    version = value_at(data, ("cluster", "kafka_version"))
    kafka_version = version if isinstance(version, str) else DEFAULT_KAFKA_VERSION
    for path, values in _configs(data, "cluster"):
        yield _Properties(path, values, _kafka_resolver("broker", kafka_version))
    for path, values in _configs(data, "topics"):
        yield _Properties(path, values, _kafka_resolver("topic", kafka_version))
    for kind, client in _GROUPS.items():
        for path, values in _configs(data, kind):
            yield _Properties(path, values, _client_resolver(client), client)


def _configs(data: Mapping[str, object], part: str) -> Iterator[tuple[Path, dict[str, object]]]:
    """The properties maps of a part, with their paths."""
    owners: list[Path] = [(part,)]
    if part != "cluster":
        named = data.get(part)
        owners = [(part, name) for name in named] if isinstance(named, Mapping) else []
    for owner in owners:
        values = value_at(data, (*owner, "config"))
        if isinstance(values, dict):
            yield (*owner, "config"), values


def _kafka_resolver(owner: kafka_properties.Owner, version: str) -> Resolver:
    return lambda name, value: kafka_properties.resolve_property(owner, version, name, value)


def _client_resolver(client: Client) -> Resolver:
    def resolved(name: str, value: str) -> str | PropertyProblem:
        found = client_properties.resolve_property(client, name, value)
        meant = _OF_JAVA.get((name, value.lower()))
        return replace(found, suggestion=meant) if isinstance(found, PropertyProblem) and meant else found

    return resolved


def _resolve(properties: _Properties) -> Iterator[Problem]:
    sound = True
    for name, value in list(properties.values.items()):
        if value == REDACTED and is_secret(name):
            sound = False
            yield Problem((*properties.path, name), "is a secret that was left out of a result: set it again")
            continue
        try:
            resolved = properties.resolve(name, property_text(value))
        except HintedError:
            sound = False  # the model tells of it
            continue
        if isinstance(resolved, str):
            properties.values[name] = resolved
        else:
            sound = False
            yield _problem(properties, resolved)
    twice = list(_twice(properties.values)) if properties.client is not None else []
    for name, before in twice:
        yield Problem(
            (*properties.path, name), f"is the same property as {before}, which is set too", at_key=True
        )
    if sound and not twice and properties.client is not None:
        texts = {name: str(value) for name, value in properties.values.items()}
        apart = client_properties.check_together(properties.client, texts)
        if apart is not None:
            yield _problem(properties, apart)


def _twice(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names that are another word for a property that is there already, each with that one."""
    seen: dict[str, str] = {}
    for name in names:
        before = seen.setdefault(CANONICAL.get(name, name), name)
        if before != name:
            yield name, before


def _problem(properties: _Properties, found: PropertyProblem) -> Problem:
    path = properties.path if found.name is None else (*properties.path, found.name)
    return Problem(path, found.message, found.suggestion, at_key=found.at_key)

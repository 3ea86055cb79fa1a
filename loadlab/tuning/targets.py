"""What a knob's name leads to: a property or a field of the scenario, and which values it may have there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pydantic import ValidationError

from loadlab import units
from loadlab.client import properties as client_properties
from loadlab.client.properties import PropertyProblem
from loadlab.client.property_table import known_properties
from loadlab.hints import HintedError
from loadlab.scenario import kafka_properties
from loadlab.scenario.cluster import LOCAL_RESOURCES, PROVIDER_FIELDS, ClusterSpec, Resources, set_aside
from loadlab.scenario.document import Path, is_property, value_at
from loadlab.scenario.fields import property_text
from loadlab.scenario.overrides import resolve_path
from loadlab.scenario.providers import refusal
from loadlab.scenario.secrets import is_secret
from loadlab.scenario.wording import worded
from loadlab.scenario.workload import ConsumerSpec, ProducerSpec, TopicSpec
from loadlab.tuning.space import ChangeCost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.client.property_table import Client
    from loadlab.scenario import Scenario
    from loadlab.scenario.fields import Model
    from loadlab.tuning.space import Value

Kind = Literal["whole", "number", "switch", "text"]

_COSTS: Final[Mapping[str, ChangeCost]] = {
    "producers": ChangeCost.CLIENT,
    "consumers": ChangeCost.CLIENT,
    "topics": ChangeCost.TOPIC,
    "cluster": ChangeCost.BROKER,
}
_CLIENTS: Final[Mapping[str, Client]] = {"producers": "producer", "consumers": "consumer"}
_FIELDS: Final[Mapping[tuple[str, ...], tuple[type[Model], Kind]]] = {
    ("producers", "*", "workers"): (ProducerSpec, "whole"),
    ("consumers", "*", "workers"): (ConsumerSpec, "whole"),
    ("topics", "*", "partitions"): (TopicSpec, "whole"),
    ("topics", "*", "replication_factor"): (TopicSpec, "whole"),
    ("cluster", "brokers"): (ClusterSpec, "whole"),
    ("cluster", "resources", "cpus"): (Resources, "number"),
    ("cluster", "resources", "memory"): (Resources, "whole"),
    ("cluster", "resources", "heap"): (Resources, "whole"),
}
"""Settings that are no properties and may be searched; trials have all else of the scenario in common."""
_OF_TOPICS: Final = (".partitions", ".replication_factor")
_SIZES: Final = ("memory", "heap")
_WHOLE: Final = ("INT", "LONG", "SHORT", "integer")
_DOUBLE: Final = ("DOUBLE", "float")
_SWITCH: Final = ("BOOLEAN", "boolean")


@dataclass(frozen=True)
class Unit:
    """What numbers are of.

    Attributes:
        of: a size or a duration.
        factor: how many bytes, or milliseconds, 1 is.
    """

    of: Literal["size", "duration"]
    factor: int


_UNITS: Final[Mapping[str, Unit]] = {
    "bytes": Unit("size", 1),
    "kbytes": Unit("size", 1024),
    "ms": Unit("duration", 1),
    "seconds": Unit("duration", 1_000),
    "minutes": Unit("duration", 60_000),
    "hours": Unit("duration", 3_600_000),
}
"""By how Kafka's names end."""


@dataclass(frozen=True)
class Target:
    """What a knob's name leads to.

    Attributes:
        name: as the study writes it.
        path: its keys in the scenario.
        kind: of its values.
        kafka_version: of the brokers, by which their properties are known.
    """

    name: str
    path: Path
    kind: Kind
    kafka_version: str

    @property
    def cost(self) -> ChangeCost:
        """What has to be made anew when it changes."""
        return _COSTS[str(self.path[0])]

    @property
    def unit(self) -> Unit | None:
        """What its numbers are of, by its name; None of plain numbers."""
        name = str(self.path[-1])
        if name in _SIZES or name == "batch.size":
            return Unit("size", 1)
        return _UNITS.get(name.rpartition(".")[2]) if "." in name else None

    @property
    def property_name(self) -> str | None:
        """The property that it is; None where it is a field of the scenario's own."""
        return str(self.path[-1]) if is_property(self.path) else None

    def value(self, written: object) -> Value:
        """A value as the study writes it, checked, and in the unit of the property.

        Raises:
            HintedError: Kafka, librdkafka or the scenario doesn't allow it.
        """
        if self.property_name is None:
            return _field_value(self.path, written)
        resolved = _resolve(self.path, property_text(written), self.kafka_version)
        if isinstance(resolved, PropertyProblem):
            raise HintedError(resolved.message, resolved.suggestion)
        if self.kind == "whole" and resolved.lstrip("+-").isdigit():
            return int(resolved)
        return _finite(float(resolved)) if self.kind == "number" else resolved

    def distance(self, written: object) -> float:
        """A distance between values, which need not be allowed as a value.

        Raises:
            HintedError: no number in the unit of the values, or no whole one where they are whole.
        """
        text = property_text(written)
        if self.path[-1] in _SIZES:
            return units.size_bytes(text)
        plain = units.property_value(self.property_name or "", text)
        try:
            number = float(plain)
        except ValueError:
            raise HintedError(f'must be a number, not "{text}"') from None
        if self.kind != "whole":
            return _finite(number)
        if not number.is_integer():
            raise HintedError(f"must be a whole number, not {number:g}")
        return int(number)

    def own(self, scenario: Scenario) -> Value | None:
        """The value that the scenario has itself; None where it has none."""
        written = value_at(scenario.to_secret_document(), self.path)
        return None if written is None else self.value(written)


def target_of(name: str, scenario: Scenario) -> Target:
    """What a name leads to.

    Args:
        name: a path of the scenario, such as producers.checkout.config.linger.ms.
        scenario: whose path it is.

    Raises:
        HintedError: it leads nowhere, or to what a study can't change.
    """
    path = resolve_path(name, scenario.to_secret_document())
    _refuse_other_provider(path, scenario)
    if is_property(path):
        return Target(name, path, _property_kind(path, scenario), scenario.cluster.kafka_version)
    field = _FIELDS.get(_general(path))
    if field is None:
        raise HintedError(
            "is what all trials have in common; a study searches properties (config), partitions, workers, "
            "brokers and resources"
        )
    return Target(name, path, field[1], scenario.cluster.kafka_version)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise HintedError(f"must be a finite number, not {number:g}")
    return number


def _general(path: Path) -> tuple[str, ...]:
    """A path with ``*`` for the names that the user chose."""
    return tuple("*" if place == 1 and path[0] != "cluster" else str(key) for place, key in enumerate(path))


def is_held(name: str, provider: str) -> bool:
    """Whether a provider sets what a path in a scenario names; the mock takes no properties of topics."""
    part, *rest = name.split(".")
    if part == "topics":
        return provider != "embedded" or name.endswith(_OF_TOPICS)
    return part != "cluster" or not set_aside({rest[0]: {rest[-1]: None}}, provider)


def _refuse_other_provider(path: Path, scenario: Scenario) -> None:
    """Refuses what the cluster, or a topic that is there already, won't let loadlab set."""
    provider = scenario.cluster.provider
    rest = tuple(map(str, path[1:]))
    if path[0] == "cluster" and rest:
        taken = PROVIDER_FIELDS[provider]
        limited = provider == "local" and rest[0] == "resources" and rest[-1] not in LOCAL_RESOURCES
        if rest[0] not in {*taken, "provider"} or limited:
            raise HintedError(refusal(rest if limited else rest[:1], provider))
    if path[0] == "topics" and len(path) > 1 and scenario.topics[str(path[1])].existing:
        raise HintedError(f"{path[1]} is a topic that exists already, and keeps its own settings")


def _property_kind(path: Path, scenario: Scenario) -> Kind:
    name = str(path[-1])
    if is_secret(name):
        raise HintedError("is a secret, and a study stores what it tries")
    version = scenario.cluster.kafka_version
    wrong = _resolve(path, "0", version)
    if isinstance(wrong, PropertyProblem) and wrong.at_key:
        owner = ".".join(map(str, path[:-1]))
        raise HintedError(wrong.message, wrong.suggestion and f"{owner}.{wrong.suggestion}")
    if path[0] in _CLIENTS:
        kind = known_properties()[name].kind
    else:
        kind = kafka_properties.definitions(_owner(path), version)[name].kind
    if kind in _SWITCH:
        return "switch"
    return "whole" if kind in _WHOLE else "number" if kind in _DOUBLE else "text"


def _resolve(path: Path, text: str, kafka_version: str) -> str | PropertyProblem:
    name = str(path[-1])
    if path[0] in _CLIENTS:
        return client_properties.resolve_property(_CLIENTS[str(path[0])], name, text)
    return kafka_properties.resolve_property(_owner(path), kafka_version, name, text)


def _owner(path: Path) -> kafka_properties.Owner:
    return "topic" if path[0] == "topics" else "broker"


def _field_value(path: Path, written: object) -> Value:
    """A field's value, checked by the model that it belongs to."""
    field = str(path[-1])
    model, kind = _FIELDS[_general(path)]
    try:
        model.model_validate({field: written})
    except ValidationError as error:
        for detail in error.errors():
            if detail["loc"][:1] in {(), (field,)}:
                wrong = detail.get("ctx", {}).get("error")
                raise (wrong if isinstance(wrong, HintedError) else HintedError(*worded(detail))) from None
    if field in _SIZES:
        return units.size_bytes(written)
    number = _finite(float(str(written)))
    return int(number) if kind == "whole" else number

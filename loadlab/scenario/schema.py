"""The JSON Schema of scenario files: editors complete keys, properties and choices by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from loadlab.client.properties import ACKS
from loadlab.client.properties import OWNED as OWNED_CLIENT
from loadlab.client.property_table import CANONICAL, Client, Property, known_properties, names_for
from loadlab.scenario.kafka_properties import LISTED, Definition, Owner, definitions, is_owned
from loadlab.scenario.metrics import METRICS
from loadlab.scenario.model import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCALAR: Final = {"type": ["string", "number", "boolean"]}
_WITH_A_UNIT: Final = {"type": "string", "pattern": r"^\s*[-+]?[0-9]"}

Schema = dict[str, object]


def json_schema() -> dict[str, object]:
    """The JSON Schema that right scenarios obey, as people write them.

    It is looser than loading: it knows keys, types, choices and which properties there are, but not what
    librdkafka and Kafka say of a value, nor what must fit together. It does not know each spelling that
    loading takes: blanks around a number and its unit, other case in a property's choice.
    """
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    models = cast("dict[str, Schema]", schema["$defs"])
    _name_properties(models["ClusterSpec"], _of_kafka("broker"))
    _name_properties(models["TopicSpec"], _of_kafka("topic"))
    _name_properties(models["ProducerSpec"], _of_client("producer"))
    _name_properties(models["ConsumerSpec"], _of_client("consumer"))
    fields = cast("dict[str, Schema]", schema["properties"])
    fields["thresholds"]["propertyNames"] = {"anyOf": list(_threshold_keys())}
    return {"$schema": _DIALECT, **schema, "title": "loadlab scenario"}


def _name_properties(model: Schema, properties: Mapping[str, Schema]) -> None:
    """Tells which properties a model's ``config`` may hold."""
    fields = cast("dict[str, Schema]", model["properties"])
    fields["config"] = {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _threshold_keys() -> Iterator[Schema]:
    """What a threshold may stand under: a metric, or one with a selector that it has."""
    yield {"enum": list(METRICS)}
    for name, metric in METRICS.items():
        if metric.selectors:
            labels = "|".join(metric.selectors)
            yield {"pattern": rf"^\s*{name}\s*\{{\s*({labels})\s*=[^{{}},]*[^{{}},\s][^{{}},]*\}}\s*$"}


def _of_kafka(owner: Owner) -> dict[str, Schema]:
    listed = {name: known for version in LISTED for name, known in definitions(owner, version).items()}
    return {
        name: _of_definition(definition)
        for name, definition in sorted(listed.items())
        if owner == "topic" or not is_owned(name)
    }


def _of_definition(definition: Definition) -> Schema:
    if definition.choices and definition.kind == "STRING":
        return {"enum": list(definition.choices)}
    return dict(_SCALAR)


def _of_client(client: Client) -> dict[str, Schema]:
    names = [name for name in names_for(client) if name not in OWNED_CLIENT]
    return {name: _of_property(known_properties()[name]) for name in sorted(names)}


def _of_property(known: Property) -> Schema:
    if known.choices and known.kind == "enum value":
        # Java's documents write them in capitals, and loading takes any case.
        return {"enum": list(dict.fromkeys([*known.choices, *map(str.upper, known.choices)]))}
    if CANONICAL.get(known.name, known.name) == "acks":
        return {"enum": [*ACKS, "ALL", *(int(acks) for acks in ACKS if acks != "all")]}
    if known.kind == "integer":
        limits = dict(zip(("minimum", "maximum"), known.bounds or (), strict=False))
        return {"anyOf": [{"type": "number", **limits}, _WITH_A_UNIT]}
    return dict(_SCALAR)

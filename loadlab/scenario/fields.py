"""The value types of a scenario: how each is written in the file, kept in the model and written back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from loadlab import units
from loadlab.hints import HintedError

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_CPUSET: Final = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")


class Model(BaseModel):
    """A part of a scenario: unknown keys are errors, and nothing changes once it is built."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def cpuset_cores(cpuset: str) -> tuple[int, ...]:
    """The cores of a Linux cpu list such as ``0-1,3``.

    Raises:
        HintedError: not a cpu list.
    """
    if not _CPUSET.fullmatch(cpuset):
        raise HintedError(f'"{cpuset}" is no list of cores: write "0", "0-1" or "0,2-3"')
    cores: set[int] = set()
    for part in cpuset.split(","):
        first, _, last = part.partition("-")
        if int(last or first) < int(first):
            raise HintedError(f'"{part}" runs backwards', f"{last}-{first}")
        cores.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cores))


def _cpuset(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        cpuset_cores(value)
    return value


def property_text(value: object) -> str:
    """A property's value as Kafka writes it: ``true`` for True, the number for a number.

    Raises:
        HintedError: not a scalar.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not value.isprintable():
        raise HintedError("holds a character that no property can have, such as a line break")
    if isinstance(value, str | int | float):
        return str(value)
    if value is None:
        raise HintedError("has no value")
    raise HintedError(f"must be one value, not a {'mapping' if isinstance(value, Mapping) else 'list'}")


_UNIT_TEXT: Final = "^[0-9]+(\\.[0-9]+)? *"

Duration = Annotated[
    float,
    BeforeValidator(units.duration_s),
    PlainSerializer(units.format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "pattern": _UNIT_TEXT + "(h|m|s|ms|us|µs|ns)$",
            "maximum": 0,
            "minimum": 0,
        }
    ),
]
"""Seconds, written with a unit: ``5ms``, ``30s``, ``2m``."""

Size = Annotated[
    int,
    BeforeValidator(units.size_bytes),
    PlainSerializer(units.format_size, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": ["string", "integer"], "pattern": _UNIT_TEXT + "(B|[kKMG]B|[KMG]iB)?$", "minimum": 0}
    ),
]
"""Bytes, written as ``64KiB``, ``1MB`` or 512."""

PositiveSize = Annotated[Size, Field(gt=0)]

FASTEST_PER_S: Final = 1e9
"""No machine comes near it; beyond, the times and numbers of records would leave what integers hold."""

Rate = Annotated[
    float,
    BeforeValidator(units.rate_per_s),
    PlainSerializer(units.format_rate, return_type=str, when_used="json"),
    Field(le=FASTEST_PER_S),
    WithJsonSchema(
        {
            "type": ["string", "number"],
            "pattern": _UNIT_TEXT + "([kM]?/s)?$",
            "minimum": 0,
            "maximum": FASTEST_PER_S,
        }
    ),
]
"""Per second, written as ``20k/s``, ``1.5M/s`` or 500; FASTEST_PER_S at most."""

PositiveRate = Annotated[Rate, Field(gt=0)]

Count = Annotated[
    int,
    BeforeValidator(units.count),
    Field(ge=1),
    WithJsonSchema({"type": ["string", "integer"], "pattern": _UNIT_TEXT + "[kM]?$", "minimum": 1}),
]
"""A whole number of at least 1, written as 1000, ``50k`` or ``2M``."""

Whole = Annotated[int, Field(strict=True)]
"""A whole number; neither a text nor true or false is taken for one."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A number that is no text."""

Share = Annotated[Number, Field(ge=0, le=1)]
"""A part of a whole, 0 to 1."""

Cpuset = Annotated[str, BeforeValidator(_cpuset), WithJsonSchema({"type": ["string", "integer"]})]
"""Cores as Linux writes them: ``0``, ``0-1``, ``0,2-3``."""

Properties = Annotated[
    dict[
        str,
        Annotated[
            str, BeforeValidator(property_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
        ],
    ],
    # A password must not come out with the repr of what holds it.
    Field(default_factory=dict, repr=False),
]
"""Kafka properties by their own names, their values as Kafka writes them."""

"""What must hold: thresholds, read and checked here, judged in `loadlab.analysis.thresholds`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from loadlab import units
from loadlab.hints import HintedError
from loadlab.scenario.expressions import EXPRESSION, Condition, parse_expression, parse_key, stat_of
from loadlab.scenario.fields import Duration, Model

if TYPE_CHECKING:
    from loadlab.scenario.metrics import Live


class _WrittenKey(str):
    """A ``key`` that the file has within an expression: there it has no place."""

    __slots__ = ()


def _given_key(key: object) -> object:
    if isinstance(key, _WrittenKey):
        raise HintedError("is no key of an expression: the metric stands above the list")
    return key


class Threshold(Model):
    """One expression about one metric.

    Attributes:
        key: the metric and its selector as written, such as ``end_to_end_latency{consumer=billing}``.
        text: the expression as written.
        abort_on_fail: whether the run ends as soon as it fails.
        delay_s: how long after the measure phase's start it is first judged for that.
    """

    key: Annotated[str, BeforeValidator(_given_key)] = Field(exclude=True)
    text: str = Field(alias="expression")
    abort_on_fail: Annotated[bool, Field(strict=True)] = False
    delay_s: Duration = Field(default=0.0, alias="delay")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if _readable_key(self.key):
            parse_expression(self.metric, self.text)
        return self

    @property
    def metric(self) -> str:
        """What is judged: a key of METRICS."""
        return parse_key(self.key).metric

    @property
    def selector(self) -> Mapping[str, str]:
        """Which producer, consumer or topic it is taken of, as ``{"producer": NAME}``; empty: all merged."""
        return parse_key(self.key).selector

    @property
    def condition(self) -> Condition:
        """What the expression asks of the metric."""
        return parse_expression(self.metric, self.text)

    @property
    def live(self) -> Live:
        """How it can be judged while the run goes on."""
        stat = stat_of(self.metric, self.condition.stat)
        of_topic = "topic" in self.selector and self.metric == "throughput"
        return "never" if stat is None or of_topic else stat.live

    @property
    def expression(self) -> str:
        """The whole threshold in words: ``publish_latency{producer=web} p99 < 50ms``."""
        return f"{self.key} {self.text}"

    @model_serializer(mode="plain")
    def _document(self) -> str | dict[str, str | bool]:
        if not self.abort_on_fail and not self.delay_s:
            return self.text
        return {
            "expression": self.text,
            "abort_on_fail": self.abort_on_fail,
            "delay": units.format_duration(self.delay_s),
        }


def _readable_key(key: str) -> bool:
    """Whether a key can be read; one that can't is told of once, at the key."""
    try:
        parse_key(key)
    except HintedError:
        return False
    return True


def with_keys(value: object) -> object:
    """A pydantic before-validator: gives each expression the key that it stands under."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: [_with_key(key, entry) for entry in entries] if isinstance(entries, list | tuple) else entries
        for key, entries in value.items()
    }


def _with_key(key: object, entry: object) -> object:
    if isinstance(entry, str):
        return {"key": key, "expression": entry}
    if not isinstance(entry, Mapping):
        return entry
    return {**entry, "key": _WrittenKey(entry["key"]) if "key" in entry else key}


def _checked_key(key: str) -> str:
    parse_key(key)
    return key


_ENTRY_SCHEMA: Final = {
    "type": ["string", "object"],
    "pattern": EXPRESSION.pattern,
    "properties": {
        "expression": {"type": "string", "pattern": EXPRESSION.pattern},
        "abort_on_fail": {"type": "boolean"},
        "delay": {"type": ["string", "integer"]},
    },
    "required": ["expression"],
    "additionalProperties": False,
}
Thresholds = Annotated[
    dict[
        Annotated[str, AfterValidator(_checked_key)],
        Annotated[tuple[Annotated[Threshold, WithJsonSchema(_ENTRY_SCHEMA)], ...], Field(min_length=1)],
    ],
    BeforeValidator(with_keys),
]
"""What must hold, by metric."""

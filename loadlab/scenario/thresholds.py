"""What must hold: threshold expressions such as ``p99 < 50ms``, read and checked, judged elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from loadlab import units
from loadlab.hints import HintedError, near
from loadlab.scenario.fields import Duration, Model

Operator = Literal["<", "<=", ">", ">=", "=="]
Unit = Literal["us", "records", "records/s", "bytes/s"]

_MICROSECONDS: Final = "us"
_KEY: Final = re.compile(r"([A-Za-z0-9_]+)\s*(?:\{([^{}]*)\})?")
_EXPRESSION: Final = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(<=|>=|==|<|>)\s*([^<>=\s](?:.*\S)?)\s*")
_LATENCY: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("mean", "min", "p50", "p90", "p95", "p99", "p999", "p9999", "max"), _MICROSECONDS),
    "count": "records",
}
_PERCENTILE_NAMES: Final = {"p99.9": "p999", "p99.99": "p9999"}
_LEVEL: Final[Mapping[str, Unit]] = dict.fromkeys(("max", "mean", "final"), "records")


@dataclass(frozen=True)
class Metric:
    """A metric that can be judged: its stats with their units, and what it can be selected by."""

    stats: Mapping[str, Unit]
    selectors: tuple[str, ...]


_BY_PRODUCER: Final = ("producer", "topic")
_BY_CONSUMER: Final = ("consumer", "topic")
METRICS: Final[Mapping[str, Metric]] = {
    "send_delay": Metric(_LATENCY, _BY_PRODUCER),
    "service_time": Metric(_LATENCY, _BY_PRODUCER),
    "publish_latency": Metric(_LATENCY, _BY_PRODUCER),
    "end_to_end_latency": Metric(_LATENCY, _BY_CONSUMER),
    "consumer_lag": Metric(_LEVEL, _BY_CONSUMER),
    "committed_lag": Metric(_LEVEL, _BY_CONSUMER),
    "backlog": Metric(_LEVEL, _BY_CONSUMER),
    "throughput": Metric(
        {"records_per_s": "records/s", "bytes_per_s": "bytes/s"}, ("producer", "consumer", "topic")
    ),
    "records": Metric(
        dict.fromkeys(("attempted", "acked", "failed", "indeterminate", "rejected", "consumed"), "records"),
        ("producer", "consumer"),
    ),
    "reconciliation": Metric(
        dict.fromkeys(("lost", "duplicated", "reordered", "unseen", "unexplained"), "records"), ()
    ),
}
"""Every metric that a threshold may name."""


@dataclass(frozen=True)
class ThresholdKey:
    """The key of a list of thresholds: a metric and, perhaps, which group or topic it is taken of."""

    metric: str
    selector: Mapping[str, str]


def parse_key(text: str) -> ThresholdKey:
    """Reads a key such as ``publish_latency`` or ``end_to_end_latency{consumer=billing}``.

    Raises:
        HintedError: not a metric, or a selector that the metric doesn't have.
    """
    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise HintedError(
            f'"{text}" is no metric such as publish_latency or publish_latency{{producer=NAME}}'
        )
    name = found[1]
    if name not in METRICS:
        raise HintedError(f'"{name}" is no metric; there are {", ".join(METRICS)}', near(name, METRICS))
    if found[2] is None:
        return ThresholdKey(name, {})
    label, equals, value = (part.strip() for part in found[2].partition("="))
    allowed = METRICS[name].selectors
    if label not in allowed or not equals or not value:
        choices = " or ".join(f"{{{choice}=NAME}}" for choice in allowed) or "no selector"
        raise HintedError(f"{name} takes {choices}, not {{{found[2]}}}", near(label, allowed))
    return ThresholdKey(name, {label: value.strip("\"'")})


@dataclass(frozen=True)
class Condition:
    """An expression, read: what is compared how with what, in the metric's base unit."""

    stat: str
    op: Operator
    value: float
    unit: Unit


def parse_expression(metric: str, text: str) -> Condition:
    """Reads an expression such as ``p99 < 50ms`` about a metric.

    Raises:
        HintedError: no expression, a stat that the metric doesn't have, or a value in another unit.
    """
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        raise HintedError(
            f'"{text}" is no expression such as "p99 < 50ms": a stat, one of < <= > >= ==, a value'
        )
    stats = METRICS[metric].stats
    stat = _PERCENTILE_NAMES.get(found[1], found[1])
    if stat not in stats:
        raise HintedError(f'{metric} has no "{found[1]}"; it has {", ".join(stats)}', near(stat, stats))
    return Condition(stat, cast("Operator", found[2]), _value(found[3], stats[stat]), stats[stat])


def _value(text: str, unit: Unit) -> float:
    match unit:
        case "us":
            return round(units.duration_s(text) * 1e6, 3)
        case "records":
            return float(units.count(text))
        case "records/s":
            return units.rate_per_s(text)
        case "bytes/s":
            return float(units.size_bytes(text.removesuffix("/s")))


class Threshold(Model):
    """One expression about one metric.

    Attributes:
        key: the metric and its selector as written, such as ``end_to_end_latency{consumer=billing}``.
        text: the expression as written.
        abort_on_fail: whether the run ends as soon as it fails.
        delay_s: how long after the measure phase's start it is first judged for that.
    """

    key: str
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
    def stat(self) -> str:
        """The field of the metric, such as ``p99``, ``max`` or ``final``."""
        return self._condition.stat

    @property
    def op(self) -> Operator:
        """How the stat is compared with the value."""
        return self._condition.op

    @property
    def value(self) -> float:
        """What the stat is compared with, in ``unit``."""
        return self._condition.value

    @property
    def unit(self) -> Unit:
        """The metric's base unit: microseconds, records, records per second or bytes per second."""
        return self._condition.unit

    @property
    def _condition(self) -> Condition:
        return parse_expression(self.metric, self.text)

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
    return {**entry, "key": key} if isinstance(entry, Mapping) else entry


def _checked_key(key: str) -> str:
    parse_key(key)
    return key


_ENTRY_SCHEMA: Final = {
    "type": ["string", "object"],
    "pattern": _EXPRESSION.pattern,
    "properties": {
        "expression": {"type": "string", "pattern": _EXPRESSION.pattern},
        "abort_on_fail": {"type": "boolean"},
        "delay": {"type": ["string", "integer"]},
    },
    "required": ["expression"],
    "additionalProperties": False,
}
Thresholds = Annotated[
    dict[
        Annotated[str, AfterValidator(_checked_key)],
        tuple[Annotated[Threshold, WithJsonSchema(_ENTRY_SCHEMA)], ...],
    ],
    BeforeValidator(with_keys),
]
"""What must hold, by metric."""

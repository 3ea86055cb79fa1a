"""What a threshold may be about: metrics, their stats and units, and expressions such as ``p99 < 50ms``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from loadlab import units
from loadlab.hints import HintedError, near

if TYPE_CHECKING:
    from collections.abc import Mapping

Operator = Literal["<", "<=", ">", ">=", "=="]
Unit = Literal["us", "records", "records/s", "bytes/s"]

_MICROSECONDS: Final = "us"
_KEY: Final = re.compile(r"([A-Za-z0-9_]+)\s*(?:\{([^{}]*)\})?")
EXPRESSION: Final = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(<=|>=|==|<|>)\s*([^<>=\s](?:.*\S)?)\s*")
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
    found = EXPRESSION.fullmatch(text)
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

"""Reads what a threshold says: keys as ``publish_latency{producer=web}``, expressions as ``p99 < 50ms``."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from loadlab import units
from loadlab.hints import HintedError, near
from loadlab.scenario.metrics import METRICS, Stat, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadlab.scenario.metrics import Metric

Operator = Literal["<", "<=", ">", ">=", "=="]

HOLDS: Final[Mapping[Operator, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
"""What each operator asks of the measured value and the limit."""

EXPRESSION: Final = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(<=|>=|==|<|>)\s*([^<>=\s](?:.*\S)?)\s*")
_KEY: Final = re.compile(r"([A-Za-z0-9_]+)\s*(?:\{([^{}]*)\})?")
_PERCENTILE: Final = re.compile(r"p([1-9]?[0-9](?:\.[0-9]{1,2})?)")
_NO_PERCENTILE: Final = re.compile(r"p(?:(9[0-9])([0-9]{1,2})|[0-9][0-9.]*)")
_WRITTEN_WITHOUT_POINT: Final = {"p999": 99.9, "p9999": 99.99}
_LARGEST_SHARE: Final = 10.0  # of a core, say, by a worker of many threads
_OTHER_OPERATORS: Final = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">=", "=": "=="}
_OTHER_OPERATOR: Final = re.compile("|".join(_OTHER_OPERATORS))
_MAY_BE_NEGATIVE: Final = {"unexplained"}
_PLAIN_NUMBER: Final = re.compile(r"[0-9.]+")
_RATIO: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(%?)")


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
            f'"{text}" is no metric such as publish_latency or publish_latency{{producer=NAME}}',
            near(text.replace("-", "_"), METRICS),
        )
    name = found[1]
    if name not in METRICS:
        raise HintedError(f'"{name}" is no metric; there are {", ".join(METRICS)}', near(name, METRICS))
    if found[2] is None:
        return ThresholdKey(name, {})
    label, equals, value = (part.strip() for part in found[2].partition("="))
    allowed = METRICS[name].selectors
    if label in allowed and "," in value:
        raise HintedError(
            f"{name} takes one selector, not {{{found[2]}}}",
            f"{name}{{{label}={value.partition(',')[0].strip()}}}",
        )
    if ":" in label and not equals:
        raise HintedError(
            "a selector has an equals sign, as {producer=NAME} has",
            f"{name}{{{label.replace(':', '=', 1)}}}",
        )
    if label not in allowed or not equals or not value:
        choices = " or ".join(f"{{{choice}=NAME}}" for choice in allowed) or "no selector"
        raise HintedError(f"{name} takes {choices}, not {{{found[2]}}}", near(label, allowed))
    return ThresholdKey(name, {label: value.strip("\"'")})


_OTHER_STATS: Final = {"median": "p50", "average": "mean", "avg": "mean"}


@dataclass(frozen=True)
class Condition:
    """An expression, read: what is compared how with what, in the stat's unit."""

    stat: str
    op: Operator
    value: float
    unit: Unit

    @property
    def percentile(self) -> float | None:
        """Between 0 and 100; None where the stat is none."""
        return percentile_of(self.stat)

    def holds(self, measured: float) -> bool:
        """Whether a measured value is as the expression wants it."""
        return HOLDS[self.op](measured, self.value)


def parse_expression(metric: str, text: str) -> Condition:
    """Reads an expression such as ``p99 < 50ms`` about a metric.

    Raises:
        HintedError: no expression, a stat that the metric doesn't have, or a value in another unit.
    """
    found = EXPRESSION.fullmatch(text)
    if found is None:
        raise HintedError(
            f'"{text}" is no expression such as "p99 < 50ms": a stat, one of < <= > >= ==, a value',
            _otherwise_written(text),
        )
    stat = _stat_name(METRICS[metric], found[1])
    known = stat_of(metric, stat)
    if known is None:
        raise _unknown_stat(metric, stat)
    _refuse_unitless(metric, known.unit, found[3])
    value = _value(found[3], known.unit, mean=stat.endswith("mean"))
    if found[2] == "<" and value == 0 and stat not in _MAY_BE_NEGATIVE:
        raise HintedError(f'"{text}" never holds: nothing is below 0', f"{found[1]} == {found[3]}")
    # A share is written in a way of its own, and a ratio like any other.
    return Condition(
        stat, cast("Operator", found[2]), value, "ratio" if known.unit == "share" else known.unit
    )


def _otherwise_written(text: str) -> str | None:
    """The expression that a text is with operators as they are written here; None where it is none so."""
    meant = _OTHER_OPERATOR.sub(lambda found: _OTHER_OPERATORS[found[0]], text, count=1)
    return meant if EXPRESSION.fullmatch(meant) else None


def _unknown_stat(metric: str, stat: str) -> HintedError:
    stats = METRICS[metric].stats
    digits = _NO_PERCENTILE.fullmatch(stat) if METRICS[metric].has_percentiles else None
    if digits is not None:
        meant = f"p{digits[1]}.{digits[2]}" if digits[2] else None
        return HintedError(
            f"{stat} is no percentile: write p50, p99.5 or p99.99, with two digits behind the point at most",
            meant,
        )
    more = " and any percentile such as p99.5" if METRICS[metric].has_percentiles else ""
    meant = _OTHER_STATS.get(stat.lower())
    return HintedError(
        f'{metric} has no "{stat}"; it has {", ".join(stats)}{more}',
        meant if meant is not None and stat_of(metric, meant) else near(stat, stats),
    )


def stat_of(metric: str, name: str) -> Stat | None:
    """A metric's stat of that name, any percentile included; None where it has none."""
    stats = METRICS[metric].stats
    if name in stats:
        return stats[name]
    is_percentile = METRICS[metric].has_percentiles and percentile_of(name) is not None
    return stats["p50"] if is_percentile else None


def percentile_of(stat: str) -> float | None:
    """The percentile that a stat names: ``p99.5`` is 99.5, as ``p999`` is 99.9; None where it names none."""
    if stat in _WRITTEN_WITHOUT_POINT:
        return _WRITTEN_WITHOUT_POINT[stat]
    found = _PERCENTILE.fullmatch(stat)
    return float(found[1]) or None if found else None


def _stat_name(metric: Metric, written: str) -> str:
    """A percentile by the name that results have for it: p99.90 is p999."""
    percentile = percentile_of(written) if metric.has_percentiles else None
    same = (name for name in metric.stats if percentile is not None and percentile_of(name) == percentile)
    return next(same, written)


def _refuse_unitless(metric: str, unit: Unit, text: str) -> None:
    """Refuses a latency, or a CPU time, without its unit; with that which was probably meant."""
    if unit == "us" and _PLAIN_NUMBER.fullmatch(text) and text.strip("0."):
        meant = "us" if metric.startswith("cpu_us") else "ms"
        raise HintedError(f"a duration needs its unit, and {text} has none", f"{text}{meant}")


def _value(text: str, unit: Unit, *, mean: bool) -> float:  # noqa: PLR0911 - one line a unit
    if mean and unit in {"records", "count", "bytes"}:
        return units.amount(text, "size" if unit == "bytes" else "count")
    match unit:
        case "us":
            return round(units.duration_s(text) * 1e6, 3)
        case "s":
            return units.duration_s(text)
        case "records" | "count":
            return float(units.count(text))
        case "records/s":
            return units.rate_per_s(text)
        case "bytes":
            return float(units.size_bytes(text))
        case "bytes/s":
            return float(units.size_bytes(text.removesuffix("/s")))
        case "ratio":
            return _ratio(text)
        case "share":
            return _share(text)


def _ratio(text: str) -> float:
    found = _RATIO.fullmatch(text)
    if found is None:
        raise HintedError(f'"{text}" is no ratio: write it as 0.995 or 99.5%')
    return float(found[1]) / 100 if found[2] else float(found[1])


def _share(text: str) -> float:
    """A ratio of which 1 is all: who writes 80 means 80 %."""
    share = _ratio(text)
    if share > _LARGEST_SHARE and not text.endswith("%"):
        raise HintedError(f'"{text}" is no share: 1 is all of it', f"{text}%")
    return share

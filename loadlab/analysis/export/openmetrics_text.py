"""Metrics as OpenMetrics text 1.0: what Prometheus scrapes, and what promtool loads into its store.

The form: https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Kind = Literal["gauge", "counter", "summary", "stateset", "info"]
_SUFFIXES: Final[Mapping[Kind, str]] = {"counter": "_total", "info": "_info"}


@dataclass(frozen=True)
class Sample:
    """One value of a family.

    Attributes:
        labels: by name.
        value: in the family's unit.
        at_s: when, seconds since the epoch; None for now.
        suffix: behind the family's name: "_count" and "_sum" of a summary.
    """

    labels: Mapping[str, str]
    value: float
    at_s: float | None = None
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """A metric and its samples.

    Attributes:
        name: without the suffix that its kind brings; it ends in its unit.
        kind: of OpenMetrics' types.
        help: what it is.
        unit: in base units; empty for none.
        samples: a metric's stand together, their times rising.
    """

    name: str
    kind: Kind
    help: str
    unit: str = ""
    samples: tuple[Sample, ...] = ()

    def of(self, *samples: Sample) -> Family:
        """The family with these samples."""
        return replace(self, samples=samples)


def exposition(families: Iterable[Family]) -> str:
    """The text of those families that have a sample."""
    lines = [line for family in families if family.samples for line in _lines(family)]
    return "\n".join([*lines, "# EOF\n"])


def _lines(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {_escaped(family.help)}"
    for sample in family.samples:
        name = f"{family.name}{sample.suffix or _SUFFIXES.get(family.kind, '')}"
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels.items())
        at = "" if sample.at_s is None else f" {sample.at_s:.3f}"
        yield f"{name}{{{labels}}} {_number(sample.value)}{at}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

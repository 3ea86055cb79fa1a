"""Trials as lines of a parallel-coordinates plot: for each knob where on its axis the value lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from loadlab.analysis import numbers
from loadlab.analysis.knobs import short_names, value_text
from loadlab.tuning.space import Choices

if TYPE_CHECKING:
    from loadlab.tuning.space import Assignment, Knob, Range, SearchSpace, Value

_BARS: Final = "▁▂▃▄▅▆▇█"
_NARROWEST: Final = 8
_WIDEST: Final = 18


def header(space: SearchSpace) -> str:
    """The names of the knobs above their columns."""
    return "  ".join(f"{name:<{len(name)}}" for name in _columns(space).values())


def coordinates(space: SearchSpace, assignment: Assignment) -> str:
    """Where an assignment lies on each knob's axis, and its values."""
    columns = _columns(space)
    return "  ".join(
        f"{_fitting(_at(knob, assignment.get(knob.name))):<{len(columns[knob.name])}}" for knob in space.knobs
    )


def _columns(space: SearchSpace) -> dict[str, str]:
    """The name of each knob, as wide as its column."""
    names = short_names(knob.name for knob in space.knobs)
    return {path: f"{_fitting(name):<{_NARROWEST}}" for path, name in names.items()}


def _fitting(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _at(knob: Knob, value: Value | None) -> str:
    if value is None:
        return numbers.MISSING
    return f"{_BARS[round(_position(knob.domain, value) * (len(_BARS) - 1))]} {value_text(knob.name, value)}"


def _position(domain: Range | Choices, value: Value) -> float:
    """How far up its axis a value lies, from 0 to 1; what is below or above the axis lies at its end."""
    if isinstance(domain, Choices):
        return domain.values.index(value) / max(1, len(domain.values) - 1) if value in domain.values else 0.0
    if not isinstance(value, int | float) or value <= domain.low:
        return 0.0
    if domain.log:
        part = math.log(value / domain.low) / math.log(domain.high / domain.low)
    else:
        part = (value - domain.low) / (domain.high - domain.low)
    return min(part, 1.0)

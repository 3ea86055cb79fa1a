"""Axes of studies: an objective's, with its unit, and a knob's, on which numbers and choices have places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from loadlab.analysis.knobs import is_latency, is_of_bytes, value_text
from loadlab.analysis.plots.style import count_axis, label_latencies, latency_axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axis import Axis
    from pydantic import JsonValue

    from loadlab.analysis.knobs import Value

_WIDE_DECADES: Final = 2.5
_FEWEST_TICKS: Final = 2
_SPECIAL_GAP: Final = 0.12
"""How far outside its range a special value stands, as a share of the axis."""


def objective_axis(axis: Axis, field: str, values: Sequence[float]) -> None:
    """An axis for an objective: of latencies logarithmic and with a unit at each tick, else of counts."""
    if is_latency(field):
        latency_axis(axis, values)
    elif _is_amount(field):
        count_axis(axis)


def label_objective(axis: Axis, field: str, low: float, high: float) -> None:
    """Label the values of an objective on an axis whose scale and ends stand already."""
    if is_latency(field):
        label_latencies(axis, low, high)
    elif _is_amount(field):
        count_axis(axis)


def _is_amount(field: str) -> bool:
    """Whether it is of so many that k and M help; a share or a time in seconds reads best as it is."""
    return not field.endswith(("_ratio", "_share", "_s")) or field.endswith("_per_s")


def objective_label(field: str) -> str:
    """An objective's path on two lines, where it is long; its end names the unit."""
    head, _, tail = field.rpartition(".")
    before, _, last = head.rpartition(".")
    return f"{before}.\n{last}.{tail}" if before else field


@dataclass(frozen=True)
class KnobAxis:
    """Where a knob's values stand.

    Attributes:
        knob: its path in the scenario.
        choices: its values, where it has a list of them; empty where it has a range.
        low: lower end of its range, and
        high: the upper one.
        log: whether the range is logarithmic.
        special: values outside the range; they stand apart from it.
    """

    knob: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    special: tuple[float, ...] = ()

    @classmethod
    def of(cls, knob: str, searched: Mapping[str, JsonValue]) -> KnobAxis:
        """The axis of a knob as study.json's search_space has it."""
        if "choices" in searched:
            return cls(knob, choices=tuple(_listed(searched["choices"])))
        low, high = searched["low"], searched["high"]
        assert isinstance(low, int | float)  # noqa: S101 (study.json was written from numbers)
        assert isinstance(high, int | float)  # noqa: S101
        special = tuple(float(value) for value in _listed(searched.get("special")))
        return cls(knob, (), float(low), float(high), bool(searched["log"]), special)

    @property
    def is_range(self) -> bool:
        """Whether there is something between its values."""
        return not self.choices

    def place(self, value: Value) -> float:
        """Where a value stands: a number from 0 to 1 within the range, a special one below it.

        So does one that has no place on a logarithmic axis, as a default outside the range may be.
        """
        if self.choices:
            return float(self.choices.index(value)) if value in self.choices else -1.0
        number = float(value)
        if number in self.special:
            return -_SPECIAL_GAP * (len(self.special) - self.special.index(number))
        if self.log and number <= 0:
            return -_SPECIAL_GAP * (len(self.special) + 1)
        low, high, number = (math.log(each) if self.log else each for each in (self.low, self.high, number))
        return (number - low) / (high - low) if high > low else 0.5

    def label(self, axis: Axis) -> None:
        """Write the values at their places."""
        values = self.choices or (*self.special, *self._round_values())
        axis.set_ticks([self.place(value) for value in values], [value_text(self.knob, v) for v in values])

    def _round_values(self) -> list[int | float]:
        """Numbers that are easy to read, between the ends of the range."""
        if not self.log:
            candidates: Iterable[float] = MaxNLocator(6).tick_values(self.low, self.high)
        elif is_of_bytes(self.knob):
            candidates = (4.0**power for power in range(32))
        else:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            wide = self.high / self.low > 10**_WIDE_DECADES
            steps = (1.0,) if wide else (1.0, 2.0, 5.0)
            candidates = chain.from_iterable((step * 10.0**ten for step in steps) for ten in decades)
        within = [float(each) for each in candidates if self.low <= each <= self.high]
        if len(within) < _FEWEST_TICKS:
            within = [self.low, self.high]
        return [int(each) if each.is_integer() else each for each in within]


def _listed(values: JsonValue) -> list[Value]:
    return (
        [each for each in values if isinstance(each, str | int | float)] if isinstance(values, list) else []
    )


def is_flat(places: Sequence[tuple[float, float]]) -> bool:
    """Whether points are too few, or lie on one line, so that there is no area between them."""
    spread = np.asarray(places) - np.mean(places, axis=0) if places else np.zeros((0, 2))
    return int(np.linalg.matrix_rank(spread, tol=1e-6)) < 2  # noqa: PLR2004 (a plane has two)

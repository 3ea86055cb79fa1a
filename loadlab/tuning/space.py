"""The search space: what a study may change, and how an assignment of values is drawn, named and compared.

Every parameter is asked of the sampler in every trial, also that of a knob which is not active then: so all
trials have the same parameters, and samplers and importances see one space of fixed dimensions. What is not
active is left out of the assignment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from optuna.trial import BaseTrial

    from loadlab.tuning.rules import Rule

Value = str | int | float
"""The value of a knob: a number in the unit of its property (ms, bytes), or a text."""
Assignment = Mapping[str, Value]
"""The values of one trial by the knobs' names, which are paths of the scenario; inactive knobs are absent."""

_IN_RANGE: Final = "range"
_COUNTED: Final = 1_000
_DIGITS: Final = 3


class ChangeCost(IntEnum):
    """What has to be made anew between two assignments."""

    NONE = 0
    CLIENT = 1
    TOPIC = 2
    BROKER = 3


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included, and values beside them that mean something special.

    Attributes:
        low: the lowest.
        high: the highest.
        whole: whether they are whole numbers.
        log: whether equal ratios are equally likely, and not equal differences.
        step: the distance of the values from ``low`` on; None for any value.
        special: values that mean another thing than a number would, such as linger.ms 0: each is drawn as
            often as the whole range, until the sampler knows better.
    """

    low: float
    high: float
    whole: bool
    log: bool = False
    step: float | None = None
    special: tuple[float, ...] = ()

    def suggest(self, trial: BaseTrial, name: str) -> Value:
        """Draws a value."""
        number = self._suggest_number(trial, name)
        if not self.special:
            return number
        kind = trial.suggest_categorical(special_name(name), [_IN_RANGE, *map(str, self.special)])
        return number if kind == _IN_RANGE else self._special_of(str(kind))

    def parameters(self, name: str, value: Value | None) -> dict[str, Value]:
        """The parameters by which `suggest` gives a value; None stands for any."""
        inside = value if isinstance(value, int | float) and self._in_range(value) else self.low
        parameters: dict[str, Value] = {name: inside}
        if self.special:
            parameters[special_name(name)] = str(value) if value in self.special else _IN_RANGE
        return parameters

    def contains(self, value: Value) -> bool:
        """Whether it can be drawn."""
        return value in self.special or (isinstance(value, int | float) and self._in_range(value))

    def nearest(self, value: Value) -> Value | None:
        """The value that can be drawn and is nearest to another; None where the other is no number."""
        if self.contains(value):
            return value
        if not isinstance(value, int | float):
            return None
        steps = 0 if self.step is None else round((value - self.low) / self.step)
        on_grid = value if self.step is None else self.low + steps * self.step
        within = min(max(on_grid, self.low), self.high)
        return round(within) if self.whole else within

    def _suggest_number(self, trial: BaseTrial, name: str) -> Value:
        if self.whole:
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(name, int(self.low), int(self.high), step=step, log=self.log)
        number = trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)
        if self.step is not None:
            return number
        # Nobody sets linger.ms to 17.238471: digits that make no difference only hide that two are alike.
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)

    def _special_of(self, text: str) -> Value:
        return next(value for value in self.special if str(value) == text)

    def _in_range(self, value: float) -> bool:
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-6  # noqa: PLR2004 - what is left of dividing two floats


@dataclass(frozen=True)
class Choices:
    """Values without an order."""

    values: tuple[Value, ...]

    def suggest(self, trial: BaseTrial, name: str) -> Value:
        """Draws a value."""
        return cast("Value", trial.suggest_categorical(name, self.values))

    def parameters(self, name: str, value: Value | None) -> dict[str, Value]:
        """The parameters by which `suggest` gives a value; None stands for any."""
        return {name: self.values[0] if value is None else value}

    def contains(self, value: Value) -> bool:
        """Whether it can be drawn."""
        return value in self.values

    def nearest(self, value: Value) -> Value | None:
        """The value itself, or the nearest where all are numbers: nothing is near to a category."""
        if value in self.values:
            return value
        numbers = [each for each in self.values if isinstance(each, int | float)]
        if not isinstance(value, int | float) or len(numbers) < len(self.values):
            return None
        return min(numbers, key=lambda each: abs(each - value))


def special_name(name: str) -> str:
    """The parameter that says whether a knob has a number of its range or a special value."""
    return f"{name} (special)"


@dataclass(frozen=True)
class When:
    """A condition of a knob: another one has one of some values."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Knob:
    """One setting that a study may change.

    Attributes:
        name: its path in the scenario, such as producers.checkout.config.linger.ms.
        domain: the values that it may have.
        cost: what has to be made anew when it changes.
        when: what must hold for it to have an effect; it is left alone otherwise.
        default: what it is without a study: librdkafka's or Kafka's default for a property, the scenario's
            value for all else; None where that is not known, and then the default leaves it alone.
    """

    name: str
    domain: Range | Choices
    cost: ChangeCost
    when: tuple[When, ...] = ()
    default: Value | None = None


@dataclass(frozen=True)
class SearchSpace:
    """All knobs of a study, and the rules between them.

    Attributes:
        knobs: in the order of the file.
        rules: what must hold between knobs.
        fixed: the values of what rules name and no knob changes.
        unlocked: the knobs among them that durability hangs on; the recommendation opens with a warning.
    """

    knobs: tuple[Knob, ...]
    rules: tuple[Rule, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    unlocked: tuple[str, ...] = ()

    @property
    def size(self) -> int | None:
        """How many assignments there are; None where a knob has a range, or it would take long to count."""
        choices = [knob.domain.values for knob in self.knobs if isinstance(knob.domain, Choices)]
        if len(choices) < len(self.knobs) or math.prod(map(len, choices)) > _COUNTED:
            return None
        names = [knob.name for knob in self.knobs]
        drawn = (self.active(dict(zip(names, values, strict=True))) for values in product(*choices))
        return len({frozenset(each.items()) for each in drawn if not self.violations(each)})

    def holds(self, assignment: Assignment) -> bool:
        """Whether an assignment can be drawn, and breaks no rule."""
        return not self.outside(assignment) and not self.violations(assignment)

    def is_used_up(self, tried: Collection[Assignment]) -> bool:
        """Whether these are all assignments that there are, as far as that is known by `size`."""
        inside = {frozenset(each.items()) for each in tried if self.holds(each)}
        return self.size is not None and len(inside) >= self.size

    def suggest(self, trial: BaseTrial) -> Assignment:
        """Draws an assignment; it may break rules, see `violations`."""
        return self.active({knob.name: knob.domain.suggest(trial, knob.name) for knob in self.knobs})

    def parameters(self, assignment: Assignment) -> dict[str, Value]:
        """The parameters by which a trial suggests an assignment, as ``enqueue_trial`` takes them.

        Raises:
            ValueError: the assignment can't be drawn.
        """
        outside = self.outside(assignment)
        if outside:
            raise ValueError("; ".join(outside))
        parameters: dict[str, Value] = {}
        for knob in self.knobs:
            value = assignment.get(knob.name, self._nearest(knob, knob.default))
            parameters |= knob.domain.parameters(knob.name, value)
        return parameters

    def outside(self, assignment: Assignment) -> list[str]:
        """Why an assignment can't be drawn; nothing where it can."""
        active = self.active(assignment)
        reasons = [f"{name} is not searched" for name in assignment if name not in self._by_name]
        for knob in self.knobs:
            if knob.name not in assignment:
                if all(self._met(when, active) for when in knob.when):
                    reasons.append(f"{knob.name} has no value")
            elif knob.name not in active:
                reasons.append(f"{knob.name} has no effect then")
            elif not knob.domain.contains(assignment[knob.name]):
                reasons.append(f"{knob.name}={assignment[knob.name]} is not searched")
        return reasons

    def violations(self, assignment: Assignment) -> list[str]:
        """The rules that an assignment breaks, each with its values; nothing where it keeps all."""
        values = {**self.fixed, **assignment}
        return [broken for rule in self.rules if (broken := rule.broken(values)) is not None]

    def cost(self, before: Assignment, after: Assignment) -> ChangeCost:
        """What has to be made anew between two assignments: the dearest of what differs."""
        changed = (knob.cost for knob in self.knobs if before.get(knob.name) != after.get(knob.name))
        return max(changed, default=ChangeCost.NONE)

    def active(self, values: Assignment) -> dict[str, Value]:
        """Values without those of knobs that have no effect beside the others."""
        return {
            knob.name: values[knob.name]
            for knob in self.knobs
            if knob.name in values and all(self._met(when, values) for when in knob.when)
        }

    def default(self) -> Assignment:
        """What the knobs are without a study; those whose default isn't known are absent."""
        return self.active({knob.name: knob.default for knob in self.knobs if knob.default is not None})

    def fitted(self, *wishes: Assignment) -> Assignment:
        """The assignment of this space that is nearest to the first wish for each knob.

        A knob that no wish has a value for, or none that is near to any of its own, gets its first value.
        """
        return self.active({knob.name: self._fitted(knob, wishes) for knob in self.knobs})

    def _fitted(self, knob: Knob, wishes: Sequence[Assignment]) -> Value:
        wished = [
            self._nearest(knob, value) for value in (*(wish.get(knob.name) for wish in wishes), knob.default)
        ]
        found = next((value for value in wished if value is not None), None)
        return knob.domain.parameters(knob.name, None)[knob.name] if found is None else found

    def _nearest(self, knob: Knob, value: Value | None) -> Value | None:
        return None if value is None else knob.domain.nearest(value)

    def _met(self, when: When, values: Assignment) -> bool:
        """Whether a condition holds; one on a knob that is not active itself doesn't."""
        knob = self._by_name[when.name]
        return values.get(when.name) in when.values and all(self._met(one, values) for one in knob.when)

    @cached_property
    def _by_name(self) -> Mapping[str, Knob]:
        return {knob.name: knob for knob in self.knobs}

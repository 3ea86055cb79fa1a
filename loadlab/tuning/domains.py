"""Reads which values a knob may have, each checked by what Kafka, librdkafka or the scenario allows there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loadlab.hints import HintedError
from loadlab.scenario.problems import Problem
from loadlab.tuning.space import Choices, Range

if TYPE_CHECKING:
    from loadlab.scenario.document import Path
    from loadlab.tuning.space import Value
    from loadlab.tuning.study_model import ChoicesEntry, RangeEntry
    from loadlab.tuning.targets import Target

_EXACT = 1e-6  # what is left of dividing two floats
_ACKS: Final = ("acks", "request.required.acks")


def read_range(target: Target, entry: RangeEntry, at: Path, told: list[Problem]) -> Range | None:
    """A range; None where it is wrong, and then `told` has why.

    Args:
        target: what has the values.
        entry: as the file has it.
        at: where that stands.
        told: takes the problems.
    """
    if target.kind == "switch":
        told.append(Problem(at, "is true or false, which have no order: give choices: [true, false]"))
        return None
    before = len(told)
    low = _number(target, entry.low, (*at, "low"), told)
    high = _number(target, entry.high, (*at, "high"), told)
    step = None if entry.step is None else _step(target, entry.step, (*at, "step"), told)
    special = [
        _number(target, written, (*at, "special", place), told) for place, written in enumerate(entry.special)
    ]
    if low is None or high is None or len(told) > before:
        return None
    found = Range(low, high, target.kind == "whole", entry.log, step)
    wrong = _wrong_bounds(found) or _wrong_step(found)
    if wrong is not None:
        told.append(Problem((*at, wrong[0]), wrong[1]))
        return None
    known = tuple(value for value in special if value is not None)
    for place, value in enumerate(known):
        if value in known[:place]:
            told.append(Problem((*at, "special", place), f"{value:g} is there twice"))
        elif found.contains(value):
            told.append(Problem((*at, "special", place), f"the range holds {value:g} already"))
    return None if len(told) > before else replace(found, special=known)


def _wrong_bounds(found: Range) -> tuple[str, str] | None:
    """The bound of a range that is wrong beside the rest of it, and why."""
    low, high = found.low, found.high
    if low > high:
        return "high", f"the range is empty: {high:g} is less than low, {low:g}"
    if low == high:
        return "high", f"the range holds {low:g} only, so there is nothing to search: set it in the scenario"
    if found.log and low <= 0:
        return "low", f"a log range can't hold {low:g}: start above 0, and give 0 as special: [0]"
    return None


def _wrong_step(found: Range) -> tuple[str, str] | None:
    """The key of a range that does not fit its steps, and why."""
    low, high, step = found.low, found.high, found.step
    if step is None:
        return None
    if found.log:
        return "step", "a log range has no steps: drop log or step"
    if step <= 0 or step > high - low:
        return "step", f"must be more than 0 and at most {high - low:g}, the width of the range"
    steps = (high - low) / step
    if abs(steps - round(steps)) > _EXACT:
        return "high", f"can't be reached from {low:g} by steps of {step:g}"
    return None


def read_choices(target: Target, entry: ChoicesEntry, at: Path, told: list[Problem]) -> Choices | None:
    """Choices; None where they are wrong, and then `told` has why. Arguments as for `read_range`."""
    before = len(told)
    values: list[Value] = []
    for place, written in enumerate(entry.choices):
        path = (*at, "choices", place)
        value = read_value(target, written, path, told)
        if value is not None and any(_are_one(target, value, other) for other in values):
            told.append(Problem(path, f"{written} is there twice"))
        elif value is not None:
            values.append(value)
    if len(told) > before:
        return None
    if len(values) == 1:
        message = "one choice leaves nothing to search: set it in the scenario"
        told.append(Problem((*at, "choices"), message))
        return None
    return Choices(tuple(values))


def _are_one(target: Target, value: Value, other: Value) -> bool:
    """Whether two values are the same, be it under two names: of acks, -1 is all."""
    all_acks = {"-1", "all"}
    of_acks = target.property_name in _ACKS and {str(value).lower(), str(other).lower()} <= all_acks
    return value == other or of_acks


def read_value(target: Target, written: object, at: Path, told: list[Problem]) -> Value | None:
    """A value; None where it is wrong, and then `told` has why. Arguments as for `read_range`."""
    try:
        return target.value(written)
    except HintedError as error:
        told.append(Problem(at, str(error), error.suggestion))
        return None


def _number(target: Target, written: object, at: Path, told: list[Problem]) -> float | None:
    value = read_value(target, written, at, told)
    if isinstance(value, str):
        told.append(Problem(at, f'"{value}" is no number, so it bounds no range; list the values as choices'))
        return None
    return value


def _step(target: Target, written: object, at: Path, told: list[Problem]) -> float | None:
    try:
        return target.distance(written)
    except HintedError as error:
        told.append(Problem(at, str(error), error.suggestion))
        return None

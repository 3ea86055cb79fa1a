"""Reads the search space of a study file: each knob by what Kafka allows it, then what is between them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from loadlab.hints import HintedError, near
from loadlab.scenario.problems import Problem
from loadlab.tuning.default_space import default_space
from loadlab.tuning.domains import read_choices, read_range, read_value
from loadlab.tuning.knobs import ALIASES, default_of, is_durability, value_in
from loadlab.tuning.space import Choices, Knob, Range, SearchSpace, When
from loadlab.tuning.space_rules import read_rules
from loadlab.tuning.study_model import ChoicesEntry, RangeEntry
from loadlab.tuning.targets import Target, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.scenario import Scenario
    from loadlab.scenario.document import Path
    from loadlab.tuning.space import Value
    from loadlab.tuning.study_model import Entry, StudyFile

_SPACE: Final = "search_space"
_MOST_SHOWN: Final = 8


def read_space(file: StudyFile, scenario: Scenario, told: list[Problem], *, whole: bool) -> SearchSpace:
    """The search space of a study, as far as it is right.

    Args:
        file: as far as it could be built.
        scenario: what is searched in.
        told: takes the problems.
        whole: whether nothing of the space had to be taken out of the file; else what is between knobs is not
            checked, as it would be told of what is only missing.
    """
    return _SpaceReader(scenario, told).read(file, whole=whole)


class _SpaceReader:
    """Reads one space; its problems go where all of the file's go."""

    def __init__(self, scenario: Scenario, told: list[Problem]) -> None:
        self._scenario = scenario
        self._told = told
        self._targets: dict[str, Target] = {}

    def read(self, file: StudyFile, *, whole: bool) -> SearchSpace:
        before = len(self._told)
        entries: Mapping[str, Entry] = (
            dict.fromkeys(self._defaults, "default")
            if isinstance(file.search_space, str)
            else file.search_space
        )
        found = [self._knob(name, entry, entries) for name, entry in entries.items()]
        knobs = {knob.name: knob for knob in found if knob is not None}
        if not whole or len(self._told) > before:
            return SearchSpace(tuple(knobs.values()))
        for name, entry in entries.items():
            knobs[name] = replace(knobs[name], when=self._conditions(knobs[name], entry, knobs))
        self._refuse_circles(knobs)
        rules = read_rules(file.rules, self._scenario, knobs, self._told)
        unlocked = tuple(name for name in knobs if is_durability(self._targets[name]))
        return SearchSpace(tuple(knobs.values()), rules.rules, rules.fixed, unlocked)

    @cached_property
    def _defaults(self) -> Mapping[str, Knob]:
        """The default space."""
        return default_space(self._scenario)

    def _tell(self, at: Path, message: str, suggestion: str | None = None, *, at_key: bool = False) -> None:
        self._told.append(Problem(at, message, suggestion, at_key=at_key))

    def _knob(self, name: str, entry: Entry, entries: Mapping[str, Entry]) -> Knob | None:
        at: Path = (_SPACE, name)
        try:
            target = self._targets[name] = target_of(name, self._scenario)
            self._refuse_other_name(target, entries)
        except HintedError as error:
            meant = next((whole for whole in self._defaults if whole.endswith(f".{name}")), None)
            message = "is no path of the scenario" if meant else str(error)
            self._tell(at, message, meant or error.suggestion, at_key=True)
            return None
        domain: Range | Choices | None
        if isinstance(entry, RangeEntry):
            domain = read_range(target, entry, at, self._told)
        elif isinstance(entry, ChoicesEntry):
            domain = read_choices(target, entry, at, self._told)
        elif name in self._defaults:
            return self._defaults[name]
        else:
            domain = None
            self._tell(at, "has no range in the default space: give it low and high, or choices")
        if domain is None:
            return None
        return Knob(name, domain, target.cost, default=default_of(target, self._scenario))

    def _refuse_other_name(self, target: Target, entries: Mapping[str, Entry]) -> None:
        """A property with two names is searched by the one that the scenario has, and only once."""
        name = target.property_name
        if name is None or name not in ALIASES or target.path[0] not in {"producers", "consumers"}:
            return
        owner, alias = target.name.removesuffix(name), ALIASES[name]
        if target_of(f"{owner}{alias}", self._scenario).own(self._scenario) is not None:
            raise HintedError(f"the scenario calls it {alias}, which is the same property", f"{owner}{alias}")
        if f"{owner}{alias}" in entries and name > alias:
            raise HintedError(f"is the same property as {owner}{alias}, which is searched already")

    def _conditions(self, knob: Knob, entry: Entry, knobs: Mapping[str, Knob]) -> tuple[When, ...]:
        if isinstance(entry, str):
            return self._default_conditions(knob, knobs)
        found: list[When] = []
        for name, written in entry.when.items():
            at: Path = (_SPACE, knob.name, "when", name)
            if name not in knobs:
                meant = near(name, knobs.keys() - {knob.name})
                advice = "" if meant else ": search it too, or drop when"
                self._tell(at, f"is not searched, so it never changes{advice}", meant, at_key=True)
                continue
            values = [
                self._condition_value(knobs[name], value, (*at, place)) for place, value in enumerate(written)
            ]
            found.append(When(name, tuple(value for value in values if value is not None)))
        return tuple(found)

    def _default_conditions(self, knob: Knob, knobs: Mapping[str, Knob]) -> tuple[When, ...]:
        """The conditions of a knob of the default space, without those that always hold."""
        found = tuple(when for when in knob.when if not self._settled(knob, when, knobs))
        for when in found:
            if not any(map(knobs[when.name].domain.contains, when.values)):
                never = " or ".join(map(str, when.values))
                self._tell(
                    (_SPACE, knob.name), f"has no effect, as {when.name} is never {never}", at_key=True
                )
        return found

    def _settled(self, knob: Knob, when: When, knobs: Mapping[str, Knob]) -> bool:
        """Whether a condition of the default space is on what isn't searched; it holds always then."""
        if when.name in knobs:
            return False
        value = value_in(target_of(when.name, self._scenario), self._scenario)
        if value not in when.values:
            self._tell((_SPACE, knob.name), f"has no effect, as {when.name} is {value}", at_key=True)
        return True

    def _condition_value(self, other: Knob, written: object, at: Path) -> Value | None:
        value = read_value(self._targets[other.name], written, at, self._told)
        if value is None or other.domain.contains(value):
            return value
        has = ""
        if isinstance(other.domain, Choices):
            has = f"; it has {', '.join(map(str, other.domain.values[:_MOST_SHOWN]))}"
        self._tell(at, f"{other.name} is never {value}{has}")
        return None

    def _refuse_circles(self, knobs: Mapping[str, Knob]) -> None:
        """A knob must not depend on itself, whatever lies between."""
        for name in knobs:
            seen: set[str] = set()
            ahead = [when.name for when in knobs[name].when]
            while ahead:
                seen.add(here := ahead.pop())
                ahead += [when.name for when in knobs[here].when if when.name not in seen]
            if name in seen:
                self._tell((_SPACE, name, "when"), "depends on itself")

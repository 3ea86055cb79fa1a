"""Builds the model and tells every problem in our own words, at the place where it is.

A file with a mistake in one producer must still be told of the unknown topic in another. So what pydantic
refuses is taken out and the rest is built, until a part stands that the checks across the file can see.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import ValidationError

from loadlab.client.property_table import known_properties
from loadlab.hints import HintedError, near
from loadlab.scenario.cluster import DEFAULT_KAFKA_VERSION
from loadlab.scenario.document import Path, value_at
from loadlab.scenario.fields import Model
from loadlab.scenario.kafka_properties import definitions
from loadlab.scenario.model import Scenario
from loadlab.scenario.problems import Problem
from loadlab.scenario.shape import keys, shape_at
from loadlab.scenario.wording import worded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pydantic_core import ErrorDetails

_ROUNDS: Final = 8
_ENTRY: Final = 2
_Built = TypeVar("_Built", bound=Model)


@dataclass(frozen=True)
class Form(Generic[_Built]):
    """A kind of file.

    Attributes:
        model: of the whole file.
        stand_ins: what takes the place of something required that had to be taken out, so that the rest
            around it stands; by path, ``*`` for a name that the user chose.
        entries: parts whose entries are taken out as a whole, as nothing of them stands without the rest.
    """

    model: type[_Built]
    stand_ins: Mapping[tuple[str, ...], object]
    entries: tuple[str, ...] = ()


SCENARIO: Final = Form(
    Scenario,
    {
        ("name",): "unnamed",
        ("topics",): {"unnamed": {}},
        ("producers", "*", "topic"): "unnamed",
        ("producers", "*", "schedule"): {"rate": 1},
        ("producers", "*", "schedule", "rate"): 1,
        ("producers", "*", "records"): {"size": 1024},
        ("producers", "*", "records", "size"): 1024,
        ("consumers", "*", "topic"): "unnamed",
    },
)


@dataclass(frozen=True)
class Built(Generic[_Built]):
    """What could be built.

    Attributes:
        model: the whole, or what was left of it; None where nothing was.
        problems: what pydantic refused.
        removed: the paths that had to be taken out, by pydantic or before.
    """

    model: _Built | None
    problems: list[Problem]
    removed: list[Path]

    def in_file(self, path: Path) -> Path:
        """Where the file has what the model has at a path."""
        return _in_file(path, self.removed)


def build(data: Mapping[str, object], form: Form[_Built], refused: Sequence[Path] = ()) -> Built[_Built]:
    """Builds as much of a file as can be built.

    Args:
        data: the document.
        form: the kind of file.
        refused: what was refused before, and told of: it is left out.
    """
    rest = copy.deepcopy(dict(data))
    for path in refused:
        _remove(rest, path, None)
    problems: list[Problem] = []
    removed: list[Path] = []
    for _ in range(_ROUNDS):
        try:
            return Built(form.model.model_validate(rest), problems, [*refused, *removed])
        except ValidationError as error:
            details = _own(error.errors())
        found = [_problem(detail, rest, form) for detail in details]
        placed = [replace(problem, path=_in_file(problem.path, removed)) for problem in found]
        problems += [problem for problem in placed if not _follows(problem.path, removed)]
        culprits = {_culprit(detail, rest, form) for detail in details}
        removed += [_in_file(culprit, removed) for culprit in culprits]
        for culprit in sorted(culprits, key=_from_the_end):
            _remove(rest, culprit, _stand_in(culprit, form))
    return Built(None, problems, [*refused, *removed])


def overlaps(path: Path, removed: list[Path]) -> bool:
    """Whether a path lies above or below one that had to be taken out."""
    return any(path[: len(other)] == other or other[: len(path)] == path for other in removed)


def _follows(path: Path, removed: list[Path]) -> bool:
    """Whether a problem comes of what was taken out: it is there or around it."""
    return any(other[: len(path)] == path for other in removed)


def _problem(detail: ErrorDetails, data: Mapping[str, object], form: Form[_Built]) -> Problem:
    path = _path(detail, data)
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = keys(shape_at(path[:-1], (form.model,)))
        if path[-1] in known:  # of another form than the one that the keys beside it are of
            return Problem(path, "does not go with the keys beside it", at_key=True)
        if (parent := _belongs_under(path, form)) is not None:
            return Problem(path, f"unknown key here: it belongs under {parent}", at_key=True)
        suggestion = near(str(path[-1]), known)
        message = "unknown key" if suggestion else f"unknown key; there are {', '.join(known)}"
        return Problem(path, message, suggestion, at_key=True)
    at_key = detail["loc"][-1] == "[key]"
    if kind == "value_error":
        error = detail["ctx"]["error"]
        suggestion = error.suggestion if isinstance(error, HintedError) else None
        return Problem(path, str(error), suggestion, at_key=at_key)
    message, suggestion = worded(detail)
    return Problem(path, message, suggestion, at_key=at_key)


def _belongs_under(path: Path, form: Form[_Built]) -> str | None:
    """The key beside an unknown one that has it: rate is of schedule, acks of config."""
    for key in keys(shape_at(path[:-1], (form.model,))):
        below = shape_at((*path[:-1], key), (form.model,))
        if path[-1] in keys(below) or (key == "config" and path[-1] in _properties(path[0])):
            return key
    return None


def _properties(part: object) -> Collection[str]:
    """The properties that the members of a part of a scenario may have."""
    if part in {"producers", "consumers"}:
        return known_properties()
    return definitions("topic" if part == "topics" else "broker", DEFAULT_KAFKA_VERSION)


def _path(detail: ErrorDetails, data: Mapping[str, object]) -> Path:
    """The path in the file: without the tags of forms, and without pydantic's mark of a key."""
    path: Path = ()
    for key in detail["loc"]:
        is_tag = str(key).startswith("<") and not _holds(data, (*path, key))
        if key != "[key]" and not is_tag:
            path = (*path, key)
    return path


def _culprit(detail: ErrorDetails, data: Mapping[str, object], form: Form[_Built]) -> Path:
    """The path to take out: the nearest thing that is there; for a missing key, what misses it."""
    path = _path(detail, data)
    if path and path[0] in form.entries and len(path) > _ENTRY:
        return path[:_ENTRY]
    if detail["type"] == "missing":
        return path if _stand_in(path, form) is not None else path[:-1]
    while path and value_at(data, path) is None and not _holds(data, path):
        path = path[:-1]
    return path


def _in_file(path: Path, removed: Sequence[Path]) -> Path:
    """A path as the file has it: each entry that was taken out of a list moved those behind it."""
    told: Path = ()
    for key in path:
        place = key
        if isinstance(place, int):
            gone = {other[-1] for other in removed if other[:-1] == told}
            for index in sorted(index for index in gone if isinstance(index, int)):
                place += index <= place
        told = (*told, place)
    return told


def _from_the_end(path: Path) -> tuple[int, ...]:
    """Sorts what lies deeper first, and later entries of a list: taking one out moves none that is to go."""
    return (-len(path), *(-key for key in path if isinstance(key, int)))


def _holds(data: Mapping[str, object], path: Path) -> bool:
    parent = value_at(data, path[:-1])
    return isinstance(parent, dict) and path[-1] in parent


def _remove(data: dict[str, object], path: Path, stand_in: object) -> None:
    """Takes out what a path leads to, or puts its stand-in there."""
    parent = value_at(data, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        if stand_in is not None:
            parent[path[-1]] = copy.deepcopy(stand_in)
    elif isinstance(parent, list) and isinstance(path[-1], int) and path[-1] < len(parent):
        parent.pop(path[-1])


def _stand_in(path: Path, form: Form[_Built]) -> object:
    """The stand-in for a path, whatever the group is called; None where it needs none."""
    general = tuple("*" if place == 1 else str(key) for place, key in enumerate(path))
    return form.stand_ins.get(general)


def _own(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Errors without those that follow from others: a list is not too short for its wrong entries."""
    return [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(other["loc"][:-1][: len(detail["loc"])] == detail["loc"] for other in details)
    ]

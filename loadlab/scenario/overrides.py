"""Values set over the file: ``LOADLAB_*`` variables first, ``--set`` over them.

``--set producers.checkout.config.batch.size=64KiB``: once a path enters a properties map (``config``), the
rest is one key. The value is YAML, so that numbers, lists and mappings can be set; an empty value or null
puts the default back. A path may lead through a group that is there, or end in a new one:
``topics.audit={partitions: 3}``.

The environment has ``LOADLAB_PROVIDER`` (``cluster.provider``), and ``LOADLAB_SET`` and
``LOADLAB_SET_<ANYTHING>``, each holding one ``path=value`` a line. Property names have dots where names of
variables can't, so the path stands in the value. Variables apply in the order of their names. A secret set so
appears in no list of processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from loadlab import units
from loadlab.errors import ScenarioError
from loadlab.hints import HintedError, is_text, near
from loadlab.scenario import shape
from loadlab.scenario.document import Document, Origin, Path, keeps_digits, lines_of, value_at
from loadlab.scenario.problems import Problem
from loadlab.scenario.reader import parse_value
from loadlab.scenario.secrets import redacted_line
from loadlab.scenario.wording import HALF_A_CHARACTER

PROVIDER_VARIABLE = "LOADLAB_PROVIDER"
SET_VARIABLE = "LOADLAB_SET"
_INDEX: Final = re.compile(r"\[([0-9]{1,3})\](?=\.|$)")
_FORM = "must be PATH=VALUE, such as producers.checkout.workers=2"


@dataclass(frozen=True)
class _Override:
    """``path=value``, and what sets it; where it begins like no path, which key it was probably to have."""

    text: str
    origin: Origin
    unknown: bool = False
    meant: str | None = None


@dataclass(frozen=True)
class Setting:
    """A value that is set over a scenario by another file.

    Attributes:
        path: where, with dots.
        value: plain data; None puts the default back.
        origin: what sets it.
        written: what a number was written as, which a property keeps; None where that isn't known.
    """

    path: str
    value: object
    origin: Origin
    written: str | None = None


class _PathError(HintedError):
    """An override that leads nowhere."""


def apply_settings(document: Document, settings: Sequence[Setting]) -> list[Problem]:
    """Sets values over the document, which is changed in place; tells of each that can't be set."""
    return [problem for setting in settings for problem in _set(document, setting)]


def apply_overrides(document: Document, environ: Mapping[str, str], sets: Sequence[str]) -> list[Problem]:
    """Sets values over the document's own.

    Args:
        document: changed in place.
        environ: the environment; only LOADLAB_PROVIDER and LOADLAB_SET… are read.
        sets: ``path=value`` each.

    Returns:
        A problem for each override that can't be applied.
    """
    overrides = [*_from_environment(environ), *(_override(text, "set", f"--set {text}") for text in sets)]
    return [problem for override in overrides for problem in _apply(document, override)]


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Override]:
    if provider := environ.get(PROVIDER_VARIABLE):
        yield _override(f"cluster.provider={provider}", "environment", PROVIDER_VARIABLE)
    keys = shape.keys(shape.shape_at(()))
    for name in sorted(environ):
        if name == SET_VARIABLE or name.startswith(f"{SET_VARIABLE}_"):
            for number, line in enumerate(lines_of(environ[name]), start=1):
                # What begins like no path may be the next line of a secret: it is not told.
                first = line.partition("=")[0].partition(".")[0].strip()
                if first in keys:
                    yield _override(line.strip(), "environment", f"{name}: {line.strip()}")
                elif line.strip():
                    origin = Origin("environment", f"{name}, line {number}")
                    yield _Override("", origin, unknown=True, meant=near(first, keys))


def _override(text: str, kind: Literal["set", "environment"], place: str) -> _Override:
    return _Override(text, Origin(kind, redacted_line(place)))


def _apply(document: Document, override: _Override) -> Iterator[Problem]:
    """Applies one override; yields what is wrong with it."""
    if override.unknown:
        message = f"begins with no key of a scenario: {', '.join(shape.keys(shape.shape_at(())))}"
        yield Problem((), message, override.meant, place=override.origin.place)
        return
    try:
        path_text, value_text = _split(override.text)
        # By its place: 0123 is text in a map of properties, and a number elsewhere.
        value = parse_value(value_text, "the value", resolve_path(path_text, document.data))
    except (_PathError, ScenarioError) as error:
        message = error.message if isinstance(error, ScenarioError) else str(error)
        suggestion = error.suggestion if isinstance(error, _PathError) else None
        yield Problem((), message, suggestion, place=override.origin.place)
    else:
        yield from _set(document, Setting(path_text, value, override.origin))


def _set(document: Document, setting: Setting) -> Iterator[Problem]:
    """Sets one value; yields what is wrong with its path."""
    try:
        path = resolve_path(setting.path, document.data)
        as_written = setting.written is not None and keeps_digits(path)
        _put(document, path, setting.written if as_written else setting.value)
    except _PathError as error:
        yield Problem((), str(error), error.suggestion, place=setting.origin.place)
    else:
        document.overrides[path] = setting.origin


def _split(text: str) -> tuple[str, str]:
    """Path and value; an equals sign within a selector's braces belongs to the path."""
    brace = text.find("{")
    equals = text.find("=")
    if 0 <= brace < equals and "}" in text[brace:]:
        equals = text.find("=", text.index("}", brace))
    path = text[: max(0, equals)].strip()
    if not path:
        raise _PathError(_FORM)
    if not is_text(path):
        raise _PathError(HALF_A_CHARACTER)
    return path, text[equals + 1 :].strip()


def resolve_path(text: str, data: Mapping[str, object]) -> Path:
    """The keys of a dotted path, told apart by what may stand where; entries of lists as ``.0`` or ``[0]``.

    Raises:
        HintedError: it leads nowhere.
    """
    path: Path = ()
    rest = _INDEX.sub(r".\1", text)
    while rest:
        key, rest = _step(path, rest, data)
        path = (*path, key)
    if not path:
        raise _PathError("is empty: a path such as producers.checkout.config.linger.ms is missing")
    if text.endswith(".") and not str(path[-1]).endswith("."):
        raise _PathError(f"{text} ends in a point, behind which a key is missing")
    return path


def _step(path: Path, rest: str, data: Mapping[str, object]) -> tuple[str | int, str]:
    """The next key of a path, and what is left of it."""
    here = shape.shape_at(path)
    first, _, left = rest.partition(".")
    if shape.is_open_map(here):
        return _open(path, rest, data)
    if shape.is_named_map(here):
        return _named(path, rest, data)
    if shape.is_list(here) and units.is_digits(first) and len(first) < len("1000"):
        return int(first), left
    known = shape.keys(here)
    if first in known:
        return first, left
    if not known:
        raise _PathError(f"{_dots(path)} is one value and has no part called {first}")
    suggestion = near(first, known)
    there = "" if suggestion else f"; there are {', '.join(known)}"
    raise _PathError(
        f"{_dots((*path, first))}: unknown key{there}", suggestion and _dots((*path, suggestion))
    )


def _open(path: Path, rest: str, data: Mapping[str, object]) -> tuple[str, str]:
    """A free key: the rest of the path, but for the number of an entry where a list stands under the key."""
    key, _, number = rest.rpartition(".")
    if units.is_digits(number) and isinstance(value_at(data, (*path, key)), list):
        return key, number
    return rest, ""


def _named(path: Path, rest: str, data: Mapping[str, object]) -> tuple[str, str]:
    """A name that the user chose; it may have dots, so the longest that is there is taken."""
    there = value_at(data, path)
    names = sorted(there, key=len, reverse=True) if isinstance(there, Mapping) else []
    for name in names:
        if rest == name or rest.startswith(f"{name}."):
            return name, rest[len(name) + 1 :]
    first, _, left = rest.partition(".")
    if left:
        raise _PathError(f"{_dots(path)} has nothing called {first}", near(first, names))
    return first, ""


def _put(document: Document, path: Path, value: object) -> None:
    """Sets or, where the value is None, drops what a path leads to."""
    parent: object = document.data
    for depth, key in enumerate(path[:-1], start=1):
        below = value_at(parent, (key,))
        if below is None and isinstance(parent, dict):
            below = parent[key] = [] if isinstance(path[depth], int) else {}
        _refuse_beyond(parent, path[:depth])
        if not isinstance(below, dict | list):
            raise _PathError(f"{_dots(path[:depth])} is one value here and has no parts to set")
        parent = below
    document.forget(path)
    _assign(parent, path, value)


def _refuse_beyond(parent: object, path: Path) -> None:
    """Refuses a number that no entry of a list has."""
    key = path[-1]
    if isinstance(parent, list) and isinstance(key, int) and key >= len(parent):
        entries = "1 entry" if len(parent) == 1 else f"{len(parent)} entries"
        raise _PathError(f"{_dots(path[:-1])} has {entries}, counted from [0]: there is no [{key}]")


def _assign(parent: object, path: Path, value: object) -> None:
    key = path[-1]
    _refuse_beyond(parent, path)
    if isinstance(parent, dict):
        if value is None:
            parent.pop(key, None)
        else:
            parent[key] = value
    elif isinstance(parent, list) and isinstance(key, int) and key < len(parent):
        parent[key] = value
    else:
        raise _PathError(f"{_dots(path)} is not there")


def _dots(path: Path) -> str:
    return ".".join(map(str, path))

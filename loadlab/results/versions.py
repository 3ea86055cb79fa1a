"""Read versioned JSON documents: of this schema version and of older ones, never of a newer one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Never, TypeAlias, TypeVar

from pydantic import JsonValue, ValidationError

from loadlab.errors import UsageError
from loadlab.results.model_base import Model

if TYPE_CHECKING:
    from pathlib import Path

Document: TypeAlias = dict[str, JsonValue]
Upgrades: TypeAlias = Mapping[int, Callable[[Document], Document]]
"""From each older version, the step that makes the next one of it."""

_DAMAGED_FIX = "copy its folder again, or make it anew"

Stored = TypeVar("Stored", bound=Model)


def read_versioned(path: Path, model: type[Stored], newest: int, upgrades: Upgrades) -> Stored:
    """Read a document and bring it to the newest schema version.

    Args:
        path: the file.
        model: of the newest version.
        newest: that version.
        upgrades: the steps to it from all older ones.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    document = _read(path)
    version = _version(document, path)
    if version > newest:
        raise UsageError(
            f"{path} has schema version {version}; this loadlab reads up to {newest}",
            fix=f"use loadlab {document.get('loadlab_version', '')} or newer".replace("  ", " "),
        )
    for older in range(version, newest):
        document = upgrades[older](document)
    return _validated(document, model, path)


def schema_version(path: Path) -> int:
    """The schema version that a document was written in.

    Raises:
        UsageError: it can't be read or has none.
    """
    return _version(_read(path), path)


def _version(document: Document, path: Path) -> int:
    version = document.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise UsageError(f"{path} is not a result of loadlab: it has no schema version", fix=_DAMAGED_FIX)
    return version


def _validated(document: Document, model: type[Stored], path: Path) -> Stored:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path} is damaged: {place}: {first['msg']}", fix=_DAMAGED_FIX) from error


def _no_number(word: str) -> Never:
    """Refuse NaN and Infinity, which JSON does not have and Python reads: no figure is written so."""
    raise ValueError(f"{word} is no number")


def _read(path: Path) -> Document:
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # the latter where brackets are nested by the thousand
        raise UsageError(f"{path} is damaged: {error}", fix=_DAMAGED_FIX) from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} is not a result of loadlab: no JSON object", fix=_DAMAGED_FIX)
    return document

"""Which keys may stand where, read off the models: for near names and for the paths of overrides."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Union, cast, get_args, get_origin

from loadlab.scenario.fields import Model
from loadlab.scenario.model import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable

Shape = tuple[object, ...]
"""The types that a value may have; several where it takes one of several forms."""

ROOT: Shape = (Scenario,)


def shape_at(path: Iterable[str | int], root: Shape = ROOT) -> Shape:
    """The types that the value of a path may have; empty where no such path exists."""
    shape = root
    for key in path:
        shape = child(shape, key)
    return shape


def child(shape: Shape, key: str | int) -> Shape:
    """The types below a key."""
    return tuple(kind for parent in shape for kind in _below(parent, key))


def keys(shape: Shape) -> list[str]:
    """The keys that a value of this shape may have, where they are fixed."""
    return [name for kind in shape if is_model(kind) for name in _fields(cast("type[Model]", kind))]


def is_model(kind: object) -> bool:
    """Whether a type has fixed keys."""
    return isinstance(kind, type) and issubclass(kind, Model)


def is_named_map(shape: Shape) -> bool:
    """Whether the keys are names that the user chose, of things that have fixed keys, such as topics."""
    return any(get_origin(kind) is dict and any(map(is_model, _flat(get_args(kind)[1]))) for kind in shape)


def is_open_map(shape: Shape) -> bool:
    """Whether the keys are free and their values have no keys below: properties, thresholds."""
    return any(get_origin(kind) is dict for kind in shape) and not is_named_map(shape)


def is_list(shape: Shape) -> bool:
    """Whether the value is a list."""
    return any(get_origin(kind) is tuple for kind in shape)


def _fields(model: type[Model]) -> dict[str, object]:
    """The fields by their names in the file; what no file has is left out of documents too."""
    fields = model.model_fields.items()
    return {info.alias or name: info.annotation for name, info in fields if not info.exclude}


def _below(kind: object, key: str | int) -> Shape:
    if is_model(kind):
        return _flat(_fields(cast("type[Model]", kind)).get(str(key)))
    if get_origin(kind) is dict:
        return _flat(get_args(kind)[1])
    if get_origin(kind) is tuple and isinstance(key, int):
        return _flat(get_args(kind)[0])
    return ()


def _flat(annotation: object) -> Shape:
    """The types of an annotation without Annotated, Optional and unions around them."""
    if get_origin(annotation) is Annotated:
        return _flat(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(kind for part in get_args(annotation) for kind in _flat(part))
    return () if annotation in {None, NoneType} else (annotation,)

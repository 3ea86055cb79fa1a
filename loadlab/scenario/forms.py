"""Values that take one of several forms: a plain one, or a mapping whose one key names the form.

Tags of forms stand in angle brackets, so that an error's place can tell them from keys of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loadlab.hints import HintedError, near


def form_of(plain: str, *named: str) -> Callable[[object], str]:
    """A pydantic discriminator: the tag of the form that a value is written in.

    Args:
        plain: the form of a value that is no mapping.
        named: the keys that name the other forms.
    """

    def tag(value: object) -> str:
        keys = value.keys() if isinstance(value, Mapping) else getattr(type(value), "model_fields", {}).keys()
        return f"<{next((name for name in named if name in keys), plain)}>"

    return tag


def one_form(*named: str) -> Callable[[object], object]:
    """A pydantic before-validator: a mapping must have one key, and that must name a form.

    Args:
        named: the keys that name forms.
    """

    def check(value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        keys = [str(key) for key in value]
        if len(keys) != 1:
            raise HintedError(f"must be a mapping with one key, one of {', '.join(named)}")
        if keys[0] not in named:
            raise HintedError(f'"{keys[0]}" is none of {", ".join(named)}', near(keys[0], named))
        return value

    return check

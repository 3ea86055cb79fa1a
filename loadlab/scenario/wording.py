"""Pydantic's errors in the words of this project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.hints import near

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

HALF_A_CHARACTER: Final = "holds half of a character (a surrogate), which is no text"

_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "greater_than": "must be more than {gt}, not {input}",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "less_than": "must be less than {lt}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "int_type": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "float_type": "must be a number, not {input}",
    "finite_number": "must be a number, not {input}",
    "string_type": "must be a text, not {input}",
    "bool_type": "must be true or false, not {input}",
    "dict_type": "must be a mapping, not {input}",
    "model_type": "must be a mapping, not {input}",
    "tuple_type": "must be a list, not {input}",
    "path_type": "must be the path of a file, not {input}",
    "literal_error": "must be one of {expected}, not {input}",
    "string_unicode": HALF_A_CHARACTER,
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": (
        '{input} is no name: that is a-z, 0-9, ".", "_" and "-", at most 64 of them, a letter or digit first'
    ),
}
_OF_EXPRESSIONS: Final = ("thresholds", "constraints")


def worded(detail: ErrorDetails) -> tuple[str, str | None]:
    """What is wrong, and what was probably meant."""
    given = detail["input"]
    # 0 is the one duration that needs no unit, and phases last; elsewhere it is the limit itself.
    like = "0s" if given == 0 and detail["loc"][0] == "phases" else given
    context = {key: _limit(value, like) for key, value in detail.get("ctx", {}).items()}
    context["input"] = _shown(given)
    if detail["type"] == "model_type" and detail["loc"][0] in _OF_EXPRESSIONS:
        return f'must be an expression such as "p99 < 50ms", not {context["input"]}', None
    if detail["type"] == "tuple_type" and detail["loc"][0] in _OF_EXPRESSIONS and isinstance(given, str):
        return _MESSAGES["tuple_type"].format(**context), f'["{given}"]'
    if detail["type"] != "literal_error":
        return _MESSAGES.get(detail["type"], detail["msg"]).format(**context), None
    choices = [choice.strip("'") for choice in str(context["expected"]).replace(" or ", ", ").split(", ")]
    context["expected"] = ", ".join(choices)
    return _MESSAGES["literal_error"].format(**context), near(str(given), choices)


def _limit(limit: object, given: object) -> object:
    """A limit in the kind of unit that the value was given in."""
    if not isinstance(limit, int | float):
        return limit
    if isinstance(given, str) and given.endswith("B"):
        return units.format_size(int(limit))
    if isinstance(given, str) and given.endswith("/s"):
        return units.format_rate(limit)
    if isinstance(given, str) and given.endswith(tuple(units.DURATION_UNITS)):
        return units.format_duration(limit)
    return f"{int(limit):,}" if limit == int(limit) else f"{limit:g}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    text = str(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'  # noqa: PLR2004 - what fits on a line

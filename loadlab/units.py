"""Durations, sizes, rates and counts: parse what people write, write what parses back exactly.

| kind     | written                              | becomes               |
|----------|--------------------------------------|-----------------------|
| duration | ``5ms``, ``30s``, ``1.5h``, ``0``    | seconds (float)       |
| size     | ``64KiB``, ``1MB``, ``512``          | bytes (int)           |
| rate     | ``20k/s``, ``1.5M/s``, ``500``       | per second (float)    |
| count    | ``50k``, ``2M``, ``1000``            | a number of things    |

A duration needs its unit (only 0 may go without): a bare 5 would be read as seconds by one and as
milliseconds by the next. KiB, MiB and GiB are powers of 1024; kB, MB and GB powers of 1000; a bare K or M is
refused for a size. Arithmetic is exact (fractions), so that ``0.3ms`` is the float nearest to it and not a
rounded product.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeGuard

from loadlab.hints import HintedError

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_US: Final = 1_000

_NUMBER: Final = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([A-Za-zµμ/]*)")
_PLAIN_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_GROUPED_DIGITS: Final = re.compile(r"[0-9]{1,3}(?:[,_'][0-9]{3})+(?![0-9]).*")
_PART_OF_A_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(d|h|ms|m|s)\s*")
_SUMMED_DURATION: Final = re.compile(rf"(?:{_PART_OF_A_DURATION.pattern})+")

DURATION_UNITS: Final[Mapping[str, Fraction]] = {
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
}
SIZE_UNITS: Final[Mapping[str, Fraction]] = {
    "GiB": Fraction(2**30),
    "GB": Fraction(10**9),
    "MiB": Fraction(2**20),
    "MB": Fraction(10**6),
    "KiB": Fraction(2**10),
    "kB": Fraction(10**3),
    "KB": Fraction(10**3),
    "B": Fraction(1),
}
COUNT_UNITS: Final[Mapping[str, Fraction]] = {"M": Fraction(10**6), "k": Fraction(10**3), "": Fraction(1)}
_RATE_UNITS: Final[Mapping[str, Fraction]] = {f"{prefix}/s": by for prefix, by in COUNT_UNITS.items()}
_SECONDS: Final = ("", "s", "sec", "second")
_DURATION_NAMES: Final[Mapping[str, Fraction]] = {
    **DURATION_UNITS,
    "\u00b5s": DURATION_UNITS["us"],  # the micro sign
    "\u03bcs": DURATION_UNITS["us"],  # the Greek letter
}


class UnitError(HintedError):
    """A text that is no duration, size, rate or count."""


def duration_s(value: object) -> float:
    """Seconds of a duration such as ``5ms``, ``30s``, ``2m`` or ``1h``; 0 may go without a unit.

    Raises:
        UnitError: not a duration.
    """
    if _is_number(value):
        if value == 0:
            return 0.0
        number = _fraction(_finite(value))
        raise UnitError(f"a duration needs its unit, and {value} has none", f"{_plain(number)}s")
    ungrouped = _ungrouped(value)
    whole = f"{ungrouped}s" if ungrouped and ungrouped.isdigit() else ungrouped
    meant = whole or (_summed(value) if isinstance(value, str) else None)
    number, unit = _split(value, 'a duration such as "5ms", "30s" or "2m"', meant)
    if unit in _DURATION_NAMES:
        return float(number * _DURATION_NAMES[unit])
    if not unit and number == 0:
        return 0.0
    near = _other_case(unit, DURATION_UNITS, {"sec": "s", "min": "m", "msec": "ms", "hour": "h", "": "s"})
    raise UnitError(
        f'"{value}" is no duration: units are h, m, s, ms, us and ns',
        f"{_plain(number)}{near}" if near else meant,
    )


def size_bytes(value: object) -> int:
    """Bytes of a size such as ``64KiB``, ``1MB`` or 512.

    Raises:
        UnitError: not a size, or not a whole number of bytes.
    """
    if _is_number(value):
        return _whole(_fraction(_finite(value)), value, " of bytes")
    number, unit = _split(value, 'a size such as "64KiB", "1MB" or 512')
    if not unit or unit in SIZE_UNITS:
        return _whole(number * SIZE_UNITS.get(unit, Fraction(1)), value, " of bytes")
    aliases = {"K": "KiB", "k": "KiB", "M": "MiB", "m": "MiB", "G": "GiB"}
    near = _other_case(unit.rstrip("i"), SIZE_UNITS, aliases)
    raise UnitError(
        f'"{value}" is no size: units are B, kB, MB, GB (powers of 1000) and KiB, MiB, GiB (of 1024)',
        near and f"{_plain(number)}{near}",
    )


def rate_per_s(value: object) -> float:
    """Things per second of a rate such as ``20k/s``, ``1.5M/s``, ``500/s`` or 500.

    Raises:
        UnitError: not a rate.
    """
    if _is_number(value):
        return float(_finite(value))
    number, unit = _split(value, 'a rate such as "20k/s", "500/s" or 500')
    if not unit or unit in _RATE_UNITS:
        return float(number * _RATE_UNITS.get(unit, Fraction(1)))
    prefix, _, per = unit.partition("/")
    near = _other_case(prefix, COUNT_UNITS, {"K": "k", "m": "M"}) if per.lower() in _SECONDS else None
    raise UnitError(
        f'"{value}" is no rate: write a number per second, as "500/s", "20k/s" or "1.5M/s"',
        None if near is None else f"{_plain(number)}{near}/s",
    )


def count(value: object) -> int:
    """A whole number such as 1000, ``50k`` or ``2M``.

    Raises:
        UnitError: not a whole number.
    """
    if _is_number(value):
        return _whole(_fraction(_finite(value)), value)
    number, unit = _split(value, 'a whole number such as 1000, "50k" or "2M"')
    if unit not in COUNT_UNITS:
        raise UnitError(f'"{value}" is no whole number: write it as 1000, "50k" or "2M"')
    return _whole(number * COUNT_UNITS[unit], value)


def amount(value: str, kind: Literal["size", "count"]) -> float:
    """A size in bytes or a count that need not be whole, as a mean of such: ``1.5``, ``2.5k``, ``100.5B``.

    Raises:
        UnitError: neither.
    """
    known = {"": Fraction(1), **SIZE_UNITS} if kind == "size" else COUNT_UNITS
    number, unit = _split(value, 'a number such as "1.5"')
    if unit not in known:
        raise UnitError(f'"{value}" has a unit that is none here: {", ".join(filter(None, known))}')
    return float(number * known[unit])


def property_value(name: str, value: str) -> str:
    """The value of a Kafka property in the unit that the property's name says.

    Kafka writes ``linger.ms=5`` and ``batch.size=65536``; people may write ``5ms`` and ``64KiB``. A plain
    number comes back without its plus sign, and the value of a property whose name says no unit as it is.

    Raises:
        UnitError: the name says a unit and the value is neither a number nor in such a unit.
    """
    if _PLAIN_NUMBER.fullmatch(value):
        return value.removeprefix("+")
    if name.endswith(".ms"):
        return _plain(round(Fraction(duration_s(value)) * 1000, 6))
    if name.endswith(".kbytes"):
        return str(_whole(Fraction(size_bytes(value), 1024), value, " of KiB"))
    if name.endswith(".bytes") or name == "batch.size":
        return str(size_bytes(value))
    return value


def is_digits(text: str) -> bool:
    """Whether a text is of the digits 0 to 9 alone; `str.isdigit` takes ``²`` for one, and `int` doesn't."""
    return text.isascii() and text.isdecimal()


def microseconds(value_ns: float | None) -> float | None:
    """Nanoseconds as microseconds, to the nanosecond; None for none."""
    return None if value_ns is None else round(value_ns / NS_PER_US, 3)


def format_duration(seconds: float) -> str:
    """The shortest exact text of a duration: 0.005 → ``5ms``, 120 → ``2m``."""
    return _format(_fraction(seconds), DURATION_UNITS, "s")


def format_size(size: int) -> str:
    """The shortest exact text of a size: 65536 → ``64KiB``, 1000 → ``1kB``, 100 → ``100B``."""
    return _format(Fraction(size), SIZE_UNITS, "B")


def format_rate(per_s: float) -> str:
    """The shortest exact text of a rate: 20000 → ``20k/s``, 0.5 → ``0.5/s``."""
    return _format(_fraction(per_s), _RATE_UNITS, "/s")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(number: float) -> float:
    if not math.isfinite(number) or number < 0:
        raise UnitError(f"must be a number of 0 or more, not {number}")
    return number


def _split(value: object, wanted: str, meant: str | None = None) -> tuple[Fraction, str]:
    """Number and unit of a text.

    Args:
        value: the text.
        wanted: what it is to be, in words.
        meant: what was probably meant where it is something else.
    """
    found = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnitError(f"must be {wanted}, not {_shown(value)}", meant or _ungrouped(value))
    return Fraction(found[1]), found[2]


def _ungrouped(value: object) -> str | None:
    """A number such as ``5,000/s`` without what groups its digits; None where nothing does."""
    if not isinstance(value, str) or not _GROUPED_DIGITS.fullmatch(value.strip()):
        return None
    return re.sub("[,_']", "", value.strip())


def _summed(text: str) -> str | None:
    """The duration that a text such as ``7d`` or ``1h30m`` means, in one unit; None where it means none."""
    if not _SUMMED_DURATION.fullmatch(text.strip()):
        return None
    units = {"d": Fraction(86400), **DURATION_UNITS}
    seconds = sum(Fraction(number) * units[unit] for number, unit in _PART_OF_A_DURATION.findall(text))
    return _format(Fraction(seconds), DURATION_UNITS, "s")


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'  # noqa: PLR2004 - what fits on a line


def _whole(number: Fraction, value: object, what: str = "") -> int:
    if number.denominator != 1:
        raise UnitError(f"{_shown(value)} is no whole number{what}")
    return number.numerator


def _other_case(unit: str, units: Mapping[str, Fraction], aliases: Mapping[str, str]) -> str | None:
    """The unit that was probably meant: an alias, or the same letters in another case."""
    if unit in aliases:
        return aliases[unit]
    return next((known for known in units if known.lower() == unit.lower()), None)


def _fraction(number: float) -> Fraction:
    return Fraction(Decimal(repr(number)))


def _format(number: Fraction, units: Mapping[str, Fraction], base: str) -> str:
    """Number in the largest unit that it is a whole multiple of, else as a decimal of the base unit."""
    if number:
        for unit, scale in units.items():
            if (number / scale).denominator == 1:
                return f"{(number / scale).numerator}{unit}"
    return f"{_plain(number)}{base}"


def _plain(number: Fraction) -> str:
    """A fraction that came from a decimal, as that decimal without an exponent."""
    if number.denominator == 1:
        return str(number.numerator)
    digits = 0
    while (number * 10**digits).denominator != 1:
        digits += 1
    return f"{Decimal((number * 10**digits).numerator).scaleb(-digits):f}"

"""Numbers as people read them: three significant digits, each with its unit."""

from __future__ import annotations

import math

MISSING = "-"

_DIGITS = 3
_LATENCY_UNITS = (("s", 1e6), ("ms", 1e3), ("µs", 1.0))
_SIZE_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))
_RATE_UNITS = (("M", 1e6), ("k", 1e3), ("", 1.0))
_SMALL_RATIO = 0.1
_LARGE_RATIO = 10
_WHOLE_FROM = 100
_MINUTE_S = 60


def finite(value: float | None) -> float | None:
    """A figure as it is stored, since JSON has no infinity: that of what never came through is none."""
    return value if value is not None and math.isfinite(value) else None


def count(number: int) -> str:
    """A whole number with thousands apart: 1203 → "1,203"."""
    return f"{number:,}"


def counted(number: int, thing: str) -> str:
    """A number of things: (1, "broker") → "1 broker", (3, "broker") → "3 brokers"."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def latency(microseconds: float | None) -> str:
    """A latency in µs, ms or s: 4500 → "4.50 ms"; None is a dash, what never came through "never"."""
    if microseconds is None:
        return MISSING
    if math.isinf(microseconds):
        return "never"
    return _scaled(microseconds, _LATENCY_UNITS)


def duration(seconds: float) -> str:
    """A time span: 0.3 → "0.3 s", 95 → "1 min 35 s"."""
    if round(seconds, 1) < _MINUTE_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes} min {rest} s"


def record_rate(per_s: float | None) -> str:
    """Records per second: 19998.4 → "19,998 records/s"; None is a dash."""
    return MISSING if per_s is None else f"{_grouped(per_s)} records/s"


def rate(per_s: float) -> str:
    """A rate as scenarios write it, three digits of it: 181960 → "182k/s"."""
    return f"{_scaled(per_s, _RATE_UNITS)}/s".replace(" ", "") if per_s >= 1 else f"{per_s:.2g}/s"


def two_rates(one: float, other: float) -> tuple[str, str]:
    """Two rates by so many digits that they can be told apart: "100,010/s" and "100,490/s"."""
    if one == other or rate(one) != rate(other):
        return rate(one), rate(other)
    decimals = next((each for each in range(12) if f"{one:.{each}f}" != f"{other:.{each}f}"), 12)
    return f"{one:,.{decimals}f}/s", f"{other:,.{decimals}f}/s"


def byte_rate(bytes_per_s: float) -> str:
    """Bytes per second, in powers of 1000: 20.5e6 → "20.5 MB/s"."""
    return f"{size(bytes_per_s)}/s"


def size(size_bytes: float) -> str:
    """Bytes in powers of 1000: 20.5e6 → "20.5 MB"."""
    return _scaled(size_bytes, _SIZE_UNITS)


def of_unit(value: float | None, unit: str) -> str:
    """A figure by the unit that it is stored in: "µs", "records/s", or a plain count of something."""
    if value is None:
        return MISSING
    if unit == "µs":
        return latency(value)
    return record_rate(value) if unit == "records/s" else f"{_grouped(value)} {unit}"


def between(low: float, high: float, unit: str) -> str:
    """An interval, its unit but once where both ends have the same: "3.13–3.25 ms", "980 µs–1.02 ms"."""
    first, last = of_unit(low, unit), of_unit(high, unit)
    number, _, its_unit = first.partition(" ")
    return f"{number if its_unit == last.partition(' ')[2] else first}–{last}"


def ratio(number: float, *, fine: bool = False) -> str:
    """A ratio with two decimals: 1.18; with three where it is small or near to 1, fewer where it is large."""
    if number < _SMALL_RATIO:
        return f"{number:.{_DIGITS}g}"
    if number >= _LARGE_RATIO:
        return _grouped(number)
    return f"{number:.{_DIGITS if fine else 2}f}"


def share(part: float) -> str:
    """A share as a percentage: 0.9987 → "99.9 %"."""
    return f"{part * 100:.1f} %"


def _scaled(number: float, units: tuple[tuple[str, float], ...]) -> str:
    """The number in the largest unit of which it has one or more, rounded first: 999.6 µs are 1.00 ms."""
    rounded = float(f"{number:.{_DIGITS}g}")
    unit, scale = next(((unit, scale) for unit, scale in units if rounded >= scale), units[-1])
    return f"{_three_digits(rounded / scale)} {unit}"


def _three_digits(number: float) -> str:
    whole_digits = len(str(int(number)))
    return f"{number:.{max(0, _DIGITS - whole_digits)}f}" if number else "0"


def _grouped(number: float) -> str:
    """Thousands apart; a small number keeps a decimal, one below 1 two digits."""
    if number >= _WHOLE_FROM or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.2g}" if abs(number) < 1 else f"{number:.1f}"

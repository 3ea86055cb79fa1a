"""Numbers as people read them, by the name that commands have for them."""

from loadlab.analysis.numbers import (
    MISSING,
    between,
    byte_rate,
    count,
    counted,
    duration,
    latency,
    of_unit,
    rate,
    ratio,
    record_rate,
    share,
    size,
)

__all__ = [
    "MISSING",
    "between",
    "byte_rate",
    "count",
    "counted",
    "duration",
    "latency",
    "of_unit",
    "rate",
    "ratio",
    "record_rate",
    "share",
    "size",
]

"""Assignments of values to knobs, as people read them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from loadlab.analysis import numbers
from loadlab.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = str | int | float

UNSET: Final = "not set"
"""What stands for a value that is to be taken out, as nothing has an effect there."""

_CONFIG: Final = ".config."
_LATENCY: Final = re.compile(r"\.\w*_us(_per_record)?(\.(mean|min|max|p[0-9]+))?$")
_BYTES: Final = ("size", "bytes", "heap", "memory")
_KIB: Final = ".kbytes"  # librdkafka's own word for KiB; such a value is told as the file has it


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Each knob's property; with its group where several have it, and whole where that is no help."""
    forms = {path: _forms(path) for path in paths}
    times = Counter(form for each in forms.values() for form in set(each))
    return {path: next((form for form in each if times[form] == 1), path) for path, each in forms.items()}


def _forms(path: str) -> tuple[str, str, str]:
    """What a knob may be called, the shortest first: linger.ms, checkout.linger.ms, and its path."""
    # Groups may have dots, or be called config; a broker's property may have a config in its name.
    parts = path.partition(_CONFIG) if path.startswith("cluster.") else path.rpartition(_CONFIG)
    owner, _, name = parts if parts[1] else path.rpartition(".")
    return name, f"{owner.partition('.')[2] or owner}.{name}", path


def assignment_text(assignment: Mapping[str, Value]) -> str:
    """An assignment on one line: linger.ms=20 batch.size=256KiB, without compression.level."""
    names = short_names(assignment)
    set_to = [
        f"{names[path]}={value_text(path, value)}" for path, value in assignment.items() if value != UNSET
    ]
    unset = [names[path] for path, value in assignment.items() if value == UNSET]
    return " ".join(set_to) + (f"{', ' if set_to else ''}without {', '.join(unset)}" if unset else "")


def value_text(path: str, value: Value) -> str:
    """A value as a scenario would have it; bytes in KiB or MiB where they are whole."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if is_of_bytes(path) and value > 0 and value == int(value):
        return format_size(int(value))
    return str(value) if isinstance(value, int) else f"{value:g}"


def is_of_bytes(path: str) -> bool:
    """Whether a knob's values are sizes in bytes."""
    return path.endswith(_BYTES) and not path.endswith(_KIB)


def is_latency(field: str) -> bool:
    """Whether a field of a result is in microseconds; what its group is called says nothing of it.

    Args:
        field: such as producers.checkout.publish_latency_us.p99.
    """
    return _LATENCY.search(field) is not None


def objective_text(field: str, value: float | None) -> str:
    """The value of an objective, with the unit that its field has in its name."""
    if value is None:
        return numbers.MISSING
    if is_latency(field):
        return numbers.latency(value)
    if field.endswith("bytes_per_s"):
        return numbers.byte_rate(value)
    if field.endswith(("records_per_s", "capacity")):
        return numbers.record_rate(value)
    return f"{value:.4g}"

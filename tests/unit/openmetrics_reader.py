"""A strict reader of OpenMetrics text: what it takes keeps the rules that the specification makes for all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_META = re.compile(rf"# (TYPE|UNIT|HELP) ({_NAME}) (.+)")
_SAMPLE = re.compile(rf"({_NAME})\{{(.*)\}} (\S+)(?: (\d+\.\d{{3}}))?")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)')
_SUFFIXES = {
    "gauge": {""},
    "counter": {"_total"},
    "info": {"_info"},
    "stateset": {""},
    "summary": {"", "_count", "_sum"},
}
_ESCAPES = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Read:
    """What a text holds.

    Attributes:
        kinds: the type of each family.
        units: the unit of each that has one.
        samples: name, labels in alphabetical order, value, and time.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    samples: list[tuple[str, Labels, float, float | None]] = field(default_factory=list)


def read_openmetrics(text: str) -> Read:
    """Read a text; what breaks a rule fails an assertion."""
    assert text.endswith("# EOF\n")
    read, family = Read(), ""
    for line in text.removesuffix("# EOF\n").splitlines():
        if meta := _META.fullmatch(line):
            keyword, name, rest = meta.groups()
            if keyword == "TYPE":
                assert name not in read.kinds, f"{name} stands in two places"
                family, read.kinds[name] = name, rest
            assert name == family
            if keyword == "UNIT":
                assert name.endswith(f"_{rest}")
                read.units[name] = rest
        else:
            read.samples.append(_sample(line, family, read.kinds[family]))
    _check_order(read)
    return read


def _sample(line: str, family: str, kind: str) -> tuple[str, Labels, float, float | None]:
    parts = _SAMPLE.fullmatch(line)
    assert parts is not None, line
    name, inside, value, at = parts.groups()
    assert name.startswith(family), f"{name} stands under {family}"
    assert name.removeprefix(family) in _SUFFIXES[kind], name
    labels = {
        key: re.sub(r"\\.", lambda found: _ESCAPES[found[0]], text) for key, text in _LABEL.findall(inside)
    }
    assert not _LABEL.sub("", inside), inside
    if kind == "stateset":
        assert family in labels
        assert value in {"0", "1"}
    if kind == "summary" and name == family:
        assert 0 <= float(labels["quantile"]) <= 1
    return name, tuple(sorted(labels.items())), float(value), None if at is None else float(at)


def _check_order(read: Read) -> None:
    """No sample twice, and the times of a metric rise."""
    latest: dict[tuple[str, Labels], float] = {}
    for name, labels, _, at in read.samples:
        before = latest.get((name, labels))
        assert before is None or (at is not None and at > before), (name, labels, at)
        latest[name, labels] = at or 0.0

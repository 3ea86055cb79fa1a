"""Configurations to begin a study with: the default, the scenario's own, and three that practice knows.

They are fitted to the space: a value outside a range becomes the nearest inside, and a knob that a preset
has no opinion on stays at its default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.tuning.knobs import ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.tuning.space import Assignment, SearchSpace, Value
    from loadlab.tuning.study_model import Study

DEFAULT: Final = "default"
SCENARIO: Final = "scenario"
_INSIDE: Final = " within the ranges"

PRESETS: Final[Mapping[str, Mapping[tuple[str, str], Value]]] = {
    # scenarios/production-producer.yaml without what durability hangs on.
    "production": {
        ("producers", "batch.size"): 32 * 1024,
        ("producers", "linger.ms"): 10.0,
        ("producers", "compression.type"): "snappy",
    },
    # Few large requests: batches are waited for, compressed cheaply, and fetched by the hundred kilobytes.
    "throughput": {
        ("producers", "batch.size"): 512 * 1024,
        ("producers", "linger.ms"): 50.0,
        ("producers", "batch.num.messages"): 50_000,
        ("producers", "compression.type"): "lz4",
        ("producers", "queue.buffering.max.messages"): 500_000,
        ("producers", "sticky.partitioning.linger.ms"): 100,
        ("consumers", "fetch.min.bytes"): 256 * 1024,
        ("consumers", "fetch.wait.max.ms"): 500,
    },
    # Nothing waits for company.
    "latency": {
        ("producers", "linger.ms"): 0.0,
        ("producers", "compression.type"): "none",
        ("producers", "sticky.partitioning.linger.ms"): 0,
        ("consumers", "fetch.min.bytes"): 1,
    },
}
"""Values by the part of the scenario and the property, for all groups of that part."""


def presets(study: Study) -> list[tuple[str, Assignment]]:
    """The configurations to begin with, the baseline first; none twice, and none that breaks a rule.

    The baseline may lie outside the space, as a range need not hold librdkafka's default. All others can be
    drawn.
    """
    found = [_baseline(study)]
    for name, assignment in _others(study):
        known = any(assignment == other for _, other in found)
        if not known and not study.space.violations(assignment):
            found.append((name, assignment))
    return found


def left_out(study: Study) -> Iterator[str]:
    """Which presets break a rule of the study and are not tried, for people."""
    told = [_baseline(study)[1]]
    for name, assignment in _others(study):
        broken = study.space.violations(assignment)
        if broken and assignment not in told:
            told.append(assignment)
            yield f"the preset {name} is not tried: {broken[0]}"


def _baseline(study: Study) -> tuple[str, Assignment]:
    if study.baseline == "defaults":
        return DEFAULT, study.space.default()
    # What is active depends on what the scenario sets: a level has its default beside the scenario's codec.
    defaults = {knob.name: knob.default for knob in study.space.knobs if knob.default is not None}
    active = study.space.active({**defaults, **study.own})
    return SCENARIO, {**active, **_unjudged(study)}


def _unjudged(study: Study) -> Assignment:
    """What the scenario sets beside a value that the space has not, and so says nothing of: gzip's level."""
    domains = {knob.name: knob.domain for knob in study.space.knobs}
    return {
        knob.name: study.own[knob.name]
        for knob in study.space.knobs
        if knob.name in study.own
        and any(not domains[when.name].contains(study.own.get(when.name, "")) for when in knob.when)
    }


def _others(study: Study) -> Iterator[tuple[str, Assignment]]:
    space = study.space
    of_scenario = study.baseline == "scenario"
    yield DEFAULT if of_scenario else f"{DEFAULT}{_INSIDE}", space.fitted()
    yield f"{SCENARIO}{_INSIDE}" if of_scenario else SCENARIO, space.fitted(study.own)
    for name, wishes in PRESETS.items():
        yield name, space.fitted(_wished(space, wishes))


def _wished(space: SearchSpace, wishes: Mapping[tuple[str, str], Value]) -> Assignment:
    """What a preset says of the knobs of a space."""
    return {
        knob.name: value
        for knob in space.knobs
        for (part, name), value in wishes.items()
        if knob.name.startswith(f"{part}.") and knob.name.endswith(_endings(name))
    }


def _endings(name: str) -> tuple[str, ...]:
    """How the paths of a property end, whichever of its names a scenario uses."""
    return tuple(f".config.{one}" for one in (name, ALIASES.get(name, name)))

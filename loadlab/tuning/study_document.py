"""A study as plain data: what is searched, between which bounds, and what it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.tuning.presets import presets
from loadlab.tuning.space import Range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from loadlab.tuning.space import Choices, Knob
    from loadlab.tuning.study_model import Study


def study_document(study: Study) -> dict[str, JsonValue]:
    """The study as resolved, without its scenario: values in their properties' units, defaults written out.

    Two studies are the same where their documents are, and those of their scenarios.
    """
    domains = {knob.name: knob.domain for knob in study.space.knobs}
    return {
        "study": study.name,
        "objectives": [{one.direction: one.field} for one in study.objectives],
        "constraints": [one.expression for group in study.constraints.values() for one in group],
        "search_space": {knob.name: _knob(knob, domains) for knob in study.space.knobs},
        "own": dict(study.own),
        # What Kafka and librdkafka ask for anyway holds with conditions that no file could write.
        "rules": [rule.text for rule in study.space.rules if rule.reason is None],
        "presets": {origin: dict(assignment) for origin, assignment in presets(study)},
        "budget": study.budget.model_dump(exclude_none=True),
        "seed": study.seed,
        "sampler": study.sampler,
        "baseline": study.baseline,
        "noise": study.noise.model_dump(),
        "confirm": study.confirm.model_dump(),
    }


def _knob(knob: Knob, domains: Mapping[str, Range | Choices]) -> dict[str, JsonValue]:
    domain = knob.domain
    values: dict[str, JsonValue]
    if isinstance(domain, Range):
        values = {"low": domain.low, "high": domain.high, "log": domain.log}
        values |= {} if domain.step is None else {"step": domain.step}
        values |= {"special": list(domain.special)} if domain.special else {}
    else:
        values = {"choices": list(domain.values)}
    # Kafka's own conditions name values, too, that the study does not search.
    when: dict[str, JsonValue] = {
        one.name: [value for value in one.values if domains[one.name].contains(value)] for one in knob.when
    }
    return {**values, **({"when": when} if when else {}), "default": knob.default}

"""A study as plain data: what is searched, between which bounds, and what it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.tuning.presets import presets
from loadlab.tuning.space import Range

if TYPE_CHECKING:
    from loadlab.tuning.space import Knob
    from loadlab.tuning.study_model import LoadedStudy


def study_document(loaded: LoadedStudy) -> dict[str, object]:
    """The study as resolved: values in the units of their properties, defaults written out."""
    study = loaded.study
    return {
        "study": study.name,
        "objectives": [{one.direction: one.field} for one in study.objectives],
        "constraints": [one.expression for group in study.constraints.values() for one in group],
        "search_space": {knob.name: _knob(knob) for knob in study.space.knobs},
        "rules": [rule.text for rule in study.space.rules],
        "presets": dict(presets(study)),
        "budget": study.budget.model_dump(exclude_none=True),
        "seed": study.seed,
        "sampler": study.sampler,
        "baseline": study.baseline,
        "noise": study.noise.model_dump(),
        "confirm": study.confirm.model_dump(),
        "scenario": loaded.loaded.scenario.to_document(),
    }


def _knob(knob: Knob) -> dict[str, object]:
    domain = knob.domain
    values: dict[str, object]
    if isinstance(domain, Range):
        values = {"low": domain.low, "high": domain.high, "log": domain.log}
        values |= {} if domain.step is None else {"step": domain.step}
        values |= {"special": list(domain.special)} if domain.special else {}
    else:
        values = {"choices": list(domain.values)}
    when = {one.name: list(one.values) for one in knob.when}
    return {**values, **({"when": when} if when else {}), "default": knob.default}

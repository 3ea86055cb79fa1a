"""Refuses values of a search space that no trial could run with, whatever the other knobs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.scenario.loader import findings_with
from loadlab.scenario.overrides import Setting
from loadlab.scenario.problems import Problem, dotted
from loadlab.scenario.validation import overlaps
from loadlab.tuning.apply import TRIAL
from loadlab.tuning.space import Range
from loadlab.tuning.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario import Scenario
    from loadlab.scenario.document import Path
    from loadlab.tuning.space import Knob, SearchSpace, Value


def hopeless_values(space: SearchSpace, scenario: Scenario) -> Iterator[Problem]:
    """The bounds, special values and choices that the scenario refuses, each put into it alone.

    What is refused because of a setting that is searched, too, is left to the trials: they may have another.

    Args:
        space: what is searched.
        scenario: a sound one. Its thresholds are not looked at, as some may be of what only trials have.
    """
    plain = scenario.model_copy(update={"thresholds": {}})
    paths = {knob.name: target_of(knob.name, scenario).path for knob in space.knobs}
    for knob in space.knobs:
        others = [path for name, path in paths.items() if name != knob.name]
        # What has an effect only beside other values can't be judged alone.
        for at, value in () if knob.when else _values(knob):
            for finding in findings_with(plain, [Setting(knob.name, value, TRIAL)]):
                if not any(overlaps(path, others) for path in finding.about):
                    message = _message(finding.problem, paths[knob.name])
                    yield Problem(("search_space", knob.name, *at), message)


def _values(knob: Knob) -> Iterator[tuple[Path, Value]]:
    """The values that a study names, each with its place below the knob."""
    domain = knob.domain
    if isinstance(domain, Range):
        yield from ((("low",), domain.low), (("high",), domain.high))
        yield from ((("special", place), value) for place, value in enumerate(domain.special))
    else:
        yield from ((("choices", place), value) for place, value in enumerate(domain.values))


def _message(problem: Problem, own: Path) -> str:
    if problem.path == own:
        return problem.message
    return f"no run can have it: {dotted(problem.path)}: {problem.message}"

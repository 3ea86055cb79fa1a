"""What a study's report says beside its plots: the recommendation, what was searched, tried and measured."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, cast

from loadlab.analysis import numbers
from loadlab.analysis.knobs import assignment_text, objective_text, short_names, value_text
from loadlab.api.markup import Page, element, page, table
from loadlab.api.pages import as_files
from loadlab.cli.study_view import came_to
from loadlab.cli.summary import cluster_text
from loadlab.results.model import MOCK_NOTE
from loadlab.scenario.document import Document
from loadlab.scenario.overrides import apply_overrides
from loadlab.tuning.findings import baseline_values
from loadlab.tuning.recommend import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from loadlab.results.model_study import Purpose, StudyResult

_PURPOSES: dict[Purpose, str] = {
    "baseline": "the {} first, for its noise",
    "trial": "trials",
    "default": "the {} between them, for drift",
    "candidate": "the best trials again",
    "confirm": "{} and contender in turns",
}
"""In the place of {} what is compared with: the default, or the scenario as it is."""
_NO_COSTS = "What it costs is not known: the runs of the confirmation are no longer stored."
_OF_FILE = ("search_space", "rules", "budget", "seed", "sampler", "baseline", "noise", "confirm")


def study_box(result: StudyResult) -> Page:
    """What the study recommends, or that it recommends nothing, and how sure that is."""
    good = result.confirmed is not None
    said = (
        result.answer.sentences if result.answer is not None else "Not finished: nothing is recommended yet."
    )
    searched = ", ".join(f"{each.direction} {each.field}" for each in result.objectives)
    return page(
        element("h1", f"Study {result.name}"),
        element("p", f"To {searched}. Study {result.study_id} of {result.started_at:%Y-%m-%d %H:%M} UTC."),
        element(
            "div",
            element("strong", said),
            element("ul", *(element("li", note) for note in _notes(result))),
            css=f"box {'valid' if good else 'suspect'}",
        ),
    )


def _notes(result: StudyResult) -> Iterator[str]:
    if result.cluster is not None:
        yield cluster_text(result.cluster)
        if result.cluster.kind == "mock":
            yield MOCK_NOTE
    if not result.finished:
        yield f"not finished: the same command with --resume {result.study_id} goes on"
    baseline_name = _baseline_name(result)
    if result.forced:
        yield f"forced: a noisy {baseline_name}, or one that breaks a constraint, would not have ended it"
    if result.answer is not None:
        noise = numbers.share(result.answer.cv)
        yield f"the {baseline_name}'s runs vary by {noise} (coefficient of variation)"
        yield result.answer.drift


def recommended(result: StudyResult) -> Page:
    """Each value that is not that of what is compared with; what constraints came to, and what got worse."""
    answer, baseline_name = result.answer, _baseline_name(result)
    if answer is None or answer.trial is None or not result.trials:
        said = f"No configuration was measured to the end beside the {baseline_name}."
        return page(element("p", said, css="missing"))
    default = result.default.assignment
    names = short_names(answer.use)
    changed = [
        (names[path], _value(path, default.get(path)), value_text(path, value))
        for path, value in answer.use.items()
    ]
    limits = [
        (each.label, figure(each.measured, each.unit), figure(each.limit, each.unit))
        for each in answer.limits
    ]
    costs = [
        (each.label, *(numbers.of_unit(_bound(side), each.unit) for side in (each.default, each.recommended)))
        for each in answer.costs or ()
    ]
    return page(
        table(("knob", baseline_name, f"trial {answer.trial}"), changed),
        table(("constraint", "measured, in the median", "limit"), limits),
        table(("what it costs", baseline_name, f"trial {answer.trial}"), costs),
        None if answer.costs is not None else element("p", _NO_COSTS, css="missing"),
    )


def _bound(value: float | None) -> float:
    return math.inf if value is None else value


def _baseline_name(result: StudyResult) -> str:
    """What is compared with: "default", or "scenario"."""
    return result.default.origin if result.trials else "default"


def _value(path: str, value: JsonValue) -> str:
    return value_text(path, value) if isinstance(value, str | int | float) else "not set"


def searched(result: StudyResult) -> Page:
    """The search space: what each knob may be."""
    space = result.study["search_space"]
    entries = space if isinstance(space, dict) else {}
    names = short_names(entries)
    rows = [
        (names[knob], _domain(knob, entry, names), _value(knob, entry.get("default")))
        for knob, entry in entries.items()
        if isinstance(entry, dict)
    ]
    rules = result.study["rules"]
    held = [element("li", str(rule)) for rule in rules] if isinstance(rules, list) else []
    return page(
        table(("knob", "searched", "default"), rows, numbers_from=2),
        element("p", "What must hold between them:") if held else None,
        element("ul", *held) if held else None,
    )


def _domain(knob: str, entry: Mapping[str, JsonValue], names: Mapping[str, str]) -> str:
    if isinstance(choices := entry.get("choices"), list):
        text = ", ".join(_value(knob, value) for value in choices)
    else:
        special = entry.get("special")
        outside = [_value(knob, value) for value in special] if isinstance(special, list) else []
        log = ", logarithmic" if entry["log"] else ""
        step = f", by steps of {_value(knob, entry['step'])}" if entry.get("step") is not None else ""
        text = f"{_value(knob, entry['low'])} to {_value(knob, entry['high'])}{log}{step}"
        text += f", or {', '.join(outside)}" if outside else ""
    when = entry.get("when")
    conditions = when.items() if isinstance(when, dict) else ()
    return text + "".join(
        f", where {names.get(other, other)} is {' or '.join(map(str, values))}"
        for other, values in conditions
        if isinstance(values, list)
    )


def trials(result: StudyResult) -> Page:
    """All trials: what each came to."""
    runs = {run.trial: run for run in result.settled("trial")}
    rows = [
        (
            str(trial.number),
            trial.origin,
            assignment_text(trial.assignment),
            came_to(result, runs.get(trial.number))[0],
        )
        for trial in result.trials[1:]
    ]
    return page(table(("trial", "from", "values", "came to"), rows, numbers_from=3))


def runs_made(result: StudyResult) -> Page:
    """How many runs the study made, what for, and how what is compared with did."""
    baseline_name = _baseline_name(result)
    count = Counter(run.purpose for run in result.runs)
    rows = [
        (words.format(baseline_name), str(count[purpose]), numbers.duration(_spent_s(result, purpose)))
        for purpose, words in _PURPOSES.items()
        if count[purpose]
    ]
    field = result.objectives[0].field
    values = [
        (str(number), objective_text(field, value)) for number, value in enumerate(baseline_values(result), 1)
    ]
    head = (f"the {baseline_name}, run", field)
    return page(table(("runs of", "number", "time"), rows), table(head, values))


def _spent_s(result: StudyResult, purpose: Purpose) -> float:
    return sum(run.measured.took_s for run in result.runs if run.purpose == purpose)


def repeat_study(result: StudyResult) -> Page:
    """The files and the command that make the study again; constraints include the scenario's thresholds."""
    scenario = _with_own(result.scenario, result)
    study: dict[str, JsonValue] = {
        "study": result.name,
        "scenario": f"{result.name}-scenario.yaml",
        "objective": [{each.direction: each.field} for each in result.objectives],
        "constraints": scenario.get("thresholds", {}),
        **{key: result.study[key] for key in _OF_FILE},
    }
    space = study["search_space"]
    if isinstance(space, dict):
        study["search_space"] = {
            knob: {key: value for key, value in entry.items() if key != "default"}
            for knob, entry in space.items()
            if isinstance(entry, dict)
        }
    command = ["loadlab", "tune", f"{result.name}.yaml"]
    if result.cluster is not None:
        command += ["--provider", result.cluster.provider]
    command += [
        *(["--force"] if result.forced else []),
        *([] if result.warms_up else ["--no-warm-up"]),
        *(part for origin in _earlier(result) for part in ("--warm-start", origin)),
    ]
    rest = {key: value for key, value in scenario.items() if key != "thresholds"}
    files = {f"{result.name}-scenario.yaml": rest, f"{result.name}.yaml": study}
    return page(element("pre", element("code", as_files(files, command))))


def _with_own(scenario: dict[str, JsonValue], result: StudyResult) -> dict[str, JsonValue]:
    """A scenario with its own values of knobs that depend on others, which a study takes out of it."""
    own, space = result.study.get("own"), result.study["search_space"]
    if not isinstance(own, dict) or not isinstance(space, dict):
        return scenario
    depending = [knob for knob, entry in space.items() if isinstance(entry, dict) and "when" in entry]
    document = Document("scenario", [], cast("dict[str, object]", copy.deepcopy(scenario)))
    apply_overrides(document, {}, [f"{knob}={json.dumps(own[knob])}" for knob in depending if knob in own])
    return cast("dict[str, JsonValue]", document.data)


def _earlier(result: StudyResult) -> Iterator[str]:
    """The study that this one was begun from, whose best trials it tried first."""
    presets = result.study["presets"]
    known = presets if isinstance(presets, dict) else {}
    yield from dict.fromkeys(one.origin for one in result.planned if one.origin not in known)

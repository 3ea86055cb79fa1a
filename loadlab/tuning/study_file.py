"""Loads study files: the study, its scenario, and every problem of both at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Final

from loadlab.errors import ScenarioError, UsageError
from loadlab.hints import HintedError
from loadlab.scenario import load
from loadlab.scenario.checks import check_codecs, check_thresholds
from loadlab.scenario.document import Origin
from loadlab.scenario.overrides import Setting
from loadlab.scenario.problems import Problem, scenario_error
from loadlab.scenario.reader import parse
from loadlab.scenario.source import is_missing, read_text
from loadlab.scenario.validation import Form, build, overlaps
from loadlab.tuning.apply import TRIAL, with_values, without
from loadlab.tuning.bounds import hopeless_values
from loadlab.tuning.capacity_scenario import refuse_old_records
from loadlab.tuning.objectives import capped_by_schedule, check_objective, needs_codec, unsupported
from loadlab.tuning.presets import left_out, presets
from loadlab.tuning.space_file import read_space
from loadlab.tuning.space_rules import beyond_levels, drawn, unkept
from loadlab.tuning.study_model import CAPACITY, LoadedStudy, Maximize, Objective, Study, StudyFile
from loadlab.tuning.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loadlab.scenario import LoadedScenario, Scenario, Threshold
    from loadlab.scenario.document import Document, Path
    from loadlab.tuning.space import Assignment, SearchSpace

    _Load = Callable[[FilePath, list[Setting]], LoadedScenario]

_STUDY: Final = Form(
    StudyFile,
    {("study",): "unnamed", ("scenario",): "unnamed", ("objective",): {"maximize": CAPACITY}},
    entries=("search_space",),
)
_NO_CODEC: Final = (
    "is measured of what a codec compresses, and the default has none;"
    " baseline: scenario takes the scenario's own"
)
_TRIED: Final = 20
_UNLOCKED: Final = "{} is searched, and durability hangs on it: what is recommended may lose records"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, object]:
    """The JSON Schema that every right study file obeys; it is looser than loading."""
    schema = StudyFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": _DIALECT, **schema, "title": "loadlab study"}


def load_study(
    path: FilePath,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    *,
    brokers: int | None = None,
) -> LoadedStudy:
    """Loads a study file and its scenario.

    Args:
        path: the study's file.
        overrides: texts of ``--set``, ``path=value`` each, set over the scenario; they win over all else.
        environ: the environment, whose LOADLAB_PROVIDER and LOADLAB_SET… win over what the study sets.
        brokers: of the cluster that stands already and is to be used; None where the study starts its own.

    Raises:
        ScenarioError: with every problem of the study and of its scenario, each at its place.
    """
    document, problems = parse(read_text(path), str(path))
    if "producers" in document.data or "consumers" in document.data:
        raise ScenarioError(f"{path}: is a scenario, which is no study", fix=f"loadlab run {path}")
    built = build(document.data, _STUDY)
    problems += built.problems
    file = built.model
    if file is None or overlaps(("scenario",), built.removed):
        raise scenario_error(problems, document)

    def load_it(beside: FilePath, set_: Sequence[Setting]) -> LoadedScenario:
        return load(beside, overrides, environ, set_, brokers=brokers)

    loaded = _scenario(file, document, problems, load_it)
    told: list[Problem] = []
    if not overlaps(("objective",), built.removed):
        told += _wrong_objectives(file, loaded)
    told += _old_records(file, loaded)
    constraints = _constraints(file, loaded, told)
    space = read_space(file, loaded.scenario, told, whole=not overlaps(("search_space",), built.removed))
    problems += (replace(one, path=built.in_file(one.path)) for one in told)
    if problems:
        raise scenario_error(problems, document)
    judged = replace(loaded, scenario=loaded.scenario.model_copy(update={"thresholds": constraints}))
    study = _assembled(path, file, judged, space)
    _refuse_hopeless(space, study.loaded.scenario, document)
    # What can't even begin is said before anything is stored.
    (_, baseline), *others = presets(study.study)
    if not others:
        _refuse_unkept(file, space, document)
    _refuse_unproduced(file, with_values(study.loaded, baseline).scenario, document)
    _refuse_unsound(study, [assignment for _, assignment in others], document)
    return study


def _refuse_hopeless(space: SearchSpace, scenario: Scenario, document: Document) -> None:
    """Refuses values that no trial could run with, whatever else is searched."""
    if problems := list(hopeless_values(space, scenario)):
        raise scenario_error(problems, document)


def _refuse_unkept(file: StudyFile, space: SearchSpace, document: Document) -> None:
    """Refuses rules that nothing drawn would keep."""
    if (broken := unkept(space)) is not None:
        raise scenario_error([Problem(("rules",) if file.rules else ("search_space",), broken)], document)


def _refuse_unproduced(file: StudyFile, baseline: Scenario, document: Document) -> None:
    """Refuses what the default's runs can't tell without a codec: nothing could be compared with it."""
    found = [at for at, objective in _objectives(file) if needs_codec(objective.field, baseline)]
    for one in check_codecs(baseline):
        key = str(one.path[1])
        found.append(("constraints", key) if key in file.constraints else ("scenario",))
    problems = [Problem(at, _NO_CODEC) for at in found]
    if problems:
        raise scenario_error(problems, document)


def _refuse_unsound(study: LoadedStudy, planned: Sequence[Assignment], document: Document) -> None:
    """Refuses a search space of which nothing that would be tried makes a scenario that can be run.

    Raises:
        ScenarioError: what is wrong with the first, at the search space.
    """
    space = study.study.space
    kept = (one for one in drawn(space) if not space.violations(one))
    first: ScenarioError | None = None
    for assignment in chain(planned, islice(kept, _TRIED)):
        try:
            with_values(study.loaded, assignment)
        except ScenarioError as error:
            first = first or error
        else:
            return
    if first is not None:
        reason = first.message.partition("\n")[0].removeprefix(f"{TRIAL.place}: ")
        message = f"nothing that would be tried makes a scenario that can be run: {reason}"
        raise scenario_error([Problem(("search_space",), message)], document)


def _scenario(file: StudyFile, document: Document, problems: list[Problem], load_it: _Load) -> LoadedScenario:
    """The study's scenario.

    Raises:
        ScenarioError: with the study's problems and the scenario's.
    """
    path = FilePath(document.name).parent / file.scenario
    if is_missing(path):
        raise scenario_error([*problems, Problem(("scenario",), f"no such file: {path}")], document)
    settings = [
        Setting(
            name,
            value,
            Origin("set", document.place(("set", name)).name),
            document.numbers.get(("set", name)),
        )
        for name, value in file.settings.items()
    ]
    try:
        return load_it(path, settings)
    except ScenarioError as error:
        if error.fix is not None:  # a file of another kind, of which no line is wrong
            raise scenario_error([*problems, Problem(("scenario",), error.message)], document) from None
        own = [scenario_error(problems, document).message] if problems else []
        raise ScenarioError("\n".join([*own, error.message])) from None


def _objectives(file: StudyFile) -> list[tuple[Path, Objective]]:
    """The objectives, each with its place in the file."""
    several = isinstance(file.objective, tuple)
    forms = file.objective if isinstance(file.objective, tuple) else (file.objective,)
    found: list[tuple[Path, Objective]] = []
    for number, form in enumerate(forms):
        objective = (
            Objective(form.maximize, "maximize")
            if isinstance(form, Maximize)
            else Objective(form.minimize, "minimize")
        )
        place = (number,) if several else ()
        found.append((("objective", *place, objective.direction), objective))
    return found


def _wrong_objectives(file: StudyFile, loaded: LoadedScenario) -> Iterator[Problem]:
    found = _objectives(file)
    fields = [objective.field for _, objective in found]
    for number, (at, objective) in enumerate(found):
        if objective.field in fields[:number]:
            yield Problem(at, f"{objective.field} is there twice")
        elif objective.field == CAPACITY and len(found) > 1:
            yield Problem(at, "capacity is searched for alone: each trial ends at another rate")
        else:
            try:
                check_objective(objective, loaded)
            except HintedError as error:
                yield Problem(at, str(error), error.suggestion)


def _searches_capacity(file: StudyFile) -> bool:
    return any(objective.field == CAPACITY for _, objective in _objectives(file))


def _old_records(file: StudyFile, loaded: LoadedScenario) -> Iterator[Problem]:
    """Tells of trials that would read the records of those before; of capacity its own check tells that."""
    if _searches_capacity(file):
        return
    try:
        refuse_old_records(loaded.scenario)
    except UsageError as error:
        yield Problem(("scenario",), f"{error.message} ({error.fix})")


def _constraints(
    file: StudyFile, loaded: LoadedScenario, problems: list[Problem]
) -> dict[str, tuple[Threshold, ...]]:
    """The thresholds of the scenario, and the study's constraints after them."""
    alone = loaded.scenario.model_copy(update={"thresholds": file.constraints})
    found = check_thresholds(alone, own_rates=not _searches_capacity(file))
    problems += (replace(one, path=("constraints", *one.path[1:])) for one in found)
    if not found and not _searches_capacity(file):
        problems += _unsupported(file, loaded.scenario)
    merged = dict(loaded.scenario.thresholds)
    for key, thresholds in file.constraints.items():
        there = merged.get(key, ())
        merged[key] = (*there, *(one for one in thresholds if one not in there))
    return merged


def _unsupported(file: StudyFile, scenario: Scenario) -> Iterator[Problem]:
    """Constraints on percentiles that no measure phase has the records for."""
    for key, thresholds in file.constraints.items():
        for threshold in thresholds:
            if (why := unsupported(threshold, scenario)) is not None:
                yield Problem(("constraints", key), why)


def _assembled(path: FilePath, file: StudyFile, loaded: LoadedScenario, space: SearchSpace) -> LoadedStudy:
    targets = {knob.name: target_of(knob.name, loaded.scenario) for knob in space.knobs}
    own = {name: target.own(loaded.scenario) for name, target in targets.items()}
    conditional = [knob.name for knob in space.knobs if knob.when and own[knob.name] is not None]
    objectives = tuple(objective for _, objective in _objectives(file))
    study = Study(
        name=file.study,
        scenario=loaded.path,
        objectives=objectives,
        constraints=loaded.scenario.thresholds,
        space=space,
        own={name: value for name, value in own.items() if value is not None},
        budget=file.budget,
        seed=file.seed,
        sampler=file.sampler,
        baseline=file.baseline,
        noise=file.noise,
        confirm=file.confirm,
    )
    capped = (capped_by_schedule(objective, loaded.scenario) for objective in objectives)
    warnings = (
        *loaded.warnings,
        *filter(None, capped),
        *map(_UNLOCKED.format, space.unlocked),
        *beyond_levels(space, loaded.scenario),
        *left_out(study),
    )
    return LoadedStudy(study, without(loaded, conditional) if conditional else loaded, path, warnings)

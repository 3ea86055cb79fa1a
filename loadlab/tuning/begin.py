"""How a study begins: what it is made of, as it is stored, and what is tried first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import loadlab
from loadlab.errors import UsageError
from loadlab.results.environment import capture_host
from loadlab.results.model_study import Planned, StudyObjective, StudyResult
from loadlab.results.redact import redact
from loadlab.results.run_id import new_run_id
from loadlab.results.study_store import load_study_result, save_study
from loadlab.tuning.presets import presets
from loadlab.tuning.same import refuse_gone_cluster, refuse_other_machine, refuse_other_traces
from loadlab.tuning.space import ChangeCost
from loadlab.tuning.study_document import study_document
from loadlab.tuning.targets import is_held
from loadlab.tuning.warm_start import warm_starts

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.space import SearchSpace
    from loadlab.tuning.study_model import LoadedStudy

_STUDY_SUFFIX = "-study"


@dataclass(frozen=True)
class TuneOptions:
    """How a study is to be made.

    Attributes:
        results_dir: where the study and its runs go.
        cluster_name: the cluster that `cluster up` left standing and that is to be used; None to start one.
        resume: the id of a study that was interrupted; None for a new one.
        warm_start: the id of an earlier study whose best trials are tried first; None without one.
        forced: go on although the default is noisy or breaks a constraint.
        warms_up: load each cluster that the study starts until it is warm, before it is measured; one that is
            resumed goes on as it began.
    """

    results_dir: Path
    cluster_name: str | None = None
    resume: str | None = None
    warm_start: str | None = None
    forced: bool = False
    warms_up: bool = True


def stands_already(loaded: LoadedStudy, options: TuneOptions) -> bool:
    """Whether a study's cluster is there without it, and so is not its own to set."""
    return options.cluster_name is not None or loaded.loaded.scenario.cluster.provider == "external"


def refuse_given_brokers(loaded: LoadedStudy, options: TuneOptions) -> None:
    """Refuses a study that tunes brokers which are not loadlab's to start.

    Raises:
        UsageError: with the knobs that it can't have.
    """
    knobs = [knob.name for knob in loaded.study.space.knobs if knob.cost == ChangeCost.BROKER]
    if knobs and stands_already(loaded, options):
        raise UsageError(
            f"{', '.join(knobs)} can't be set on a cluster that stands already",
            fix="take them out of the search space, or let the study start its clusters",
        )


def refuse_unheld(space: SearchSpace, provider: str) -> None:
    """Refuses a study that tunes what the provider at hand, which `auto` may have chosen, does not set.

    Raises:
        UsageError: with the knobs that it can't have.
    """
    knobs = [knob.name for knob in space.knobs if not is_held(knob.name, provider)]
    if knobs:
        raise UsageError(
            f"provider {provider} sets no {', '.join(knobs)}: nothing would be searched",
            fix="choose another provider by --provider, or take them out of the search space",
        )


def begun(loaded: LoadedStudy, options: TuneOptions) -> StoredStudy:
    """A new study, or the one that is to be resumed.

    Raises:
        UsageError: the one to resume is finished, or began with something else.
    """
    fresh = _fresh(loaded, options)
    if options.resume is None:
        return save_study(fresh, options.results_dir)
    stored = _to_resume(options.resume, fresh, options)
    if options.forced and not stored.result.forced:
        return save_study(stored.result.model_copy(update={"forced": True}), options.results_dir)
    return stored


def to_go_on_with(loaded: LoadedStudy, options: TuneOptions) -> StoredStudy | None:
    """The study that is to be resumed, None for a new one; `begun` without storing anything.

    Raises:
        UsageError: the one to resume is finished, or began with something else; or the one to start from says
            nothing of this one.
    """
    fresh = _fresh(loaded, options)
    return None if options.resume is None else _to_resume(options.resume, fresh, options)


def _to_resume(study_id: str, fresh: StudyResult, options: TuneOptions) -> StoredStudy:
    stored = load_study_result(study_id, options.results_dir)
    refuse_gone_cluster(options.cluster_name)
    _refuse_other(stored.result, fresh)
    return stored


def _fresh(loaded: LoadedStudy, options: TuneOptions) -> StudyResult:
    study, scenario = loaded.study, loaded.loaded.scenario
    now = datetime.now(UTC)
    return StudyResult(
        loadlab_version=loadlab.__version__,
        study_id=new_run_id(f"{study.name}{_STUDY_SUFFIX}", now),
        name=study.name,
        started_at=now,
        forced=options.forced,
        warms_up=options.warms_up,
        objectives=tuple(
            StudyObjective(field=one.field, direction=one.direction) for one in study.objectives
        ),
        study=redact(study_document(study)),
        scenario=redact(scenario.to_document()),
        environment=capture_host(),
        traces=scenario.trace_digests,
        planned=_planned(loaded, options),
    )


def _planned(loaded: LoadedStudy, options: TuneOptions) -> tuple[Planned, ...]:
    """The default, an earlier study's best, and the presets; each once, and none that breaks a rule."""
    space = loaded.study.space
    default, *others = presets(loaded.study)
    if options.warm_start is not None:
        earlier = load_study_result(options.warm_start, options.results_dir)
        others = [*warm_starts(earlier, space, loaded.study.objectives[0]), *others]
    kept = [Planned(origin=default[0], assignment=dict(default[1]))]
    for origin, assignment in others:
        known = any(one.assignment == assignment for one in kept)
        if not known and space.holds(assignment):
            kept.append(Planned(origin=origin, assignment=dict(assignment)))
    return tuple(kept)


def _refuse_other(began: StudyResult, fresh: StudyResult) -> None:
    """A study goes on as it began: its runs are compared with each other."""
    if began.finished:
        raise UsageError(
            f"{began.study_id} is finished", fix=f"loadlab study show {began.study_id}, or begin a new study"
        )
    if began.study != fresh.study or began.scenario != fresh.scenario:
        raise UsageError(
            f"{began.study_id} began with another study, scenario, version of loadlab or other options",
            fix="give the same files and options as then, which its study.json has, or begin a new study",
        )
    refuse_other_traces(began.study_id, began.traces, fresh.traces)
    refuse_other_machine(began.study_id, began.environment, fresh.environment)

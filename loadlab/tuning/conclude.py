"""What a study comes to: the decision of its confirmation, what the winner costs, which knobs mattered."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from loadlab.analysis.knobs import UNSET
from loadlab.results.model_study_answer import StudyAnswer, StudyImportance, StudyLimit
from loadlab.scenario.expressions import EXPRESSION
from loadlab.tuning.again import contenders
from loadlab.tuning.costs import costs, goal_of
from loadlab.tuning.decision import decide
from loadlab.tuning.findings import (
    baseline_values,
    broken_by_default,
    confirm_rules,
    confirm_runs,
    drift,
)
from loadlab.tuning.knobs import is_weaker, is_weaker_unset
from loadlab.tuning.noise import noise_of
from loadlab.tuning.recommend import Recommendation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadlab.results.model_study import StudyResult, StudyRun
    from loadlab.tuning.decision import Decision
    from loadlab.tuning.space import Value
    from loadlab.tuning.study_model import Study

_UNITS: Final = {"us": "µs"}


def conclusion(
    study: Study, result: StudyResult, importances: Sequence[StudyImportance], results_dir: Path
) -> StudyAnswer:
    """What came of a study whose runs are all made.

    Args:
        study: what was searched.
        result: all of its runs.
        importances: of its knobs.
        results_dir: where its runs are stored, of which the costs are read.
    """
    order = contenders(study, result)
    noise = noise_of(baseline_values(result))
    direction = result.objectives[0].direction
    decision = decide(confirm_runs(result, order), len(order), direction, confirm_rules(study, result), noise)
    trial = None if decision.candidate is None else order[decision.candidate]
    use = _different(result, trial)
    compared = _compared(result, trial)
    told = Recommendation(
        decision=decision,
        goal=goal_of(result.objectives[0].field),
        use=use,
        weakened=_weakened(study, result, trial),
        unlocked=study.space.unlocked,
        limits=_limits(_confirming(result, trial)),
        costs=costs(result, trial, results_dir) if decision.finding == "beats the default" else (),
        importances=importances,
        drift=drift(result).sentence(study.baseline_name),
        none_left="" if order else _none_left(study, result),
        default_breaks=broken_by_default(result),
        suspect=sum(run.measured.status == "suspect" for run in compared),
        compared=len(compared),
        baseline_name=study.baseline_name,
    )
    return _answer(told, decision, trial, noise.cv)


def _answer(told: Recommendation, decision: Decision, trial: int | None, cv: float) -> StudyAnswer:
    interval = decision.interval
    return StudyAnswer(
        finding=decision.finding,
        sentences=told.sentences(),
        trial=trial,
        ratio=decision.ratio,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        p_value=decision.p_value,
        level=decision.level,
        floor=decision.floor,
        noise=decision.noise,
        more_pairs=decision.more_pairs,
        visible=decision.visible,
        cv=cv,
        drift=told.drift,
        use=dict(told.use),
        weakened=dict(told.weakened),
        limits=tuple(told.limits),
        costs=None if told.costs is None else tuple(told.costs),
        importances=tuple(told.importances),
    )


def _different(result: StudyResult, trial: int | None) -> dict[str, Value]:
    """The values of a trial that are not the default's; what only the default sets is to be taken out."""
    if trial is None:
        return {}
    default = result.default.assignment
    values = result.trial(trial).assignment
    changed = {name: value for name, value in values.items() if default.get(name) != value}
    return {**changed, **{name: UNSET for name in default if name not in values}}


def _weakened(study: Study, result: StudyResult, trial: int | None) -> dict[str, Value]:
    """The values of a trial that promise less than the scenario's own, unset ones included."""
    if trial is None:
        return {}
    default = result.default.assignment
    values = result.trial(trial).assignment
    weaker = {
        name: values[name]
        for name in study.space.unlocked
        if name in values and is_weaker(name, values[name], study.own.get(name, default.get(name)))
    }
    unset = [name for name in study.space.unlocked if name in study.own and name not in values]
    lost = [name for name in unset if is_weaker_unset(name, study.own[name])]
    return {**weaker, **dict.fromkeys(lost, UNSET)}


def _none_left(study: Study, result: StudyResult) -> str:
    """Why no trial came to be confirmed."""
    tried = result.settled("trial")
    failed = [run.measured.failure_in_short for run in tried if run.measured.failure is not None]
    broke = sum(not run.measured.feasible for run in tried) - len(failed)
    lost = {run.trial for run in result.settled("candidate") if not run.measured.feasible}
    told = [
        f"{len(failed)} of {len(tried)} trials failed, the first by: {failed[0]}" if failed else "",
        f"{broke} of {len(tried)} trials broke a constraint" if broke else "",
        f"{len(lost)} of the best did so or failed when measured again" if lost else "",
    ]
    return ", ".join(filter(None, told)) or f"no trial but the {study.baseline_name} was measured"


def _compared(result: StudyResult, trial: int | None) -> list[StudyRun]:
    """The runs of both sides of the blocks of a contender that count."""
    return [run for run in result.settled("confirm") if run.contender == trial and run.measured.counts]


def _confirming(result: StudyResult, trial: int | None) -> list[StudyRun]:
    """The contender's own runs in the blocks against the default."""
    return [run for run in result.settled("confirm") if run.trial == run.contender == trial]


def _limits(runs: Sequence[StudyRun]) -> tuple[StudyLimit, ...]:
    """The constraints, by the median of what the runs have."""
    met = zip(*(run.measured.constraints for run in runs), strict=True) if runs else ()
    return tuple(
        StudyLimit(
            label=_label(each[0].expression),
            measured=median(one.measured for one in each),
            limit=each[0].limit,
            unit=_UNITS.get(each[0].unit or "", each[0].unit or ""),
        )
        for each in met
    )


def _label(expression: str) -> str:
    """What a constraint is of: "publish_latency p99 < 50ms" is of "publish p99"."""
    found = EXPRESSION.search(expression)
    if found is None:
        return expression
    metric, *selector = expression[: found.start()].partition("{")
    return f"{metric.replace('_latency', '').replace('_', ' ')}{''.join(selector)} {found[1]}"

"""How many runs a study still takes, and how long: said before the first of them, and after each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from loadlab.tuning.again import contenders, rounds, runs_of
from loadlab.tuning.capacity import CapacityOptions
from loadlab.tuning.confirm import BLOCK, attempts, blocks_expected, runs_expected, shares
from loadlab.tuning.findings import confirm_rules, confirm_runs
from loadlab.tuning.presets import presets
from loadlab.tuning.space import ChangeCost
from loadlab.tuning.study_model import CAPACITY

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyResult, StudyRun
    from loadlab.tuning.study_model import LoadedStudy, Study

_BETWEEN_RUNS_S: Final = 3.0
_CLUSTER_START_S: Final = 60.0
"""With six rounds of warm-up; more may be needed."""

_S_PER_MINUTE: Final = 60.0


@dataclass(frozen=True)
class Estimate:
    """The runs that are left, at most, and how long they take.

    Attributes:
        baseline: of the default, for its noise.
        trials: as many as the budget has; where it is minutes only, as many as fit; no more than the
            space has.
        defaults: repetitions of the default between the trials.
        candidates: of the best trials again; more where runs turn out to be noisy.
        confirm: of the confirmation, if each candidate but the last just fails its screen; more where its
            blocks leave open whether it is better.
        run_s: how long a run takes.
    """

    baseline: int
    trials: int
    defaults: int
    candidates: int
    confirm: int
    run_s: float

    @property
    def runs(self) -> int:
        """All of them."""
        return self.baseline + self.trials + self.defaults + self.candidates + self.confirm

    @property
    def seconds(self) -> float:
        """How long they take, one after the other."""
        return self.runs * self.run_s


def estimate(loaded: LoadedStudy, result: StudyResult | None = None) -> Estimate:
    """What is left of a study.

    A run takes what those of this study took; before the first of them what the scenario's phases say,
    with a start of brokers if the study changes them, and without the drain, which mostly ends at once. Where
    capacity is searched for, a run stands for all probes that a search may take.

    Args:
        loaded: the study.
        result: as far as it got; None where it has not begun.
    """
    study = loaded.study
    run_s = _run_s(loaded, result)
    every = study.noise.default_every
    trials = _trials(study, run_s * (1 + 1 / every))
    done = Counter(run.purpose for run in _comparable(result) if run.settled)
    return Estimate(
        baseline=max(0, study.noise.runs - done["baseline"]),
        trials=max(0, trials - done["trial"]),
        defaults=max(0, trials // every - done["default"]),
        candidates=0
        if done["confirm"]
        else max(0, runs_of(rounds(study, result), trials) - done["candidate"]),
        confirm=_confirm_left(study, result),
        run_s=run_s,
    )


def _confirm_left(study: Study, result: StudyResult | None) -> int:
    """The runs of the confirmation that are left, unless a contender is given up after its screen."""
    rules = confirm_rules(study, result)
    if result is None or not result.settled("confirm"):
        return runs_expected(rules)
    order = contenders(study, result)
    runs = confirm_runs(result, order)
    tried = attempts(runs, len(order), study.objectives[0].direction, rules)
    if not tried or tried[-1].state != "under way":
        return 0
    last = tried[-1]
    made = sum(run.candidate == last.candidate for run in runs)
    to_come = shares(rules)[last.candidate + 1 : len(order)]
    if made >= len(BLOCK) * rules.screen_blocks or not to_come:
        return len(BLOCK) * max(last.blocks, blocks_expected(shares(rules)[last.candidate], rules)) - made
    screens = rules.screen_blocks * len(to_come)
    return len(BLOCK) * (screens + blocks_expected(to_come[-1], rules)) - made


def _comparable(result: StudyResult | None) -> list[StudyRun]:
    """The runs whose measure phase is as long as those to come."""
    runs = () if result is None else result.runs
    return [run for run in runs if result is not None and run.measure_scale == result.measure_scale]


def _trials(study: Study, each_s: float) -> int:
    budget = study.budget
    in_time = None if budget.minutes is None else max(1, round(budget.minutes * _S_PER_MINUTE / each_s))
    limits = [limit for limit in (budget.trials, in_time, _others_there_are(study)) if limit is not None]
    return min(limits)


def _others_there_are(study: Study) -> int | None:
    """How many assignments beside the default a small search space has; none of them is tried twice."""
    if study.space.size is None:
        return None
    return study.space.size - study.space.holds(presets(study)[0][1])


def _run_s(loaded: LoadedStudy, result: StudyResult | None) -> float:
    brokers = any(knob.cost == ChangeCost.BROKER for knob in loaded.study.space.knobs)
    starting_s = _CLUSTER_START_S if brokers else 0.0
    runs = [run for run in _comparable(result) if run.measured.took_s > 0]
    tried = [run.measured.took_s for run in runs if run.purpose not in {"baseline", "default"}]
    if tried:
        return fmean(tried)
    if runs:
        # The default's share one cluster, and tell nothing of how long it takes to start others.
        return fmean(run.measured.took_s for run in runs) + starting_s
    phases = loaded.loaded.scenario.phases
    measure_s = phases.measure_s * (1 if result is None else result.measure_scale)
    searches = any(objective.field == CAPACITY for objective in loaded.study.objectives)
    probes = CapacityOptions.max_probes if searches else 1
    return probes * (phases.warmup_s + measure_s + _BETWEEN_RUNS_S) + starting_s

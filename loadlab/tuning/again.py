"""The best trials again: which of them are measured once more, how often, and who may then be recommended.

Where a run varies by less than the least gain that is claimed, the best few are measured again as often as
the study says. Where it varies by more, those that did best in one run each are lucky ones for a good part,
and better ones stand behind them. So more of them are measured, in rounds of equal length: in each the better
half of the one before, twice as often (sequential halving: Z. Karnin, T. Koren and O. Somekh, "Almost optimal
exploration in multi-armed bandits", ICML 2013).

Pure functions of what is stored: a study that was killed goes on with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.tuning.findings import confirm_rules, corrected_values
from loadlab.tuning.ranking import leaders, ranked_again

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyResult
    from loadlab.tuning.study_model import Study

_LAST: Final = 2
"""So many trials are left for the last round of several."""


@dataclass(frozen=True)
class Round:
    """Runs of some of the best trials.

    Attributes:
        trials: how many.
        runs: how often each of them is run.
        before: how often each of them has been in the rounds before.
    """

    trials: int
    runs: int
    before: int = 0

    @property
    def until(self) -> int:
        """How often each of them has been run in the end."""
        return self.before + self.runs


def rounds(study: Study, result: StudyResult | None) -> tuple[Round, ...]:
    """The rounds in which a study measures its best trials again, as far as its noise is known."""
    rules, settings = confirm_rules(study, result), study.confirm
    if rules.is_noisy:
        return noisy_rounds(study)
    return (Round(settings.candidates, settings.candidate_runs),)


def noisy_rounds(study: Study) -> tuple[Round, ...]:
    """Those of a study whose runs vary by more than the least gain that is claimed."""
    settings = study.confirm
    trials = _LAST
    while trials < 2 * settings.candidates:
        trials *= 2
    runs, found = settings.candidate_runs, [Round(0, 0)]
    while trials >= _LAST:
        found.append(Round(trials, runs, found[-1].until))
        trials, runs = trials // 2, runs * 2
    return tuple(found[1:])


def runs_of(listed: tuple[Round, ...], tried: int) -> int:
    """How many runs some rounds take at most, where so many trials are made."""
    return sum(min(one.trials, tried) * one.runs for one in listed)


def listed(study: Study, result: StudyResult, place: int) -> tuple[int, ...]:
    """The trials of a round, best first, as soon as the rounds before it are over.

    Args:
        study: the study.
        result: as far as it got.
        place: which round of `rounds`, from 0.
    """
    this = rounds(study, result)[place]
    if place == 0:
        return best_trials(study, result, this.trials)
    return _ranked(study, result, place - 1)[: this.trials]


def contenders(study: Study, result: StudyResult) -> tuple[int, ...]:
    """The trials that may be recommended, best first: those that met all constraints each time.

    Those of the last round come first, and then those that came furthest.
    """
    lost = {run.trial for run in result.settled("candidate") if not run.measured.feasible}
    # Who is being confirmed keeps its place, whatever rounds there were when it was chosen.
    confirmed = (run.contender for run in result.settled("confirm") if run.contender is not None)
    order = dict.fromkeys(confirmed)
    for place in reversed(range(len(rounds(study, result)))):
        order |= dict.fromkeys(trial for trial in _ranked(study, result, place) if trial not in lost)
    return tuple(order)[: study.confirm.candidates]


def _ranked(study: Study, result: StudyResult, place: int) -> tuple[int, ...]:
    """The trials that came through a round, best first, by all their runs until its end."""
    until = rounds(study, result)[place].until
    tried, again = corrected_values(result, "trial"), corrected_values(result, "candidate")
    values = {
        trial: [*tried[trial], *again[trial][:until]]
        for trial in listed(study, result, place)
        if len(again.get(trial, ())) >= until
    }
    return ranked_again(values, study.objectives[0].direction)


def best_trials(study: Study, result: StudyResult, count: int) -> tuple[int, ...]:
    """The trials that did best in their one run and met all constraints, best first.

    With several objectives they are of the Pareto front, and the best of these by the first objective. Each
    has an assignment of its own, and none the default's: a second of the same would only have more luck.
    """
    values = {trial: each[0] for trial, each in corrected_values(result, "trial").items()}
    if len(result.objectives) > 1:
        values = {trial: values[trial] for trial in result.front()}
    default = result.default.assignment
    chosen: list[int] = []
    for trial in leaders(values, study.objectives[0].direction, len(values)):
        known = [default, *(result.trial(other).assignment for other in chosen)]
        if result.trial(trial).assignment not in known:
            chosen.append(trial)
    return tuple(chosen[:count])

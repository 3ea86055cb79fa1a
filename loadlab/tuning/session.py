"""One pass over a study: what comes next follows from what was measured, so that any kill can be resumed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from statistics import median
from typing import TYPE_CHECKING, Final

from loadlab.errors import ClusterGoneError, LoadlabError, RunError, UnwritableError
from loadlab.results.model_study import Measurement, StudyRun
from loadlab.tuning.again import contenders, listed, rounds
from loadlab.tuning.bench import Terms
from loadlab.tuning.conclude import conclusion
from loadlab.tuning.confirm import next_run
from loadlab.tuning.findings import baseline_runs, broken_by_default, confirm_rules, confirm_runs, noise_rules
from loadlab.tuning.hand_over import hand_over
from loadlab.tuning.importance import importances
from loadlab.tuning.noise import judge_noise
from loadlab.tuning.proposals import NoProposalError
from loadlab.tuning.ranking import middle_run, shuffled
from loadlab.tuning.recommend import figure
from loadlab.tuning.space import ChangeCost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.results.model_study import Purpose, StudyResult, StudyTrial
    from loadlab.tuning.bench import Bench
    from loadlab.tuning.journal import Journal, TuneObserver
    from loadlab.tuning.proposals import Proposals
    from loadlab.tuning.study_model import LoadedStudy, Study

_BATCH: Final = 4
_ATTEMPTS: Final[Mapping[Purpose, int]] = {
    "trial": 2,
    # What all else is compared with is worth more patience with the machine than one trial of many.
    **dict.fromkeys(("baseline", "default", "candidate", "confirm"), 5),
}
_ATTEMPTS_OF_THE_BEST: Final = 2
_OF_THE_BEST: Final = frozenset({"candidate", "confirm"})
_AROUND: Final = (ClusterGoneError, UnwritableError)
"""What says nothing of the trial that it kept from being measured."""
_RIVALS: Final = 2
"""Fewer trials need no further round to choose between them."""
_S_PER_MINUTE: Final = 60.0


@dataclass(eq=False)
class Session:
    """Measures a study to its end, from wherever it is.

    Attributes:
        loaded: what is searched.
        journal: what was measured.
        proposals: who proposes.
        bench: what it is measured on.
        observer: is told what happens.
    """

    loaded: LoadedStudy
    journal: Journal
    proposals: Proposals
    bench: Bench
    observer: TuneObserver
    _searched: bool = False
    _not_begun: int = 0

    @property
    def study(self) -> Study:
        """What is searched."""
        return self.loaded.study

    @property
    def result(self) -> StudyResult:
        """The study as far as it got."""
        return self.journal.result

    def run(self) -> None:
        """Measures what is left.

        Raises:
            LoadlabError: the default can't be measured, is too noisy, or breaks a constraint.
            KeyboardInterrupt: the user asked for the end.
        """
        self._recover()
        self._baseline()
        self._search()
        self._measure_again()
        self._confirm()
        shares = importances(self.proposals.study, self.study.space)
        answer = conclusion(self.study, self.result, shares, self.journal.results_dir)
        # First what all the runs were made for: a file that can't be written is made when the study goes on.
        self.journal.update(answer=answer)
        if answer.recommends and answer.trial is not None:
            hand_over(self.loaded, self.result.trial(answer.trial), answer, self.journal.stored.path)
        self.journal.update(finished=True)

    def _recover(self) -> None:
        """Brings Optuna to where the journal is: a kill may have come between the two."""
        self.proposals.adopt({trial.number for trial in self.result.trials})
        if not self.result.trials:
            self.journal.add_trial(self.proposals.take(self.result.planned[0]))
        for run in self.result.settled("trial"):
            self.proposals.tell(run.trial, run.measured)
        # Who is measured again was chosen from all trials: there must be no more of them.
        self._searched = any(run.purpose in {"candidate", "confirm"} for run in self.result.runs)

    def _baseline(self) -> None:
        """Measures the default until its noise is known, and refuses to go on where that is hopeless."""
        while True:
            runs = baseline_runs(self.result)
            if len(runs) < self.study.noise.runs:
                self._measure("baseline", self._default)
                continue
            doubled = self.result.measure_scale > 1
            rules = noise_rules(self.study)
            values = [run.measured.values[0] for run in runs]
            forced, name = self.result.forced, self.study.baseline_name
            verdict = judge_noise(values, rules, doubled=doubled, forced=forced, baseline_name=name)
            if verdict.step == "stop":
                raise RunError(
                    verdict.reason,
                    fix=f"measure longer, or on a quieter machine; or go on: --force {self._resume}",
                )
            if verdict.step == "go on":
                self.observer.note(verdict.reason)
                break
            self.observer.note(f"{verdict.reason}: measuring twice as long")
            self.journal.update(measure_scale=2 * self.result.measure_scale)
        self._refuse_broken(runs)
        self.proposals.noise = verdict.noise.cv
        self.proposals.tell(self._default, middle_run(runs).measured)

    @property
    def _resume(self) -> str:
        return f"--resume {self.result.study_id}"

    def _refuse_broken(self, runs: Sequence[StudyRun]) -> None:
        """A constraint that even the default breaks asks for another default, or for another constraint."""
        broken = broken_by_default(self.result)
        if not broken or self.result.forced:
            return
        figures = [one for run in runs for one in run.measured.constraints if one.expression == broken[0]]
        typical, unit = median(one.measured for one in figures), figures[0].unit
        name = self.study.baseline_name
        raise RunError(
            f"the {name} breaks {broken[0]}: it has {figure(typical, unit or '')} in the median of"
            f" {len(runs)} runs",
            fix=f"loosen the constraint; to search what meets it and beats the {name} as well:"
            f" --force {self._resume}",
        )

    def _search(self) -> None:
        """Trials until the budget is used up; after every few of them the default again."""
        while True:
            if self._default_is_due():
                self._measure("default", self._default)
            elif self._batch_is_open():
                self._propose()
            elif (waiting := self._waiting()) and not self._in_time():
                self._give_up(waiting[0])
            elif waiting:
                self._try(self._cheapest(waiting))
            elif self._may_go_on():
                self._propose()
            else:
                return

    def _default_is_due(self) -> bool:
        made = sum(run.measured.took_s > 0 for run in self.result.settled("trial"))
        due = made // self.study.noise.default_every
        return sum(run.measured.counts for run in self.result.settled("default")) < due

    def _waiting(self) -> list[StudyTrial]:
        """Trials that were proposed and not measured yet."""
        tried = {run.trial for run in self.result.settled("trial")}
        return [trial for trial in self.result.trials[1:] if trial.number not in tried]

    def _cheapest(self, waiting: Sequence[StudyTrial]) -> StudyTrial:
        """The one that leaves most as it is: brokers are started again as seldom as the batch allows."""
        now = self.result.trial(self.result.runs[-1].trial).assignment
        return min(waiting, key=lambda trial: (self.study.space.cost(now, trial.assignment), trial.number))

    def _may_go_on(self) -> bool:
        most = self.study.budget.trials
        return (most is None or self._proposed < most) and self._in_time() and not self._searched

    def _in_time(self) -> bool:
        """Whether there is something left of the minutes."""
        minutes = self.study.budget.minutes
        spent_s = sum(run.measured.took_s for run in self.result.runs if run.purpose in {"trial", "default"})
        return minutes is None or spent_s < minutes * _S_PER_MINUTE

    @property
    def _proposed(self) -> int:
        return len(self.result.trials) - 1

    @property
    def _batch(self) -> int:
        """How many trials are asked for at once: several only where their order saves starts of brokers."""
        return _BATCH if any(knob.cost == ChangeCost.BROKER for knob in self.study.space.knobs) else 1

    def _batch_is_open(self) -> bool:
        """Whether a process was killed while it asked for them: none of them knows of another's result."""
        return self._proposed % self._batch > 0 and self._may_go_on()

    def _propose(self) -> None:
        """Asks for the next trial of a batch; where there is none, the search is over.

        Raises:
            NoProposalError: and there was none before.
        """
        planned = self.result.planned[1:][self._proposed :][:1]
        try:
            tried = [trial.assignment for trial in self.result.trials]
            self.journal.add_trial(self.proposals.propose(planned[0] if planned else None, tried))
        except NoProposalError as error:
            if not self._proposed:
                raise
            self.observer.note(f"the search is over: {error.message}")
            self._searched = True

    def _give_up(self, trial: StudyTrial) -> None:
        """Leaves a trial out that was proposed when there was time."""
        run = StudyRun(
            purpose="trial",
            trial=trial.number,
            contender=None,
            settled=True,
            measure_scale=self.result.measure_scale,
            started_at=datetime.now(UTC),
            measured=Measurement(run_id=None, failure="the minutes of the budget were over", took_s=0.0),
        )
        self.journal.add_run(run)
        self.proposals.tell(trial.number, run.measured)

    def _try(self, trial: StudyTrial) -> None:
        self.proposals.tell(trial.number, self._measure("trial", trial.number))

    def _measure_again(self) -> None:
        """The best trials once more, in random order: one that was only lucky will hardly be so again."""
        for place, this in enumerate(rounds(self.study, self.result)):
            trials = listed(self.study, self.result, place)
            if self.result.settled("confirm") or (place and len(trials) < _RIVALS):
                return
            for turn in range(this.before, this.until):
                for trial in shuffled(trials, self.study.seed + turn):
                    self._measure_candidate(trial, turn)

    def _measure_candidate(self, trial: int, turn: int) -> None:
        """Makes one turn of a trial, unless it is made; a trial that broke a constraint is out."""
        made = [run.measured for run in self.result.settled("candidate") if run.trial == trial]
        if len(made) <= turn and all(measured.feasible for measured in made):
            self._measure("candidate", trial)

    def _confirm(self) -> None:
        """Default and contender in turns, until the contender has won, lost or given way to the next one."""
        order = contenders(self.study, self.result)
        direction, rules = self.study.objectives[0].direction, confirm_rules(self.study, self.result)
        while (step := next_run(confirm_runs(self.result, order), len(order), direction, rules)) is not None:
            candidate, side = step
            contender = order[candidate]
            self._measure("confirm", self._default if side == "default" else contender, contender)

    @property
    def _default(self) -> int:
        return self.result.default.number

    def _measure(self, purpose: Purpose, trial: int, contender: int | None = None) -> Measurement:
        """Measures a trial once; where that is invalid, again.

        Raises:
            LoadlabError: it is the default, and it can't be measured.
            KeyboardInterrupt: the user asked for the end.
        """
        while True:
            run = self._run(purpose, trial, contender)
            self.journal.add_run(run)
            if run.settled and trial == self._default and not run.measured.counts:
                raise RunError(
                    f"the {self.study.baseline_name} could not be measured: {run.measured.failure}",
                    fix=f"see to the cause; then go on with {self._resume}",
                )
            if self.bench.stopping:
                raise KeyboardInterrupt
            if run.settled:
                return run.measured

    def _run(self, purpose: Purpose, trial: int, contender: int | None) -> StudyRun:
        """Makes one run; what it fails by is what it says, unless it is the default's or no trial's fault."""
        terms = Terms(
            number=len(self.result.runs) + 1,
            measure_scale=self.result.measure_scale,
            may_end_early=purpose == "trial",
        )
        started_at, begun_s = datetime.now(UTC), time.monotonic()
        try:
            measured = self.bench.measure(self.result.trial(trial).assignment, terms)
        except LoadlabError as error:
            begins = purpose not in _OF_THE_BEST or _stored_in(error) is not None
            self._not_begun = 0 if begins else self._not_begun + 1
            # What was measured well before, and does not even begin now, and again, is not to blame.
            if isinstance(error, _AROUND) or self._not_begun >= _ATTEMPTS_OF_THE_BEST:
                # Without a run there is no study to go on with.
                go_on = f"then go on with {self._resume}" if self.result.runs else None
                error.fix = "; ".join(filter(None, (error.fix, go_on)))
                raise
            if trial == self._default:
                raise
            took_s = time.monotonic() - begun_s
            measured = Measurement(run_id=_stored_in(error), failure=error.message, took_s=took_s)
        else:
            self._not_begun = 0
        if self.result.cluster is None and self.bench.cluster is not None:
            self.journal.update(cluster=self.bench.cluster)
        return StudyRun(
            purpose=purpose,
            trial=trial,
            contender=contender,
            settled=self._attempts() + 1 >= _most_attempts(purpose, measured),
            measure_scale=self.result.measure_scale,
            started_at=started_at,
            measured=measured,
        )

    def _attempts(self) -> int:
        """How many invalid runs the next one repeats: those at the end that are not settled."""
        return len(list(takewhile(lambda run: not run.settled, reversed(self.result.runs))))


def _most_attempts(purpose: Purpose, measured: Measurement) -> int:
    """How often a measurement may be made that comes to this."""
    if measured.status == "invalid":
        return _ATTEMPTS[purpose]
    # What was good enough to be measured again is not given up for a worker that died, or for one stall.
    failed = measured.failure is not None
    return _ATTEMPTS_OF_THE_BEST if failed and purpose in _OF_THE_BEST else 1


def _stored_in(error: LoadlabError) -> str | None:
    """The run that failed, where what it measured is stored."""
    folder = error.stored_in if isinstance(error, RunError) else None
    return None if folder is None else folder.name

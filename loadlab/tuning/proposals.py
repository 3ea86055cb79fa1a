"""The trials of a study as Optuna knows them: what it proposes, and what it is told of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from optuna.trial import Trial, TrialState

from loadlab.errors import RunError, UsageError
from loadlab.results.model_study import StudyTrial
from loadlab.tuning.samplers import sampler_of

if TYPE_CHECKING:
    from collections.abc import Collection

    import optuna
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

    from loadlab.results.model_study import Measurement, Planned
    from loadlab.tuning.space import Assignment, SearchSpace
    from loadlab.tuning.study_model import Sampler

_MOST_REFUSED: Final = 200
_OUTSIDE: Final = "loadlab.outside"
REFUSED: Final = "loadlab.refused"
_TRIED: Final = "it was tried before"


class NoProposalError(RunError):
    """The sampler finds nothing new that keeps the rules between knobs."""


@dataclass(eq=False)
class Proposals:
    """Asks Optuna for trials and tells it what they came to.

    Attributes:
        study: Optuna's.
        storage: what it is in.
        space: what may be proposed.
        sampler: who proposes.
        seed: the study's.
        noise: of the first objective, the standard deviation of a run's logarithm; None until it is known.
    """

    study: optuna.Study
    storage: RDBStorage
    space: SearchSpace
    sampler: Sampler
    seed: int
    noise: float | None = None
    _asked: dict[int, Trial] = field(default_factory=dict)
    _orphans: list[int] = field(default_factory=list)

    def adopt(self, known: Collection[int]) -> None:
        """Takes over what a killed process was just proposing: the next proposals are those trials.

        Raises:
            UsageError: trials are known that Optuna has not.
        """
        if max(known, default=-1) >= (there := len(self.study.get_trials(deepcopy=False))):
            raise UsageError(
                f"study.db has {there} trials and study.json {len(known)}: it is an older copy",
                fix="put the study.db beside it that belongs to it; or begin a new study with --warm-start",
            )
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        self._orphans = [trial.number for trial in running if trial.number not in known]

    def propose(self, planned: Planned | None, tried: Collection[Assignment] = ()) -> StudyTrial:
        """The next trial.

        Args:
            planned: what it is to be; None: what the sampler proposes.
            tried: the assignments of the trials before it, none of which the sampler is to propose again.

        Raises:
            NoProposalError: the sampler finds nothing new that keeps the rules between knobs.
        """
        if planned is None and self.space.is_used_up(tried):
            raise NoProposalError("all configurations of the search space were tried")
        if planned is not None and not self._orphans and not self._waiting():
            self.study.enqueue_trial(self.space.parameters(planned.assignment))
        for _ in range(len(self._refused_last()), _MOST_REFUSED):
            trial = self._ask()
            assignment = self._assignment(trial, planned)
            broken = self.space.violations(assignment)
            if not broken and (planned is not None or assignment not in tried):
                self._asked[trial.number] = trial
                origin = "sampled" if planned is None else planned.origin
                return StudyTrial(number=trial.number, origin=origin, assignment=dict(assignment))
            self._refuse(trial, broken)
        last = self._refused_last()[0].user_attrs[REFUSED][0]
        if last == _TRIED:
            raise NoProposalError(
                f"of {_MOST_REFUSED} proposals in a row none was new", fix="widen the search space"
            )
        raise NoProposalError(
            f"{_MOST_REFUSED} proposals in a row break the rules between knobs; the last: {last}",
            fix="narrow the search space to where the rules hold",
        )

    def _assignment(self, trial: Trial, planned: Planned | None) -> Assignment:
        """What a trial tries: what was planned as it stands, for only what is sampled has digits to spare."""
        sampled = self.space.suggest(trial)
        if planned is None or trial.params != self.space.parameters(planned.assignment):
            return sampled
        return planned.assignment

    def take(self, planned: Planned) -> StudyTrial:
        """A trial that Optuna does not choose and need not be able to: the default."""
        reasons = [*self.space.outside(planned.assignment), *self.space.violations(planned.assignment)]
        if not reasons:
            return self.propose(planned)
        number = self._taken_before()
        if number is None:
            trial = self._ask()
            trial.set_user_attr(_OUTSIDE, reasons)
            self.study.tell(trial, state=TrialState.FAIL)
            number = trial.number
        return StudyTrial(number=number, origin=planned.origin, assignment=dict(planned.assignment))

    def _taken_before(self) -> int | None:
        """The trial that a killed process has taken and not lived to write down."""
        failed = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return next((trial.number for trial in failed if _OUTSIDE in trial.user_attrs), None)

    def _waiting(self) -> bool:
        """Whether a killed process left a planned trial in the queue."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _ask(self) -> Trial:
        if self._orphans:
            return self._again(self._orphans.pop(0))
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = sampler_of(self.sampler, self.seed, number, self.noise, self.space)
        return self.study.ask()

    def _refused_last(self) -> list[FrozenTrial]:
        """The trials at the end that were refused, the last one first, those before a kill included."""
        backwards = reversed(self.study.get_trials(deepcopy=False))
        return list(takewhile(lambda trial: REFUSED in trial.user_attrs, backwards))

    def _refuse(self, trial: Trial, broken: list[str]) -> None:
        """Lets the sampler know, so that it looks elsewhere; no run is spent.

        Args:
            trial: what is not to be tried.
            broken: the rules that it breaks; none where it was tried before.
        """
        trial.set_user_attr(REFUSED, broken or [_TRIED])
        if broken and not trial.constraints:
            trial.set_constraint("rules between knobs", float(len(broken)))
        self.study.tell(trial, state=TrialState.PRUNED)

    def tell(self, number: int, measured: Measurement) -> None:
        """Tells Optuna what became of a trial; what it knows already it is not told again.

        A trial that could not be measured is FAIL; one that was ended because it breaks a constraint is
        PRUNED, and the sampler is told by how much it breaks it.
        """
        known = self.study.get_trials(deepcopy=False)[number]
        if known.state.is_finished():
            return
        trial = self._asked.pop(number, None) or self._again(number)
        for name, value in _attributes(measured).items():
            trial.set_user_attr(f"loadlab.{name}", value)
        for constraint in measured.constraints:
            if constraint.expression not in trial.constraints:
                trial.set_constraint(constraint.expression, constraint.violation)
        if measured.failure is not None:
            self.study.tell(trial, state=TrialState.FAIL)
        elif measured.ended_early:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, list(measured.values))

    def _again(self, number: int) -> Trial:
        """A trial that a process before this one asked for."""
        self.study.sampler = sampler_of(self.sampler, self.seed, number, self.noise, self.space)
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return Trial(self.study, self.storage.get_trial_id_from_study_id_trial_number(study_id, number))


def _attributes(measured: Measurement) -> dict[str, object]:
    told = {"run_id": measured.run_id, "verdict": measured.status, "failure": measured.failure}
    return {name: value for name, value in told.items() if value is not None}

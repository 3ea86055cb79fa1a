"""What a tuning study did and found: the versioned model of study.json, defined in docs/results.md.

StudyResult
├── study, scenario, environment, cluster    what was asked for, and where
├── trials[]                                 what was tried: each is an assignment of values to knobs
├── runs[]                                   what was measured, in its order; each is of one trial
└── answer                                   what came of it
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from loadlab.results.model import ClusterUsed, VerdictStatus
from loadlab.results.model_base import Model
from loadlab.results.model_environment import HostEnvironment
from loadlab.results.model_study_answer import StudyAnswer

STUDY_SCHEMA_VERSION = 1

Purpose = Literal["baseline", "default", "trial", "candidate", "confirm"]
"""What a run is for: the noise of the default, its repetition between trials, a trial, a top trial measured
again, or one side of a confirming block."""


class ConstraintFigure(Model):
    """One constraint as a run met it.

    Attributes:
        expression: metric, selector and condition, as the study has them.
        measured: what was compared, in `unit`.
        limit: what it was compared with, in `unit`.
        unit: as in a run's thresholds.
        violation: by how much it is broken, as a share of the limit; 0 or less where it holds.
    """

    expression: str
    measured: float
    limit: float
    unit: str | None = None
    violation: float

    @property
    def holds(self) -> bool:
        """Whether the run met it."""
        return self.violation <= 0


class Measurement(Model):
    """What one run said of an assignment.

    Attributes:
        run_id: of the run, which is stored whole beside the study; None where none came to a result.
        status: the run's verdict; None without a run.
        values: of the objectives, in their order; empty where the run can't tell them.
        constraints: as it met them.
        ended_early: a constraint could no longer be met, and the run was ended there; it has no values.
        failure: why the run does not count; None where it does.
        took_s: how long it took, the start of a cluster included.
    """

    run_id: str | None
    status: VerdictStatus | None = None
    values: tuple[float, ...] = ()
    constraints: tuple[ConstraintFigure, ...] = ()
    ended_early: bool = False
    failure: str | None = None
    took_s: float = Field(ge=0)

    @property
    def failure_in_short(self) -> str | None:
        """The first line of `failure`: the end of a broker's log may follow."""
        return None if self.failure is None else self.failure.partition("\n")[0]

    @property
    def counts(self) -> bool:
        """Whether it has values that may be compared."""
        return self.failure is None and not self.ended_early

    @property
    def feasible(self) -> bool:
        """Whether it counts and met all constraints."""
        return self.counts and all(one.holds for one in self.constraints)


class StudyTrial(Model):
    """One assignment of values to the knobs.

    Attributes:
        number: Optuna's.
        origin: where it comes from: "default", the name of a preset, "sampled", or the study it is from.
        assignment: value by path in the scenario; a knob that is not active is left out.
    """

    number: int = Field(ge=0)
    origin: str
    assignment: dict[str, str | int | float]


class StudyObjective(Model):
    """A number to be made large or small.

    Attributes:
        field: its path in result.json; or "capacity", the highest rate at which all constraints hold.
        direction: which way is better.
    """

    field: str
    direction: Literal["maximize", "minimize"]


class Planned(Model):
    """An assignment that is tried before the sampler has its say; as `StudyTrial`."""

    origin: str
    assignment: dict[str, str | int | float]


class StudyRun(Model):
    """One run of the study.

    Attributes:
        purpose: what it is for.
        trial: whose assignment it measured.
        contender: of a confirming run the trial that the block is about; None elsewhere.
        settled: whether it stands; an invalid one is repeated, unless that has been done often enough.
        measure_scale: by how much its measure phase was longer than the scenario's.
        started_at: when it began, UTC.
        measured: what it said.
    """

    purpose: Purpose
    trial: int
    contender: int | None = None
    settled: bool
    measure_scale: int = Field(default=1, ge=1)
    started_at: datetime
    measured: Measurement


class StudyResult(Model):
    """A tuning study, as far as it got.

    Attributes:
        schema_version: of this model.
        loadlab_version: of the program that began it.
        study_id: see `loadlab.results.run_id`.
        name: the study's name.
        started_at: when it began, UTC.
        finished: whether it came to its end; else it can be resumed.
        forced: it goes on although the default is noisy or breaks a constraint.
        warms_up: each cluster that it starts is loaded until it is warm, before it is measured.
        objectives: what is searched for; the first is what is confirmed.
        study: the study as resolved.
        scenario: the scenario as resolved, with the default's values; secrets redacted.
        environment: the machine that it began on.
        traces: the SHA-256 of what producers replay, by their names.
        cluster: what the first run was measured on; None before it.
        measure_scale: by how much the scenario's measure phase is longer in its runs: 1, or 2 after noise.
        planned: what is tried first: the default, the best of an earlier study, and presets.
        trials: in the order in which they were proposed; the first is the default.
        runs: in the order in which they were made; those of a trial that were invalid included.
        answer: what came of it; None before the end.
    """

    schema_version: int = STUDY_SCHEMA_VERSION
    loadlab_version: str
    study_id: str
    name: str
    started_at: datetime
    finished: bool = False
    forced: bool = False
    warms_up: bool = True
    objectives: tuple[StudyObjective, ...] = Field(min_length=1)
    study: dict[str, JsonValue]
    scenario: dict[str, JsonValue]
    environment: HostEnvironment
    traces: dict[str, str] = Field(default_factory=dict)
    cluster: ClusterUsed | None = None
    measure_scale: int = Field(default=1, ge=1)
    planned: tuple[Planned, ...] = ()
    trials: tuple[StudyTrial, ...] = ()
    runs: tuple[StudyRun, ...] = ()
    answer: StudyAnswer | None = None

    @property
    def confirmed(self) -> int | None:
        """The trial that beats the default; None where none is known to."""
        return self.answer.trial if self.answer is not None and self.answer.recommends else None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        numbers = [trial.number for trial in self.trials]
        if len(set(numbers)) < len(numbers):
            raise ValueError("two trials have one number")
        for run in self.runs:
            if run.trial not in numbers:
                raise ValueError(f"a run is of trial {run.trial}, which is not there")
            if run.measured.counts and len(run.measured.values) != len(self.objectives):
                raise ValueError(f"a run of trial {run.trial} has not a value for each objective")
        return self

    @property
    def default(self) -> StudyTrial:
        """What all others are compared with: the trial that is planned first."""
        return self.trials[0]

    def trial(self, number: int) -> StudyTrial:
        """The trial of that number.

        Raises:
            KeyError: there is none.
        """
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise KeyError(number)

    def settled(self, *purposes: Purpose, trial: int | None = None) -> list[StudyRun]:
        """The runs for these purposes that stand, in their order; with `trial`, those of that one."""
        return [
            run for run in self.runs if run.settled and run.purpose in purposes and trial in {None, run.trial}
        ]

    def front(self) -> tuple[int, ...]:
        """The feasible trials that no other one betters in all objectives: with one objective the best."""
        signs = [1.0 if one.direction == "maximize" else -1.0 for one in self.objectives]
        points = {
            run.trial: [sign * value for sign, value in zip(signs, run.measured.values, strict=True)]
            for run in self.settled("trial")
            if run.measured.feasible
        }
        return tuple(
            trial
            for trial, point in points.items()
            if not any(_betters(one, point) for one in points.values())
        )


def _betters(one: list[float], other: list[float]) -> bool:
    """Whether a point is nowhere below another one, and somewhere above."""
    return one != other and all(mine >= its for mine, its in zip(one, other, strict=True))

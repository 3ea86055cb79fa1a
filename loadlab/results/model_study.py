"""What a tuning study did and found: the versioned model of study.json, defined in docs/results.md.

StudyResult
├── study, scenario, environment, cluster    what was asked for, and where
├── trials[]                                 what was tried: each is an assignment of values to knobs
├── runs[]                                   what was measured, in its order; each is of one trial
└── recommendation, files                    what came of it
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from loadlab.results.model import ClusterUsed, VerdictStatus
from loadlab.results.model_base import Model
from loadlab.results.model_environment import HostEnvironment

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


class Measured(Model):
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
        number: Optuna's; the default is number 0.
        origin: where it comes from: "default", the name of a preset, "sampled", or the study it is from.
        assignment: value by path in the scenario; a knob that is not active is left out.
    """

    number: int = Field(ge=0)
    origin: str
    assignment: dict[str, JsonValue]


class StudyRun(Model):
    """One run of the study.

    Attributes:
        purpose: what it is for.
        trial: whose assignment it measured.
        block: of a confirming run the block, from 1; None elsewhere.
        started_at: when it began, UTC.
        measured: what it said.
    """

    purpose: Purpose
    trial: int
    block: int | None = None
    started_at: datetime
    measured: Measured


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
        study: the study as resolved.
        scenario: the scenario as resolved, with the default's values; secrets redacted.
        environment: the machine that it began on.
        cluster: what the first run was measured on; None before it.
        measure_scale: by how much the scenario's measure phase is longer in its runs: 1, or 2 after noise.
        trials: in the order in which they were proposed.
        runs: in the order in which they were made; those of a trial that were invalid included.
        recommendation: what came of it, in sentences; None before the end.
        confirmed: the trial that beats the default; None where none is known to.
    """

    schema_version: int = STUDY_SCHEMA_VERSION
    loadlab_version: str
    study_id: str
    name: str
    started_at: datetime
    finished: bool = False
    forced: bool = False
    study: dict[str, JsonValue]
    scenario: dict[str, JsonValue]
    environment: HostEnvironment
    cluster: ClusterUsed | None = None
    measure_scale: int = Field(default=1, ge=1)
    trials: tuple[StudyTrial, ...] = ()
    runs: tuple[StudyRun, ...] = ()
    recommendation: str | None = None
    confirmed: int | None = None

    def trial(self, number: int) -> StudyTrial:
        """The trial of that number.

        Raises:
            KeyError: there is none.
        """
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise KeyError(number)

    def runs_for(self, *purposes: Purpose, trial: int | None = None) -> list[StudyRun]:
        """The runs for these purposes, in their order; with `trial`, those of that one."""
        return [run for run in self.runs if run.purpose in purposes and trial in {None, run.trial}]

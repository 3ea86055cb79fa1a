"""The study: what is searched for what, with which effort; and the form of the file that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from loadlab.hints import HintedError
from loadlab.scenario.fields import Model, Number, Whole, property_text
from loadlab.scenario.forms import form_of, one_form
from loadlab.scenario.model import Name
from loadlab.scenario.thresholds import Threshold, Thresholds

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.scenario import LoadedScenario
    from loadlab.tuning.space import Assignment, SearchSpace

Direction = Literal["maximize", "minimize"]
Sampler = Literal["additive", "tpe", "random", "gp"]
Baseline = Literal["defaults", "scenario"]

CAPACITY: Final = "capacity"
"""The objective that is no field of a result: the highest rate at which all constraints hold."""

_SCALAR: Final = {"type": ["string", "number", "boolean"]}


def _scalar(value: object) -> object:
    property_text(value)
    return value


Scalar = Annotated[object, BeforeValidator(_scalar), WithJsonSchema(_SCALAR)]
"""One value, as the scenario would have it: 5, 64KiB, lz4, true."""

Condition = dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]]


class RangeEntry(Model):
    """``{low: 0.5, high: 100, log: true, special: [0]}``."""

    low: Scalar
    high: Scalar
    log: Annotated[bool, Field(strict=True)] = False
    step: Scalar | None = None
    special: tuple[Scalar, ...] = ()
    when: Condition = Field(default_factory=dict)


class ChoicesEntry(Model):
    """``{choices: [none, lz4]}``."""

    choices: Annotated[tuple[Scalar, ...], Field(min_length=1)]
    when: Condition = Field(default_factory=dict)


def _entry_form(value: object) -> str:
    if isinstance(value, str):
        return "<default>"
    return "<choices>" if isinstance(value, ChoicesEntry) or "choices" in _keys(value) else "<range>"


def _keys(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, Mapping) else ()


Entry = Annotated[
    Annotated[Literal["default"], Tag("<default>")]
    | Annotated[RangeEntry, Tag("<range>")]
    | Annotated[ChoicesEntry, Tag("<choices>")],
    Discriminator(_entry_form),
]
"""What values a knob may have; ``default``: those of the default space."""


class Maximize(Model):
    """``{maximize: FIELD}``."""

    maximize: Annotated[str, Field(strict=True)]


class Minimize(Model):
    """``{minimize: FIELD}``."""

    minimize: Annotated[str, Field(strict=True)]


ObjectiveForm = Annotated[
    Annotated[Maximize, Tag("<maximize>")] | Annotated[Minimize, Tag("<minimize>")],
    Discriminator(form_of("maximize", "minimize")),
    BeforeValidator(one_form("maximize", "minimize")),
]
ObjectiveForms = Annotated[
    Annotated[ObjectiveForm, Tag("<one>")]
    | Annotated[tuple[ObjectiveForm, ...], Field(min_length=1, max_length=3), Tag("<several>")],
    Discriminator(lambda value: "<several>" if isinstance(value, list | tuple) else "<one>"),
]
SpaceForm = Annotated[
    Annotated[Literal["default"], Tag("<default>")]
    | Annotated[dict[str, Entry], Field(min_length=1), Tag("<knobs>")],
    Discriminator(lambda value: "<default>" if isinstance(value, str) else "<knobs>"),
]


class Budget(Model):
    """When the search ends, whichever comes first; the confirmation comes on top.

    Attributes:
        trials: after so many.
        minutes: after so long.
    """

    trials: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    minutes: Annotated[Number, Field(gt=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.trials is None and self.minutes is None:
            raise HintedError("must say when to end: {trials: 15}, {minutes: 60}, or both")
        return self


class NoiseSettings(Model):
    """How the noise is measured.

    Attributes:
        runs: of the default before the first trial.
        max_cv: the coefficient of variation per run over which the study is not worth its time.
        default_every: after how many trials the default is measured again.
    """

    runs: Annotated[Whole, Field(ge=2, le=1000)] = 8
    max_cv: Annotated[Number, Field(gt=0, le=1)] = 0.10
    default_every: Annotated[Whole, Field(ge=1)] = 5


class ConfirmSettings(Model):
    """What the winner has to show before it is recommended.

    Attributes:
        blocks: of default, winner, winner, default.
        p_value: the most that the exact one-sided Wilcoxon test of the blocks may give.
        effect_floor: the least gain worth a change, as a share; the noise's CV where that is more.
        screen_blocks: after how many blocks a winner that does not lead is given up.
        candidates: how many of the best trials are measured again; more where runs are noisy.
        candidate_runs: how often each of them is, before the best of them is confirmed; where runs are noisy
            twice as often from round to round.
        extend: whether a winner that is ahead by the effect floor is measured in as many blocks again where
            it is not so beyond chance, or where runs are noisy.
    """

    # Of one block nothing says how far it is off.
    blocks: Annotated[Whole, Field(ge=2, le=1000)] = 8
    p_value: Annotated[Number, Field(gt=0, lt=1)] = 0.01
    effect_floor: Annotated[Number, Field(ge=0, le=1)] = 0.05
    screen_blocks: Annotated[Whole, Field(ge=1)] = 3
    candidates: Annotated[Whole, Field(ge=1, le=100)] = 3
    candidate_runs: Annotated[Whole, Field(ge=1, le=100)] = 2
    extend: Annotated[bool, Field(strict=True)] = True

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        least = 0.5**self.blocks
        if least > self.p_value:
            raise HintedError(
                f"{self.blocks} blocks can't show p_value {self.p_value:g}: "
                f"where the winner leads in all of them, p is {least:.2g}"
            )
        if self.screen_blocks > self.blocks:
            raise HintedError(f"the screen of {self.screen_blocks} blocks is longer than all {self.blocks}")
        return self


class StudyFile(Model):
    """A study as its file has it.

    Attributes:
        study: its name.
        scenario: the scenario's file, beside this one.
        settings: values set over the scenario, by path.
        objective: what is searched for, one or several.
        constraints: what must hold, beside the scenario's own thresholds.
        search_space: the knobs, or ``default``.
        rules: what must hold between knobs.
        budget: when the search ends.
        seed: of all that is drawn.
        sampler: who chooses the trials.
        baseline: what the winner is compared with.
        noise: how the noise is measured.
        confirm: what the winner has to show.
    """

    study: Name
    scenario: Annotated[str, Field(min_length=1, strict=True)]
    settings: dict[Annotated[str, Field(min_length=1)], Scalar] = Field(default_factory=dict, alias="set")
    objective: ObjectiveForms
    constraints: Thresholds = Field(default_factory=dict)
    search_space: SpaceForm = "default"
    rules: tuple[Annotated[str, Field(strict=True)], ...] = ()
    budget: Budget = Budget(trials=15)
    seed: Annotated[Whole, Field(ge=0, lt=2**32)] = 1
    sampler: Sampler = "additive"
    baseline: Baseline = "defaults"
    noise: NoiseSettings = NoiseSettings()
    confirm: ConfirmSettings = ConfirmSettings()


@dataclass(frozen=True)
class Objective:
    """A number to be made large or small.

    Attributes:
        field: its place in result.json, such as producers.checkout.throughput.records_per_s; or CAPACITY.
        direction: which way is better.
    """

    field: str
    direction: Direction


@dataclass(frozen=True)
class Study:
    """A study, checked against its scenario.

    Attributes:
        name: of the study.
        scenario: the scenario's file.
        objectives: what is searched for; with several, what can't be bettered in one without loss in another.
        constraints: what a recommendation must keep, by metric: the study's and the scenario's thresholds.
        space: what may be changed.
        own: the values that the scenario itself has for the knobs.
        budget: when the search ends.
        seed: of all that is drawn.
        sampler: who chooses the trials.
        baseline: whether the default is librdkafka's and Kafka's, or what the scenario has.
        noise: how the noise is measured.
        confirm: what the winner has to show.
    """

    name: str
    scenario: Path
    objectives: tuple[Objective, ...]
    constraints: Mapping[str, tuple[Threshold, ...]]
    space: SearchSpace
    own: Assignment
    budget: Budget
    seed: int
    sampler: Sampler
    baseline: Baseline
    noise: NoiseSettings
    confirm: ConfirmSettings

    @property
    def baseline_name(self) -> str:
        """What trials are compared with, in sentences: "default", or "scenario" where that is the default."""
        return "default" if self.baseline == "defaults" else self.baseline


@dataclass(frozen=True)
class LoadedStudy:
    """A study with its scenario.

    Attributes:
        study: what is searched.
        loaded: the scenario with the study's settings and constraints, and without values of conditional
            knobs, so that one which is not active is truly absent.
        path: the study's file.
        warnings: what the user should know before time is spent.
    """

    study: Study
    loaded: LoadedScenario
    path: Path
    warnings: tuple[str, ...] = ()

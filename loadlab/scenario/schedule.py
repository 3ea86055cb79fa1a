"""When records are due: the rate over time, counted from the common start of all workers."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from loadlab.hints import HintedError, near
from loadlab.scenario.fields import Count, Duration, Model, Number, PositiveRate, Rate
from loadlab.scenario.forms import form_of, one_form

if TYPE_CHECKING:
    from loadlab.client.trace import Trace

_SHAPES: Final = ("ramp", "steps", "bursts", "trace")
_LONGEST_S: Final = 30 * 24 * 3600.0
_MOST_RECORDS: Final = 10**14
_PositiveDuration = Annotated[Duration, Field(gt=0, le=_LONGEST_S)]


class Ramp(Model):
    """A rate that changes evenly from one value to another, and stays there."""

    from_per_s: Rate = Field(alias="from")
    to_per_s: Rate = Field(alias="to")
    over_s: _PositiveDuration = Field(alias="over")

    @model_validator(mode="after")
    def _sends(self) -> Self:
        if self.from_per_s == self.to_per_s == 0:
            raise HintedError("from 0 to 0 sends nothing")
        return self


class Step(Model):
    """One rate for some time."""

    rate_per_s: Rate = Field(alias="rate")
    for_s: _PositiveDuration = Field(alias="for")


class Bursts(Model):
    """A rate for the first ``for_s`` of every ``every_s``, and nothing in between."""

    rate_per_s: PositiveRate = Field(alias="rate")
    every_s: _PositiveDuration = Field(alias="every")
    for_s: _PositiveDuration = Field(alias="for")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.for_s > self.every_s:
            raise HintedError("a burst can't last longer (for) than the time between two starts (every)")
        return self


class RampRate(Model):
    """``rate: {ramp: {from: 1k/s, to: 20k/s, over: 10s}}``."""

    ramp: Ramp


class StepsRate(Model):
    """``rate: {steps: [{rate: 5k/s, for: 10s}, …]}``; the last rate stays."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=1000)

    @field_validator("steps")
    @classmethod
    def _sends(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if not any(step.rate_per_s for step in steps):
            raise HintedError("every step has rate 0: nothing would be sent")
        return steps


class BurstsRate(Model):
    """``rate: {bursts: {rate: 20k/s, every: 5s, for: 1s}}``."""

    bursts: Bursts


class TraceFile(Model):
    """A file that says when each record is due, and perhaps how large it is and which key it has.

    Attributes:
        file: a CSV or Parquet file.
        scale: how many times as fast as in the file its records follow each other.
    """

    file: Path
    scale: Number = Field(default=1.0, gt=0, le=1e6)

    @cached_property
    def _read(self) -> Trace | HintedError:
        """Read once, so that all of a run sees the same, whatever becomes of the file."""
        from loadlab.scenario.trace_file import read_trace  # noqa: PLC0415 (loads pyarrow)

        try:
            return read_trace(self.file, self.scale)
        except HintedError as error:
            return error

    @property
    def problem(self) -> HintedError | None:
        """Why it can't be replayed; None where it can."""
        return self._read if isinstance(self._read, HintedError) else None

    @property
    def trace(self) -> Trace:
        """What it holds.

        Raises:
            HintedError: it can't be replayed.
        """
        if isinstance(self._read, HintedError):
            raise self._read
        return self._read

    def place_of(self, row: int) -> str:
        """Where a row, counted from 0, stands in the file."""
        from loadlab.scenario.trace_file import place_of  # noqa: PLC0415 (loads pyarrow)

        return place_of(self.file, row)


class TraceRate(Model):
    """``rate: {trace: {file: orders.csv, scale: 2}}``: each record at its own time."""

    trace: TraceFile


def _plain_rate(value: object) -> object:
    if isinstance(value, str) and not value[:1].isdigit():
        meant = f"0{value}" if re.match(r"\.\d", value) else near(value, ("max",))
        raise HintedError(f'must be a rate such as "20k/s", or max, not "{value}"', meant)
    return value


RateForm = Annotated[
    Annotated[Literal["max"], Tag("<max>")]
    | Annotated[PositiveRate, BeforeValidator(_plain_rate), Tag("<constant>")]
    | Annotated[RampRate, Tag("<ramp>")]
    | Annotated[StepsRate, Tag("<steps>")]
    | Annotated[BurstsRate, Tag("<bursts>")]
    | Annotated[TraceRate, Tag("<trace>")],
    Discriminator(lambda value: "<max>" if value == "max" else _rate_form(value)),
    BeforeValidator(one_form(*_SHAPES)),
]
_rate_form = form_of("constant", *_SHAPES)


class Schedule(Model):
    """When the records of a group are due; the rate is the group's total, its workers split it.

    Attributes:
        rate: per second, ``max``, a shape over time, or a trace.
        arrivals: ``uniform`` (evenly spread) or ``poisson`` (each by chance, independent of the others).
        when_full: what happens to a record that is due while the client's queue is full.
        records: how many the group sends at most, or None.
    """

    rate: RateForm
    arrivals: Literal["uniform", "poisson"] = "uniform"
    when_full: Literal["wait", "reject"] = "wait"
    records: Annotated[Count, Field(le=_MOST_RECORDS)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.rate == "max":
            fixes = {
                "drop arrivals: poisson": self.arrivals == "poisson",
                "use when_full: wait": self.when_full == "reject",
            }
            if wrong := [fix for fix, is_needed in fixes.items() if is_needed]:
                raise HintedError(f"at rate: max no record is due at a time; {', and '.join(wrong)}")
        if isinstance(self.rate, TraceRate) and self.arrivals == "poisson":
            raise HintedError("a trace's records are due at its own times; drop arrivals: poisson")
        return self

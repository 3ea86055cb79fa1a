"""Faults: what is done to brokers while the load goes on."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from loadlab.hints import HintedError
from loadlab.scenario.fields import Duration, Model, Whole
from loadlab.units import format_duration

FaultKind = Literal["pause", "kill"]

MOST_FAULTS: Final = 100
_BrokerId = Annotated[Whole, Field(ge=1)]


class Fault(Model):
    """One broker that is paused, or killed, for a while: ``{at: 10s, kill: 2, for: 15s}``.

    Attributes:
        at_s: when, seconds since the measure phase began.
        pause: the broker that stands still, by its id, and then goes on.
        kill: the broker that is ended as by SIGKILL, and then started again with its data.
        for_s: how long; a killed broker stays dead without it.
    """

    at_s: Duration = Field(alias="at")
    pause: _BrokerId | None = None
    kill: _BrokerId | None = None
    for_s: Annotated[Duration, Field(gt=0)] | None = Field(default=None, alias="for")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.pause is None) == (self.kill is None):
            both = "" if self.pause is None else ", and not both"
            raise HintedError(
                f"must say which broker to pause, or which one to kill{both}: {{at: 10s, kill: 2}}"
            )
        return self

    @property
    def kind(self) -> FaultKind:
        """What is done."""
        return "kill" if self.pause is None else "pause"

    @property
    def broker(self) -> int:
        """To which broker, by its id."""
        return next(broker for broker in (self.pause, self.kill) if broker is not None)

    def __str__(self) -> str:
        """What is done, for people: "broker 2 is paused from 4s for 8s"."""
        done = "paused" if self.kind == "pause" else "dead"
        lasting = "to the end" if self.for_s is None else f"for {format_duration(self.for_s)}"
        return f"broker {self.broker} is {done} from {format_duration(self.at_s)} {lasting}"

    @property
    def end_s(self) -> float | None:
        """When it is over, seconds since the measure phase began; None where it lasts to the end."""
        return None if self.for_s is None else self.at_s + self.for_s

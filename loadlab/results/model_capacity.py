"""What a capacity search found: the versioned model of capacity.json, defined in docs/results.md."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from loadlab.results.model import ClusterUsed, VerdictStatus
from loadlab.results.model_base import Measured, Model
from loadlab.results.model_environment import HostEnvironment

CAPACITY_SCHEMA_VERSION = 1

DEFAULT_PRECISION = 0.03
DEFAULT_MAX_PROBES = 10
_LOWEST_SHARE = 0.01

AnswerKind = Literal["between", "at_least", "below", "generator", "nothing"]


class CapacitySettings(Model):
    """How a search is made.

    Attributes:
        start_per_s: the first rate, all groups together; None where it begins with the maximum rate.
        lowest_per_s: no lower rate is probed.
        highest_per_s: no higher one; None without such a limit.
        precision: how far apart, as a share, the rates may be that hold and fail.
        max_probes: how many probes it may take.
        measure_s: how long a probe measures.
        conditions: what has to hold, as people read it.
    """

    start_per_s: float | None
    lowest_per_s: float
    highest_per_s: float | None
    precision: float
    max_probes: int
    measure_s: float
    conditions: tuple[str, ...]


def default_lowest_per_s(start_per_s: float | None) -> float:
    """The lowest rate of a search that is told none: a hundredth of the first, 1/s where that is none."""
    return 1.0 if start_per_s is None else start_per_s * _LOWEST_SHARE


class CapacityProbe(Model):
    """One probe, which is a run of its own.

    Attributes:
        run_id: of the run, which is stored whole beside the search.
        rate_per_s: what was asked for, all groups together; None: as much as goes.
        achieved_per_s: what was acked in the measure phase, per second.
        publish_p50_us: median publish latency, all groups merged.
        publish_p99_us: its 99th percentile; None where the sample does not support it.
        lag_growth_per_s: by how much the lag of the group grew that fell behind most; None without groups.
        verdict: what it says of the rate; None at the maximum rate, which is not judged.
        failed: what did not hold, or why nothing could be measured.
        strain: the tightest latency over its limit; None where no limit is of a latency.
        status: the verdict on the run itself.
        disturbed: it failed while others took of the machine: it counts only where nothing else is known.
    """

    run_id: str
    rate_per_s: float | None
    achieved_per_s: float
    publish_p50_us: Measured = None
    publish_p99_us: Measured = None
    lag_growth_per_s: Measured = None
    verdict: Literal["holds", "fails", "unmeasured"] | None
    failed: tuple[str, ...] = ()
    strain: Measured = None
    status: VerdictStatus
    disturbed: bool = False

    @property
    def aside(self) -> str:
        """What the reader has to know of its run, in brackets, for people; empty where there is nothing."""
        if self.disturbed:
            return " (while others took of the machine)"
        return " (suspect run)" if self.status == "suspect" else ""


class CapacityAnswer(Model):
    """What the probes say together.

    Attributes:
        kind: between (one rate holds, a higher one fails), at_least (nothing failed), below (nothing held),
            generator (above what holds nothing could be measured), nothing (nothing could be).
        holds_per_s: the highest rate that holds; None where none does.
        fails_per_s: the lowest that does not, or that could not be measured; None where all hold.
        sure: both rates were probed again and said the same by majority.
    """

    kind: AnswerKind
    holds_per_s: float | None
    fails_per_s: float | None
    sure: bool


class Knee(Model):
    """Where latency begins to cost more than the rate gains: the rate with the most records/s per p99."""

    rate_per_s: float
    publish_p99_us: float


class CapacityResult(Model):
    """A capacity search, as far as it got.

    Attributes:
        schema_version: of this model.
        loadlab_version: of the program that searched.
        capacity_id: see `loadlab.results.run_id`.
        name: the scenario's name.
        started_at: when the search began, UTC.
        finished: whether it came to its end; else it can be resumed, see `how_to_go_on`.
        scenario: the scenario as resolved, without what is different in each probe; secrets redacted.
        settings: how it searches.
        environment: the machine that it began on.
        traces: the SHA-256 of what producers replay, by their names.
        study: the id of the study that it is a trial of; None without one.
        cluster: what it was measured on; None before the first probe.
        warm_up_per_s: what the cluster acked in each round of warming it up; without any it was not done.
        probes: in their order.
        answer: what they say by now.
        knee: of the curve from rate to latency; None where it shows none.
    """

    schema_version: int = CAPACITY_SCHEMA_VERSION
    loadlab_version: str
    capacity_id: str
    name: str
    started_at: datetime
    finished: bool = False
    scenario: dict[str, JsonValue]
    settings: CapacitySettings
    environment: HostEnvironment
    traces: dict[str, str] = Field(default_factory=dict)
    study: str | None = None
    cluster: ClusterUsed | None = None
    warm_up_per_s: tuple[float, ...] = ()
    probes: tuple[CapacityProbe, ...] = ()
    answer: CapacityAnswer
    knee: Knee | None = None

    @property
    def how_to_go_on(self) -> str:
        """What goes on with it where it was interrupted, for people."""
        if self.study is not None:
            return f"its study repeats it, with --resume {self.study}"
        return f"the same command with --resume {self.capacity_id} goes on"

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the answer may be another one when it is asked for again, for people."""
        both = None not in {self.answer.holds_per_s, self.answer.fails_per_s}
        which = "one of the two rates" if both else "the rate"
        unsure = () if self.answer.sure else (f"not sure: {which} was not probed again",)
        failed = [probe for probe in self.probes if probe.verdict == "fails"]
        at_edge = [probe for probe in failed if probe.rate_per_s == self.answer.fails_per_s]
        suspect = [probe.run_id for probe in at_edge if probe.status != "valid"]
        if self.answer.kind == "nothing" or not suspect or len(suspect) < len(at_edge):
            return unsure
        told = f"what failed there is known from suspect runs only: `loadlab show {suspect[-1]}` says why"
        return (*unsure, told)

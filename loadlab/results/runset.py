"""A run set: the repetitions of one scenario, and what they say together.

results/<set-id>/runset.json names the runs, each of which stands whole in its own folder beside it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue

from loadlab.results.growing import write_anew
from loadlab.results.model import ClusterUsed, Reason, VerdictStatus
from loadlab.results.model_base import Measured, Model
from loadlab.results.versions import read_versioned

if TYPE_CHECKING:
    from pathlib import Path

RUNSET_FILE = "runset.json"
RUNSET_SCHEMA_VERSION = 1


class Repetition(Model):
    """One run of the set.

    Attributes:
        repetition: its number, from 1, in the order of the runs.
        run_id: the run's; its folder stands beside the set's.
        seed: the run's.
        status: its verdict.
        saturated: the cluster was the limit.
        cut_short: the user or a threshold ended it before its time.
        used: whether it counts in the set's figures: neither invalid nor cut short.
        reasons: why the verdict is not a plain "valid", and what else it tells.
        thresholds_failed: the expressions that did not hold, and why one could not be measured.
    """

    repetition: int = Field(ge=1)
    run_id: str
    seed: int
    status: VerdictStatus
    saturated: bool = False
    cut_short: bool = False
    used: bool
    reasons: tuple[Reason, ...] = ()
    thresholds_failed: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it is valid and whole, and its thresholds held."""
        return self.status == "valid" and not self.cut_short and not self.thresholds_failed


class HeadlineFigure(Model):
    """One headline number over the runs that are used.

    Attributes:
        group: the group that it is of.
        label: its name for people.
        unit: of all its values.
        values: by repetition, in the order of the runs that are used; None where a run has no such figure, or
            it lies among records that never came through.
        median: of the values there are, those among such records counting as longer than all others; None
            where it is one of these.
        low: lower end of the median's 95 % interval; None where too few runs were made for one, or one
            of them has such a value.
        high: its upper end.
        method: how the interval was made.
    """

    group: str
    label: str
    unit: str
    values: tuple[Measured, ...]
    median: Measured = None
    low: Measured = None
    high: Measured = None
    method: Literal["t of logarithms", "bootstrap"] | None = None


class RunSet(Model):
    """Repetitions of one scenario.

    Attributes:
        schema_version: of this model.
        loadlab_version: of the program that made the runs.
        set_id: the set's; as a run id, with "-set" after the name.
        name: the scenario's.
        started_at: when the first run began, UTC.
        scenario: as resolved, secrets redacted; its seed is the first run's.
        seed: from which those of all runs follow.
        fresh_clusters: each run had a cluster of its own; otherwise one had all, with fresh topics.
        cluster: the first run's; None in sets of older versions.
        requested: how many runs were asked for.
        interrupted: the user stopped the set, or it was killed.
        failure: why no further run was made; None where all were, or the user stopped the set.
        runs: in the order in which they were made.
        headline: by the path of the number in result.json.
    """

    schema_version: int = RUNSET_SCHEMA_VERSION
    loadlab_version: str
    set_id: str
    name: str
    started_at: datetime
    scenario: dict[str, JsonValue]
    seed: int
    fresh_clusters: bool
    cluster: ClusterUsed | None = None
    requested: int = Field(ge=1)
    interrupted: bool = False
    failure: str | None = None
    runs: tuple[Repetition, ...]
    headline: dict[str, HeadlineFigure]


def save_set(runs: RunSet, results_dir: Path) -> Path:
    """Store a run set as it is now; one of the same id is replaced.

    Raises:
        RunError: it can't be written.
    """
    write_anew(runs, results_dir / runs.set_id / RUNSET_FILE, "run set")
    return results_dir / runs.set_id


def read_set(path: Path) -> RunSet:
    """Read a runset.json of this schema version.

    Raises:
        UsageError: it can't be read, is damaged, or was written by a newer loadlab.
    """
    return read_versioned(path, RunSet, RUNSET_SCHEMA_VERSION, {})

"""What a tuning study came to: the part of study.json that is written at its end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadlab.results.model_base import Model


class StudyLimit(Model):
    """A constraint as the recommended configuration met it.

    Attributes:
        label: of what: "publish p99".
        measured: the median over its confirming runs, in `unit`.
        limit: in `unit`.
        unit: "µs", "records/s", or another.
    """

    label: str
    measured: float
    limit: float
    unit: str


class StudyCost(Model):
    """A headline number that is worse than the default's by more than noise.

    Attributes:
        label: "publish p50".
        unit: of both numbers.
        default: the default's median over the confirming runs, and
        recommended: that of the recommended configuration; None where it lies among records that never came
            through.
    """

    label: str
    unit: str
    default: float
    recommended: float | None


class StudyImportance(Model):
    """How much a knob had to do with reaching the best third of the trials, as shares.

    Attributes:
        knob: its path in the scenario.
        share: the estimate.
        low: the lower end of its 95 % interval, and
        high: the upper one.
    """

    knob: str
    share: float
    low: float
    high: float


class StudyAnswer(Model):
    """What a study came to.

    Attributes:
        finding: "beats the default", "too small" or "not seen"; only the first recommends anything.
        sentences: all of it as a user reads it.
        trial: the one that was measured to the end beside the default; None where none was.
        ratio: its first objective over the default's, and
        low: the lower end of the ratio's 95 % interval, and
        high: the upper one; None without such a trial.
        p_value: of the one-sided test that it is better.
        level: the p-value at which it counts as better.
        floor: the least gain that is claimed, as a share.
        noise: half the width of the interval that a ratio of 1 would have, as a share.
        more_pairs: how many more pairs of runs would show a gain of `visible`.
        visible: a gain, as a share.
        cv: the coefficient of variation of the default's runs before the first trial.
        drift: what the repeated default showed.
        use: the values of the trial that are not the default's, by path in the scenario; "not set" where only
            the default has one.
        weakened: the trial's values that durability hangs on and that promise less than the scenario's own.
        limits: the constraints.
        costs: what got worse; None where the runs that would tell are no longer stored.
        importances: of the knobs; empty where too few trials were made.
    """

    finding: Literal["beats the default", "too small", "not seen"]
    sentences: str
    trial: int | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    level: float
    floor: float
    noise: float
    more_pairs: int
    visible: float
    cv: float
    drift: str
    use: dict[str, str | int | float] = Field(default_factory=dict)
    weakened: dict[str, str | int | float] = Field(default_factory=dict)
    limits: tuple[StudyLimit, ...] = ()
    costs: tuple[StudyCost, ...] | None = ()
    importances: tuple[StudyImportance, ...] = ()

    @property
    def recommends(self) -> bool:
        """Whether anything is recommended."""
        return self.finding == "beats the default"

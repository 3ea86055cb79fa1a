"""The drift of a system over a study, as the repeated default shows it, and values freed from it.

The default is run before the first trial and again every few trials. Whatever it does over the study, the
trials between are taken to do too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import scipy

from loadlab.analysis.statistics import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST: Final = 5
"""Of four runs the slopes of all pairs have one sign in a twelfth of the studies, without any drift."""


@dataclass(frozen=True)
class PlacedValue:
    """The objective of one run.

    Attributes:
        place: the how many-th run of the study it was, from 0.
        value: above 0.
    """

    place: int
    value: float


@dataclass(frozen=True)
class Drift:
    """How the default's objective moves from run to run.

    Attributes:
        log_per_run: the slope of its logarithm, for each place.
        low: the lower end of the slope's 95 % interval, and
        high: its upper one.
        origin: the place that values are corrected to: the median place of the runs before the first trial.
        places: over how many places the default was run.
    """

    log_per_run: float
    low: float
    high: float
    origin: float
    places: int

    @property
    def seen(self) -> bool:
        """Whether the interval excludes that there is none; only then values are corrected."""
        return self.low > 0 or self.high < 0

    @property
    def over_study(self) -> float:
        """What the default gained over the whole study, as a share of what it had; below 0 for a loss."""
        return math.expm1(self.log_per_run * self.places)

    def corrected(self, value: float, place: float) -> float:
        """What a run at a place would have had where the study began."""
        return value * math.exp(-self.log_per_run * (place - self.origin)) if self.seen else value

    def sentence(self, baseline_name: str = "default") -> str:
        """What was found, without a full stop; the default is called so."""
        if math.isinf(self.low):
            return f"no drift could be seen: the {baseline_name} was run too seldom"
        low, high = (math.expm1(slope * self.places) for slope in (self.low, self.high))
        if not self.seen:
            return f"no drift seen over {self.places} runs (between {low:+.1%} and {high:+.1%})"
        moved = f"moved by {self.over_study:+.1%} ({low:+.1%} to {high:+.1%}) over {self.places} runs"
        return f"the {baseline_name} {moved}; trials are corrected for it"


def drift_of(before: Sequence[PlacedValue], between: Sequence[PlacedValue]) -> Drift:
    """The drift that the default's runs show.

    The slope is Theil and Sen's, the median of the slopes of all pairs of runs, of the logarithm against the
    place, with Sen's interval (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau",
    Journal of the American Statistical Association 63, 1968): one odd run does not bend it. A line is all
    that few runs of the default support; what moves otherwise stays in the trials, and only the blocks of the
    confirmation are proof against it. Places, not times, because a study may be resumed days later.

    Args:
        before: the default's runs before the first trial, at least one.
        between: its runs among the trials; without any there is no drift to be seen.

    Raises:
        ValueError: no run before the first trial.
    """
    if not before:
        raise ValueError("drift is told against runs of the default before the first trial")
    origin = float(median(run.place for run in before))
    runs = [*before, *between]
    span = max(run.place for run in runs) - min(run.place for run in runs)
    if not between or len(runs) < _FEWEST:
        return Drift(0.0, -math.inf, math.inf, origin, span)
    slope, _, low, high = scipy.stats.theilslopes(
        [math.log(run.value) for run in runs], [run.place for run in runs], alpha=LEVEL
    )
    return Drift(float(slope), float(low), float(high), origin, span)

"""How much the default varies from run to run, and whether a study can be made with that much noise.

Pure functions of numbers: nothing here runs anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import scipy

from loadlab.analysis.statistics import BUCKET, LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NoiseStep = Literal["go on", "measure longer", "stop"]

_FEWEST: Final = 2
_FEWEST_OF_PATTERN: Final = 5


@dataclass(frozen=True)
class NoiseRules:
    """How noise is found out.

    Attributes:
        runs: how often the default is run before the first trial.
        max_cv: the greatest coefficient of variation with which a study goes on, as a share.
    """

    runs: int = 8
    max_cv: float = 0.10


@dataclass(frozen=True)
class Noise:
    """What runs of one configuration have of noise.

    Attributes:
        values: the objective's, one for each run, in the order of the runs.
        mean: their mean.
        cv: the coefficient of variation of a run: standard deviation over mean, as a share.
        cv_low: the lower end of its 95 % interval, and
        cv_high: the upper one; infinity where so few runs bound it by nothing.
    """

    values: tuple[float, ...]
    mean: float
    cv: float
    cv_low: float
    cv_high: float


@dataclass(frozen=True)
class NoiseVerdict:
    """Whether a study can be made.

    Attributes:
        noise: what was found.
        step: "measure longer": once more, with a measure phase of twice the length.
        reason: a sentence without a full stop that says what was found, and why it stops.
    """

    noise: Noise
    step: NoiseStep
    reason: str


def noise_of(values: Sequence[float]) -> Noise:
    """The coefficient of variation of runs, with its interval.

    The interval is McKay's as modified by Vangel ("Confidence intervals for a normal coefficient of
    variation", The American Statistician 50, 1996), exact enough for coefficients up to a third. Runs that
    agree are not without noise: see `analysis.statistics.effect`.

    Args:
        values: the objective's, one for each run; at least two, all above 0.

    Raises:
        ValueError: fewer, or one that is not above 0.
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < _FEWEST or sample.min() <= 0:
        raise ValueError(f"noise needs {_FEWEST} values above 0, not {list(values)}")
    mean = float(sample.mean())
    cv = max(float(sample.std(ddof=1)) / mean, BUCKET / 2)
    return Noise(tuple(map(float, values)), mean, cv, *_interval(cv, len(sample)))


def _interval(cv: float, count: int) -> tuple[float, float]:
    low, high = (
        _bound(cv, count, float(scipy.stats.chi2.ppf(share, count - 1)))
        for share in (0.5 + LEVEL / 2, 0.5 - LEVEL / 2)
    )
    return low, high


def _bound(cv: float, count: int, chi_square: float) -> float:
    below = ((chi_square + 2) / count - 1) * cv**2 + chi_square / (count - 1)
    return cv / below**0.5 if below > 0 else float("inf")


def expected_range(values: Sequence[float]) -> tuple[float, float] | None:
    """Between which values one more run of the same lies with a chance of 95 %; None of fewer than two runs.

    The prediction interval by Student's t (G. J. Hahn and W. Q. Meeker, "Statistical Intervals", 1991,
    section 4.7), of logarithms.

    Args:
        values: the objective's, one for each run, all above 0.
    """
    if len(values) < _FEWEST:
        return None
    logs = np.log(values)
    reach = scipy.stats.t.ppf(0.5 + LEVEL / 2, len(logs) - 1) * deviation(logs) * np.sqrt(1 + 1 / len(logs))
    return float(np.exp(logs.mean() - reach)), float(np.exp(logs.mean() + reach))


def deviation(logs: NDArray[np.float64]) -> float:
    """The standard deviation of logarithms, never less than half the step in which figures are known."""
    return max(float(logs.std(ddof=1)), BUCKET / 2)


def judge_noise(
    values: Sequence[float],
    rules: NoiseRules,
    *,
    doubled: bool,
    forced: bool = False,
    baseline_name: str = "default",
) -> NoiseVerdict:
    """Whether a study can be made with the noise that runs of its default have.

    Args:
        values: the objective's of these runs, all of one length.
        rules: how much is allowed.
        doubled: whether their measure phase has been doubled already.
        forced: the user wants to go on whatever the noise.
        baseline_name: what the default is called: `Study.baseline_name`.

    Raises:
        ValueError: fewer than two values, or one that is not above 0.
    """
    noise = noise_of(values)
    found = f"the {baseline_name} varies by {noise.cv:.1%} from run to run"
    if noise.cv <= rules.max_cv:
        return NoiseVerdict(noise, "go on", found)
    why = f"{found}, more than {rules.max_cv:.0%}: {_pattern(noise, rules)}"
    if not doubled:
        return NoiseVerdict(noise, "measure longer", why)
    if forced:
        return NoiseVerdict(noise, "go on", f"{why}; going on because it was forced")
    return NoiseVerdict(noise, "stop", why)


def _pattern(noise: Noise, rules: NoiseRules) -> str:
    """What the noise is made of: a drift, one run, or scatter."""
    if len(noise.values) < _FEWEST_OF_PATTERN:
        return "the runs scatter"
    slope, _, low, high = scipy.stats.theilslopes(np.log(noise.values), alpha=LEVEL)
    if low > 0 or high < 0:
        return f"from run to run it {'rises' if slope > 0 else 'falls'} by {abs(np.expm1(slope)):.1%}"
    center = float(np.median(noise.values))
    farthest = max(range(len(noise.values)), key=lambda run: abs(noise.values[run] - center))
    others = [value for run, value in enumerate(noise.values) if run != farthest]
    if noise_of(others).cv <= rules.max_cv:
        return f"run {farthest + 1} alone is off, at {noise.values[farthest] / center:.2f} times the median"
    return "the runs scatter without a trend"

"""A recorded surface, the smooth truth that is fitted to it, and a bench that measures on it with its noise.

The truth is the mean of a Gaussian process (C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for
Machine Learning", 2006, chapters 2 and 5) of the objective's logarithm: numbers on a logarithmic scale with a
squared exponential, categories with one correlation, all by maximum likelihood. The noise is what the runs of
a point differ by from each other, over all points together; nothing is smoothed into it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, optimize

from loadlab.results.model_study import Measurement
from loadlab.tuning.space import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from loadlab.tuning.bench import Terms
    from loadlab.tuning.space import Assignment, Range, SearchSpace, Value

ZERO_IS_LIKE = 0.25
"""Where a special 0 stands on the logarithmic scale: linger.ms 0 is half as far from 0.5 as 0.5 is from 2."""
CANDIDATES = 5_000
SPECIAL_SHARE = 0.2


@dataclass(frozen=True)
class Recording:
    """The runs of a surface.

    Attributes:
        direction: which way is better.
        knobs: their paths.
        values: of each point the objective's, one for each run.
    """

    direction: str
    knobs: tuple[str, ...]
    values: Mapping[tuple[Value, ...], Sequence[float]]

    @cached_property
    def residuals(self) -> NDArray[np.float64]:
        """By how much logarithms of runs differ from their point's mean, scaled up as it is estimated."""
        found: list[float] = []
        for each in self.values.values():
            if len(each) > 1:
                logs = np.log(each)
                found.extend((logs - logs.mean()) * np.sqrt(len(each) / (len(each) - 1)))
        return np.asarray(found)

    @property
    def spread(self) -> float:
        """The standard deviation of a run's logarithm."""
        return float(np.sqrt(np.mean(self.residuals**2)))


def read_recording(path: Path) -> Recording:
    """The runs of a file that tools/record_surface.py has written; those that failed are left out."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    about = json.loads(head)
    values: defaultdict[tuple[Value, ...], list[float]] = defaultdict(list)
    for point, value in map(json.loads, lines):
        if value is not None:
            values[tuple(point)].append(value)
    return Recording(about["direction"], tuple(about["knobs"]), dict(values))


@dataclass(frozen=True)
class Surface:
    """The smooth truth.

    Attributes:
        recording: what it was fitted to.
        theta: logarithms of signal deviation and of each length, logit of the correlation between categories.
    """

    recording: Recording
    theta: NDArray[np.float64]

    def value(self, assignment: Assignment) -> float:
        """The objective's true value."""
        return float(np.exp(self._log_values([tuple(assignment[knob] for knob in self.recording.knobs)])[0]))

    def best(self, space: SearchSpace, seed: int = 1) -> float:
        """The best true value of a space: of many points drawn from it, and of those that were recorded."""
        rng = np.random.default_rng(seed)
        drawn = [tuple(_draw(knob.domain, rng) for knob in space.knobs) for _ in range(CANDIDATES)]
        logs = self._log_values([*drawn, *self.recording.values])
        return float(np.exp(logs.max() if self.recording.direction == "maximize" else logs.min()))

    @cached_property
    def _solved(self) -> tuple[NDArray[np.float64], float]:
        logs, noise = _observed(self.recording)
        return _solve(self.recording, self.theta, logs, noise)[:2]

    def _log_values(self, points: Sequence[tuple[Value, ...]]) -> NDArray[np.float64]:
        weights, center = self._solved
        known = list(self.recording.values)
        return center + _kernel(points, known, self.theta) @ weights


def fit(recording: Recording) -> Surface:
    """The surface that the runs are most likely of."""
    logs, noise = _observed(recording)
    numbers = len(_numbers(list(recording.values)[:1])[0])
    start = np.concatenate([[np.log(logs.std() + 1e-6)], np.zeros(numbers), [0.0]])
    bounds = [(-7.0, 3.0), *[(-2.0, 3.0)] * numbers, (-4.0, 6.0)]
    found = optimize.minimize(
        lambda theta: _solve(recording, theta, logs, noise)[2], start, method="L-BFGS-B", bounds=bounds
    )
    return Surface(recording, found.x)


def _observed(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each point the mean logarithm and the variance of that mean."""
    logs = np.asarray([np.log(each).mean() for each in recording.values.values()])
    counts = np.asarray([len(each) for each in recording.values.values()])
    return logs, recording.spread**2 / counts


def _solve(
    recording: Recording, theta: NDArray[np.float64], logs: NDArray[np.float64], noise: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float]:
    """The weights of the points, the level, and the negative logarithm of the likelihood."""
    points = list(recording.values)
    factor = linalg.cho_factor(_kernel(points, points, theta) + np.diag(noise + 1e-9), lower=True)
    ones = linalg.cho_solve(factor, np.ones(len(logs)))
    center = float(ones @ logs / ones.sum())
    weights = linalg.cho_solve(factor, logs - center)
    surprise = 0.5 * (logs - center) @ weights + np.log(np.diag(factor[0])).sum()
    return weights, center, float(surprise)


def _kernel(
    some: Sequence[tuple[Value, ...]], others: Sequence[tuple[Value, ...]], theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    deviation, correlation = np.exp(theta[0]), 1.0 / (1.0 + np.exp(-theta[-1]))
    one, other = _numbers(some) / np.exp(theta[1:-1]), _numbers(others) / np.exp(theta[1:-1])
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    alike = np.ones((len(some), len(others)))
    for column, value in enumerate(others[0]):
        if isinstance(value, str):
            rows, columns = (np.asarray([point[column] for point in side], "U") for side in (some, others))
            same = rows[:, None] == columns[None, :]
            alike *= np.where(same, 1.0, correlation)
    return np.asarray(deviation**2 * alike * np.exp(-0.5 * np.maximum(squares, 0.0)))


def _numbers(points: Sequence[tuple[Value, ...]]) -> NDArray[np.float64]:
    """The numbers of points on a logarithmic scale, in factors of 4."""
    rows = [[value for value in point if not isinstance(value, str)] for point in points]
    return np.log(np.maximum(np.asarray(rows, dtype=np.float64), ZERO_IS_LIKE)) / np.log(4)


def _draw(domain: Range | Choices, rng: np.random.Generator) -> Value:
    """A value of a knob: one of its choices or special values, or a number of its range."""
    if isinstance(domain, Choices):
        return domain.values[rng.integers(len(domain.values))]
    if domain.special and rng.random() < SPECIAL_SHARE:
        return domain.special[rng.integers(len(domain.special))]
    share = rng.random()
    number = (
        domain.low * (domain.high / domain.low) ** share
        if domain.log
        else (domain.low + (domain.high - domain.low) * share)
    )
    return round(number) if domain.whole else number


@dataclass(eq=False)
class SurfaceBench:
    """Measures on a surface instead of a cluster: the true value, and the noise of one recorded run.

    Attributes:
        truth: gives the true value of an assignment.
        residuals: of logarithms; one is drawn for each measurement.
        seed: of what is drawn.
    """

    truth: Callable[[Assignment], float]
    residuals: NDArray[np.float64]
    seed: int
    stopping: bool = False
    cluster: None = None
    _known: dict[tuple[tuple[str, Value], ...], float] = field(default_factory=dict)

    @contextmanager
    def open(self, *_: object) -> Iterator[SurfaceBench]:
        """As `tune` opens the bench of real runs."""
        yield self

    def measure(self, assignment: Assignment, terms: Terms) -> Measurement:
        """A run that is longer has less noise, by the square root of its length."""
        key = tuple(sorted(assignment.items()))
        if key not in self._known:
            self._known[key] = self.truth(assignment)
        drawn = np.random.default_rng((self.seed, terms.number)).choice(self.residuals)
        value = self._known[key] * float(np.exp(drawn / np.sqrt(terms.measure_scale)))
        return Measurement(run_id=None, status="valid", values=(value,), took_s=12.0)

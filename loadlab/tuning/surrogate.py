"""What a few noisy measurements say of points that were not measured: Gaussian processes that mostly add up.

The covariance of two points is that of an additive model, in which each knob has an effect of its own, and
of a joint one, in which only points that are near in all knobs are alike (D. Duvenaud, H. Nickisch and C. E.
Rasmussen, "Additive Gaussian Processes", 2011). The additive part is what makes ten measurements enough: that
a codec is slow is learned once, and not again beside each other setting. How much is joint, and how great the
effects and the noise are, can't be said of ten values. So nothing is fitted, but all of `_SHAPES`,
`_EFFECTS` and `_NOISES` are averaged, each by how likely it makes the values (C. E. Rasmussen and C. K. I.
Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5). Where the noise was measured it
is not asked of the values again: with too little of it a lucky one looks like a peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_LENGTH: Final = 0.6
"""Over what share of its range a number's effect changes: Matérn's length, of smoothness 5/2."""

_LEVEL: Final = 4.0
"""Variance of the level, in those of the effects: the mean of what was measured says little of it."""

_SHAPES: Final = tuple(product((0.2, 0.5, 0.8), (0.2, 0.5)))
"""The joint share of the variance, and how much two categories are alike."""

_EFFECTS: Final = (0.3, 0.6)
"""Standard deviations of the effects, as logarithms: factors of 1.3 and 1.8."""

_NOISES: Final = (0.05, 0.1, 0.2, 0.4)
"""Those of the noise where it was not measured: 5 to 40 %. Less than the least is never assumed, as the model
is not quite true either."""


@dataclass(frozen=True)
class Prediction:
    """What is expected at some points, by each model.

    Attributes:
        weights: how likely each model is; they sum up to 1. Shape: models.
        means: the expected value. Shape: models, points.
        deviations: its standard deviation, without noise. Shape: models, points.
    """

    weights: Array
    means: Array
    deviations: Array

    @property
    def mean(self) -> Array:
        """The expected value at each point."""
        return np.asarray(self.weights @ self.means)

    def improvement(self, best: Array, margin: float) -> Array:
        """By how much each point is expected to be above the best, where it is.

        D. R. Jones, M. Schonlau and W. J. Welch, "Efficient Global Optimization of Expensive Black-Box
        Functions", Journal of Global Optimization 13, 1998.

        Args:
            best: by each model. Shape: models.
            margin: how much above it is worth anything.
        """
        ahead = self.means - best[:, None] - margin
        away = ahead / self.deviations
        expected = ahead * scipy.stats.norm.cdf(away) + self.deviations * scipy.stats.norm.pdf(away)
        return np.asarray(self.weights @ expected)

    def chance_below(self, limit: float) -> Array:
        """How probable each point is below a limit."""
        return np.asarray(self.weights @ scipy.stats.norm.cdf((limit - self.means) / self.deviations))


def predict(
    known: Array,
    values: Array,
    points: Array,
    categories: NDArray[np.bool_],
    noise: float | None = None,
) -> Prediction:
    """What the values at known points say of others.

    Args:
        known: where was measured. Shape: values, knobs; numbers from 0 to 1, categories by their place.
        values: what was measured there, as logarithms.
        points: where to predict, as `known`.
        categories: which knobs are categories.
        noise: the standard deviation of a value's noise; None where it was not measured.
    """
    noises = _NOISES if noise is None else (max(noise, min(_NOISES)),)
    center = float(values.mean())
    kinds = {alike for _, alike in _SHAPES}
    own = {alike: _likeness(known, known, categories, alike) for alike in kinds}
    other = {alike: _likeness(points, known, categories, alike) for alike in kinds}
    found = [
        one
        for joint, alike in _SHAPES
        for one in _by_size(
            own[alike].covariance(joint), other[alike].covariance(joint), values - center, noises
        )
    ]
    likelihoods, means, deviations = (np.asarray(each) for each in zip(*found, strict=True))
    weights = np.exp(likelihoods - likelihoods.max())
    return Prediction(weights / weights.sum(), center + means, deviations)


def _by_size(
    own: Array, other: Array, values: Array, noises: tuple[float, ...]
) -> list[tuple[float, Array, Array]]:
    """Logarithm of the likelihood, means and deviations, by size of effects and noise: one decomposition."""
    eigenvalues, vectors = scipy.linalg.eigh(own)
    seen, through = vectors.T @ values, other @ vectors
    found = []
    for effects, noise in product(_EFFECTS, noises):
        spread = effects**2 * np.maximum(eigenvalues, 0.0) + noise**2
        likelihood = -0.5 * float((seen**2 / spread).sum() + np.log(spread).sum())
        means = effects**2 * through @ (seen / spread)
        variances = effects**2 * (1.0 + _LEVEL) - effects**4 * (through**2 / spread).sum(axis=1)
        found.append((likelihood, means, np.sqrt(np.maximum(variances, 1e-9))))
    return found


@dataclass(frozen=True)
class _Likeness:
    """How alike points are in their knobs: taken together, and all at once. Shape: some points, others."""

    added: Array
    multiplied: Array

    def covariance(self, joint: float) -> Array:
        """Where the effects have a variance of 1, of which a share is joint."""
        return np.asarray(_LEVEL + (1.0 - joint) * self.added + joint * self.multiplied)


def _likeness(some: Array, others: Array, categories: NDArray[np.bool_], alike: float) -> _Likeness:
    """Knob by knob, for there may be many; two categories are alike by so much."""
    shape = (len(some), len(others))
    added, multiplied = np.zeros(shape), np.ones(shape)
    for knob, is_category in enumerate(categories):
        apart = np.abs(some[:, None, knob] - others[None, :, knob])
        away = math.sqrt(5.0) * apart / _LENGTH
        near = (
            np.where(apart == 0.0, 1.0, alike)
            if is_category
            else (1.0 + away + away**2 / 3.0) * np.exp(-away)
        )
        added += near
        multiplied *= near
    return _Likeness(added / len(categories), multiplied)

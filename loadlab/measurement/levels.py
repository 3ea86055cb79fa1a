"""Levels such as lag, known at the moments at which they were sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def mean_over_time(at_s: Sequence[float], levels: Sequence[float]) -> float:
    """The mean of a level over the time from its first sample to its last, taken as linear between samples.

    Samples are rare just while a cluster is in trouble: the mean of the samples would hide what was then.

    Args:
        at_s: when each sample was taken, seconds, rising.
        levels: the samples, at least one.
    """
    span_s = at_s[-1] - at_s[0]
    if span_s <= 0.0:
        return float(np.mean(levels))
    return float(np.trapezoid(levels, at_s)) / span_s

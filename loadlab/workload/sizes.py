"""From the scenario's size of records to a table of equally likely sizes."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.scenario import LognormalForm, UniformForm, WeightedForm

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.scenario import ProducerSpec, Records

ENTRIES: Final = 4096
MOST_ENTRIES: Final = 1 << 18
_ENTRIES_OF_RAREST: Final = 50


def _entries(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """How many entries each of several weighted sizes gets: at least one, and as many as it takes to be exact
    within 1 % for the rarest, up to MOST_ENTRIES in all.
    """  # noqa: D205
    shares = weights / weights.sum()
    rarest = max(float(shares.min()), _ENTRIES_OF_RAREST / MOST_ENTRIES)
    entries = max(ENTRIES, round(_ENTRIES_OF_RAREST / rarest))
    counts: npt.NDArray[np.int64] = np.maximum(1, np.round(shares * entries)).astype(np.int64)
    return counts


def mean_size(spec: ProducerSpec) -> float:
    """The mean size of a group's values in bytes."""
    if spec.records.size == "trace" and spec.trace is not None:
        return float(spec.trace.rows["size_bytes"].mean())
    return float(size_table(spec.records).mean())


def size_table(records: Records) -> npt.NDArray[np.int64]:
    """The sizes of a group's values, so that drawing an entry draws a size.

    A distribution becomes its quantiles at the middles of ENTRIES equal steps of probability; the mean of
    the table is the mean of the records.

    Returns:
        Sizes in bytes, shape (1,) for a fixed size; up to MOST_ENTRIES of weighted ones; else (ENTRIES,).
        Shape (0,) where each record has the size of its row in a trace.
    """
    if records.size == "trace":
        return np.zeros(0, dtype=np.int64)
    quantiles = (np.arange(ENTRIES) + 0.5) / ENTRIES
    match records.size:
        case UniformForm(uniform=size):
            span = size.max_bytes + 1 - size.min_bytes
            sizes = size.min_bytes + np.floor(quantiles * span)
        case LognormalForm(lognormal=size):
            normal = np.array([NormalDist().inv_cdf(quantile) for quantile in quantiles])
            drawn = size.median_bytes * np.exp(size.sigma * normal)
            sizes = np.clip(np.round(drawn), size.min_bytes, size.max_bytes)
        case WeightedForm(weighted=choices):
            weights = np.array([choice.weight for choice in choices])
            sizes = np.repeat([choice.size_bytes for choice in choices], _entries(weights))
        case fixed:
            sizes = np.array([fixed])
    return sizes.astype(np.int64)

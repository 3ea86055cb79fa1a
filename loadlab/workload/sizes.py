"""From the scenario's size of records to a table of equally likely sizes."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.scenario import LognormalForm, UniformForm, WeightedForm

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.scenario import Records

ENTRIES: Final = 4096


def size_table(records: Records) -> npt.NDArray[np.int64]:
    """The sizes of a group's values, so that drawing an entry draws a size.

    A distribution becomes its quantiles at the middles of ENTRIES equal steps of probability; the mean of
    the table is the mean of the records.

    Returns:
        Sizes in bytes, shape (1,) for a fixed size, else (ENTRIES,).
    """
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
            weights = np.cumsum([choice.weight for choice in choices])
            places = np.searchsorted(weights, quantiles * weights[-1], side="right")
            sizes = np.array([choice.size_bytes for choice in choices])[places]
        case fixed:
            sizes = np.array([fixed])
    return sizes.astype(np.int64)

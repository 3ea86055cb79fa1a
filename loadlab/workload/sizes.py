"""From the scenario's size of records to a table of equally likely sizes, and to what a record takes."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client.settings import KEY_BYTES
from loadlab.scenario import LognormalForm, UniformForm, WeightedForm

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.scenario import ProducerSpec, Records

ENTRIES: Final = 1 << 16
MOST_ENTRIES: Final = 1 << 18
_LEAST_WEIGHTED: Final = 4096
_ENTRIES_OF_RAREST: Final = 50


def _entries(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """How many entries each of several weighted sizes gets: at least one, and as many as it takes to be exact
    within 1 % for the rarest, up to MOST_ENTRIES in all.
    """  # noqa: D205
    shares = weights / weights.sum()
    rarest = max(float(shares.min()), _ENTRIES_OF_RAREST / MOST_ENTRIES)
    entries = max(_LEAST_WEIGHTED, round(_ENTRIES_OF_RAREST / rarest))
    counts: npt.NDArray[np.int64] = np.maximum(1, np.round(shares * entries)).astype(np.int64)
    return counts


def _quantiles(entries: int) -> npt.NDArray[np.float64]:
    return (np.arange(entries) + 0.5) / entries


def mean_size(spec: ProducerSpec, records: int | None) -> float:
    """The mean size in bytes of a group's values, those of tombstones left out.

    Args:
        spec: the group.
        records: how many it sends, of which a trace's are its first; None where that is not known.
    """
    if spec.records.size == "trace" and spec.trace is not None:
        return _mean(spec.trace.rows["size_bytes"][:records])
    return _mean(size_table(spec.records))


def mean_sent(spec: ProducerSpec, records: int | None, value_bytes: float) -> float:
    """The mean bytes of a group's records: values, keys and headers.

    Args:
        spec: the group.
        records: as of `mean_size`, which says
        value_bytes: how large a value is.
    """
    values = value_bytes * (1 - spec.records.tombstones)
    headers = spec.records.headers
    beside = 0.0
    if headers is not None:
        beside = headers.share * headers.sent_bytes
    return values + _mean_key(spec, records) + beside


def _mean_key(spec: ProducerSpec, records: int | None) -> float:
    keys = spec.records.keys
    if keys.kind == "none":
        return 0.0
    if keys.kind == "trace" and spec.trace is not None:
        return _mean(np.maximum(spec.trace.rows["key_bytes"][:records], 0))
    return KEY_BYTES * (1 - keys.null_share)


def _mean(sizes: npt.NDArray[np.int64]) -> float:
    return float(sizes.mean()) if len(sizes) else 0.0


def size_table(records: Records) -> npt.NDArray[np.int64]:
    """The sizes of a group's values, so that drawing an entry draws a size.

    A distribution becomes its quantiles at the middles of equal steps of probability, or each of its sizes
    once where they are equally likely and no more than MOST_ENTRIES. The mean of the table is the mean of the
    records.

    Returns:
        Sizes in bytes, shape (1,) for a fixed size, (ENTRIES,) of a log-normal one, and up to MOST_ENTRIES of
        others, with one more for each size that is rarer. Shape (0,) where each record has the size of its
        row in a trace.
    """
    if records.size == "trace":
        return np.zeros(0, dtype=np.int64)
    match records.size:
        case UniformForm(uniform=size):
            span = size.max_bytes + 1 - size.min_bytes
            sizes = size.min_bytes + np.floor(_quantiles(min(span, MOST_ENTRIES)) * span)
        case LognormalForm(lognormal=size):
            normal = np.array([NormalDist().inv_cdf(quantile) for quantile in _quantiles(ENTRIES)])
            drawn = size.median_bytes * np.exp(size.sigma * normal)
            sizes = np.clip(np.round(drawn), size.min_bytes, size.max_bytes)
        case WeightedForm(weighted=choices):
            weights = np.array([choice.weight for choice in choices])
            sizes = np.repeat([choice.size_bytes for choice in choices], _entries(weights))
        case fixed:
            sizes = np.array([fixed])
    return sizes.astype(np.int64)

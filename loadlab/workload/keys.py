"""Weighted keys: Zipf's law, and the table by which a key is drawn in constant time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loadlab.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt


def zipf_weights(count: int, exponent: float) -> npt.NDArray[np.float64]:
    """How often each of `count` keys is used: key k (from 0) in proportion to (k + 1) ** -exponent."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


@compiled
def _fill_alias_table(
    scaled: npt.NDArray[np.float64],
    likelihoods: npt.NDArray[np.float64],
    aliases: npt.NDArray[np.int32],
) -> None:
    poor, rich = np.empty(len(scaled), np.int64), np.empty(len(scaled), np.int64)
    poor_count, rich_count = 0, 0
    for key in range(len(scaled)):
        if scaled[key] < 1.0:
            poor[poor_count] = key
            poor_count += 1
        else:
            rich[rich_count] = key
            rich_count += 1
    while poor_count > 0 and rich_count > 0:
        poor_count -= 1
        taker, giver = poor[poor_count], rich[rich_count - 1]
        likelihoods[taker], aliases[taker] = scaled[taker], giver
        scaled[giver] -= 1.0 - scaled[taker]
        if scaled[giver] < 1.0:
            rich_count -= 1
            poor[poor_count] = giver
            poor_count += 1


def alias_table(weights: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Walker's alias table, built by Vose's method ("A linear algorithm for generating random numbers
    with a given distribution", IEEE Transactions on Software Engineering 17, 1991).

    Args:
        weights: the chance of each key; they sum to 1.

    Returns:
        Two arrays of the weights' shape: the chance that a drawn column keeps its own key, and the key
        that it gives otherwise.
    """  # noqa: D205
    likelihoods = np.ones(len(weights), dtype=np.float64)
    aliases = np.arange(len(weights), dtype=np.int32)
    _fill_alias_table(weights * len(weights), likelihoods, aliases)
    return likelihoods, aliases

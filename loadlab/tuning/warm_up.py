"""When a cluster is warm: a JVM that has just begun serves a fraction of what it serves minutes later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROUNDS: Final = 12
"""A cluster that still gains after so many rounds is measured as it is."""

ROUND_S: Final = 5.0
"""How long a round loads the cluster, in seconds."""

GAIN: Final = 0.05
"""Less than this, as a share of the best round before, is no gain."""

_ROUNDS_WITHOUT_GAIN: Final = 2


def is_warm(rounds_per_s: Sequence[float]) -> bool:
    """Whether a cluster has been loaded for long enough.

    Args:
        rounds_per_s: what it acked in each round of full load, records a second, in their order.

    Returns:
        True where the last two rounds gained nothing over the best before them, or after MOST_ROUNDS.
    """
    if len(rounds_per_s) >= MOST_ROUNDS:
        return True
    before, last = rounds_per_s[:-_ROUNDS_WITHOUT_GAIN], rounds_per_s[-_ROUNDS_WITHOUT_GAIN:]
    return bool(before) and max(last) < max(before) * (1.0 + GAIN)

"""When a cluster is warm: a JVM that has just begun serves a fraction of what it serves minutes later."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROUNDS: Final = 30
"""A cluster that is not warm after so many rounds is measured as it is."""

ROUND_S: Final = 5.0
"""How long a round loads the cluster, in seconds."""

GAIN: Final = 0.05
"""Less than this, as a share of what was before, is no gain."""

COMPILING: Final = 0.2
"""A JVM that compiles for less than this share of the time has little left to compile."""

_COMPARED: Final = 3
_WITHOUT_A_BEST: Final = 5

FEWEST_ROUNDS: Final = 2 * _COMPARED
"""Before so many rounds nothing can be said."""

ROUNDS_TOLD: Final = f"{FEWEST_ROUNDS} to {MOST_ROUNDS} rounds of {ROUND_S:g} s"
"""How long that takes, in words."""


def is_warm(rounds_per_s: Sequence[float], compiling: float = 0.0) -> bool:
    """Whether a cluster has been loaded for long enough.

    Args:
        rounds_per_s: what it acked in each round of full load, records a second, in their order.
        compiling: the share of the last round's time in which a broker's JVM compiled.

    Returns:
        True where the JVMs have little left to compile and the last rounds gained nothing, or after
        MOST_ROUNDS. Neither may the median of three gain over that of the three before, as a lucky round
        early on is no sign of an end; nor one of five over the best of all before, as two in which the JVM
        collects or compiles are none either.
    """
    if len(rounds_per_s) >= MOST_ROUNDS:
        return True
    if len(rounds_per_s) < FEWEST_ROUNDS or compiling >= COMPILING:
        return False
    middles = (median(rounds_per_s[-2 * _COMPARED : -_COMPARED]), median(rounds_per_s[-_COMPARED:]))
    bests = (max(rounds_per_s[:-_WITHOUT_A_BEST]), max(rounds_per_s[-_WITHOUT_A_BEST:]))
    return all(now < then * (1.0 + GAIN) for then, now in (middles, bests))

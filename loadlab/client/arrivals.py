"""Poisson arrivals: a process of unit rate, any arrival of which is found without those before it.

Arrival n of the unit process, counted from 0, is at the sum of n + 1 exponential gaps of mean 1. A process
whose rate changes over time is had of it by a change of time (`loadlab.client.schedule`): with L(t) for the
integral of the rate, what the unit process has at u is due when L(t) = u (Çinlar, "Introduction to Stochastic
Processes", 1975, section 4.7).

All follows from the seed, so that every worker, and the parent, sees the same arrivals and no table of them
has to be kept. The line is a tree: its root spans FAN_OUT ** LEVELS arrivals, each node is divided into
FAN_OUT children that span equally many, down to leaves of FAN_OUT arrivals. The length of n gaps is
Gamma(n), and the shares of several parts in their sum do not depend on that sum (Lukacs, "A characterization
of the gamma distribution", 1955). So a node of known ends is divided by drawing one Gamma variate for each
child and scaling these to its length: the arrivals are exactly those of a Poisson process. That holds for
leaves as well, whose inner arrivals are thereby uniform and in order, as the order statistics of a Poisson
process are. One node of each level is kept; a loop that goes forward divides one leaf every FAN_OUT records.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client.records import draw_unit
from loadlab.compiled import Record, compiled, inlined
from loadlab.measurement.intrinsics import carray, pointer_to

if TYPE_CHECKING:
    import numpy.typing as npt

FAN_OUT: Final = 256
LEVELS: Final = 6
MOST_ARRIVALS: Final = FAN_OUT**LEVELS
"""How many arrivals a process has: 2.8e14, three years at a million a second."""

ARRIVALS: Final = np.dtype(
    [
        ("seed", "<i8"),
        ("nodes", "<i8", (LEVELS,)),  # which node of each level is kept, leaves first; -1: none yet
        ("edges", "<f8", (LEVELS, FAN_OUT + 1)),  # where its children begin, and its end
    ],
)
"""A unit process, and the nodes of it that were looked at last. Whoever makes it keeps the array alive."""

_BITS: Final = 8
_MASK: Final = FAN_OUT - 1
# The purposes of draws, by level: they differ from those of `loadlab.client.records`.
_FOR_LEVEL: Final = 16
_DRAWS_PER_TRY: Final = 3
_MOST_DRAWS: Final = 1 << 8


def new_arrivals(seed: int) -> npt.NDArray[np.void]:
    """The unit process of a seed: an ARRIVALS record, shape (1,)."""
    arrivals = np.zeros(1, dtype=ARRIVALS)
    arrivals["seed"] = seed
    arrivals["nodes"] = -1
    return arrivals


@inlined
def _normal(seed: int, first: int, purpose: int) -> float:
    """A standard normal number, by Box and Muller (1958), of the draws `first` and `first + 1`."""
    radius = math.sqrt(-2.0 * math.log1p(-draw_unit(seed, first, purpose)))
    return radius * math.cos(2.0 * math.pi * draw_unit(seed, first + 1, purpose))


@compiled
def _gamma(shape: float, seed: int, number: int, purpose: int) -> float:
    """A Gamma variate of mean `shape` (1 at least), by Marsaglia and Tsang.

    "A simple method for generating gamma variables", ACM Transactions on Mathematical Software 26, 2000.
    A try is accepted with a probability above 0.95, so that the draws of one number never run out.
    """
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    draw = number * _MOST_DRAWS
    while True:
        x = _normal(seed, draw, purpose)
        uniform = 1.0 - draw_unit(seed, draw + 2, purpose)
        draw += _DRAWS_PER_TRY
        cube = (1.0 + c * x) ** 3
        if cube > 0.0 and math.log(uniform) < 0.5 * x * x + d * (1.0 - cube + math.log(cube)):
            return d * cube


@inlined
def _length(seed: int, level: int, child: int) -> float:
    """How long a child of a node would be, were the node's own length not known: Gamma of what it spans.

    Args:
        seed: of the process.
        level: the node's; 0 is a leaf, whose children are single gaps.
        child: the child's number among all of its level.
    """
    if level == 0:
        return -math.log1p(-draw_unit(seed, child, _FOR_LEVEL))
    return _gamma(float(FAN_OUT) ** level, seed, child, _FOR_LEVEL + level)


@compiled
def _divide(arrivals: Record, level: int, node: int) -> None:
    """Makes a node the one that is kept of its level; its parent is kept already."""
    begin, end = 0.0, 0.0
    if level == LEVELS - 1:
        end = _gamma(float(MOST_ARRIVALS), arrivals.seed, 0, _FOR_LEVEL + LEVELS)
    else:
        place = node & _MASK
        begin, end = arrivals.edges[level + 1][place], arrivals.edges[level + 1][place + 1]
    edges = arrivals.edges[level]
    total = 0.0
    for place in range(FAN_OUT):
        total += _length(arrivals.seed, level, node * FAN_OUT + place)
        edges[place + 1] = total
    edges[0] = begin
    for place in range(1, FAN_OUT):
        # Rounding must not put an edge behind the node's end.
        edges[place] = min(begin + (end - begin) * (edges[place] / total), end)
    edges[FAN_OUT] = end
    arrivals.nodes[level] = node


@compiled
def _keep_leaf(address: int, leaf: int) -> None:
    """Makes a leaf, and what is above it, the nodes that are kept."""
    arrivals = carray(pointer_to(address), 1, ARRIVALS)[0]
    level = 0
    while level < LEVELS and arrivals.nodes[level] != leaf >> (_BITS * level):
        level += 1
    while level > 0:
        level -= 1
        _divide(arrivals, level, leaf >> (_BITS * level))


@inlined
def arrival(address: int, record: int) -> float:
    """Where the unit process has arrival number `record`, less than MOST_ARRIVALS.

    Args:
        address: of an ARRIVALS record.
        record: counted from 0.
    """
    arrivals = carray(pointer_to(address), 1, ARRIVALS)[0]
    leaf = record >> _BITS
    if arrivals.nodes[0] != leaf:
        _keep_leaf(address, leaf)
    return arrivals.edges[0][(record & _MASK) + 1]


@inlined
def _child_at(edges: npt.NDArray[np.float64], wanted: float) -> int:
    """Which child of a node a point lies in; the last one where it lies behind the node."""
    low, high = 0, FAN_OUT
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= wanted:
            low = middle
        else:
            high = middle
    return low


@compiled
def arrivals_by(address: int, wanted: float) -> int:
    """How many arrivals the unit process has up to a point (that point included).

    Args:
        address: of an ARRIVALS record.
        wanted: 0 or more.
    """
    arrivals = carray(pointer_to(address), 1, ARRIVALS)[0]
    node = 0
    for level in range(LEVELS - 1, -1, -1):
        if arrivals.nodes[level] != node:
            _divide(arrivals, level, node)
        node = node * FAN_OUT + _child_at(arrivals.edges[level], wanted)
    return node + 1 if wanted >= arrivals.edges[0][FAN_OUT] else node

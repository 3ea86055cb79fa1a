"""What record number n looks like, as the produce loop asks for it.

Everything about a record follows from the seed and the record's number in its group, so that it does not
depend on how many workers share the work: draws come from SplitMix64 (Steele, Lea and Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014) of number, seed and purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np

from loadlab.client.settings import KEY_BYTES, NO_KEYS, ROUND_ROBIN_KEYS, UNIFORM_KEYS
from loadlab.client.trace import TRACE_ROW
from loadlab.compiled import Record, inlined
from loadlab.measurement.intrinsics import carray, pointer_to

if TYPE_CHECKING:
    from collections.abc import Callable

# To numba this is the conversion itself; mypy is told that its result is an int.
_int64 = cast("Callable[[object], int]", np.int64)

NULL_LENGTH: Final = -1

_FOR_SIZE: Final = 1
_FOR_KEY: Final = 2
_FOR_KEY_ALIAS: Final = 3
_FOR_NULL_KEY: Final = 4
_FOR_TOMBSTONE: Final = 5
_FOR_HEADERS: Final = 6

RECORDS: Final = np.dtype(
    [
        ("seed", "<i8"),
        ("run_tag", "<i8"),
        ("worker_word", "<i8"),
        ("worker", "<i8"),  # place in its group
        ("workers", "<i8"),  # of its group
        ("stamped", "<i8"),
        ("partition", "<i8"),  # PARTITION_UA: the partitioner decides
        ("sizes", "<u8"),  # address of equally likely value sizes in bytes, int64
        ("size_count", "<i8"),
        ("key_kind", "<i8"),
        ("key_count", "<i8"),
        # Weighted keys by Walker's alias method (1977): the chance of each key to be kept when its column
        # is drawn, float64, and the key that is taken otherwise, int32.
        ("likelihoods", "<u8"),
        ("aliases", "<u8"),
        ("null_key_share", "<f8"),
        ("tombstone_share", "<f8"),
        ("header_share", "<f8"),
        ("header_count", "<i8"),
        ("header_bytes", "<i8"),
        ("sized_rows", "<u8"),  # address of TRACE_ROW records whose sizes the records have; 0: none
        ("keyed_rows", "<u8"),  # of those whose keys they have
        ("row_keys", "<u8"),  # address of these keys' bytes
    ],
)
"""One producer worker's records. Addresses instead of arrays, because numba counts references to arrays at
each call: see `loadlab.compiled.inlined`. Whoever fills the record in keeps the arrays alive."""


@inlined
def draw(seed: int, record: int, purpose: int) -> np.uint64:
    """64 random bits that belong to a record and a purpose."""
    # Three odd constants that have nothing to do with each other, so that no two inputs share a state.
    state = np.uint64(seed) * np.uint64(0xD1342543DE82EF95)
    state += np.uint64(purpose) * np.uint64(0xDA942042E4DD58B5)
    state += np.uint64(record) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@inlined
def draw_unit(seed: int, record: int, purpose: int) -> float:
    """A uniform number in [0, 1) that belongs to a record and a purpose."""
    return float(draw(seed, record, purpose) >> np.uint64(11)) * 2.0**-53


@inlined
def _chosen(share: float, seed: int, record: int, purpose: int) -> bool:
    return share > 0.0 and draw_unit(seed, record, purpose) < share


@inlined
def row_at(rows: int, record: int) -> Record:
    """A record's row in a trace.

    Args:
        rows: address of the trace's TRACE_ROW records.
        record: the record's number in its group, which is its row's.
    """
    return carray(pointer_to(rows), record + 1, TRACE_ROW)[record]


@inlined
def value_length(plan: Record, record: int) -> int:
    """The size in bytes of the value of a record of the group, or NULL_LENGTH for a tombstone."""
    if _chosen(plan.tombstone_share, plan.seed, record, _FOR_TOMBSTONE):
        return NULL_LENGTH
    if plan.sized_rows:
        return _int64(row_at(plan.sized_rows, record).size_bytes)
    sizes = carray(pointer_to(plan.sizes), plan.size_count, np.int64)
    if plan.size_count == 1:
        return sizes[0]
    return sizes[draw(plan.seed, record, _FOR_SIZE) % np.uint64(plan.size_count)]


@inlined
def _weighted_key(plan: Record, record: int, column: int) -> int:
    likelihoods = carray(pointer_to(plan.likelihoods), plan.key_count, np.float64)
    if draw_unit(plan.seed, record, _FOR_KEY_ALIAS) < likelihoods[column]:
        return column
    aliases = carray(pointer_to(plan.aliases), plan.key_count, np.int32)
    return _int64(aliases[column])


@inlined
def key_number(plan: Record, record: int, turn: int) -> int:
    """Which key a record of the group carries, or NULL_LENGTH for none.

    Args:
        plan: the RECORDS entry.
        record: the record's number in its group.
        turn: its number within its topic, by which round robin goes.
    """
    if plan.key_kind == NO_KEYS or _chosen(plan.null_key_share, plan.seed, record, _FOR_NULL_KEY):
        return NULL_LENGTH
    if plan.key_kind == ROUND_ROBIN_KEYS:
        return turn % plan.key_count
    column = _int64(draw(plan.seed, record, _FOR_KEY) % np.uint64(plan.key_count))
    return column if plan.key_kind == UNIFORM_KEYS else _weighted_key(plan, record, column)


@inlined
def has_headers(plan: Record, record: int) -> bool:
    """Whether the record carries headers."""
    return _chosen(plan.header_share, plan.seed, record, _FOR_HEADERS)


@inlined
def write_key(address: int, key: int) -> None:
    """Writes a key as KEY_BYTES lower-case hexadecimal digits."""
    buffer = carray(pointer_to(address), KEY_BYTES, np.uint8)
    for place in range(KEY_BYTES):
        digit = (key >> (4 * (KEY_BYTES - 1 - place))) & 15
        buffer[place] = digit + (48 if digit < 10 else 87)  # noqa: PLR2004

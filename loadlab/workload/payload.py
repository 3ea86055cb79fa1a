"""The bytes that values are cut from.

A pool is filled once, before the run. It holds runs of random bytes and runs of a fixed text in turn, in
stretches short enough that a small record already has the wanted mix, so that a codec finds in a batch the
redundancy that the scenario asks for, and finds no repetition of the random part: a batch ends before the
pool comes round again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

STRETCH_BYTES: Final = 128
SMALLEST_POOL_BYTES: Final = 16 << 20
LARGEST_POOL_BYTES: Final = 64 << 20

_TEXT: Final = (
    b'{"order_id":"00000000","status":"CONFIRMED","currency":"EUR","warehouse":"north-1","quantity":1,'
    b'"channel":"web","customer":{"tier":"standard","country":"DE"}}'
)


def pool_bytes(largest_record_bytes: int, batch_bytes: int) -> int:
    """How large a pool must be so that no batch holds the same stretch twice.

    Args:
        largest_record_bytes: the largest value.
        batch_bytes: the largest batch that the producer makes (batch.size, message.max.bytes).

    Returns:
        Bytes between SMALLEST_POOL_BYTES and LARGEST_POOL_BYTES (or four of the largest values).
    """
    wanted = max(SMALLEST_POOL_BYTES, 8 * batch_bytes)
    return max(min(wanted, LARGEST_POOL_BYTES), 4 * largest_record_bytes)


def make_pool(size_bytes: int, compressibility: float, seed: int) -> npt.NDArray[np.int64]:
    """Fills a pool.

    Args:
        size_bytes: its size; rounded up to whole stretches.
        compressibility: the share of bytes that are fixed text, 0 (random) to 1.
        seed: of the random bytes.

    Returns:
        The bytes as 64-bit words, which a value begins at one of.
    """
    stretches = -(-size_bytes // STRETCH_BYTES)
    generator = np.random.default_rng(seed)
    pool = generator.integers(0, 256, (stretches, STRETCH_BYTES), dtype=np.uint8)
    fixed = round(STRETCH_BYTES * compressibility)
    # The text stands at the end of each stretch: a record's first 32 bytes are its stamp.
    text = np.frombuffer((_TEXT * 2)[:STRETCH_BYTES], dtype=np.uint8)
    if fixed:
        pool[:, STRETCH_BYTES - fixed :] = text[:fixed]
    return pool.reshape(-1).view(np.int64)

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.workload.payload import (
    LARGEST_POOL_BYTES,
    SMALLEST_POOL_BYTES,
    STRETCH_BYTES,
    make_pool,
    pool_bytes,
)

MIB = 1 << 20


def ratio(compressibility: float, size_bytes: int = MIB) -> float:
    """How much smaller a batch of the pool gets by zlib."""
    batch = make_pool(size_bytes, compressibility, seed=3).tobytes()
    return len(batch) / len(zlib.compress(batch, 6))


@pytest.mark.parametrize(
    ("compressibility", "least", "most"),
    [(0.0, 0.99, 1.01), (0.25, 1.2, 1.4), (0.5, 1.7, 2.1), (0.75, 2.8, 4.1), (0.9, 5.0, 10.5)],
)
def test_a_codec_finds_the_redundancy_that_was_asked_for(
    compressibility: float, least: float, most: float
) -> None:
    assert least <= ratio(compressibility) <= most


def test_fully_compressible_bytes_nearly_vanish() -> None:
    assert ratio(1.0) > 100


def test_random_bytes_do_not_repeat_within_a_pool() -> None:
    pool = make_pool(MIB, 0.5, seed=3).view(np.uint8).reshape(-1, STRETCH_BYTES)

    assert len(np.unique(pool[:, :16], axis=0)) == len(pool)


def test_a_small_record_has_the_mix_too() -> None:
    pool = make_pool(MIB, 0.5, seed=3).view(np.uint8).reshape(-1, STRETCH_BYTES)
    constant = (pool == pool[0]).all(axis=0)

    assert constant.sum() == STRETCH_BYTES // 2


def test_another_seed_gives_other_bytes_and_the_same_seed_the_same() -> None:
    one, same, other = (make_pool(4_096, 0.0, seed) for seed in (1, 1, 2))

    assert (one == same).all()
    assert (one != other).any()


@given(st.integers(1, 100_000))
def test_a_pool_holds_at_least_what_was_asked_for_in_whole_stretches(size_bytes: int) -> None:
    pool = make_pool(size_bytes, 0.5, seed=1)

    assert size_bytes <= pool.nbytes < size_bytes + STRETCH_BYTES
    assert pool.dtype == np.int64


@given(st.integers(1, 10**9), st.integers(1, 2**31 - 1))
def test_a_pool_holds_four_of_the_largest_records_and_eight_batches_up_to_its_limit(
    largest: int, batch: int
) -> None:
    size = pool_bytes(largest, batch)

    assert size >= 4 * largest
    assert size >= min(8 * batch, LARGEST_POOL_BYTES)
    assert SMALLEST_POOL_BYTES <= size <= max(LARGEST_POOL_BYTES, 4 * largest)

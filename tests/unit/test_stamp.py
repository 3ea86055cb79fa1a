from __future__ import annotations

import hashlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from loadlab.measurement.stamp import STAMP_BYTES, STAMP_WORDS, run_tag, worker_word
from loadlab.scenario import STAMP_BYTES as SCENARIO_STAMP_BYTES


def test_a_run_tag_is_the_beginning_of_the_run_ids_hash() -> None:
    expected = hashlib.sha256(b"checkout-20250101").digest()[:8]

    assert struct.pack("<q", run_tag("checkout-20250101")) == expected


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_worker_and_epoch_can_be_told_apart(worker: int, epoch: int) -> None:
    assert struct.unpack("<ii", struct.pack("<q", worker_word(worker, epoch))) == (worker, epoch)


def test_the_scenario_and_the_engine_mean_one_stamp() -> None:
    assert SCENARIO_STAMP_BYTES == STAMP_BYTES == 8 * STAMP_WORDS

"""The stamp: the first 32 bytes of a record's value, by which it is known again.

    bytes  0-7   run tag: the first eight bytes of SHA-256 of the run id
    bytes  8-11  worker, run-wide
    bytes 12-15  epoch: how often this worker was started anew, 0 at first
    bytes 16-23  sequence number within the worker, from 0
    bytes 24-31  intended send time, CLOCK_MONOTONIC in nanoseconds

All are little-endian integers.
"""

from __future__ import annotations

import hashlib
from typing import Final

STAMP_BYTES: Final = 32
STAMP_WORDS: Final = 4
RUN_WORD: Final = 0
WORKER_WORD: Final = 1
SEQUENCE_WORD: Final = 2
INTENDED_WORD: Final = 3


def run_tag(run_id: str) -> int:
    """The run's tag as a signed 64-bit number."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "little", signed=True)


def worker_word(worker: int, epoch: int = 0) -> int:
    """Worker and epoch as one word."""
    return worker | epoch << 32

"""Folding: what is complete in the ledger gives its memory back while the run goes on.

A record is settled when nothing will be asked about it any more but whether it comes again: it is void, or
failed, or acked and seen by all groups that read it. The places of a stretch of settled records, one page,
can go. A block all of whose records are settled, and none failed, is folded: one bit says of every record
in it that it was seen, and all its pages go. Blocks with failed records keep their planes, because a failed
record that is seen after all is not a duplicate.

The parent alone folds. Why a reader that comes late loses nothing stands in `ledger_read`.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.compiled import Record, compiled, entry_point, inlined
from loadlab.measurement.intrinsics import atomic_or, carray, one_bits, pointer_to
from loadlab.measurement.ledger import (
    ACKED_PLANE,
    BLOCK_BITS,
    BLOCK_RECORDS,
    FAILED_PLANE,
    FIRST_SEEN_PLANE,
    VOID_PLANE,
)
from loadlab.measurement.ledger_judge import is_folded, word_of
from loadlab.measurement.ledger_mark import block_address, header_of, places_address, worker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from loadlab.measurement.ledger import Ledger

_STRETCH_WORDS: Final = 8
_STRETCH_BYTES: Final = _STRETCH_WORDS * 64 * 8
_STRETCHES: Final = BLOCK_RECORDS // (_STRETCH_WORDS * 64)
_WORDS: Final = BLOCK_RECORDS // 64
_MOST_RANGES: Final = 4_096
_ALL: Final = -1

FOLDING: Final = np.dtype(
    [
        ("first_open", "<i8"),  # all blocks before it are folded
        ("folded_records", "<i8"),  # records in folded blocks: acked, and seen by every group
        ("settled", "<u8"),  # address: a bit for each settled stretch, two words a block
        ("blocks", "<i8"),
        ("ranges", "<u8"),  # address: where memory can be given back, (begin, end) in the file
        ("range_count", "<i8"),
    ],
)
"""The parent's own notes about one worker's blocks."""


@inlined
def _is_settled(block: int, groups: int, readers: int, word: int) -> bool:
    """Whether 64 records are settled."""
    rest = word_of(block, VOID_PLANE, word) | word_of(block, FAILED_PLANE, word)
    good = word_of(block, ACKED_PLANE, word)
    # Acks come first: most records that are not settled have none yet.
    if rest | good != _ALL:
        return False
    for group in range(groups):
        if readers & (1 << group):
            good &= word_of(block, FIRST_SEEN_PLANE + group, word)
    return rest | good == _ALL


@compiled
def _is_stretch_settled(block: int, groups: int, readers: int, stretch: int) -> bool:
    for word in range(stretch * _STRETCH_WORDS, (stretch + 1) * _STRETCH_WORDS):
        if not _is_settled(block, groups, readers, word):
            return False
    return True


@inlined
def _release(folding: Record, begin: int, end: int) -> None:
    """Notes that a part of the file can go, together with the one noted last where they touch."""
    ranges = carray(pointer_to(folding.ranges), (_MOST_RANGES, 2), np.int64)
    last = folding.range_count - 1
    if last >= 0 and ranges[last, 1] == begin:
        ranges[last, 1] = end
        return
    ranges[last + 1, 0], ranges[last + 1, 1] = begin, end
    folding.range_count += 1


@compiled
def _settle(folding: Record, ledger: int, worker: int, block: int) -> bool:
    """Settles stretches of a block; whether the last one of them is settled now."""
    settled = carray(pointer_to(folding.settled), (folding.blocks, 2), np.int64)[block]
    if settled[0] == _ALL and settled[1] == _ALL:
        return False
    groups, readers = header_of(ledger).groups, worker_of(ledger, worker).readers
    address = block_address(ledger, worker, block)
    places = places_address(ledger, worker, block) - ledger
    for stretch in range(_STRETCHES):
        half, bit = stretch >> 6, 1 << (stretch & 63)
        if settled[half] & bit == 0 and _is_stretch_settled(address, groups, readers, stretch):
            # One is kept free for the block itself; the rest comes the next time.
            if folding.range_count == _MOST_RANGES - 1:
                return False
            settled[half] |= bit
            _release(folding, places + stretch * _STRETCH_BYTES, places + (stretch + 1) * _STRETCH_BYTES)
    return bool(settled[0] == _ALL and settled[1] == _ALL)


@compiled
def _fold(folding: Record, ledger: int, worker: int, block: int) -> None:
    """Folds a settled block, unless a record of it failed, or was seen although it is void."""
    address = block_address(ledger, worker, block)
    groups = header_of(ledger).groups
    void = 0
    for word in range(_WORDS):
        never = word_of(address, VOID_PLANE, word)
        if word_of(address, FAILED_PLANE, word) & ~never != 0:
            return
        for group in range(groups):
            if never != 0 and word_of(address, FIRST_SEEN_PLANE + group, word) & never != 0:
                return
        void += one_bits(never)
    folded = ledger + worker_of(ledger, worker).folded_at + (block >> 6) * 8
    # First the bit, then the memory: see `ledger_read`.
    atomic_or(folded, 1 << (block & 63))
    folding.folded_records += BLOCK_RECORDS - void
    begin = address - ledger
    _release(folding, begin, begin + header_of(ledger).block_bytes)


@entry_point("void(int64, int64, int64, int64)")
def fold_worker(ledger: int, worker: int, handed_out: int, folding_address: int) -> None:
    """Settles and folds what is complete of a worker's records.

    Args:
        ledger: its address.
        worker: run-wide id.
        handed_out: how many sequence numbers the worker has given to records.
        folding_address: the worker's FOLDING record, whose ranges are to be given back afterwards.
    """
    folding = carray(pointer_to(folding_address), 1, FOLDING)[0]
    folding.range_count = 0
    last = min(handed_out >> BLOCK_BITS, folding.blocks - 1)
    for block in range(folding.first_open, last + 1):
        if is_folded(ledger, worker, block):
            if block == folding.first_open:
                folding.first_open += 1
        elif folding.range_count < _MOST_RANGES - 1 and _settle(folding, ledger, worker, block):
            _fold(folding, ledger, worker, block)


@dataclass(frozen=True, eq=False)
class Folder:
    """Folds the blocks of one worker.

    Attributes:
        ledger: the run's.
        worker: run-wide id.
        state: the FOLDING record, shape (1,).
        settled: its settled stretches.
        ranges: what it gives back.
    """

    ledger: Ledger
    worker: int
    state: npt.NDArray[np.void]
    settled: npt.NDArray[np.int64]
    ranges: npt.NDArray[np.int64]

    @property
    def folded_records(self) -> int:
        """How many records are in folded blocks: each of them acked, and seen by every group."""
        return int(self.state["folded_records"][0])

    def fold(self, handed_out: int) -> None:
        """Folds what is complete, and gives its memory back."""
        fold_worker(self.ledger.address, self.worker, handed_out, int(self.state.ctypes.data))
        for begin, end in self._pages():
            self.ledger.memory.madvise(mmap.MADV_REMOVE, begin, end - begin)

    def _pages(self) -> Iterator[tuple[int, int]]:
        """The ranges that can go, by whole pages: they are larger than a stretch on some machines."""
        for begin, end in self.ranges[: int(self.state["range_count"][0])].tolist():
            first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
            last = end // mmap.PAGESIZE * mmap.PAGESIZE
            if first < last:
                yield first, last


def make_folder(ledger: Ledger, worker: int) -> Folder:
    """What folds the blocks of a worker that the ledger keeps."""
    blocks = int(ledger.workers["blocks"][worker])
    state = np.zeros(1, dtype=FOLDING)
    settled = np.zeros((blocks, 2), dtype=np.int64)
    ranges = np.zeros((_MOST_RANGES, 2), dtype=np.int64)
    state["settled"], state["blocks"], state["ranges"] = settled.ctypes.data, blocks, ranges.ctypes.data
    return Folder(ledger, worker, state, settled, ranges)

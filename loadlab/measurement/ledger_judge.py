"""What became of each record that is not folded: the ledger's judgement after the last read.

It is exact where the ledger and the log's own ends decide; where they can't, the record is counted as
unknown, and nothing is claimed of it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.compiled import Record, compiled, entry_point, inlined
from loadlab.measurement.intrinsics import carray, load_acquire, one_bits, pointer_to, trailing_zeros
from loadlab.measurement.ledger import (
    ACKED_PLANE,
    BLOCK_BITS,
    BLOCK_RECORDS,
    EXAMPLE,
    EXAMPLES,
    FAILED_PLANE,
    FIRST_SEEN_PLANE,
    OFFSET_BITS,
    PLANE_BYTES,
    UNKNOWN,
    VOID_PLANE,
)
from loadlab.measurement.ledger_mark import block_address, header_of, places_address, worker_of

if TYPE_CHECKING:
    import numpy.typing as npt


class Fate(enum.IntEnum):
    """What became of a record, as one group's reading of the log shows it."""

    SEEN = 0  # acked and seen
    LOST = 1  # acked, never seen: its offset or a later one of its partition was read, or the log ends there
    UNSEEN = 2  # acked, nothing at its offset or behind it was read, and no log end says that it is gone
    EVICTED = 3  # acked, not seen, its offset is below the log's start now
    EARLIER = 4  # acked at an offset before the group's own start
    UNKNOWN = 5  # acked, not seen, and why can't be told
    SEEN_FAILED = 6  # seen although its producer was told that it is not in the log
    FOUND = 7  # indeterminate, and seen
    ABSENT = 8  # indeterminate, and not in a log that was read from end to end
    UNRESOLVED = 9  # indeterminate, and it can't be told
    NEVER_SENT = 10  # seen, with a number that its worker had not handed out


VIEW: Final = np.dtype(
    [
        ("start", "<i8"),  # the first offset that concerns the group
        ("passed", "<i8"),  # behind the furthest offset that it has read
        ("log_start", "<i8"),  # after the last read; UNKNOWN where the log can't be asked
        ("log_end", "<i8"),  # likewise
        ("binding", "<i8"),  # what was acked is below that end or gone; else the end may not be there yet
        ("compacted", "<i8"),  # records may vanish by the topic's own rule, or the group jump over some
        ("whole", "<i8"),  # it has read all that the run wrote there, and nothing of it can have vanished
    ],
)
"""What a group can know of a partition: shape (groups, partitions)."""

FATES: Final = np.dtype(
    [
        ("whole", "<i8"),  # the group has read whole all partitions that the worker sends to
        ("counts", "<i8", (len(Fate),)),
        ("examples", EXAMPLE, (len(Fate), EXAMPLES)),
    ],
)
"""The fates of a worker's records as one group sees them: shape (groups,)."""

TOTALS: Final = np.dtype([("lost", "<i8"), ("found", "<i8"), ("absent", "<i8")])
"""Records that have this fate for at least one group: shape (1,)."""

_WORDS: Final = BLOCK_RECORDS // 64
_OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
_ALL: Final = -1
_SEEN = int(Fate.SEEN)
_LOST = int(Fate.LOST)
_UNSEEN = int(Fate.UNSEEN)
_EVICTED = int(Fate.EVICTED)
_EARLIER = int(Fate.EARLIER)
_UNKNOWN = int(Fate.UNKNOWN)
_SEEN_FAILED = int(Fate.SEEN_FAILED)
_FOUND = int(Fate.FOUND)
_ABSENT = int(Fate.ABSENT)
_UNRESOLVED = int(Fate.UNRESOLVED)
_NEVER_SENT = int(Fate.NEVER_SENT)


@inlined
def word_of(block: int, plane: int, word: int) -> int:
    """A word of a plane of the block at an address."""
    return load_acquire(block + plane * PLANE_BYTES + word * 8)


@inlined
def is_folded(ledger: int, worker: int, block: int) -> bool:
    """Whether a block is folded."""
    folded: int = worker_of(ledger, worker).folded_at
    return load_acquire(ledger + folded + (block >> 6) * 8) & (1 << (block & 63)) != 0


@inlined
def _handed_out(first: int, handed_out: int) -> int:
    """The bits of the 64 sequence numbers from `first` on that a worker has handed out."""
    if first + 64 <= handed_out:
        return _ALL
    return 0 if first >= handed_out else (1 << (handed_out - first)) - 1


@inlined
def _missing_fate(view: Record, offset: int) -> int:
    """The fate of a record that was acked and not seen."""
    if offset == UNKNOWN:
        # Whoever has read all that was written, from the first to the last, knows that it is not there.
        return _LOST if view.whole else _UNKNOWN
    if offset < view.start:
        return _EARLIER
    if offset < view.log_start:  # never where that is UNKNOWN
        return _EVICTED
    behind_log = view.binding and view.log_end != UNKNOWN and offset >= view.log_end
    if offset >= view.passed and not behind_log:
        return _UNSEEN
    # Nothing behind the log's end was ever evicted; below it that takes the log's start to be known.
    told = behind_log or view.log_start != UNKNOWN
    return _LOST if told and not view.compacted else _UNKNOWN


@inlined
def _note(fates: Record, fate: int, worker: int, sequence: int, place: int) -> None:
    """Counts a record, and keeps the first of its kind as examples."""
    if fates.counts[fate] < EXAMPLES:
        _keep(fates, fate, worker, sequence, place)
    fates.counts[fate] += 1


@compiled
def _keep(fates: Record, fate: int, worker: int, sequence: int, place: int) -> None:
    example = fates.examples[fate, fates.counts[fate]]
    example.written = 1
    example.worker = worker
    example.sequence = sequence
    example.partition = (place >> OFFSET_BITS) - 1
    example.offset = (place & _OFFSET_MASK) - 1


@compiled
def _note_bits(  # noqa: PLR0913, PLR0917 (as _note_missing)
    fates: Record, fate: int, worker: int, first: int, bits: int, places: int
) -> None:
    """Notes the same fate of several of the 64 records from `first` on."""
    while bits != 0:
        bit = trailing_zeros(bits)
        bits &= bits - 1
        _note(fates, fate, worker, first + bit, load_acquire(places + bit * 8))


@compiled
def _note_missing(  # noqa: PLR0913, PLR0917 (one word of records, and who looks at it)
    fates: Record, views: npt.NDArray[np.void], worker: int, first: int, bits: int, places: int
) -> int:
    """Notes what became of acked records that were not seen; returns the bits of those that were lost."""
    lost = 0
    while bits != 0:
        bit = trailing_zeros(bits)
        bits &= bits - 1
        place = load_acquire(places + bit * 8)
        partition = (place >> OFFSET_BITS) - 1
        fate = _UNKNOWN
        if partition != UNKNOWN:
            fate = _missing_fate(views[partition], (place & _OFFSET_MASK) - 1)
        _note(fates, fate, worker, first + bit, place)
        if fate == _LOST:
            lost |= 1 << bit
    return lost


@compiled
def _note_doubtful(  # noqa: PLR0913, PLR0917 (as _note_missing)
    fates: Record, views: npt.NDArray[np.void], worker: int, first: int, bits: int, places: int
) -> int:
    """Notes what became of indeterminate records that were not seen; returns the bits of absent ones."""
    absent = 0
    while bits != 0:
        bit = trailing_zeros(bits)
        bits &= bits - 1
        place = load_acquire(places + bit * 8)
        partition = (place >> OFFSET_BITS) - 1
        whole = fates.whole if partition == UNKNOWN else views[partition].whole
        fate = _ABSENT if whole else _UNRESOLVED
        _note(fates, fate, worker, first + bit, place)
        if fate == _ABSENT:
            absent |= 1 << bit
    return absent


@compiled
def _judge_word(  # noqa: PLR0913, PLR0917 (one word of records, and all who look at it)
    ledger: int,
    worker: int,
    block: int,
    word: int,
    valid: int,
    views: npt.NDArray[np.void],
    fates: npt.NDArray[np.void],
    totals: Record,
) -> None:
    """Judges 64 records for each group that reads them."""
    address = block_address(ledger, worker, block)
    first = (block << BLOCK_BITS) + word * 64
    places = places_address(ledger, worker, block) + word * 64 * 8
    void = word_of(address, VOID_PLANE, word)
    acked = word_of(address, ACKED_PLANE, word) & ~void
    failed = word_of(address, FAILED_PLANE, word) & ~void
    doubtful = valid & ~(acked | failed | void)
    readers = worker_of(ledger, worker).readers
    lost = found = absent = 0
    for group in range(header_of(ledger).groups):
        if readers & (1 << group) == 0:
            continue
        seen = word_of(address, FIRST_SEEN_PLANE + group, word)
        mine = fates[group]
        mine.counts[_SEEN] += one_bits(acked & seen)
        if seen == valid and acked == valid:
            continue
        lost |= _note_missing(mine, views[group], worker, first, acked & ~seen, places)
        absent |= _note_doubtful(mine, views[group], worker, first, doubtful & ~seen, places)
        _note_bits(mine, _SEEN_FAILED, worker, first, failed & seen, places)
        _note_bits(mine, _FOUND, worker, first, doubtful & seen, places)
        found |= doubtful & seen
        _note_bits(mine, _NEVER_SENT, worker, first, seen & (~valid | void), places)
    totals.lost += one_bits(lost)
    totals.found += one_bits(found)
    totals.absent += one_bits(absent)


@entry_point("void(int64, int64, int64, int64, int64, int64, int64)")
def judge_worker(  # noqa: PLR0913, PLR0917 (what compiled code is called with are plain numbers)
    ledger: int,
    worker: int,
    handed_out: int,
    until: int,
    views_address: int,
    fates_address: int,
    totals_address: int,
) -> None:
    """Judges what is not folded of a worker's records.

    Args:
        ledger: its address.
        worker: run-wide id.
        handed_out: how many sequence numbers the worker has given to records.
        until: behind the last sequence number that anybody has met; not less than `handed_out`.
        views_address: VIEW records, shape (groups, partitions).
        fates_address: FATES records, shape (groups,), which are added to.
        totals_address: a TOTALS record, which is added to.
    """
    header = header_of(ledger)
    views = carray(pointer_to(views_address), (header.groups, header.partitions), VIEW)
    fates = carray(pointer_to(fates_address), header.groups, FATES)
    totals = carray(pointer_to(totals_address), 1, TOTALS)[0]
    for block in range((until + BLOCK_RECORDS - 1) >> BLOCK_BITS):
        if is_folded(ledger, worker, block):
            continue
        for word in range(_WORDS):
            valid = _handed_out((block << BLOCK_BITS) + word * 64, handed_out)
            _judge_word(ledger, worker, block, word, valid, views, fates, totals)

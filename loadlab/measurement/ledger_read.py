"""Entering what was read into the ledger: compiled, for the consume loop.

All members of a group write into the same words, and nothing is locked. Records are gathered while they come
from one partition in the order of their offsets, and from one worker with numbers of one 64-bit word. Then
two atomic operations enter them together, so that their cost is shared:

1. An atomic maximum moves `next`, which says how far the group has come in the partition: a record at an
   offset not below its old value is read for the first time, any other is redelivered.
2. An atomic OR sets the bits in the group's plane: its old value says which numbers had been seen before.

A number seen before, at an offset that is new to the group, stands in the log twice. A member that is killed
with records gathered has, as far as the ledger knows, not read them: whoever reads them next is the first.

Two members can be in one partition at once when the group has thrown one out that does not know yet. The
second one at an offset says in `late` how far it has come there before it sets bits. If the first one then
finds a bit set, it finds that, too: the record is no duplicate.

A block's memory goes back to the kernel while readers may still come to it, with a record that is in the log
twice. The parent sets the folded bit first and gives the memory back then; a reader sets its bits first and
looks at the folded bit then. Either the reader's OR found the old memory, in which a complete block has all
bits set; or it found the zeroes of new memory, which is there only after the folded bit was: then the reader
sees that one. Both say: seen before. The OR and the setting of the folded bit are sequentially consistent,
and giving memory back invalidates all processes' mappings of it before the call returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.compiled import Record, compiled, inlined
from loadlab.measurement.intrinsics import (
    atomic_add,
    atomic_max,
    atomic_or,
    carray,
    load_acquire,
    pointer_to,
    store_release,
)
from loadlab.measurement.ledger import (
    BLOCK_BITS,
    EXAMPLES,
    FINDINGS,
    FIRST_SEEN_PLANE,
    LATEST,
    PASSAGE,
    Anomaly,
)
from loadlab.measurement.ledger_mark import (
    has_room,
    header_of,
    is_open,
    is_sent_elsewhere,
    stop,
    word_address,
    worker_of,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.measurement.ledger import Ledger

_WORD_BITS: Final = 64
_ALL: Final = -1
STRANGER: Final = -1
"""The worker of a record without a stamp of this run: that it was read shows how far the group has come."""

READING: Final = np.dtype(
    [
        ("ledger", "<i8"),  # its address
        ("group", "<i8"),
        ("partition", "<i8"),  # of the records gathered, run-wide, as are the next two
        ("worker", "<i8"),
        ("word", "<i8"),  # their numbers without the last six bits
        ("count", "<i8"),  # how many have a stamp
        ("bits", "<i8"),  # the last six bits of their numbers, as places in a word
        ("begin", "<i8"),  # offset of the first one, stranger or not
        ("behind", "<i8"),  # behind the offset of the last one; 0: nothing is gathered
        ("sequences", "<i8", (_WORD_BITS,)),
        ("offsets", "<i8", (_WORD_BITS,)),
    ],
)
"""What one member of a group has read and not yet entered."""

_PASSAGE_FIELDS: Final = dict(PASSAGE.fields or {})
_LATEST_FIELDS: Final = dict(LATEST.fields or {})
_FINDINGS_FIELDS: Final = dict(FINDINGS.fields or {})
_NEXT_AT: Final = int(_PASSAGE_FIELDS["next"][1])
_LATE_AT: Final = int(_PASSAGE_FIELDS["late"][1])
_FOUND_AT: Final = int(_PASSAGE_FIELDS["found"][1])
_BEHIND_AT: Final = int(_LATEST_FIELDS["behind"][1])
_COUNTS_AT: Final = int(_FINDINGS_FIELDS["counts"][1])
_PASSAGE_BYTES: Final = PASSAGE.itemsize
_LATEST_BYTES: Final = LATEST.itemsize
_FINDINGS_BYTES: Final = FINDINGS.itemsize
_DUPLICATED = int(Anomaly.DUPLICATED)
_REDELIVERED = int(Anomaly.REDELIVERED)
_REORDERED = int(Anomaly.REORDERED)


def make_reading(ledger: Ledger, group: int) -> npt.NDArray[np.void]:
    """The READING record of a member of a group, shape (1,)."""
    reading = np.zeros(1, dtype=READING)
    reading["ledger"], reading["group"] = ledger.address, group
    return reading


@inlined
def reading_at(address: int) -> Record:
    """The READING record at an address."""
    return carray(pointer_to(address), 1, READING)[0]


@inlined
def gather(reading: Record, worker: int, sequence: int, partition: int, offset: int) -> None:
    """Takes in a record that was read; enters those before it, if it is not of their kind.

    Args:
        reading: the member's READING record.
        worker: who sent the record, by its stamp; STRANGER where it has none of this run.
        sequence: the record's number, by its stamp.
        partition: where it was read, run-wide.
        offset: where in it.
    """
    bit = 1 << (sequence & (_WORD_BITS - 1))
    if reading.behind != 0 and (partition != reading.partition or offset < reading.behind):
        enter(reading)
    if reading.count != 0 and worker != STRANGER:
        same = worker == reading.worker and sequence >> 6 == reading.word
        if not same or reading.bits & bit != 0:
            enter(reading)
    if reading.behind == 0:
        reading.partition = partition
        reading.begin = offset
    reading.behind = offset + 1
    if worker != STRANGER:
        reading.worker = worker
        reading.word = sequence >> 6
        reading.sequences[reading.count] = sequence
        reading.offsets[reading.count] = offset
        reading.count += 1
        reading.bits |= bit


@compiled
def enter(reading: Record) -> None:
    """Enters what is gathered."""
    if reading.behind != 0 and is_open(reading.ledger):
        partition = reading.partition
        if partition < 0 or partition >= header_of(reading.ledger).partitions:
            stop(reading.ledger)
        else:
            _enter(reading, _move_on(reading))
    reading.behind = 0
    reading.count = 0
    reading.bits = 0


@inlined
def _passage_address(reading: Record) -> int:
    header = header_of(reading.ledger)
    begin: int = reading.ledger + header.passages_at
    row: int = reading.group * header.partitions + reading.partition
    return begin + row * _PASSAGE_BYTES


@inlined
def _move_on(reading: Record) -> int:
    """Notes how far the group has come; returns how far it had: what is not below that is read first now."""
    address = _passage_address(reading)
    before = atomic_max(address + _NEXT_AT, reading.behind)
    if before > reading.begin:
        store_release(address + _LATE_AT, min(before, reading.behind))
    return before


@inlined
def _enter(reading: Record, before: int) -> None:
    """Sets the bits of the records gathered, and judges each by what the words were."""
    if reading.count == 0:
        return
    ledger, worker, sequence = reading.ledger, reading.worker, reading.sequences[0]
    if is_sent_elsewhere(ledger, worker, reading.group):
        return
    if not has_room(ledger, worker, sequence):
        stop(ledger)
        return
    block = sequence >> BLOCK_BITS
    folded = ledger + worker_of(ledger, worker).folded_at + (block >> 6) * 8
    folded_bit = 1 << (block & (_WORD_BITS - 1))
    seen = _ALL
    # Not to touch what is folded: that would take new memory for it.
    if load_acquire(folded) & folded_bit == 0:
        plane = FIRST_SEEN_PLANE + reading.group
        seen = atomic_or(word_address(ledger, worker, plane, sequence), reading.bits)
        if load_acquire(folded) & folded_bit != 0:
            seen = _ALL
    _judge(reading, before, seen)


@inlined
def _judge(reading: Record, before: int, seen: int) -> None:
    """Finds records that came again, and those behind a larger number of their worker and partition."""
    header = header_of(reading.ledger)
    row = (reading.group * header.partitions + reading.partition) * header.workers + reading.worker
    address = reading.ledger + header.latest_at + row * _LATEST_BYTES
    latest = carray(pointer_to(address), 1, LATEST)[0]
    behind, at = load_acquire(address + _BEHIND_AT), latest.offset
    largest = behind
    for place in range(reading.count):
        sequence, offset = reading.sequences[place], reading.offsets[place]
        if seen >> (sequence & (_WORD_BITS - 1)) & 1:
            _note_again(reading, sequence, offset, before)
        elif offset < before:
            continue
        elif sequence >= largest:
            largest, at = sequence + 1, offset
        elif at < offset:
            _note(reading, _REORDERED, sequence, offset)
    if largest != behind:
        # The offset first: another member, see above, never finds a number with an offset before its own.
        latest.offset = at
        store_release(address + _BEHIND_AT, largest)


@compiled
def _note_again(reading: Record, sequence: int, offset: int, before: int) -> None:
    """A record that the group has seen before: read again, or in the log again."""
    if offset < before:
        _note(reading, _REDELIVERED, sequence, offset)
    elif load_acquire(_passage_address(reading) + _LATE_AT) <= offset:
        _note(reading, _DUPLICATED, sequence, offset)


@compiled
def _note(reading: Record, anomaly: int, sequence: int, offset: int) -> None:
    """Counts what a member found, and keeps the first of its kind as examples."""
    ledger = reading.ledger
    atomic_add(_passage_address(reading) + _FOUND_AT + anomaly * 8, 1)
    findings = ledger + header_of(ledger).findings_at + reading.group * _FINDINGS_BYTES
    place = atomic_add(findings + _COUNTS_AT + anomaly * 8, 1)
    if place < EXAMPLES:
        example = carray(pointer_to(findings), 1, FINDINGS)[0].examples[anomaly, place]
        example.worker = reading.worker
        example.sequence = sequence
        example.partition = reading.partition
        example.offset = offset
        example.written = 1

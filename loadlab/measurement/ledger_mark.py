"""Entering records into the ledger: compiled, for the loops that send, hear of acks and read.

Who writes what, and why nothing is lost although nothing is locked:

- `void` belongs to a worker's sending thread; `acked`, `failed` and places to its report thread. One writer
  each, so plain stores do.
- `seen` belongs to all members of a group: an atomic OR, whose old value says who was first.
- A block's memory goes back to the kernel while readers may still come to it, with a record that is in the
  log twice. The parent sets the folded bit first and gives the memory back then; a reader sets its bit first
  and looks at the folded bit then. Either the reader's OR found the old memory, in which a complete block has
  the bit set; or it found the zeroes of new memory, which is there only after the folded bit was: then the
  reader sees that one. Both say: seen before. The OR and the setting of the folded bit are sequentially
  consistent, and giving memory back invalidates all processes' mappings of it before the call returns.
- Whether a reader is the first of its group at an offset is decided by one atomic maximum. Two members can
  be at one offset when the group has thrown one out that does not know yet. The second one says in `late`
  where it is before it sets the bit. If the first one then finds the bit set, it finds that, too: the record
  is no duplicate.
"""

from __future__ import annotations

from typing import Final

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
    ACKED_PLANE,
    BLOCK_BITS,
    BLOCK_RECORDS,
    EXAMPLES,
    FAILED_PLANE,
    FINDINGS,
    FIRST_SEEN_PLANE,
    HEADER,
    LATEST,
    OFFSET_BITS,
    PASSAGE,
    PLANE_BYTES,
    UNKNOWN,
    VOID_PLANE,
    WORKER,
    Anomaly,
    Stopped,
)

_HEADER_FIELDS: Final = dict(HEADER.fields or {})
_PASSAGE_FIELDS: Final = dict(PASSAGE.fields or {})
_LATEST_FIELDS: Final = dict(LATEST.fields or {})
_FINDINGS_FIELDS: Final = dict(FINDINGS.fields or {})
_STOPPED_AT: Final = int(_HEADER_FIELDS["stopped"][1])
_NEXT_AT: Final = int(_PASSAGE_FIELDS["next"][1])
_LATE_AT: Final = int(_PASSAGE_FIELDS["late"][1])
_FOUND_AT: Final = int(_PASSAGE_FIELDS["found"][1])
_BEHIND_AT: Final = int(_LATEST_FIELDS["behind"][1])
_COUNTS_AT: Final = int(_FINDINGS_FIELDS["counts"][1])
_PASSAGE_BYTES: Final = PASSAGE.itemsize
_LATEST_BYTES: Final = LATEST.itemsize
_FINDINGS_BYTES: Final = FINDINGS.itemsize
_WORD_BITS: Final = 64
_MOST_OFFSET: Final = (1 << OFFSET_BITS) - 2
_BEYOND: Final = int(Stopped.BEYOND)
_DUPLICATED: Final = int(Anomaly.DUPLICATED)
_REDELIVERED: Final = int(Anomaly.REDELIVERED)
_REORDERED: Final = int(Anomaly.REORDERED)


@inlined
def header_of(ledger: int) -> Record:
    """The HEADER record of the ledger at an address."""
    return carray(pointer_to(ledger), 1, HEADER)[0]


@inlined
def worker_of(ledger: int, worker: int) -> Record:
    """The WORKER record of a run-wide worker id."""
    header = header_of(ledger)
    return carray(pointer_to(ledger + header.workers_at), header.workers, WORKER)[worker]


@inlined
def is_open(ledger: int) -> bool:
    """Whether there is a ledger, into which records are still entered."""
    return ledger != 0 and load_acquire(ledger + _STOPPED_AT) == 0


@compiled
def _stop(ledger: int) -> None:
    """Ends all entering: there is no room for what came, and a gap would make wrong numbers."""
    store_release(ledger + _STOPPED_AT, _BEYOND)


@inlined
def _has_room(ledger: int, worker: int, sequence: int) -> bool:
    header = header_of(ledger)
    if worker < 0 or worker >= header.workers or sequence < 0:
        return False
    blocks: int = worker_of(ledger, worker).blocks
    return sequence >> BLOCK_BITS < blocks


@inlined
def block_address(ledger: int, worker: int, block: int) -> int:
    """Where a block begins."""
    begin: int = worker_of(ledger, worker).blocks_at
    size_bytes: int = header_of(ledger).block_bytes
    return ledger + begin + block * size_bytes


@inlined
def _word_address(ledger: int, worker: int, plane: int, sequence: int) -> int:
    """Where the word lies that holds a record's bit in a plane."""
    block = block_address(ledger, worker, sequence >> BLOCK_BITS)
    return block + plane * PLANE_BYTES + ((sequence & (BLOCK_RECORDS - 1)) >> 6) * 8


@inlined
def places_address(ledger: int, worker: int, block: int) -> int:
    """Where the places of a block begin."""
    groups: int = header_of(ledger).groups
    return block_address(ledger, worker, block) + (FIRST_SEEN_PLANE + groups) * PLANE_BYTES


@inlined
def _set_alone(ledger: int, worker: int, plane: int, sequence: int) -> None:
    """Sets a bit that nobody else writes."""
    address = _word_address(ledger, worker, plane, sequence)
    store_release(address, load_acquire(address) | 1 << (sequence & (_WORD_BITS - 1)))


@inlined
def _write_place(ledger: int, worker: int, sequence: int, partition: int, offset: int) -> None:
    known = offset if 0 <= offset <= _MOST_OFFSET else UNKNOWN
    block = places_address(ledger, worker, sequence >> BLOCK_BITS)
    address = block + (sequence & (BLOCK_RECORDS - 1)) * 8
    store_release(address, (partition + 1) << OFFSET_BITS | (known + 1))


@inlined
def mark_acked(ledger: int, worker: int, sequence: int, partition: int, offset: int) -> None:
    """Enters an ack.

    Args:
        ledger: its address.
        worker: who sent the record, run-wide.
        sequence: the record's number.
        partition: where it was acked, run-wide.
        offset: where in it; UNKNOWN where the ack does not say.
    """
    if not _has_room(ledger, worker, sequence):
        _stop(ledger)
        return
    # The place first: a worker that dies in between must not leave an ack that says nothing.
    _write_place(ledger, worker, sequence, partition, offset)
    _set_alone(ledger, worker, ACKED_PLANE, sequence)


@inlined
def mark_failed(ledger: int, worker: int, sequence: int, partition: int) -> None:
    """Enters an error that says that the record is not in the log."""
    if not _has_room(ledger, worker, sequence):
        _stop(ledger)
        return
    _write_place(ledger, worker, sequence, partition, UNKNOWN)
    _set_alone(ledger, worker, FAILED_PLANE, sequence)


@inlined
def mark_doubtful(ledger: int, worker: int, sequence: int, partition: int) -> None:
    """Enters where an indeterminate record went, if it went anywhere."""
    if not _has_room(ledger, worker, sequence):
        _stop(ledger)
        return
    _write_place(ledger, worker, sequence, partition, UNKNOWN)


@inlined
def mark_void(ledger: int, worker: int, sequence: int) -> None:
    """Enters that no record with a stamp of this number can be in the log."""
    if not _has_room(ledger, worker, sequence):
        _stop(ledger)
        return
    _set_alone(ledger, worker, VOID_PLANE, sequence)


@inlined
def _passage_address(ledger: int, group: int, partition: int) -> int:
    header = header_of(ledger)
    begin: int = header.passages_at
    row: int = group * header.partitions + partition
    return ledger + begin + row * _PASSAGE_BYTES


@inlined
def claim(ledger: int, group: int, partition: int, offset: int) -> bool:
    """Notes that a member of a group reads an offset; whether it is the first one at it or behind it."""
    if partition < 0 or partition >= header_of(ledger).partitions:
        _stop(ledger)
        return False
    address = _passage_address(ledger, group, partition)
    before = atomic_max(address + _NEXT_AT, offset + 1)
    if before > offset:
        store_release(address + _LATE_AT, offset + 1)
        return False
    if before == 0:
        carray(pointer_to(address), 1, PASSAGE)[0].first = offset + 1
    return True


@inlined
def mark_seen(  # noqa: PLR0913, PLR0917 (a record's identity, its place, and its reader)
    ledger: int, group: int, worker: int, sequence: int, partition: int, offset: int, first: int
) -> None:
    """Enters that a member of a group holds a record.

    Args:
        ledger: its address.
        group: the reader's.
        worker: who sent the record, by its stamp.
        sequence: the record's number, by its stamp.
        partition: where it was read, run-wide.
        offset: where in it.
        first: what `claim` said of that place.
    """
    if not _has_room(ledger, worker, sequence):
        _stop(ledger)
        return
    block = sequence >> BLOCK_BITS
    folded = ledger + worker_of(ledger, worker).folded_at + (block >> 6) * 8
    folded_bit = 1 << (block & (_WORD_BITS - 1))
    # Not to touch what is folded: that would take new memory for it.
    seen = load_acquire(folded) & folded_bit != 0
    if not seen:
        bit = 1 << (sequence & (_WORD_BITS - 1))
        before = atomic_or(_word_address(ledger, worker, FIRST_SEEN_PLANE + group, sequence), bit)
        seen = before & bit != 0 or load_acquire(folded) & folded_bit != 0
    if seen:
        _note_again(ledger, group, worker, sequence, partition, offset, first)
    elif first:
        _note_order(ledger, group, worker, sequence, partition, offset)


@compiled
def _note_again(  # noqa: PLR0913, PLR0917 (as mark_seen, whose rare half it is)
    ledger: int, group: int, worker: int, sequence: int, partition: int, offset: int, first: int
) -> None:
    """A record that the group has seen before: read again, or in the log again."""
    late = _passage_address(ledger, group, partition) + _LATE_AT
    if not first:
        _note(ledger, group, _REDELIVERED, worker, sequence, partition, offset)
    elif load_acquire(late) != offset + 1:
        _note(ledger, group, _DUPLICATED, worker, sequence, partition, offset)


@inlined
def _note_order(  # noqa: PLR0913, PLR0917 (as mark_seen)
    ledger: int, group: int, worker: int, sequence: int, partition: int, offset: int
) -> None:
    """Follows the largest sequence number of a worker in a partition; what comes behind it is reordered."""
    header = header_of(ledger)
    row = (group * header.partitions + partition) * header.workers + worker
    address = ledger + header.latest_at + row * _LATEST_BYTES
    latest = carray(pointer_to(address), 1, LATEST)[0]
    if sequence >= load_acquire(address + _BEHIND_AT):
        # The offset first: another member, see above, never finds a number with an offset before its own.
        latest.offset = offset
        store_release(address + _BEHIND_AT, sequence + 1)
    elif latest.offset < offset:
        _note(ledger, group, _REORDERED, worker, sequence, partition, offset)


@compiled
def _note(  # noqa: PLR0913, PLR0917 (all that an example says)
    ledger: int, group: int, anomaly: int, worker: int, sequence: int, partition: int, offset: int
) -> None:
    """Counts what a member found, and keeps the first of its kind as examples."""
    atomic_add(_passage_address(ledger, group, partition) + _FOUND_AT + anomaly * 8, 1)
    findings = ledger + header_of(ledger).findings_at + group * _FINDINGS_BYTES
    place = atomic_add(findings + _COUNTS_AT + anomaly * 8, 1)
    if place < EXAMPLES:
        example = carray(pointer_to(findings), 1, FINDINGS)[0].examples[anomaly, place]
        example.worker = worker
        example.sequence = sequence
        example.partition = partition
        example.offset = offset
        example.written = 1

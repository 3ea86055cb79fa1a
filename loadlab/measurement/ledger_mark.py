"""Entering records into the ledger: compiled, for the loops that send and hear of acks.

Who writes what, and why nothing is lost although nothing is locked:

- `void` belongs to a worker's sending thread; `acked`, `failed` and places to its report thread. One writer
  each, so plain stores do.
- `seen` belongs to all members of a group: `ledger_read`.
"""

from __future__ import annotations

from typing import Final

from loadlab.compiled import Record, compiled, inlined
from loadlab.measurement.intrinsics import (
    carray,
    load_acquire,
    pointer_to,
    store_release,
)
from loadlab.measurement.ledger import (
    ACKED_PLANE,
    BLOCK_BITS,
    BLOCK_RECORDS,
    FAILED_PLANE,
    FIRST_SEEN_PLANE,
    HEADER,
    OFFSET_BITS,
    PLANE_BYTES,
    UNKNOWN,
    VOID_PLANE,
    WORKER,
    Stopped,
)

_HEADER_FIELDS: Final = dict(HEADER.fields or {})
_STOPPED_AT: Final = int(_HEADER_FIELDS["stopped"][1])
_WORD_BITS: Final = 64
_MOST_OFFSET: Final = (1 << OFFSET_BITS) - 2
_BEYOND: Final = int(Stopped.BEYOND)


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
def stop(ledger: int) -> None:
    """Ends all entering: there is no room for what came, and a gap would make wrong numbers."""
    store_release(ledger + _STOPPED_AT, _BEYOND)


@inlined
def has_room(ledger: int, worker: int, sequence: int) -> bool:
    """Whether the ledger keeps this record."""
    header = header_of(ledger)
    if worker < 0 or worker >= header.workers or sequence < 0:
        return False
    blocks: int = worker_of(ledger, worker).blocks
    return sequence >> BLOCK_BITS < blocks


@inlined
def is_sent_elsewhere(ledger: int, worker: int, group: int) -> bool:
    """Whether a worker sends to no topic that a group reads: who reads its records there reads copies."""
    if worker < 0 or worker >= header_of(ledger).workers:
        return False
    readers: int = worker_of(ledger, worker).readers
    return readers & (1 << group) == 0


@inlined
def block_address(ledger: int, worker: int, block: int) -> int:
    """Where a block begins."""
    begin: int = worker_of(ledger, worker).blocks_at
    size_bytes: int = header_of(ledger).block_bytes
    return ledger + begin + block * size_bytes


@inlined
def word_address(ledger: int, worker: int, plane: int, sequence: int) -> int:
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
    address = word_address(ledger, worker, plane, sequence)
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
    if not has_room(ledger, worker, sequence):
        stop(ledger)
        return
    # The place first: a worker that dies in between must not leave an ack that says nothing.
    _write_place(ledger, worker, sequence, partition, offset)
    _set_alone(ledger, worker, ACKED_PLANE, sequence)


@inlined
def mark_failed(ledger: int, worker: int, sequence: int, partition: int) -> None:
    """Enters an error that says that the record is not in the log."""
    if not has_room(ledger, worker, sequence):
        stop(ledger)
        return
    _write_place(ledger, worker, sequence, partition, UNKNOWN)
    _set_alone(ledger, worker, FAILED_PLANE, sequence)


@inlined
def mark_doubtful(ledger: int, worker: int, sequence: int, partition: int) -> None:
    """Enters where an indeterminate record went, if it went anywhere."""
    if not has_room(ledger, worker, sequence):
        stop(ledger)
        return
    _write_place(ledger, worker, sequence, partition, UNKNOWN)


@inlined
def mark_void(ledger: int, worker: int, sequence: int) -> None:
    """Enters that no record with a stamp of this number can be in the log."""
    if not has_room(ledger, worker, sequence):
        stop(ledger)
        return
    _set_alone(ledger, worker, VOID_PLANE, sequence)

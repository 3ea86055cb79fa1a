"""The messages of one hand-over: value, key, stamp and slot of each record, made in compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client import symbols
from loadlab.client.bookkeeping import NO_SEQUENCE, enter_void
from loadlab.client.delivery import DELIVERY, TAKEN_OFFSET, free_ring, slab_of, slot_at
from loadlab.client.records import (
    NULL_LENGTH,
    RECORDS,
    key_number,
    row_at,
    value_length,
    write_key,
)
from loadlab.client.schedule import SCHEDULE, due_ns
from loadlab.client.settings import KEY_BYTES
from loadlab.client.trace import NULL_KEY
from loadlab.compiled import Record, compiled, inlined
from loadlab.measurement.intrinsics import carray, pointer_to, store_release
from loadlab.measurement.stamp import (
    INTENDED_WORD,
    RUN_WORD,
    SEQUENCE_WORD,
    STAMP_BYTES,
    STAMP_WORDS,
    WORKER_WORD,
)

if TYPE_CHECKING:
    import numpy.typing as npt

BATCH_RECORDS: Final = 128
"""How many records are handed over in one call at the most."""

ROUNDS_BEGIN_WITHIN: Final = 8
"""Rounds through the pool begin in this part of it, the first eighth."""

PRODUCTION: Final = np.dtype(
    [
        ("client", "<u8"),  # rd_kafka_t *
        ("slab", "<u8"),  # addresses of a SLAB, a DELIVERY and a RECORDS record
        ("delivery", "<u8"),
        ("plan", "<u8"),
        ("schedule", "<u8"),  # address of a SCHEDULE record
        ("at_max_rate", "<i8"),
        ("limit", "<i8"),  # how many records this worker sends at the maximum rate, at most
        ("batch_records", "<i8"),  # how many it hands over in one call, at most
        ("reject_when_full", "<i8"),
        ("topics", "<u8"),  # address of rd_kafka_topic_t pointers; the records go round them in turn
        ("topic_count", "<i8"),
        ("pool", "<u8"),  # address of the values' bytes, as words
        ("pool_words", "<i8"),
        ("covered", "<u8"),  # address of the words that the stamps of this hand-over stand on
        ("messages", "<u8"),  # address of BATCH_RECORDS MESSAGE records
        ("keys", "<u8"),  # address of their keys
        ("arguments", "<u8"),  # address of the ARGUMENT records of one rd_kafka_produceva call
        ("header", "<u8"),  # address of a header's zero-terminated name
        ("header_value", "<u8"),  # address of its value
        ("sent", "<i8"),  # records of this worker handed over or given up
        ("held", "<i8"),  # the client queue was full, and the loop has not caught up since
        ("full_since_ns", "<i8"),  # 0: there is room
        ("handed_over_ns", "<i8"),  # when the loop last handed records over
        ("cursor", "<i8"),  # where the next value begins in the pool, in words
        ("round_at", "<i8"),  # where this round through the pool began, likewise
    ],
)
"""All that one producer worker's loop reads and writes."""

_WORD_BYTES: Final = 8


@inlined
def delivery_of(work: Record) -> Record:
    """The worker's DELIVERY record."""
    return carray(pointer_to(work.delivery), 1, DELIVERY)[0]


@inlined
def plan_of(work: Record) -> Record:
    """The worker's RECORDS record."""
    return carray(pointer_to(work.plan), 1, RECORDS)[0]


@inlined
def schedule_of(work: Record) -> Record:
    """The group's SCHEDULE record."""
    return carray(pointer_to(work.schedule), 1, SCHEDULE)[0]


@inlined
def message_at(work: Record, place: int) -> Record:
    """A MESSAGE record of the current hand-over."""
    return carray(pointer_to(work.messages), BATCH_RECORDS, symbols.MESSAGE)[place]


@inlined
def record_number(work: Record, place: int) -> int:
    """The number in its group of the record that is `place` records ahead."""
    plan = plan_of(work)
    return (work.sent + place) * plan.workers + plan.worker


@inlined
def intended_ns(work: Record, record: int, now_ns: int) -> int:
    """A record's intended send time; at the maximum rate that is now."""
    if work.at_max_rate:
        return now_ns
    return slab_of(work).start_ns + due_ns(schedule_of(work), record)


@inlined
def _covered(work: Record, place: int) -> npt.NDArray[np.int64]:
    """Where the words are kept that the stamp of a message of the current hand-over stands on."""
    return carray(pointer_to(work.covered + place * STAMP_BYTES), STAMP_WORDS, np.int64)


@inlined
def _stamp_of(message: Record) -> npt.NDArray[np.int64]:
    return carray(pointer_to(message.payload), STAMP_WORDS, np.int64)


@inlined
def _write_stamp(work: Record, message: Record, place: int, sequence: int, due: int) -> None:
    stamp, covered = _stamp_of(message), _covered(work, place)
    for word in range(STAMP_WORDS):
        covered[word] = stamp[word]
    stamp[RUN_WORD] = plan_of(work).run_tag
    stamp[WORKER_WORD] = plan_of(work).worker_word
    stamp[SEQUENCE_WORD] = sequence
    stamp[INTENDED_WORD] = due


@inlined
def _is_stamped(work: Record, length: int) -> bool:
    return plan_of(work).stamped != 0 and length >= STAMP_BYTES


@inlined
def _next_stretch(work: Record, words: int) -> int:
    """Takes the next words of the pool; returns where they begin.

    Each round through it begins one value further: where records go round partitions, and a round holds a
    multiple of their number, every partition would get the same few values again and again.
    """
    if work.cursor + words > work.pool_words:
        work.round_at += words
        if work.round_at + words > work.pool_words // ROUNDS_BEGIN_WITHIN:
            work.round_at = 0
        work.cursor = work.round_at
    begin = work.cursor
    work.cursor = begin + words
    return begin


@inlined
def _fill_value(work: Record, message: Record, place: int, length: int, due: int) -> None:
    """Points a message at the next stretch of the pool and writes the stamp into it."""
    if length == NULL_LENGTH:
        message.payload = 0
        message.len = 0
        return
    words = (length + _WORD_BYTES - 1) // _WORD_BYTES
    message.payload = work.pool + _next_stretch(work, words) * _WORD_BYTES
    message.len = length
    if _is_stamped(work, length):
        _write_stamp(work, message, place, work.sent + place, due)


@inlined
def _fill_row_key(plan: Record, message: Record, record: int) -> None:
    """Points a message at its row's key in the trace."""
    row = row_at(plan.keyed_rows, record)
    if row.key_bytes == NULL_KEY:
        message.key = 0
        message.key_len = 0
        return
    message.key = plan.row_keys + row.key_at
    message.key_len = row.key_bytes


@inlined
def _fill_key(work: Record, message: Record, place: int, record: int) -> None:
    if plan_of(work).keyed_rows:
        _fill_row_key(plan_of(work), message, record)
        return
    key = key_number(plan_of(work), record, record // work.topic_count)
    if key == NULL_LENGTH:
        message.key = 0
        message.key_len = 0
        return
    message.key = work.keys + place * KEY_BYTES
    message.key_len = KEY_BYTES
    write_key(message.key, key)


@inlined
def _take_slot(work: Record, message: Record, place: int, due: int) -> None:
    delivery = delivery_of(work)
    number = free_ring(delivery)[(delivery.taken + place) & (delivery.ring - 1)]
    slot = slot_at(delivery, number)
    slot.intended_ns = due
    slot.sequence = work.sent + place
    if not _is_stamped(work, message.len):
        enter_void(delivery.sender, slot.sequence)
        slot.sequence = NO_SEQUENCE
    message.private = number


@compiled
def fill(work: Record, amount: int, now_ns: int) -> None:
    """Makes the worker's next `amount` messages, each with a slot of its own."""
    for place in range(amount):
        record = record_number(work, place)
        due = intended_ns(work, record, now_ns)
        message = message_at(work, place)
        _fill_value(work, message, place, value_length(plan_of(work), record), due)
        _fill_key(work, message, place, record)
        _take_slot(work, message, place, due)
        message.err = symbols.ERR_NO_ERROR
    store_release(work.delivery + TAKEN_OFFSET, delivery_of(work).taken + amount)


@compiled
def take_stamps_out(work: Record, amount: int) -> None:
    """Gives the pool back what the stamps of a hand-over stand on; the client has copies of its values.

    Stamps that stayed would take the place of more and more random bytes, and a codec finds much in them.
    """
    for place in range(amount):
        message = message_at(work, place)
        if _is_stamped(work, message.len):
            stamp, covered = _stamp_of(message), _covered(work, place)
            for word in range(STAMP_WORDS):
                stamp[word] = covered[word]

"""The compiled consume loop: takes records in batches, reads their stamps, and notes positions."""

from __future__ import annotations

from typing import Final

import numpy as np

from loadlab.client import symbols
from loadlab.client.returns import give_back
from loadlab.client.symbols import (
    rd_kafka_consume_batch_queue,
    rd_kafka_consume_queue,
    rd_kafka_topic_name,
)
from loadlab.compiled import Record, compiled, entry_point, inlined
from loadlab.measurement.intrinsics import (
    carray,
    load_acquire,
    monotonic_ns,
    pointer_to,
    sleep_until,
)
from loadlab.measurement.lane import count, count_error, enter_interval, phase_at, record_duration
from loadlab.measurement.ledger import UNKNOWN
from loadlab.measurement.ledger_read import STRANGER, enter, gather, reading_at
from loadlab.measurement.slab import (
    COMMAND_OFFSET,
    CONSUME_LANE,
    NO_POSITION,
    SLAB,
    Command,
    ConsumeMetric,
    Counter,
)
from loadlab.measurement.stamp import (
    INTENDED_WORD,
    RUN_WORD,
    SEQUENCE_WORD,
    STAMP_BYTES,
    STAMP_WORDS,
    WORKER_WORD,
)

BATCH_RECORDS: Final = 1_000
"""How many records are taken in one call at the most."""

TOPIC: Final = np.dtype(
    [
        ("handle", "<u8"),  # rd_kafka_topic_t * of its messages; 0: not met yet
        ("name", "<u8"),  # address of its zero-terminated name
        ("first_position", "<i8"),  # where its partitions' positions begin
        ("partitions", "<i8"),
        ("first_partition", "<i8"),  # where they begin among all partitions of the run
    ],
)
CONSUMPTION: Final = np.dtype(
    [
        ("queue", "<u8"),  # rd_kafka_queue_t *
        ("slab", "<u8"),
        ("positions", "<u8"),
        ("begins", "<u8"),
        ("position_count", "<i8"),
        ("topics", "<u8"),  # address of TOPIC records
        ("topic_count", "<i8"),
        ("last_topic", "<i8"),  # the one that the latest record came from
        ("messages", "<u8"),  # address of BATCH_RECORDS rd_kafka_message_t pointers
        ("returns", "<u8"),  # address of the RETURNS record
        ("reading", "<i8"),  # address of the READING record of the ledger; 0: there is none
        ("run_tag", "<i8"),
        ("rate_per_ns", "<f8"),  # the most that is read; 0: no limit
        ("allowance", "<f8"),  # records that may be read now
        ("allowance_ns", "<i8"),  # when it was reckoned up
    ],
)
"""All that one consumer worker's loop reads and writes."""

_POLL_MS: Final = 50
_LIMITED_SLEEP_NS: Final = 1_000_000
_SAVED_NS: Final = 100_000_000
_UNKNOWN_TOPIC: Final = -1
_STOP = int(Command.STOP)
_CONSUMED = int(Counter.CONSUMED)
_CONSUMED_BYTES = int(Counter.CONSUMED_BYTES)
_UNSTAMPED = int(Counter.UNSTAMPED)
_FOREIGN = int(Counter.FOREIGN)
_END_TO_END_LATENCY = int(ConsumeMetric.END_TO_END_LATENCY)


@inlined
def _same_text(left: int, right: int) -> bool:
    """Whether two zero-terminated texts are the same."""
    place = 0
    while True:
        first = carray(pointer_to(left + place), 1, np.uint8)[0]
        second = carray(pointer_to(right + place), 1, np.uint8)[0]
        if first != second:
            return False
        if first == 0:
            return True
        place += 1


@compiled
def _find_topic(work: Record, handle: int) -> int:
    """The topic that a message's handle belongs to; a handle is compared by name only once."""
    topics = carray(pointer_to(work.topics), work.topic_count, TOPIC)
    for place in range(work.topic_count):
        if topics[place].handle == handle:
            return place
    name = rd_kafka_topic_name(handle)
    for place in range(work.topic_count):
        if _same_text(topics[place].name, name):
            topics[place].handle = handle
            return place
    return _UNKNOWN_TOPIC


@inlined
def _note_position(work: Record, message: Record, position: int) -> int:
    """Moves the position in a message's partition; returns the partition's run-wide number."""
    topics = carray(pointer_to(work.topics), work.topic_count, TOPIC)
    if topics[work.last_topic].handle != message.rkt:
        found = _find_topic(work, message.rkt)
        if found == _UNKNOWN_TOPIC:
            return UNKNOWN
        work.last_topic = found
    topic = topics[work.last_topic]
    if message.partition >= topic.partitions:
        return UNKNOWN
    positions = carray(pointer_to(work.positions), work.position_count, np.int64)
    begins = carray(pointer_to(work.begins), work.position_count, np.int64)
    place = topic.first_position + message.partition
    positions[place] = position
    if begins[place] == NO_POSITION:
        begins[place] = message.offset
    return topic.first_partition + message.partition


@inlined
def _gather(work: Record, worker: int, sequence: int, partition: int, offset: int) -> None:
    """Tells the ledger, where there is one, of a record."""
    if work.reading:
        gather(reading_at(work.reading), worker, sequence, partition, offset)


@inlined
def _take(work: Record, slab: Record, message: Record, moment: int, now_ns: int) -> None:
    """Books one record that the consumer holds since `now_ns`."""
    lane = slab.lanes[CONSUME_LANE]
    intent = moment
    partition = _note_position(work, message, message.offset + 1)
    worker, sequence = STRANGER, 0
    if message.payload == 0 or message.len < STAMP_BYTES:
        count(lane, _UNSTAMPED, intent, moment, 1)
    else:
        stamp = carray(pointer_to(message.payload), STAMP_WORDS, np.int64)
        if stamp[RUN_WORD] == work.run_tag:
            intent = phase_at(slab, stamp[INTENDED_WORD])
            record_duration(lane, _END_TO_END_LATENCY, intent, now_ns - stamp[INTENDED_WORD])
            worker, sequence = stamp[WORKER_WORD], stamp[SEQUENCE_WORD]
        else:
            count(lane, _FOREIGN, intent, moment, 1)
    _gather(work, worker, sequence, partition, message.offset)
    slab.last_consumed_ns = now_ns
    count(lane, _CONSUMED, intent, moment, 1)
    count(lane, _CONSUMED_BYTES, intent, moment, message.len + message.key_len)


@compiled
def _take_batch(work: Record, slab: Record, amount: int) -> None:
    lane = slab.lanes[CONSUME_LANE]
    now_ns = monotonic_ns()
    enter_interval(slab, lane, now_ns)
    moment = phase_at(slab, now_ns)
    addresses = carray(pointer_to(work.messages), BATCH_RECORDS, np.uint64)
    for place in range(amount):
        message = carray(pointer_to(addresses[place]), 1, symbols.MESSAGE)[0]
        if message.err == symbols.ERR_NO_ERROR:
            _take(work, slab, message, moment, now_ns)
            work.allowance -= 1.0
        elif message.err == symbols.ERR_PARTITION_EOF:
            # Behind what no consumer gets: markers of transactions, and records of those that were aborted.
            _note_position(work, message, message.offset)
        else:
            count_error(lane, moment, message.err)
    give_back(work.returns, work.messages, amount)
    if work.reading:
        enter(reading_at(work.reading))


@compiled
def _allowed(work: Record, slab: Record) -> int:
    """How many records may be read now: a token bucket, so small that nothing to read saves nothing up."""
    if work.rate_per_ns == 0.0:
        return BATCH_RECORDS
    now_ns = monotonic_ns()
    earned = max(0, now_ns - max(work.allowance_ns, slab.start_ns)) * work.rate_per_ns
    work.allowance = min(work.allowance + earned, max(1.0, work.rate_per_ns * _SAVED_NS))
    work.allowance_ns = now_ns
    return min(BATCH_RECORDS, int(work.allowance))


@compiled
def _receive(work: Record, wanted: int) -> int:
    """Takes up to `wanted` records: at once what is there, else the first that comes."""
    amount = rd_kafka_consume_batch_queue(work.queue, 0, work.messages, wanted)
    if amount > 0:
        return amount
    first = rd_kafka_consume_queue(work.queue, _POLL_MS)
    if first == 0:
        return 0
    addresses = carray(pointer_to(work.messages), BATCH_RECORDS, np.uint64)
    addresses[0] = first
    if wanted == 1:
        return 1
    # A batch call waits for the batch to be full unless it must not wait at all.
    more = rd_kafka_consume_batch_queue(work.queue, 0, work.messages + 8, wanted - 1)
    return 1 + max(0, more)


@entry_point("void(int64)")
def consume(address: int) -> None:
    """Reads records until the parent says stop.

    Args:
        address: where the CONSUMPTION record lies.
    """
    work = carray(pointer_to(address), 1, CONSUMPTION)[0]
    slab = carray(pointer_to(work.slab), 1, SLAB)[0]
    while load_acquire(work.slab + COMMAND_OFFSET) != _STOP:
        wanted = _allowed(work, slab)
        if wanted <= 0:
            sleep_until(monotonic_ns() + _LIMITED_SLEEP_NS)
            continue
        amount = _receive(work, wanted)
        if amount > 0:
            _take_batch(work, slab, amount)

"""The compiled produce loop: hands each record over when it is due, and stamps it.

The loop is an open one: what is due follows from the schedule alone. It wakes when the next record is due,
hands over in one call all that is due by then, and sleeps again, so that it needs no core of its own at low
rates and forms larger calls at high ones.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from loadlab.client import symbols
from loadlab.client.delivery import GIVEN_OFFSET, TAKEN_OFFSET
from loadlab.client.pacing import count_due, due_ns, share_of_worker
from loadlab.client.records import (
    KEY_BYTES,
    NULL_LENGTH,
    has_headers,
    key_number,
    value_length,
    write_key,
)
from loadlab.client.symbols import (
    rd_kafka_error_code,
    rd_kafka_error_destroy,
    rd_kafka_produce_batch,
    rd_kafka_produceva,
)
from loadlab.compiled import compiled
from loadlab.measurement.intrinsics import (
    load_acquire,
    monotonic_ns,
    sleep_until,
    store_release,
)
from loadlab.measurement.lane import count, count_error, enter_interval, phase_at, record_duration
from loadlab.measurement.slab import COMMAND_OFFSET, SEND_LANE, Command, Counter, Metric
from loadlab.measurement.stamp import (
    INTENDED_WORD,
    RUN_WORD,
    SEQUENCE_WORD,
    STAMP_BYTES,
    WORKER_WORD,
)

if TYPE_CHECKING:
    import numpy.typing as npt

BATCH_RECORDS: Final = 128
"""How many records are handed over in one call at the most."""

LOOP: Final = np.dtype(
    [
        ("client", "<u8"),  # rd_kafka_t *
        ("at_max_rate", "<i8"),
        ("reject_when_full", "<i8"),
        ("sent", "<i8"),  # records of this worker handed over or given up
        ("held", "<i8"),  # the client queue was full, and the loop has not caught up since
        ("full_since_ns", "<i8"),  # 0: there is room
        ("handed_over_ns", "<i8"),  # when the loop last handed records over
        ("cursor", "<i8"),  # where the next value begins in the pool, in words
        ("headers", "<u8"),  # address of the header's name (8 bytes, zero-terminated) and value
    ],
)
"""The produce loop's own state."""

_ROOM_POLL_NS: Final = 50_000
# Records due within this time of a hand-over wait for it to end, and go together: a wake-up for each
# of 50,000 records a second would take most of a core.
_GATHER_NS: Final = 60_000
_LONGEST_SLEEP_NS: Final = 50_000_000
_WORD_BYTES: Final = 8
_HEADER_NAME_BYTES: Final = 8
_FIRST_HEADER: Final = 6
_STOP = int(Command.STOP)
_ATTEMPTED = int(Counter.ATTEMPTED)
_REJECTED = int(Counter.REJECTED)
_FAILED = int(Counter.FAILED)
_QUEUE_FULL_NS = int(Counter.QUEUE_FULL_NS)
_SEND_DELAY = int(Metric.SEND_DELAY)
_OWN_SEND_DELAY = int(Metric.OWN_SEND_DELAY)


class Production(NamedTuple):
    """All that one producer worker's loop reads and writes.

    Attributes:
        slab: the SLAB record, shape (1,).
        loop: the LOOP record, shape (1,).
        delivery: the DELIVERY record, shape (1,).
        slots: SLOT records, shape (capacity,).
        free: ring of free slot numbers, shape (capacity,).
        plan: the RECORDS record, shape (1,).
        schedule: SEGMENT records in the order of time, shape (segments,).
        sizes: equally likely value sizes in bytes.
        likelihoods: the alias table of weighted keys: chance to keep the own key, shape (keys,).
        aliases: the alias table of weighted keys: the other key, shape (keys,).
        pool: the values' bytes as words; stamps are written into it.
        topics: rd_kafka_topic_t pointers; the records go round them in turn.
        messages: MESSAGE records, shape (BATCH_RECORDS,).
        keys: their keys, shape (BATCH_RECORDS, KEY_BYTES).
        arguments: ARGUMENT records of one rd_kafka_produceva call.
    """

    slab: "npt.NDArray[np.void]"
    loop: "npt.NDArray[np.void]"
    delivery: "npt.NDArray[np.void]"
    slots: "npt.NDArray[np.void]"
    free: "npt.NDArray[np.int64]"
    plan: "npt.NDArray[np.void]"
    schedule: "npt.NDArray[np.void]"
    sizes: "npt.NDArray[np.int64]"
    likelihoods: "npt.NDArray[np.float64]"
    aliases: "npt.NDArray[np.int32]"
    pool: "npt.NDArray[np.int64]"
    topics: "npt.NDArray[np.uint64]"
    messages: "npt.NDArray[np.void]"
    keys: "npt.NDArray[np.uint8]"
    arguments: "npt.NDArray[np.void]"


@compiled
def _free_slots(work: Production) -> int:
    given = load_acquire(work.delivery.ctypes.data + GIVEN_OFFSET)
    return len(work.slots) - (work.delivery[0].taken - given)


@compiled
def _record_number(work: Production, place: int) -> int:
    """The number in the group of the record that is `place` records ahead."""
    plan = work.plan[0]
    return (work.loop[0].sent + place) * plan.workers + plan.worker


@compiled
def _intended_ns(work: Production, record: int, now_ns: int) -> int:
    if work.loop[0].at_max_rate:
        return now_ns
    return work.slab[0].start_ns + due_ns(work.schedule, record)


@compiled
def _overdue(work: Production, now_ns: int) -> int:
    """How many of this worker's records are due and not yet handed over."""
    slab, loop, plan = work.slab[0], work.loop[0], work.plan[0]
    if loop.at_max_rate:
        return BATCH_RECORDS if now_ns < slab.measure_end_ns else 0
    # Records due at the end of the measure phase or later are not of this run.
    elapsed_ns = min(now_ns, slab.measure_end_ns - 1) - slab.start_ns
    due = share_of_worker(count_due(work.schedule, elapsed_ns), plan.worker, plan.workers)
    return max(0, due - loop.sent)


@compiled
def _note_full(work: Production, now_ns: int) -> None:
    """Books the time for which the client queue has been full."""
    slab, loop = work.slab[0], work.loop[0]
    if loop.full_since_ns:
        phase = phase_at(slab, now_ns)
        count(slab.lanes[SEND_LANE], _QUEUE_FULL_NS, phase, phase, now_ns - loop.full_since_ns)
    loop.full_since_ns = now_ns
    loop.held = 1


@compiled
def _note_room(work: Production, now_ns: int) -> None:
    if work.loop[0].full_since_ns:
        _note_full(work, now_ns)
        work.loop[0].full_since_ns = 0


@compiled
def _fill_value(work: Production, message: np.void, length: int, sequence: int, intended_ns: int) -> None:
    """Points a message at the next stretch of the pool and writes the stamp into it."""
    if length == NULL_LENGTH:
        message.payload = 0
        message.len = 0
        return
    loop, plan, pool = work.loop[0], work.plan[0], work.pool
    words = (length + _WORD_BYTES - 1) // _WORD_BYTES
    if loop.cursor + words > len(pool):
        loop.cursor = 0
    place = loop.cursor
    loop.cursor = place + words
    if plan.stamped and length >= STAMP_BYTES:
        pool[place + RUN_WORD] = plan.run_tag
        pool[place + WORKER_WORD] = plan.worker_word
        pool[place + SEQUENCE_WORD] = sequence
        pool[place + INTENDED_WORD] = intended_ns
    message.payload = pool.ctypes.data + place * _WORD_BYTES
    message.len = length


@compiled
def _fill_key(work: Production, message: np.void, place: int, record: int) -> None:
    key = key_number(work.plan[0], work.likelihoods, work.aliases, record)
    if key == NULL_LENGTH:
        message.key = 0
        message.key_len = 0
        return
    write_key(work.keys[place], key)
    message.key = work.keys.ctypes.data + place * KEY_BYTES
    message.key_len = KEY_BYTES


@compiled
def _fill(work: Production, amount: int, now_ns: int) -> None:
    """Makes the next `amount` messages, each with a slot of its own."""
    delivery = work.delivery[0]
    for place in range(amount):
        record = _record_number(work, place)
        intended_ns = _intended_ns(work, record, now_ns)
        message = work.messages[place]
        length = value_length(work.plan[0], work.sizes, record)
        _fill_value(work, message, length, work.loop[0].sent + place, intended_ns)
        _fill_key(work, message, place, record)
        slot = work.free[(delivery.taken + place) % len(work.slots)]
        work.slots[slot].intended_ns = intended_ns
        work.slots[slot].bytes = message.len + message.key_len
        message.private = slot
        message.err = 0
    store_release(work.delivery.ctypes.data + TAKEN_OFFSET, delivery.taken + amount)


@compiled
def _count_attempts(work: Production, amount: int, now_ns: int) -> None:
    """Books records as handed over at `now_ns`: before the call, so that a death in it loses none."""
    slab = work.slab[0]
    moment = phase_at(slab, now_ns)
    for place in range(amount):
        slot = work.slots[work.messages[place].private]
        slot.sent_ns = now_ns
        intent = phase_at(slab, slot.intended_ns)
        count(slab.lanes[SEND_LANE], _ATTEMPTED, intent, moment, 1)


@compiled
def _argument(arguments: "npt.NDArray[np.void]", place: int, kind: int, first: int, second: int) -> None:
    arguments[place].vtype = kind
    arguments[place].first = first
    arguments[place].second = second


@compiled
def _send_one_with_headers(work: Production, topic: int, message: np.void) -> int:
    """Hands one record over by rd_kafka_produceva, the call that knows headers; returns its error."""
    arguments, loop, plan = work.arguments, work.loop[0], work.plan[0]
    _argument(arguments, 0, symbols.VTYPE_RKT, topic, 0)
    _argument(arguments, 1, symbols.VTYPE_PARTITION, plan.partition & 0xFFFFFFFF, 0)
    _argument(arguments, 2, symbols.VTYPE_VALUE, message.payload, message.len)
    _argument(arguments, 3, symbols.VTYPE_KEY, message.key, message.key_len)
    _argument(arguments, 4, symbols.VTYPE_OPAQUE, message.private, 0)
    _argument(arguments, 5, symbols.VTYPE_MSGFLAGS, symbols.MSG_F_COPY, 0)
    for header in range(plan.header_count):
        place = _FIRST_HEADER + header
        _argument(arguments, place, symbols.VTYPE_HEADER, loop.headers, loop.headers + _HEADER_NAME_BYTES)
        arguments[place].third = plan.header_bytes
    amount = _FIRST_HEADER + plan.header_count
    error = rd_kafka_produceva(loop.client, arguments.ctypes.data, amount)
    if error == 0:
        return symbols.ERR_NO_ERROR
    code = rd_kafka_error_code(error)
    rd_kafka_error_destroy(error)
    return code


@compiled
def _send_one(work: Production, place: int) -> int:
    """Hands one record over, to its own topic and with its own headers; returns its error."""
    message = work.messages[place]
    record = _record_number(work, place)
    topic = work.topics[record % len(work.topics)]
    if has_headers(work.plan[0], record):
        message.err = _send_one_with_headers(work, topic, message)
    else:
        address = work.messages.ctypes.data + place * work.messages.itemsize
        rd_kafka_produce_batch(topic, work.plan[0].partition, symbols.MSG_F_COPY, address, 1)
    return message.err


@compiled
def _send(work: Production, amount: int) -> None:
    """Hands messages over; each one's `err` says what became of it."""
    plan = work.plan[0]
    if len(work.topics) == 1 and plan.header_share == 0.0:
        address = work.messages.ctypes.data
        rd_kafka_produce_batch(work.topics[0], plan.partition, symbols.MSG_F_COPY, address, amount)
        return
    for place in range(amount):
        if _send_one(work, place) == symbols.ERR_QUEUE_FULL:
            for behind in range(place + 1, amount):
                work.messages[behind].err = symbols.ERR_QUEUE_FULL
            return


@compiled
def _give_back(work: Production, slot: int) -> None:
    """Gives back a slot whose record the client did not take."""
    delivery = work.delivery[0]
    delivery.taken -= 1
    work.free[delivery.taken % len(work.slots)] = slot


@compiled
def _settle(work: Production, amount: int, now_ns: int) -> int:
    """Books what became of the messages handed over at `now_ns`.

    Returns:
        How many are done with; those behind them found the client queue full and are to be made again.
    """
    slab = work.slab[0]
    lane = slab.lanes[SEND_LANE]
    moment = phase_at(slab, now_ns)
    done = amount
    for place in range(amount):
        message = work.messages[place]
        intended_ns = work.slots[message.private].intended_ns
        intent = phase_at(slab, intended_ns)
        if message.err == symbols.ERR_NO_ERROR:
            record_duration(lane, _SEND_DELAY, intent, now_ns - intended_ns)
            if not work.loop[0].held:
                record_duration(lane, _OWN_SEND_DELAY, intent, now_ns - intended_ns)
            continue
        _give_back(work, message.private)
        if message.err == symbols.ERR_QUEUE_FULL:
            done = min(done, place)
            count(lane, _ATTEMPTED, intent, moment, -1)
        else:
            count(lane, _FAILED, intent, moment, 1)
            count_error(lane, message.err)
    return done


@compiled
def _reject(work: Production, amount: int, now_ns: int) -> None:
    """Gives up records that are due while the client queue is full."""
    slab = work.slab[0]
    lane = slab.lanes[SEND_LANE]
    moment = phase_at(slab, now_ns)
    for place in range(amount):
        intent = phase_at(slab, _intended_ns(work, _record_number(work, place), now_ns))
        count(lane, _ATTEMPTED, intent, moment, 1)
        count(lane, _REJECTED, intent, moment, 1)
    work.loop[0].sent += amount


@compiled
def _hand_over(work: Production, overdue: int, now_ns: int) -> int:
    """Hands over as many overdue records as there is room for; returns how many it was rid of."""
    loop, slab = work.loop[0], work.slab[0]
    amount = min(overdue, _free_slots(work), BATCH_RECORDS)
    if amount == 0:
        return 0
    _note_room(work, now_ns)
    _fill(work, amount, now_ns)
    sent_ns = monotonic_ns()
    _count_attempts(work, amount, sent_ns)
    _send(work, amount)
    done = _settle(work, amount, sent_ns)
    loop.sent += done
    loop.handed_over_ns = sent_ns
    if slab.first_sent_ns == 0:
        slab.first_sent_ns = sent_ns
    if done == overdue:
        loop.held = 0
    return done


@compiled
def _find_full(work: Production, overdue: int, now_ns: int) -> None:
    """What happens when the client queue has no room for a record that is due."""
    _note_full(work, now_ns)
    if work.loop[0].reject_when_full:
        _reject(work, overdue, now_ns)
    else:
        sleep_until(now_ns + _ROOM_POLL_NS)


@compiled
def _wait_for_due(work: Production, now_ns: int) -> None:
    slab = work.slab[0]
    due = _intended_ns(work, _record_number(work, 0), now_ns)
    wake_ns = max(due, work.loop[0].handed_over_ns + _GATHER_NS)
    sleep_until(min(wake_ns, slab.measure_end_ns, now_ns + _LONGEST_SLEEP_NS))


@compiled
def produce(work: Production) -> int:
    """Sends a worker's records until the end of the measure phase, and then what was still overdue.

    Returns:
        How many of this worker's records were due and never handed over.
    """
    slab = work.slab[0]
    command = work.slab.ctypes.data + COMMAND_OFFSET
    sleep_until(slab.start_ns)
    while load_acquire(command) != _STOP:
        now_ns = monotonic_ns()
        enter_interval(slab, slab.lanes[SEND_LANE], now_ns)
        overdue = _overdue(work, now_ns)
        if overdue == 0 and now_ns >= slab.measure_end_ns:
            return 0
        if overdue == 0:
            work.loop[0].held = 0
            _wait_for_due(work, now_ns)
        elif _hand_over(work, overdue, now_ns) == 0:
            _find_full(work, overdue, now_ns)
    return _overdue(work, monotonic_ns())

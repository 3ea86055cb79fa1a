"""The compiled produce loop: hands each record over when it is due.

The loop is an open one: what is due follows from the schedule alone. It wakes when the next record is due,
hands over in one call all that is due by then, and sleeps again, so that it needs no core of its own at low
rates and forms larger calls at high ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client import symbols
from loadlab.client.bookkeeping import enter_void
from loadlab.client.delivery import GIVEN_OFFSET, free_ring, slab_of, slot_at
from loadlab.client.messages import (
    PRODUCTION,
    delivery_of,
    fill,
    intended_ns,
    message_at,
    plan_of,
    record_number,
    take_stamps_out,
)
from loadlab.client.pacing import share_of_worker
from loadlab.client.records import has_headers
from loadlab.client.schedule import count_due
from loadlab.client.symbols import (
    rd_kafka_error_code,
    rd_kafka_error_destroy,
    rd_kafka_produce_batch,
    rd_kafka_produceva,
)
from loadlab.compiled import Record, compiled, entry_point, inlined
from loadlab.measurement.intrinsics import (
    carray,
    load_acquire,
    monotonic_ns,
    pointer_to,
    sleep_until,
)
from loadlab.measurement.lane import count, count_error, enter_interval, phase_at, record_durations
from loadlab.measurement.slab import COMMAND_OFFSET, SEND_LANE, Command, Counter, SendMetric

if TYPE_CHECKING:
    import numpy.typing as npt

# How often a full queue is looked at: in proportion to its size, so that a small one is not left empty and a
# large one, which takes many milliseconds to empty, costs no CPU time.
_SHORTEST_ROOM_POLL_NS: Final = 50_000
_LONGEST_ROOM_POLL_NS: Final = 1_000_000
_ROOM_POLL_NS_PER_RECORD: Final = 10
_LONGEST_SLEEP_NS: Final = 50_000_000
# Records due within this time of a hand-over wait for it to end, and go together: a wake-up for each
# of 50,000 records a second would take most of a core.
_GATHER_NS: Final = 60_000
FIRST_HEADER: Final = 6
"""How many arguments of rd_kafka_produceva stand before the headers."""

_STOP = int(Command.STOP)
_ATTEMPTED = int(Counter.ATTEMPTED)
_REJECTED = int(Counter.REJECTED)
_FAILED = int(Counter.FAILED)
_QUEUE_FULL_NS = int(Counter.QUEUE_FULL_NS)
_SEND_DELAY = int(SendMetric.SEND_DELAY)
_OWN_SEND_DELAY = int(SendMetric.OWN_SEND_DELAY)


@inlined
def _free_slots(work: Record) -> int:
    delivery = delivery_of(work)
    given = load_acquire(work.delivery + GIVEN_OFFSET)
    return delivery.capacity - (delivery.taken - given)


@compiled
def _overdue(work: Record, now_ns: int) -> int:
    """How many of this worker's records are due and not yet handed over."""
    slab, plan = slab_of(work), plan_of(work)
    if work.at_max_rate:
        return min(work.batch_records, work.limit - work.sent) if now_ns < slab.measure_end_ns else 0
    # Records due at the end of the measure phase or later are not of this run.
    elapsed_ns = min(now_ns, slab.measure_end_ns - 1) - slab.start_ns
    due = share_of_worker(count_due(work.schedule, elapsed_ns), plan.worker, plan.workers)
    return max(0, due - work.sent)


@inlined
def _note_full(work: Record, now_ns: int) -> None:
    """Books the time for which the client queue has been full."""
    slab = slab_of(work)
    if work.full_since_ns:
        phase = phase_at(slab, now_ns)
        count(slab.lanes[SEND_LANE], _QUEUE_FULL_NS, phase, phase, now_ns - work.full_since_ns)
    work.full_since_ns = now_ns
    work.held = 1


@inlined
def _note_room(work: Record, now_ns: int) -> None:
    if work.full_since_ns:
        _note_full(work, now_ns)
        work.full_since_ns = 0


@compiled
def _count_attempts(work: Record, amount: int, now_ns: int) -> None:
    """Books records as handed over at `now_ns`: before the call, so that a death in it loses none."""
    slab, delivery = slab_of(work), delivery_of(work)
    moment = phase_at(slab, now_ns)
    for place in range(amount):
        slot = slot_at(delivery, message_at(work, place).private)
        slot.sent_ns = now_ns
        count(slab.lanes[SEND_LANE], _ATTEMPTED, phase_at(slab, slot.intended_ns), moment, 1)


@inlined
def _argument(arguments: npt.NDArray[np.void], place: int, kind: int, first: int, second: int) -> None:
    arguments[place].vtype = kind
    arguments[place].first = first
    arguments[place].second = second


@compiled
def _send_with_headers(work: Record, topic: int, message: Record) -> int:
    """Hands one record over by rd_kafka_produceva, the call that knows headers; returns its error."""
    plan = plan_of(work)
    amount = FIRST_HEADER + plan.header_count
    arguments = carray(pointer_to(work.arguments), amount, symbols.ARGUMENT)
    _argument(arguments, 0, symbols.VTYPE_RKT, topic, 0)
    _argument(arguments, 1, symbols.VTYPE_PARTITION, plan.partition & 0xFFFFFFFF, 0)
    _argument(arguments, 2, symbols.VTYPE_VALUE, message.payload, message.len)
    _argument(arguments, 3, symbols.VTYPE_KEY, message.key, message.key_len)
    _argument(arguments, 4, symbols.VTYPE_OPAQUE, message.private, 0)
    _argument(arguments, 5, symbols.VTYPE_MSGFLAGS, symbols.MSG_F_COPY, 0)
    for header in range(FIRST_HEADER, amount):
        _argument(arguments, header, symbols.VTYPE_HEADER, work.header, work.header_value)
        arguments[header].third = plan.header_bytes
    error = rd_kafka_produceva(work.client, work.arguments, amount)
    if error == 0:
        return symbols.ERR_NO_ERROR
    code = rd_kafka_error_code(error)
    rd_kafka_error_destroy(error)
    return code


@compiled
def _send_one(work: Record, place: int) -> int:
    """Hands one record over, to its own topic and with its own headers; returns its error."""
    message = message_at(work, place)
    record = record_number(work, place)
    topics = carray(pointer_to(work.topics), work.topic_count, np.uint64)
    topic = topics[record % work.topic_count]
    if has_headers(plan_of(work), record):
        message.err = _send_with_headers(work, topic, message)
    else:
        address = work.messages + place * symbols.MESSAGE_BYTES
        rd_kafka_produce_batch(topic, plan_of(work).partition, symbols.MSG_F_COPY, address, 1)
    return message.err


@compiled
def _send(work: Record, amount: int) -> None:
    """Hands messages over; each one's `err` says what became of it."""
    plan = plan_of(work)
    if work.topic_count == 1 and plan.header_share == 0.0:
        topic = carray(pointer_to(work.topics), 1, np.uint64)[0]
        rd_kafka_produce_batch(topic, plan.partition, symbols.MSG_F_COPY, work.messages, amount)
        return
    for place in range(amount):
        if _send_one(work, place) == symbols.ERR_QUEUE_FULL:
            for behind in range(place + 1, amount):
                message_at(work, behind).err = symbols.ERR_QUEUE_FULL
            return


@inlined
def _give_back(work: Record, slot: int) -> None:
    """Gives back a slot whose record the client did not take."""
    delivery = delivery_of(work)
    delivery.taken -= 1
    free_ring(delivery)[delivery.taken & (delivery.ring - 1)] = slot


@inlined
def _book_sent(work: Record, amount: int, due_ns: int, now_ns: int) -> None:
    """Books the send delay of records that were due at one time and handed over at `now_ns`."""
    slab = slab_of(work)
    lane, intent = slab.lanes[SEND_LANE], phase_at(slab, due_ns)
    record_durations(lane, _SEND_DELAY, intent, now_ns - due_ns, amount)
    if not work.held:
        record_durations(lane, _OWN_SEND_DELAY, intent, now_ns - due_ns, amount)


@compiled
def _settle(work: Record, amount: int, now_ns: int) -> int:
    """Books what became of the messages handed over at `now_ns`.

    Returns:
        How many are done with; those behind them found the client queue full and are to be made again.
    """
    slab = slab_of(work)
    lane = slab.lanes[SEND_LANE]
    moment = phase_at(slab, now_ns)
    done, alike, alike_due_ns = amount, 0, 0
    for place in range(amount):
        message = message_at(work, place)
        due = slot_at(delivery_of(work), message.private).intended_ns
        if message.err == symbols.ERR_NO_ERROR:
            if alike and due != alike_due_ns:
                _book_sent(work, alike, alike_due_ns, now_ns)
                alike = 0
            alike, alike_due_ns = alike + 1, due
            continue
        intent = phase_at(slab, due)
        _give_back(work, message.private)
        if message.err == symbols.ERR_QUEUE_FULL:
            done = min(done, place)
            count(lane, _ATTEMPTED, intent, moment, -1)
        else:
            count(lane, _FAILED, intent, moment, 1)
            enter_void(delivery_of(work).sender, slot_at(delivery_of(work), message.private).sequence)
            count_error(lane, intent, message.err)
    if alike:
        _book_sent(work, alike, alike_due_ns, now_ns)
    return done


@compiled
def _reject(work: Record, amount: int, now_ns: int) -> None:
    """Gives up records that are due while the client queue is full."""
    slab = slab_of(work)
    lane = slab.lanes[SEND_LANE]
    moment = phase_at(slab, now_ns)
    for place in range(amount):
        intent = phase_at(slab, intended_ns(work, record_number(work, place), now_ns))
        count(lane, _ATTEMPTED, intent, moment, 1)
        count(lane, _REJECTED, intent, moment, 1)
        enter_void(delivery_of(work).sender, work.sent + place)
    work.sent += amount


@compiled
def _hand_over(work: Record, overdue: int, now_ns: int) -> int:
    """Hands over as many overdue records as there is room for; returns how many it was rid of."""
    slab = slab_of(work)
    amount = min(overdue, _free_slots(work), work.batch_records)
    if amount == 0:
        return 0
    _note_room(work, now_ns)
    fill(work, amount, now_ns)
    sent_ns = monotonic_ns()
    _count_attempts(work, amount, sent_ns)
    _send(work, amount)
    take_stamps_out(work, amount)
    done = _settle(work, amount, sent_ns)
    work.sent += done
    work.handed_over_ns = sent_ns
    if slab.first_sent_ns == 0:
        slab.first_sent_ns = sent_ns
    if done == overdue:
        work.held = 0
    return done


@compiled
def _find_full(work: Record, overdue: int, now_ns: int) -> None:
    """What happens when the client queue has no room for a record that is due."""
    if work.reject_when_full:
        _reject(work, overdue, now_ns)
    else:
        _note_full(work, now_ns)
        wait_ns = delivery_of(work).capacity * _ROOM_POLL_NS_PER_RECORD
        sleep_until(now_ns + min(max(wait_ns, _SHORTEST_ROOM_POLL_NS), _LONGEST_ROOM_POLL_NS))


@compiled
def _wait_for_due(work: Record, now_ns: int) -> None:
    # At the maximum rate nothing is due only once the limit is reached.
    due = slab_of(work).measure_end_ns if work.at_max_rate else intended_ns(work, record_number(work, 0), 0)
    wake_ns = max(due, work.handed_over_ns + _GATHER_NS)
    sleep_until(min(wake_ns, slab_of(work).measure_end_ns, now_ns + _LONGEST_SLEEP_NS))


@entry_point("void(int64)")
def produce(address: int) -> None:
    """Sends a worker's records until the end of the measure phase, and then what was still overdue.

    Args:
        address: where the PRODUCTION record lies.
    """
    work = carray(pointer_to(address), 1, PRODUCTION)[0]
    slab = slab_of(work)
    sleep_until(slab.start_ns)
    now_ns = monotonic_ns()
    while load_acquire(work.slab + COMMAND_OFFSET) != _STOP and now_ns < slab.stop_ns:
        enter_interval(slab, slab.lanes[SEND_LANE], now_ns)
        overdue = _overdue(work, now_ns)
        if overdue == 0 and now_ns >= slab.measure_end_ns:
            return
        if overdue == 0:
            work.held = 0
            _wait_for_due(work, now_ns)
        elif _hand_over(work, overdue, now_ns) == 0:
            _find_full(work, overdue, now_ns)
        now_ns = monotonic_ns()

"""Delivery reports: the compiled callback that librdkafka calls for each record, and its slots.

A record that is on its way occupies a slot, whose number travels as the record's opaque pointer. The
sending thread takes slots from a ring of free ones, the thread that serves delivery reports gives them
back: one writer and one reader, so two atomic counters are all the agreement they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numba
import numpy as np
from numba import types

from loadlab.client import symbols
from loadlab.client.bookkeeping import enter_report
from loadlab.client.slots import SLOT, slot_of
from loadlab.client.stages import STAGES, book_stages, create_stages, enter_request, note_mute
from loadlab.client.symbols import memcpy, rd_kafka_message_status, rd_kafka_poll
from loadlab.compiled import Record, callback, compiled, entry_point, inlined
from loadlab.measurement.intrinsics import (
    address_of,
    carray,
    load_acquire,
    monotonic_ns,
    pointer_to,
    store_release,
)
from loadlab.measurement.lane import count, count_error, enter_interval, note_time, phase_at, record_durations
from loadlab.measurement.slab import ACK_LANE, SLAB, AckMetric, Counter

if TYPE_CHECKING:
    import numpy.typing as npt

ACKS: Final = np.dtype(
    [
        ("records", "<i8"),
        ("bytes", "<i8"),
        ("intended_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("now_ns", "<i8"),  # when they came
    ],
)
"""Acks that have all their times in common, and so are booked together."""

# What one thread writes for each record lies in no cache line that the other one reads for each record.
_APART: Final = ("<i8", (8,))

DELIVERY: Final = np.dtype(
    [
        ("slab", "<u8"),
        ("sender", "<i8"),  # address of the SENDER record: how to enter into the ledger
        ("slots", "<u8"),
        ("stages", "<u8"),  # address of a STAGES record
        ("free", "<u8"),  # ring of free slot numbers
        ("ring", "<i8"),  # size of both: a power of two, because a division costs more than the rest
        ("capacity", "<i8"),  # how many records the client queue takes
        ("serving", "<i8"),
        ("sending_apart", *_APART),
        ("taken", "<i8"),  # slots ever taken: written by the sending thread
        ("serving_apart", *_APART),
        ("given", "<i8"),  # slots ever given back: written by the serving thread, as is the rest
        ("now_ns", "<i8"),  # the clock, as read last
        ("reports", "<i8"),  # reports since the poll began
        ("acks", ACKS),  # those that are not booked yet
        ("statistics", "<u8"),  # buffer for librdkafka's JSON
        ("statistics_capacity", "<i8"),
        ("statistics_bytes", "<i8"),
        ("statistics_begun", "<i8"),  # how many have been begun to be copied, and
        ("statistics_count", "<i8"),  # how many are whole
    ],
)
_FIELDS: Final = dict(DELIVERY.fields or {})
TAKEN_OFFSET: Final = int(_FIELDS["taken"][1])
GIVEN_OFFSET: Final = int(_FIELDS["given"][1])
SERVING_OFFSET: Final = int(_FIELDS["serving"][1])
STATISTICS_BEGUN_OFFSET: Final = int(_FIELDS["statistics_begun"][1])
STATISTICS_COUNT_OFFSET: Final = int(_FIELDS["statistics_count"][1])

_STATISTICS_CAPACITY = 128 << 20  # some 1.5 KiB a partition; what is never written takes no memory
_POLL_MS = 100
_REPORTS_PER_CLOCK = 16
_ACKED = int(Counter.ACKED)
_ACKED_BYTES = int(Counter.ACKED_BYTES)
_FAILED = int(Counter.FAILED)
_INDETERMINATE = int(Counter.INDETERMINATE)
_SERVICE_TIME = int(AckMetric.SERVICE_TIME)
_PUBLISH_LATENCY = int(AckMetric.PUBLISH_LATENCY)
_DELIVERY_TYPE = numba.from_dtype(DELIVERY)
_MESSAGE_TYPE = numba.from_dtype(symbols.MESSAGE)


@dataclass(frozen=True, eq=False)
class Delivery:
    """The memory behind one producer's records on their way.

    Attributes:
        state: the DELIVERY record, shape (1,).
        slots: SLOT records, shape (ring,).
        free: ring of free slot numbers, shape (ring,).
        requested: of each slot the time that `loadlab.client.stages` keeps, shape (ring,).
        stages: the STAGES record, shape (1,).
        statistics: the latest statistics JSON.
    """

    state: npt.NDArray[np.void]
    slots: npt.NDArray[np.void]
    free: npt.NDArray[np.int64]
    requested: npt.NDArray[np.int64]
    stages: npt.NDArray[np.void]
    statistics: npt.NDArray[np.uint8]

    @property
    def address(self) -> int:
        """Where the DELIVERY record lies: the opaque pointer of librdkafka's callbacks."""
        return int(self.state.ctypes.data)

    @property
    def on_their_way(self) -> int:
        """How many records have no delivery report yet."""
        return int(self.state["taken"][0] - self.state["given"][0])


def create_delivery(slab: npt.NDArray[np.void], capacity: int, linger_ms: float) -> Delivery:
    """Makes the slots for a producer.

    Args:
        slab: where the producer writes what it measures.
        capacity: how many records its client queue holds.
        linger_ms: its linger.ms.
    """
    state = np.zeros(1, dtype=DELIVERY)
    ring = 1 << (capacity - 1).bit_length()
    slots, requested = np.zeros(ring, dtype=SLOT), np.zeros(ring, dtype=np.int64)
    delivery = Delivery(
        state=state,
        slots=slots,
        free=np.arange(ring, dtype=np.int64),
        requested=requested,
        stages=create_stages(slots, requested, linger_ms),
        statistics=np.empty(_STATISTICS_CAPACITY, dtype=np.uint8),
    )
    state["slab"] = slab.ctypes.data
    state["slots"] = delivery.slots.ctypes.data
    state["stages"] = delivery.stages.ctypes.data
    state["free"] = delivery.free.ctypes.data
    state["ring"] = ring
    state["capacity"] = capacity
    state["serving"] = 1
    state["statistics"] = delivery.statistics.ctypes.data
    state["statistics_capacity"] = _STATISTICS_CAPACITY
    return delivery


@inlined
def free_ring(delivery: Record) -> npt.NDArray[np.int64]:
    """The ring of free slot numbers; entry n of it lies at n mod ring."""
    return carray(pointer_to(delivery.free), delivery.ring, np.int64)


@inlined
def slab_of(owner: Record) -> Record:
    """The worker's SLAB record, of whatever record has its address in `slab`."""
    return carray(pointer_to(owner.slab), 1, SLAB)[0]


@inlined
def _stages_of(delivery: Record) -> Record:
    """The worker's STAGES record."""
    return carray(pointer_to(delivery.stages), 1, STAGES)[0]


@inlined
def slot_at(delivery: Record, slot: int) -> Record:
    """The SLOT record of a slot number."""
    return slot_of(delivery.slots, delivery.ring, slot)


@inlined
def _report_time_ns(delivery: Record) -> int:
    """The time of this report, at most _REPORTS_PER_CLOCK reports old.

    A poll waits at most before its first report, and the rest follow within a tenth of a microsecond each.
    The first report of a request reads the clock too, so that none is from before its request's answer.
    """
    if delivery.reports % _REPORTS_PER_CLOCK == 0:
        delivery.now_ns = monotonic_ns()
    delivery.reports += 1
    return delivery.now_ns


@compiled
def _book_acks(delivery: Record) -> None:
    """Books the acks that were gathered."""
    acks = delivery.acks
    if acks.records == 0:
        return
    slab, stages = slab_of(delivery), _stages_of(delivery)
    lane = slab.lanes[ACK_LANE]
    enter_interval(slab, lane, acks.now_ns)
    note_time(lane, acks.now_ns)
    intent, moment = phase_at(slab, acks.intended_ns), phase_at(slab, acks.now_ns)
    count(lane, _ACKED, intent, moment, acks.records)
    count(lane, _ACKED_BYTES, intent, moment, acks.bytes)
    record_durations(lane, _SERVICE_TIME, intent, acks.now_ns - acks.sent_ns, acks.records)
    record_durations(lane, _PUBLISH_LATENCY, intent, acks.now_ns - acks.intended_ns, acks.records)
    book_stages(stages, slab.stages[intent], acks.sent_ns, acks.now_ns, acks.records)
    slab.last_acked_ns = acks.now_ns
    acks.records = 0
    acks.bytes = 0


@inlined
def _gather_ack(delivery: Record, slot: Record, record_bytes: int, now_ns: int) -> None:
    """Puts an ack to those that have the same times; others are booked first."""
    acks = delivery.acks
    if acks.now_ns != now_ns or acks.sent_ns != slot.sent_ns or acks.intended_ns != slot.intended_ns:
        _book_acks(delivery)
        acks.now_ns = now_ns
        acks.sent_ns = slot.sent_ns
        acks.intended_ns = slot.intended_ns
    acks.records += 1
    acks.bytes += record_bytes


@compiled
def _book_error(delivery: Record, intended_ns: int, code: int, status: int, now_ns: int) -> None:
    """Books a report that is no ack."""
    _book_acks(delivery)
    slab = slab_of(delivery)
    lane = slab.lanes[ACK_LANE]
    enter_interval(slab, lane, now_ns)
    intent, moment = phase_at(slab, intended_ns), phase_at(slab, now_ns)
    lost = status == symbols.STATUS_NOT_PERSISTED
    count(lane, _FAILED if lost else _INDETERMINATE, intent, moment, 1)
    count_error(lane, intent, code)


@inlined
def _report(delivery: Record, message: Record, address: int) -> None:
    """Books the delivery report of a message at an address: what became of it, and how long it took."""
    acked = message.err == symbols.ERR_NO_ERROR
    status = symbols.STATUS_PERSISTED if acked else rd_kafka_message_status(address)
    slot = slot_at(delivery, message.private)
    if slot.answered_ns != 0:
        _book_acks(delivery)
        slab = slab_of(delivery)
        sums = slab.stages[phase_at(slab, slot.intended_ns)]
        enter_request(_stages_of(delivery), sums, message.private, address)
        delivery.reports = 0
    now_ns = _report_time_ns(delivery)
    if acked:
        _gather_ack(delivery, slot, message.len + message.key_len, now_ns)
    else:
        _book_error(delivery, slot.intended_ns, message.err, status, now_ns)
    enter_report(delivery.sender, message, slot.sequence, status)
    free_ring(delivery)[delivery.given & (delivery.ring - 1)] = message.private


@callback(types.voidptr, types.CPointer(_MESSAGE_TYPE), types.CPointer(_DELIVERY_TYPE), result=types.void)
def on_delivery(client: object, message: Record, opaque: Record) -> None:  # noqa: ARG001
    """The dr_msg_cb of librdkafka: void (*)(rd_kafka_t *, const rd_kafka_message_t *, void *opaque)."""
    delivery = carray(opaque, 1)[0]
    _report(delivery, carray(message, 1)[0], address_of(message))
    store_release(address_of(opaque) + GIVEN_OFFSET, delivery.given + 1)


@callback(types.voidptr, types.uintp, types.uintp, types.CPointer(_DELIVERY_TYPE), result=types.int32)
def on_statistics(client: object, json: int, json_bytes: int, opaque: Record) -> int:  # noqa: ARG001
    """The stats_cb of librdkafka: keeps a copy for the worker's main thread, which has time to parse it."""
    delivery = carray(opaque, 1)[0]
    if json_bytes <= delivery.statistics_capacity:
        store_release(address_of(opaque) + STATISTICS_BEGUN_OFFSET, delivery.statistics_begun + 1)
        memcpy(delivery.statistics, json, json_bytes)
        delivery.statistics_bytes = json_bytes
        store_release(address_of(opaque) + STATISTICS_COUNT_OFFSET, delivery.statistics_count + 1)
    return 0


@callback(
    *(types.voidptr, types.voidptr, types.int32, types.int32, types.CPointer(_DELIVERY_TYPE)),
    result=types.void,
)
def on_throttle(client: object, broker_name: object, broker: int, mute_ms: int, opaque: Record) -> None:  # noqa: ARG001
    """The throttle_cb of librdkafka: void (*)(rd_kafka_t *, const char *, int32_t, int, void *opaque)."""
    if mute_ms > 0:
        note_mute(_stages_of(carray(opaque, 1)[0]), broker, mute_ms)


@entry_point("void(int64, int64)")
def serve_delivery_reports(client: int, delivery_address: int) -> None:
    """Serves callbacks until `serving` is cleared; runs in a thread of its own.

    Args:
        client: the rd_kafka_t pointer.
        delivery_address: where the DELIVERY record lies.
    """
    delivery = carray(pointer_to(delivery_address), 1, DELIVERY)[0]
    while load_acquire(delivery_address + SERVING_OFFSET) == 1:
        delivery.reports = 0
        rd_kafka_poll(client, _POLL_MS)
        _book_acks(delivery)

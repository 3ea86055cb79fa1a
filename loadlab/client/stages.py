"""Where the time of a record goes between the call that hands it over and its delivery report.

Two interceptors of librdkafka, both called in the broker thread that got the answer, one right after the
other: `on_answer` once for each produce request, with its round trip; `on_acknowledgement` for each of its
records. The first record of a request takes both times along in its slot. The report thread gets the records
of a request one after the other, so that the times hold for all that follow until the next first one.

What the two say to each other is kept by thread (pthread_setspecific): broker threads are several.

A broker that holds a client to a quota answers at once, says for how long it will read no more from that
connection, and keeps to it (KIP-219). So what a quota costs is in the round trips of the requests behind: as
far as those lie within such times, by the report thread's clock.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Final

import numba
import numpy as np
from numba import types

from loadlab.client import symbols
from loadlab.client.interceptors import intercept, on_response
from loadlab.client.slots import slot_of
from loadlab.client.symbols import (
    pthread_getspecific,
    pthread_setspecific,
    rd_kafka_message_broker_id,
)
from loadlab.compiled import Record, callback, compiled, inlined
from loadlab.errors import WorkerError
from loadlab.measurement.intrinsics import carray, monotonic_ns, pointer_to
from loadlab.units import NS_PER_MS, NS_PER_US

if TYPE_CHECKING:
    import numpy.typing as npt

MUTE: Final = np.dtype([("broker", "<i8"), ("start_ns", "<i8"), ("end_ns", "<i8")])
"""A time for which a broker does not read from the producer's connection."""

MUTES: Final = 256
"""How many of them are kept."""

STAGES: Final = np.dtype(
    [
        ("slots", "<u8"),
        ("requested", "<u8"),  # of each slot, when the request was sent whose first record is in it, int64
        ("ring", "<i8"),
        ("requested_key", "<i8"),
        ("answered_key", "<i8"),
        ("linger_ns", "<i8"),
        # The request whose records the report thread is getting:
        ("requested_ns", "<i8"),  # its last byte was given to the socket
        ("answered_ns", "<i8"),  # its answer was read from the socket
        ("ready_ns", "<i8"),  # its oldest record had waited for linger.ms, or it was sent before
        ("throttled_ns", "<i8"),  # for so long meanwhile the broker read nothing because of a quota
        ("mute_count", "<i8"),  # how many there have been
        ("mutes", MUTE, (MUTES,)),  # the latest of them: number n lies at n mod MUTES
    ],
)

_PRODUCE_KEY: Final = 0
_STAGES_TYPE = numba.from_dtype(STAGES)
_MESSAGE_TYPE = numba.from_dtype(symbols.MESSAGE)


@cache
def _thread_keys() -> tuple[int, int]:
    """Two words that each thread of this process has to itself."""
    library = ctypes.CDLL(None)
    keys = ctypes.c_uint(), ctypes.c_uint()
    for key in keys:
        if library.pthread_key_create(ctypes.byref(key), None):
            raise WorkerError("the process has no thread-specific keys left")
    return keys[0].value, keys[1].value


def create_stages(
    slots: npt.NDArray[np.void], requested: npt.NDArray[np.int64], linger_ms: float
) -> npt.NDArray[np.void]:
    """A STAGES record for a producer, shape (1,); the other arrays must live as long.

    Args:
        slots: its slots.
        requested: as many times.
        linger_ms: its linger.ms.
    """
    stages = np.zeros(1, dtype=STAGES)
    stages["slots"] = slots.ctypes.data
    stages["requested"] = requested.ctypes.data
    stages["ring"] = len(slots)
    stages["requested_key"], stages["answered_key"] = _thread_keys()
    stages["linger_ns"] = int(linger_ms * NS_PER_MS)
    return stages


def follow_requests(configuration: int, stages: int) -> object:
    """Has the client that is made of a configuration call the interceptors.

    Args:
        configuration: a rd_kafka_conf_t pointer.
        stages: address of the STAGES record.

    Returns:
        What has to live until the client is made.
    """
    return intercept(
        configuration, stages, response=on_answer.address, acknowledgement=on_acknowledgement.address
    )


@inlined
def _requested(stages: Record) -> npt.NDArray[np.int64]:
    """Of each slot, when the request was sent whose first record is in it."""
    return carray(pointer_to(stages.requested), stages.ring, np.int64)


@callback(*on_response(types.CPointer(_STAGES_TYPE)), result=types.int32)
def on_answer(  # noqa: PLR0913, PLR0917 (librdkafka's)
    client: object,  # noqa: ARG001
    socket: int,  # noqa: ARG001
    broker: object,  # noqa: ARG001
    broker_id: int,  # noqa: ARG001
    request_key: int,
    version: int,  # noqa: ARG001
    correlation: int,  # noqa: ARG001
    size: int,  # noqa: ARG001
    round_trip_us: int,
    error: int,  # noqa: ARG001
    opaque: Record,
) -> int:
    """rd_kafka_interceptor_f_on_response_received_t: notes when a request was sent and answered.

    The round trip is from the moment at which all of the request was given to the socket; it is -1 where
    there is no answer: with acks=0, where that moment is now, and on errors.
    """
    if request_key == _PRODUCE_KEY:
        stages = carray(opaque, 1)[0]
        now_ns = monotonic_ns()
        pthread_setspecific(stages.requested_key, now_ns - max(round_trip_us, 0) * NS_PER_US)
        pthread_setspecific(stages.answered_key, now_ns)
    return 0


@callback(types.voidptr, types.CPointer(_MESSAGE_TYPE), types.CPointer(_STAGES_TYPE), result=types.int32)
def on_acknowledgement(client: object, message: Record, opaque: Record) -> int:  # noqa: ARG001
    """rd_kafka_interceptor_f_on_acknowledgement_t: gives the times to the first record of a request."""
    stages = carray(opaque, 1)[0]
    answered_ns = pthread_getspecific(stages.answered_key)
    if answered_ns != 0:
        number = carray(message, 1)[0].private
        _requested(stages)[number] = pthread_getspecific(stages.requested_key)
        slot_of(stages.slots, stages.ring, number).answered_ns = answered_ns
        pthread_setspecific(stages.answered_key, 0)
    return 0


@compiled
def note_mute(stages: Record, broker: int, mute_ms: int) -> None:
    """Notes that a broker will read nothing for a time that begins now."""
    mute = stages.mutes[stages.mute_count % MUTES]
    mute.broker = broker
    mute.start_ns = monotonic_ns()
    mute.end_ns = mute.start_ns + mute_ms * NS_PER_MS
    stages.mute_count += 1


@compiled
def _throttled_ns(stages: Record, broker: int) -> int:
    """For how long of the request's round trip the broker read nothing because of a quota."""
    muted_ns = 0
    for place in range(min(stages.mute_count, MUTES)):
        mute = stages.mutes[place]
        if mute.broker == broker:
            start_ns = max(mute.start_ns, stages.requested_ns)
            muted_ns += max(0, min(mute.end_ns, stages.answered_ns) - start_ns)
    return min(muted_ns, stages.answered_ns - stages.requested_ns)


@inlined
def enter_request(stages: Record, sums: Record, number: int, message: int) -> None:
    """Takes over the times of a request from its first record.

    Args:
        stages: the STAGES record.
        sums: the STAGE_SUMS record of the first record's phase.
        number: of its slot.
        message: address of its MESSAGE record.
    """
    slot = slot_of(stages.slots, stages.ring, number)
    stages.requested_ns = _requested(stages)[number]
    stages.answered_ns = slot.answered_ns
    stages.ready_ns = min(slot.sent_ns + stages.linger_ns, stages.requested_ns)
    if stages.mute_count > 0:
        stages.throttled_ns = _throttled_ns(stages, rd_kafka_message_broker_id(message))
    sums.requests += 1
    sums.round_trips_ns += stages.answered_ns - stages.requested_ns
    slot.answered_ns = 0


@inlined
def book_stages(stages: Record, sums: Record, sent_ns: int, acked_ns: int, amount: int) -> None:
    """Adds the stages of `amount` acked records of one request to the sums of their phase.

    A record whose times do not stand in order has no stages: it was acked by another way than the answer to
    its own request (an idempotent producer takes a later batch's ack for that of an earlier one).
    """
    if sent_ns > stages.requested_ns or stages.answered_ns > acked_ns:
        return
    batching_ns = max(0, stages.ready_ns - sent_ns)
    sums.records += amount
    sums.batching_ns += amount * batching_ns
    sums.client_queue_ns += amount * (stages.requested_ns - sent_ns - batching_ns)
    sums.request_ns += amount * (stages.answered_ns - stages.requested_ns - stages.throttled_ns)
    sums.throttled_ns += amount * stages.throttled_ns
    sums.report_ns += amount * (acked_ns - stages.answered_ns)

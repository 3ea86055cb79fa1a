"""Messages that were read go back to the threads that made them, to be freed there.

librdkafka's broker thread allocates each message, and whoever has read it frees it. Where these are two
threads, both want the lock of one malloc arena for every message: a fifth of a consumer's CPU time went into
waiting for it. So the consume loop leaves small messages in a ring. An interceptor that librdkafka calls in
its broker threads, whenever a fetch was answered, frees them right before the next ones are allocated.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numba
import numpy as np
from numba import types

from loadlab.client.interceptors import on_response
from loadlab.client.symbols import MESSAGE, rd_kafka_message_destroy
from loadlab.compiled import Record, callback, compiled, entry_point
from loadlab.measurement.intrinsics import (
    address_of,
    atomic_or,
    carray,
    load_acquire,
    pointer_to,
    store_release,
)

if TYPE_CHECKING:
    import numpy.typing as npt

RING: Final = 1 << 16
"""How many messages may wait for a broker thread; those beyond are freed by their reader."""

SMALL_BYTES: Final = 1_024
"""Payloads of at most this size are left in the ring; larger ones come less often, and hold more memory."""

RETURNS: Final = np.dtype(
    [
        ("left", "<i8"),  # how many messages were left in the ring; only the reader writes it
        ("freed", "<i8"),  # how many of them were freed
        ("freeing", "<i8"),  # 1 while a thread is at it
        ("messages", "<u8", (RING,)),  # their addresses: number n lies at n mod RING
    ],
)
"""The ring between the thread that reads and those that free."""

_FETCH_KEY: Final = 1
_RETURNS_TYPE = numba.from_dtype(RETURNS)
_LEFT: Final = RETURNS.fields["left"][1]  # type: ignore[index]
_FREED: Final = RETURNS.fields["freed"][1]  # type: ignore[index]
_FREEING: Final = RETURNS.fields["freeing"][1]  # type: ignore[index]


def create_returns() -> npt.NDArray[np.void]:
    """An empty ring, an array of one RETURNS record."""
    return np.zeros(1, dtype=RETURNS)


@compiled
def give_back(address: int, messages: int, amount: int) -> None:
    """Leaves messages to the broker threads; frees those that are large, or beyond what the ring holds.

    Args:
        address: of the RETURNS record.
        messages: address of `amount` rd_kafka_message_t pointers.
        amount: how many messages.
    """
    returns = carray(pointer_to(address), 1, RETURNS)[0]
    addresses = carray(pointer_to(messages), amount, np.uint64)
    left = returns.left
    end = load_acquire(address + _FREED) + RING
    for place in range(amount):
        message = carray(pointer_to(addresses[place]), 1, MESSAGE)[0]
        if left < end and message.len <= SMALL_BYTES:
            returns.messages[left % RING] = addresses[place]
            left += 1
        else:
            rd_kafka_message_destroy(addresses[place])
    store_release(address + _LEFT, left)


@entry_point("void(int64)")
def free_returned(address: int) -> None:
    """Frees what lies in a ring; where another thread is at it, returns at once.

    Args:
        address: of the RETURNS record.
    """
    if atomic_or(address + _FREEING, 1) == 1:
        return
    returns = carray(pointer_to(address), 1, RETURNS)[0]
    left = load_acquire(address + _LEFT)
    for number in range(returns.freed, left):
        rd_kafka_message_destroy(returns.messages[number % RING])
    store_release(address + _FREED, left)
    store_release(address + _FREEING, 0)


@callback(*on_response(types.CPointer(_RETURNS_TYPE)), result=types.int32)
def on_fetched(  # noqa: PLR0913, PLR0917 (librdkafka's)
    client: object,  # noqa: ARG001
    socket: int,  # noqa: ARG001
    broker: object,  # noqa: ARG001
    broker_id: int,  # noqa: ARG001
    request_key: int,
    version: int,  # noqa: ARG001
    correlation: int,  # noqa: ARG001
    size: int,  # noqa: ARG001
    round_trip_us: int,  # noqa: ARG001
    error: int,  # noqa: ARG001
    opaque: Record,
) -> int:
    """rd_kafka_interceptor_f_on_response_received_t: frees in time for a fetch's messages to come."""
    if request_key == _FETCH_KEY:
        free_returned(address_of(opaque))
    return 0


def free_all(returns: npt.NDArray[np.void]) -> None:
    """Frees what lies in a ring that nothing is left in any more, before its client is closed."""
    while int(returns["freed"][0]) < int(returns["left"][0]):
        free_returned(int(returns.ctypes.data))
        time.sleep(0)

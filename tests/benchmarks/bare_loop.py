"""The least that a compiled loop over librdkafka can do: the same calls, no stamp, no slot, no latency."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

import numba
import numpy as np
from numba import types
from peers import Figures

from loadlab.client import symbols
from loadlab.client.handle import PRODUCER, await_metadata, new_client, new_configuration
from loadlab.client.library import librdkafka
from loadlab.client.symbols import rd_kafka_poll, rd_kafka_produce_batch
from loadlab.measurement.intrinsics import carray, load_acquire, monotonic_ns, pointer_to, sleep_until

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_RECORDS = 128
RECORD_BYTES = 100
POOL_BYTES = 16 << 20
QUEUE_RECORDS = 100_000  # librdkafka's default
QUEUE_POLL_NS = 1_000_000


@numba.cfunc(types.void(types.voidptr, types.voidptr, types.CPointer(types.int64)))
def count_ack(client, message, acked):  # noqa: ANN001, ANN201, ARG001
    """The least that a delivery report can be used for."""
    carray(acked, 1)[0] += 1


@numba.njit("void(int64, int64, int64, int64, int64)", nogil=True)
def produce_until(topic: int, messages: int, pool: int, acked: int, end_ns: int) -> None:
    """Sends while the client queue has room for all of a call: one without room costs, and sends nothing."""
    made = carray(pointer_to(messages), BATCH_RECORDS, symbols.MESSAGE)
    cursor, sent = 0, 0
    while monotonic_ns() < end_ns:
        if sent - load_acquire(acked) > QUEUE_RECORDS - BATCH_RECORDS:
            sleep_until(monotonic_ns() + QUEUE_POLL_NS)
            continue
        for place in range(BATCH_RECORDS):
            if cursor + RECORD_BYTES > POOL_BYTES:
                cursor = 0
            made[place].payload = pool + cursor
            made[place].len = RECORD_BYTES
            cursor += RECORD_BYTES
        sent += rd_kafka_produce_batch(topic, 0, symbols.MSG_F_COPY, messages, BATCH_RECORDS)


@numba.njit("void(int64, int64)", nogil=True)
def serve_until(client: int, end_ns: int) -> None:
    while monotonic_ns() < end_ns:
        rd_kafka_poll(client, 100)


def produce_bare(
    bootstrap_servers: str,
    topic: str,
    seconds: float,
    properties: Mapping[str, str],
) -> Figures:
    """Records acked a second, and their CPU; the first two seconds are a warm-up, as a scenario has one."""
    library = librdkafka()
    acked = np.zeros(1, dtype=np.int64)
    configuration = new_configuration({"bootstrap.servers": bootstrap_servers, **properties})
    library.rd_kafka_conf_set_dr_msg_cb(configuration, ctypes.c_void_p(count_ack.address))
    library.rd_kafka_conf_set_opaque(configuration, acked.ctypes.data)
    client = new_client(PRODUCER, configuration)
    handle = library.rd_kafka_topic_new(client, topic.encode(), None)
    await_metadata(client, 10.0)
    messages = np.zeros(BATCH_RECORDS, dtype=symbols.MESSAGE)
    pool = np.random.default_rng(1).integers(0, 256, POOL_BYTES, dtype=np.uint8)
    end_ns = time.monotonic_ns() + round((seconds + 2.0) * 1e9)
    arguments = (handle, messages.ctypes.data, pool.ctypes.data, acked.ctypes.data, end_ns)
    threads = [
        threading.Thread(target=produce_until, args=arguments),
        threading.Thread(target=serve_until, args=(client, end_ns)),
    ]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    begin_s, begin_cpu_s, begin = time.monotonic(), time.process_time(), int(acked[0])
    time.sleep(seconds - 0.1)
    records = int(acked[0]) - begin
    elapsed_s, cpu_s = time.monotonic() - begin_s, time.process_time() - begin_cpu_s
    for thread in threads:
        thread.join()
    library.rd_kafka_purge(client, symbols.PURGE_F_QUEUE | symbols.PURGE_F_INFLIGHT)
    library.rd_kafka_poll(client, 1_000)
    library.rd_kafka_topic_destroy(handle)
    library.rd_kafka_destroy(client)
    return Figures(records / elapsed_s, cpu_s * 1e6 / records)

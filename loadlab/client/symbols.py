"""librdkafka as compiled code sees it: symbols by name, with the C signatures beside them, and structs.

Symbols by name, unlike function pointers, let numba keep the machine code on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import llvmlite.binding
import numpy as np
from numba import types

from loadlab.client.library import library_path

if TYPE_CHECKING:
    from collections.abc import Callable

llvmlite.binding.load_library_permanently(library_path())

MESSAGE: Final = np.dtype(
    [
        ("err", "<i4"),  # rd_kafka_resp_err_t err
        ("rkt", "<u8"),  # rd_kafka_topic_t *rkt
        ("partition", "<i4"),  # int32_t partition
        ("payload", "<u8"),  # void *payload
        ("len", "<u8"),  # size_t len
        ("key", "<u8"),  # void *key
        ("key_len", "<u8"),  # size_t key_len
        ("offset", "<i8"),  # int64_t offset
        ("private", "<u8"),  # void *_private
    ],
    align=True,
)
"""struct rd_kafka_message_s of rdkafka.h."""

MESSAGE_BYTES: Final = MESSAGE.itemsize

ARGUMENT: Final = np.dtype(
    {
        "names": ["vtype", "first", "second", "third"],
        "formats": ["<i4", "<u8", "<u8", "<i8"],
        "offsets": [0, 8, 16, 24],
        "itemsize": 72,
    },
)
"""struct rd_kafka_vu_s: a type and a union of 64 bytes, of which at most three words are used."""

MSG_F_COPY: Final = 0x2
PURGE_F_QUEUE: Final = 0x1
PURGE_F_INFLIGHT: Final = 0x2
VTYPE_RKT: Final = 2
VTYPE_PARTITION: Final = 3
VTYPE_VALUE: Final = 4
VTYPE_KEY: Final = 5
VTYPE_OPAQUE: Final = 6
VTYPE_MSGFLAGS: Final = 7
VTYPE_HEADER: Final = 9
ERR_NO_ERROR: Final = 0
ERR_QUEUE_FULL: Final = -184
ERR_TIMED_OUT: Final = -185
ERR_PARTITION_EOF: Final = -191
STATUS_NOT_PERSISTED: Final = 0
STATUS_PERSISTED: Final = 2


def _symbol(name: str, result: object, *arguments: object) -> Callable[..., Any]:
    return cast("Callable[..., Any]", types.ExternalFunction(name, result(*arguments)))  # type: ignore[operator]


# int rd_kafka_poll(rd_kafka_t *rk, int timeout_ms)
rd_kafka_poll = _symbol("rd_kafka_poll", types.int32, types.uintp, types.int32)

# int rd_kafka_produce_batch(rd_kafka_topic_t *rkt, int32_t partition, int msgflags,
#                            rd_kafka_message_t *rkmessages, int message_cnt)
rd_kafka_produce_batch = _symbol(
    "rd_kafka_produce_batch",
    types.int32,
    types.uintp,
    types.int32,
    types.int32,
    types.uintp,
    types.int32,
)

# rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *rk, const rd_kafka_vu_t *vus, size_t cnt)
rd_kafka_produceva = _symbol("rd_kafka_produceva", types.uintp, types.uintp, types.uintp, types.uintp)

# rd_kafka_resp_err_t rd_kafka_error_code(const rd_kafka_error_t *error)
rd_kafka_error_code = _symbol("rd_kafka_error_code", types.int32, types.uintp)

# void rd_kafka_error_destroy(rd_kafka_error_t *error)
rd_kafka_error_destroy = _symbol("rd_kafka_error_destroy", types.void, types.uintp)

# rd_kafka_msg_status_t rd_kafka_message_status(const rd_kafka_message_t *rkmessage)
rd_kafka_message_status = _symbol("rd_kafka_message_status", types.int32, types.uintp)

# int32_t rd_kafka_message_broker_id(const rd_kafka_message_t *rkmessage)
rd_kafka_message_broker_id = _symbol("rd_kafka_message_broker_id", types.int32, types.uintp)

# ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *rkqu, int timeout_ms,
#                                      rd_kafka_message_t **rkmessages, size_t rkmessages_size)
rd_kafka_consume_batch_queue = _symbol(
    "rd_kafka_consume_batch_queue",
    types.intp,
    types.uintp,
    types.int32,
    types.uintp,
    types.uintp,
)

# rd_kafka_message_t *rd_kafka_consume_queue(rd_kafka_queue_t *rkqu, int timeout_ms)
rd_kafka_consume_queue = _symbol("rd_kafka_consume_queue", types.uintp, types.uintp, types.int32)

# void rd_kafka_message_destroy(rd_kafka_message_t *rkmessage)
rd_kafka_message_destroy = _symbol("rd_kafka_message_destroy", types.void, types.uintp)

# const char *rd_kafka_topic_name(const rd_kafka_topic_t *rkt)
rd_kafka_topic_name = _symbol("rd_kafka_topic_name", types.uintp, types.uintp)

# void *memcpy(void *dest, const void *src, size_t n)
memcpy = _symbol("memcpy", types.uintp, types.uintp, types.uintp, types.uintp)

# int pthread_setspecific(pthread_key_t key, const void *value)
pthread_setspecific = _symbol("pthread_setspecific", types.int32, types.uint32, types.intp)

# void *pthread_getspecific(pthread_key_t key)
pthread_getspecific = _symbol("pthread_getspecific", types.intp, types.uint32)

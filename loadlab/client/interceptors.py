"""How compiled functions are made interceptors of a client."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

from numba import types

from loadlab.client.library import librdkafka
from loadlab.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME: Final = b"loadlab"
# rd_kafka_resp_err_t on_new(rd_kafka_t *, const rd_kafka_conf_t *, void *ic_opaque, char *errstr, size_t)
_ON_NEW: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)


def on_response(opaque: object) -> tuple[object, ...]:
    """The arguments of a rd_kafka_interceptor_f_on_response_received_t, as numba's types.

    Args:
        opaque: the type of the last one, the pointer that the interceptor was added with.
    """
    return (
        *(types.voidptr, types.int32, types.voidptr, types.int32, types.int16, types.int16, types.int32),
        *(types.uintp, types.int64, types.int32, opaque),
    )


def intercept(
    configuration: int, opaque: int, *, response: int, acknowledgement: int | None = None
) -> object:
    """Has the client that is made of a configuration call interceptors.

    Args:
        configuration: a rd_kafka_conf_t pointer.
        opaque: the address that they are called with.
        response: address of a rd_kafka_interceptor_f_on_response_received_t.
        acknowledgement: of a rd_kafka_interceptor_f_on_acknowledgement_t, if one is wanted.

    Returns:
        What has to live until the client is made.

    Raises:
        WorkerError: librdkafka takes none.
    """
    library = librdkafka()
    wanted: list[tuple[Callable[..., int], int]] = [
        (library.rd_kafka_interceptor_add_on_response_received, response)
    ]
    if acknowledgement is not None:
        wanted.append((library.rd_kafka_interceptor_add_on_acknowledgement, acknowledgement))

    def on_new(client: int, *_: object) -> int:
        return next((error for add, address in wanted if (error := add(client, _NAME, address, opaque))), 0)

    added = _ON_NEW(on_new)
    if library.rd_kafka_conf_interceptor_add_on_new(configuration, _NAME, added, None):
        raise WorkerError("librdkafka takes no interceptors")
    return added

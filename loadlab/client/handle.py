"""Making a librdkafka client: configuration, callbacks, and an error that says which property was wrong."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final

from loadlab.client.library import error_text, librdkafka
from loadlab.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PRODUCER: Final = 0
CONSUMER: Final = 1

_ERROR_BYTES: Final = 512
_AS_THE_CLIENT: Final = "inherit"  # what a topic's compression.codec is unless it is set for the topic


def new_configuration(properties: Mapping[str, str]) -> int:
    """A rd_kafka_conf_t pointer with the properties set.

    Raises:
        WorkerError: librdkafka refuses a property; the message names it, never its value.
    """
    library = librdkafka()
    configuration: int = library.rd_kafka_conf_new()
    text = ctypes.create_string_buffer(_ERROR_BYTES)
    for name, value in properties.items():
        if library.rd_kafka_conf_set(configuration, name.encode(), value.encode(), text, _ERROR_BYTES):
            library.rd_kafka_conf_destroy(configuration)
            raise WorkerError(f"librdkafka refuses the property {name}: {_without(value, text.value)}")
    return configuration


def _without(value: str, text: bytes) -> str:
    message = text.decode(errors="replace")
    return message.replace(value, "…") if value else message


def new_client(kind: int, configuration: int) -> int:
    """A rd_kafka_t pointer; takes the configuration over.

    Args:
        kind: PRODUCER or CONSUMER.
        configuration: a rd_kafka_conf_t pointer.

    Raises:
        WorkerError: the properties do not fit each other.
    """
    library = librdkafka()
    text = ctypes.create_string_buffer(_ERROR_BYTES)
    client: int | None = library.rd_kafka_new(kind, configuration, text, _ERROR_BYTES)
    if not client:
        library.rd_kafka_conf_destroy(configuration)
        raise WorkerError(f"librdkafka can't make the client: {text.value.decode(errors='replace')}")
    return client


def property_of(configuration: int, name: str) -> str:
    """The value that a property has in a rd_kafka_conf_t."""
    library = librdkafka()
    size = ctypes.c_size_t(_ERROR_BYTES)
    text = ctypes.create_string_buffer(_ERROR_BYTES)
    if library.rd_kafka_conf_get(configuration, name.encode(), text, ctypes.byref(size)):
        raise WorkerError(f"librdkafka knows no property {name}")
    return text.value.decode()


def await_metadata(client: int, timeout_s: float) -> None:
    """Waits until the client knows its topics' partitions, so that no record waits for them later.

    By one request for all topics that it has a handle of.

    Raises:
        WorkerError: not in time.
    """
    library = librdkafka()
    metadata = ctypes.c_void_p()
    error = library.rd_kafka_metadata(client, 0, None, ctypes.byref(metadata), int(timeout_s * 1_000))
    if error:
        raise WorkerError(f"the cluster did not answer within {timeout_s:g} s: {error_text(error)}")
    library.rd_kafka_metadata_destroy(metadata)


def effective_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """All properties of a client that is given these, librdkafka's defaults included.

    Values that point into memory (callbacks, opaque pointers) are left out.
    """
    library = librdkafka()
    # Setting any property of topics makes the part of the configuration that holds them.
    configuration = new_configuration({"acks": "all", **properties})
    topics = library.rd_kafka_conf_get_default_topic_conf(configuration)
    effective = _dumped(library.rd_kafka_conf_dump, configuration)
    for name, value in _dumped(library.rd_kafka_topic_conf_dump, topics).items():
        if value != _AS_THE_CLIENT:
            effective[name] = value
    library.rd_kafka_conf_destroy(configuration)
    return effective


def _dumped(dump: Callable[..., Any], configuration: int) -> dict[str, str]:
    amount = ctypes.c_size_t()
    entries = dump(configuration, ctypes.byref(amount))
    texts = [entries[place].decode(errors="replace") for place in range(amount.value)]
    librdkafka().rd_kafka_conf_dump_free(entries, amount)
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return {name: value for name, value in pairs if not value.startswith("0x")}

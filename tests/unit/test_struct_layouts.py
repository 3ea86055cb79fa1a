"""The structs that compiled code reads and writes, against librdkafka for real.

`CMessage` and `CArgument` are declared once more from rdkafka.h, by another tool than the engine's; then
librdkafka shows by delivery reports that it reads them as they were meant.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    Structure,
    Union,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_void_p,
)
from dataclasses import dataclass, field

import numpy as np
import pytest
from engine_samples import producer_settings, records_of, set_phases, until

from loadlab.client import producer as producer_module
from loadlab.client import symbols
from loadlab.client.library import librdkafka
from loadlab.client.settings import ROUND_ROBIN_KEYS, TopicSettings
from loadlab.measurement.slab import create_slab
from loadlab.workload.payload import make_pool

NO_KEYS_TABLE = (np.zeros(0), np.zeros(0, np.int32))
NULL = 0


class CMessage(Structure):
    """rd_kafka_message_t."""

    _fields_ = (
        ("err", c_int),
        ("rkt", c_void_p),
        ("partition", c_int32),
        ("payload", c_void_p),
        ("len", c_size_t),
        ("key", c_void_p),
        ("key_len", c_size_t),
        ("offset", c_int64),
        ("private", c_void_p),
    )


class CMemory(Structure):
    _fields_ = (("ptr", c_void_p), ("size", c_size_t))


class CHeader(Structure):
    _fields_ = (("name", c_char_p), ("val", c_void_p), ("size", c_ssize_t))


class CArgumentValue(Union):
    _fields_ = (("i32", c_int32), ("mem", CMemory), ("header", CHeader), ("pad", c_char * 64))


class CArgument(Structure):
    """rd_kafka_vu_t."""

    _fields_ = (("vtype", c_int), ("u", CArgumentValue))


@pytest.mark.parametrize("name", symbols.MESSAGE.names)
def test_a_message_has_its_members_where_c_has_them(name: str) -> None:
    member = getattr(CMessage, name)

    assert (symbols.MESSAGE.fields[name][1], symbols.MESSAGE[name].itemsize) == (member.offset, member.size)
    assert symbols.MESSAGE.itemsize == symbols.MESSAGE_BYTES == ctypes.sizeof(CMessage)


def test_an_argument_has_its_words_where_c_has_them() -> None:
    fields = symbols.ARGUMENT.fields
    union = CArgument.u.offset

    assert symbols.ARGUMENT.itemsize == ctypes.sizeof(CArgument)
    assert fields["vtype"][1] == CArgument.vtype.offset
    assert fields["first"][1] == union + CMemory.ptr.offset == union + CHeader.name.offset
    assert fields["second"][1] == union + CMemory.size.offset == union + CHeader.val.offset
    assert fields["third"][1] == union + CHeader.size.offset


@dataclass
class Reports:
    """A delivery-report callback that keeps what librdkafka says of each message."""

    messages: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        prototype = ctypes.CFUNCTYPE(None, c_void_p, POINTER(CMessage), c_void_p)
        self._callback = prototype(self._take)

    @property
    def address(self) -> int:
        return ctypes.cast(self._callback, c_void_p).value or NULL

    def _take(self, client: int, message: ctypes._Pointer[CMessage], opaque: int) -> None:  # noqa: ARG002
        found = message.contents
        self.messages.append(
            {
                "err": found.err,
                "topic": librdkafka_topic_name(found.rkt),
                "partition": found.partition,
                "value": ctypes.string_at(found.payload, found.len) if found.payload else None,
                "key": ctypes.string_at(found.key, found.key_len) if found.key else None,
                "private": found.private or 0,
                "headers": headers_of(message),
            }
        )


def librdkafka_topic_name(topic: int) -> str:
    function = ctypes.CDLL(symbols.library_path()).rd_kafka_topic_name
    function.restype, function.argtypes = c_char_p, [c_void_p]
    return function(topic).decode()


def headers_of(message: ctypes._Pointer[CMessage]) -> list[tuple[str, bytes]]:
    library = ctypes.CDLL(symbols.library_path())
    headers, name, value, size = c_void_p(), c_char_p(), c_void_p(), c_size_t()
    if library.rd_kafka_message_headers(message, ctypes.byref(headers)):
        return []
    found: list[tuple[str, bytes]] = []
    get_all = library.rd_kafka_header_get_all
    get_all.argtypes = [c_void_p, c_size_t, POINTER(c_char_p), POINTER(c_void_p), POINTER(c_size_t)]
    while not get_all(headers, len(found), ctypes.byref(name), ctypes.byref(value), ctypes.byref(size)):
        found.append(((name.value or b"").decode(), ctypes.string_at(value, size.value)))
    return found


def reported(monkeypatch: pytest.MonkeyPatch, **fields: object) -> list[dict[str, object]]:
    """What librdkafka reports of 30 records that the compiled loop handed over, and that are then purged."""
    reports = Reports()
    monkeypatch.setattr(producer_module, "on_delivery", reports)
    records = records_of(
        40, 60, partition=5, key_kind=ROUND_ROBIN_KEYS, key_count=1_000, seed=1, tombstone_share=0.3, **fields
    )
    settings = producer_settings(
        "127.0.0.1:1",
        TopicSettings("layout", 8),
        records=records,
        schedule=((0, 0.0, 1.0, 0.0), (1_000, 29.5, 0.0, 0.0)),
    )
    slab = create_slab()
    producer = producer_module.Producer(settings, slab, make_pool(1 << 16, 0.0, 1), NO_KEYS_TABLE)
    set_phases(slab, measure_s=0.02)
    producer.send()
    producer.purge()
    assert until(
        lambda: librdkafka().rd_kafka_poll(producer._client, 10) >= 0 and len(reports.messages) == 30
    )
    producer.close()
    return reports.messages


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, []),
        ({"header_share": 1.0, "header_count": 2, "header_bytes": 3}, [("loadlab", bytes(3))] * 2),
    ],
    ids=["rd_kafka_produce_batch", "rd_kafka_produceva"],
)
def test_librdkafka_reads_messages_as_they_were_meant(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], headers: list[tuple[str, bytes]]
) -> None:
    messages = sorted(reported(monkeypatch, **fields), key=lambda message: str(message["key"]))

    assert [message["key"] for message in messages] == [f"{number:016x}".encode() for number in range(30)]
    assert {message["partition"] for message in messages} == {5}
    assert {message["topic"] for message in messages} == {"layout"}
    # A slot for each, from the first free one on.
    assert [message["private"] for message in messages] == list(range(30))
    values = [message["value"] for message in messages]
    assert None in values
    assert {len(value) for value in values if isinstance(value, bytes)} == {40, 60}
    assert [message["headers"] for message in messages] == [headers] * 30

"""librdkafka's own table of its properties: names, which client has them, types and choices."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from loadlab.client.library import library_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Client = Literal["producer", "consumer"]

_CLIENTS: Final[Mapping[str, frozenset[Client]]] = {
    "*": frozenset(("producer", "consumer")),
    "P": frozenset(("producer",)),
    "C": frozenset(("consumer",)),
}
_TYPE: Final = re.compile(r"\*Type: ([^*]+)\*")
NOT_BY_TEXT: Final = "see dedicated API"
"""The kind of what only code can set: callbacks and the like."""

CANONICAL: Final[Mapping[str, str]] = {
    "request.required.acks": "acks",
    "queue.buffering.max.ms": "linger.ms",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "message.send.max.retries": "retries",
    "message.timeout.ms": "delivery.timeout.ms",
    "compression.codec": "compression.type",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
}
"""librdkafka's aliases, and the one name that rules use."""

NEW_PROTOCOL: Final = "consumer"
"""The group.protocol in which the brokers assign partitions."""

_WORDS: Final = re.compile(r"[A-Za-z_][\w-]*(, [A-Za-z_][\w-]*)*")
_RANGE: Final = re.compile(r"(-?[0-9]+) \.\. (-?[0-9]+)")
_COLUMNS: Final = 6


@dataclass(frozen=True)
class Property:
    """One property of librdkafka.

    Attributes:
        name: as it is set.
        clients: which clients have a use for it.
        kind: ``integer``, ``float``, ``boolean``, ``enum value``, ``string``, ``CSV flags``,
            ``pattern list``, or NOT_BY_TEXT.
        choices: the values it may have, where they are few.
        bounds: the lowest and the highest value, where it is a whole number and they are told.
    """

    name: str
    clients: frozenset[Client]
    kind: str
    choices: tuple[str, ...]
    bounds: tuple[int, int] | None = None


@cache
def known_properties() -> Mapping[str, Property]:
    """Every property of the librdkafka at hand, by name.

    Some stand in its table twice, as one of the client and one of a topic, with a use for different clients.
    """
    table: dict[str, Property] = {}
    for found in map(_row, _printed_table().splitlines()):
        if found is not None:
            twin = table.get(found.name, found)
            table[found.name] = replace(
                found, clients=found.clients | twin.clients, choices=found.choices or twin.choices
            )
    return table


def _row(line: str) -> Property | None:
    columns = [column.strip() for column in line.split("|", _COLUMNS - 1)]
    kind = _TYPE.search(line)
    if len(columns) < _COLUMNS or columns[1] not in _CLIENTS or kind is None:
        return None
    choices = tuple(columns[2].split(", ")) if _WORDS.fullmatch(columns[2]) else ()
    limits = _RANGE.fullmatch(columns[2])
    bounds = None if limits is None else (int(limits[1]), int(limits[2]))
    return Property(columns[0], _CLIENTS[columns[1]], kind[1], choices, bounds)


def _printed_table() -> str:
    """What ``rd_kafka_conf_properties_show(FILE *)`` prints, by way of a C stream into memory."""
    libc = ctypes.CDLL(None)
    libc.open_memstream.restype = ctypes.c_void_p
    libc.open_memstream.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t)]
    libc.fclose.argtypes = [ctypes.c_void_p]
    libc.free.argtypes = [ctypes.c_void_p]
    show = ctypes.CDLL(library_path()).rd_kafka_conf_properties_show
    show.restype, show.argtypes = None, [ctypes.c_void_p]
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    stream = libc.open_memstream(ctypes.byref(text), ctypes.byref(size))
    show(stream)
    libc.fclose(stream)
    try:
        return ctypes.string_at(text.value or 0, size.value).decode()
    finally:
        libc.free(text)


def names_for(client: Client) -> Iterator[str]:
    """The names of all properties that a client has a use for and a text can set."""
    for found in known_properties().values():
        if client in found.clients and found.kind != NOT_BY_TEXT:
            yield found.name

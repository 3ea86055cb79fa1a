"""librdkafka's lists of partitions, and where the logs of some of them end."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from typing import TYPE_CHECKING, Final

from loadlab.client.library import librdkafka

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PARTITION_UA: Final = -1
"""RD_KAFKA_PARTITION_UA: no partition in particular; of a record, the partitioner decides."""

_LOG_END: Final = -1
"""RD_KAFKA_OFFSET_END: as a time that is asked for, it stands for the offset of the next record."""


class TopicPartition(ctypes.Structure):
    """rd_kafka_topic_partition_t."""

    topic: bytes
    partition: int
    offset: int  # or the time that is asked for; below 0: none is known
    err: int

    _fields_ = (
        ("topic", c_char_p),
        ("partition", c_int32),
        ("offset", c_int64),
        ("metadata", c_void_p),
        ("metadata_size", c_size_t),
        ("opaque", c_void_p),
        ("err", c_int),
        ("_private", c_void_p),
    )


class PartitionList(ctypes.Structure):
    """rd_kafka_topic_partition_list_t."""

    cnt: int
    elems: Sequence[TopicPartition]

    _fields_ = (("cnt", c_int), ("size", c_int), ("elems", POINTER(TopicPartition)))

    def entries(self) -> list[TopicPartition]:
        """The partitions, as they lie in librdkafka's memory."""
        return [self.elems[place] for place in range(self.cnt)]


@contextmanager
def partition_list(partitions: Iterable[tuple[bytes, int]]) -> Iterator[PartitionList]:
    """A list of partitions by topic and number, which is freed behind the block."""
    library = librdkafka()
    address = library.rd_kafka_topic_partition_list_new(0)
    try:
        for topic, partition in partitions:
            library.rd_kafka_topic_partition_list_add(address, topic, partition)
        yield PartitionList.from_address(address)
    finally:
        library.rd_kafka_topic_partition_list_destroy(address)


def ask_for_ends(client: int, asked: PartitionList, timeout_ms: int) -> int:
    """Asks the leaders where logs end, and enters it as the offsets of `asked`.

    Args:
        client: rd_kafka_t *.
        asked: which; what could not be told has its `err` or an offset below 0.
        timeout_ms: how long to wait for the answers.

    Returns:
        librdkafka's error code of the whole, 0 for none.
    """
    for entry in asked.entries():
        entry.offset = _LOG_END
    code: int = librdkafka().rd_kafka_offsets_for_times(client, ctypes.addressof(asked), timeout_ms)
    return code


def begin_at_ends(client: int, assigned: PartitionList, timeout_ms: int) -> int:
    """Enters into an assignment where the logs end of which the group has committed nothing.

    Args:
        client: rd_kafka_t *, a member of the group.
        assigned: the assignment; where the group has a commit, or no answer came, it stays as it is.
        timeout_ms: how long to wait for each of the two answers.

    Returns:
        librdkafka's error code, 0 for none.
    """
    with partition_list((entry.topic, entry.partition) for entry in assigned.entries()) as committed:
        code: int = librdkafka().rd_kafka_committed(client, ctypes.addressof(committed), timeout_ms)
        if code:
            return code
        told = committed.entries()
        new = [
            entry
            for entry, commit in zip(assigned.entries(), told, strict=True)
            if not commit.err and commit.offset < 0
        ]
    with partition_list((entry.topic, entry.partition) for entry in new) as ends:
        code = ask_for_ends(client, ends, timeout_ms) if new else 0
        for entry, end in zip(new, ends.entries(), strict=True):
            if not end.err and end.offset >= 0:
                entry.offset = end.offset
    return code

"""The ledger: which records were acked, and which of them each group has seen. Shared memory of a whole run.

Each sending worker numbers its records from 0. Its sequence numbers are cut into blocks of BLOCK_RECORDS; a
block holds planes of one bit a record, and for each record one word that says where it was acked:

    acked    the delivery report came without an error        written by the worker's report thread
    failed   it says that the record is not in the log        likewise
    void     no stamp carries this number: the record has     written by the worker's sending thread
             none, or the client never took it
    seen     read, one plane for each consumer group          atomically, by all members of the group
    places   partition and offset                             written by the report thread, before acked

What is none of acked, failed and void is indeterminate. A block in which every record is void, or acked and
seen by all groups that read it, is folded into one bit, and its memory given back (`ledger_fold`). The file
is as large as all blocks together from the start, but memory stands only behind what has been touched.

Partitions and groups are plain numbers here: the run layer knows their names.
"""

from __future__ import annotations

import enum
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

LEDGER_VERSION: Final = 1
BLOCK_BITS: Final = 16
BLOCK_RECORDS: Final = 1 << BLOCK_BITS
PLANE_BYTES: Final = BLOCK_RECORDS // 8
EXAMPLES: Final = 20
"""How many records of each class are kept as examples."""

MOST_MEMORY_BYTES: Final = 1 << 30
"""The most memory that a ledger may take; a quarter of what is free, if that is less."""

MOST_GROUPS: Final = 62
MOST_PARTITIONS: Final = (1 << 19) - 2

ACKED_PLANE: Final = 0
FAILED_PLANE: Final = 1
VOID_PLANE: Final = 2
FIRST_SEEN_PLANE: Final = 3

OFFSET_BITS: Final = 44
"""A place holds 1 + partition, and in this many bits below it 1 + offset; 0 stands for what is not known."""

UNKNOWN: Final = -1
"""A partition or an offset that is not known."""


class Stopped(enum.IntEnum):
    """Why nothing is entered any more; 0: it is."""

    NO = 0
    FULL = 1  # it would take too much memory
    BEYOND = 2  # a sequence number or partition that there is no room for


class Anomaly(enum.IntEnum):
    """What a group's members find out while they read, counted at once."""

    DUPLICATED = 0  # the same sequence number again, at an offset that the group had not read
    REDELIVERED = 1  # the same record again, at an offset that it had
    REORDERED = 2  # a sequence number not seen before, behind a larger one of its worker and partition


HEADER: Final = np.dtype(
    [
        ("version", "<i8"),
        ("stopped", "<i8"),
        ("workers", "<i8"),
        ("groups", "<i8"),
        ("partitions", "<i8"),
        ("block_bytes", "<i8"),
        # Where the parts begin, in bytes from the beginning of the file.
        ("workers_at", "<i8"),
        ("passages_at", "<i8"),
        ("latest_at", "<i8"),
        ("findings_at", "<i8"),
    ],
)
WORKER: Final = np.dtype(
    [
        ("blocks_at", "<i8"),
        ("blocks", "<i8"),  # 0: nothing is kept of this worker
        ("folded_at", "<i8"),  # one bit a block
        ("readers", "<i8"),  # the groups that read what it sends, one bit each
    ],
)
PASSAGE: Final = np.dtype(
    [
        ("next", "<i8"),  # behind the furthest offset that the group has read; 0: it has read none
        ("late", "<i8"),  # behind the offset read last by a member that another was ahead of
        ("found", "<i8", (len(Anomaly),)),
        ("spare", "<i8", (3,)),  # a cache line each: two members never wait for one line
    ],
)
"""How a group goes through one partition: shape (groups, partitions)."""

LATEST: Final = np.dtype(
    [
        ("behind", "<i8"),  # behind the largest sequence number read; 0: none
        ("offset", "<i8"),  # where that was read
    ],
)
"""How far each worker's records have been read: shape (groups, partitions, workers)."""

EXAMPLE: Final = np.dtype(
    [
        ("written", "<i8"),
        ("worker", "<i8"),
        ("sequence", "<i8"),
        ("partition", "<i8"),
        ("offset", "<i8"),
    ],
)
FINDINGS: Final = np.dtype(
    [
        ("counts", "<i8", (len(Anomaly),)),
        ("examples", EXAMPLE, (len(Anomaly), EXAMPLES)),
    ],
)
"""What a group's members have found out: shape (groups,)."""


@dataclass(frozen=True)
class TrackedWorker:
    """A sending worker whose records are kept.

    Attributes:
        records: how many it may send at the most.
        readers: the groups that read what it sends.
    """

    records: int
    readers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Ledger:
    """The ledger, mapped into this process.

    Attributes:
        fd: the memory's file descriptor, to be inherited by the workers.
        memory: all of it.
        header: the HEADER record, shape (1,).
        workers: WORKER records by run-wide id.
        passages: PASSAGE records, shape (groups, partitions).
        latest: LATEST records, shape (groups, partitions, workers).
        findings: FINDINGS records, shape (groups,).
    """

    fd: int
    memory: mmap.mmap
    header: npt.NDArray[np.void]
    workers: npt.NDArray[np.void]
    passages: npt.NDArray[np.void]
    latest: npt.NDArray[np.void]
    findings: npt.NDArray[np.void]

    @property
    def address(self) -> int:
        """Where it begins in this process."""
        return int(self.header.ctypes.data)

    @property
    def stopped(self) -> Stopped:
        """Whether and why nothing is entered any more."""
        return Stopped(int(self.header["stopped"][0]))

    def keeps(self, worker: int) -> bool:
        """Whether the records of a worker, by its run-wide id, are kept."""
        return worker < len(self.workers) and bool(self.workers["blocks"][worker])

    def stop(self, why: Stopped) -> None:
        """Tells all workers to enter nothing more."""
        self.header["stopped"] = why

    def memory_bytes(self) -> int:
        """How much memory stands behind it now."""
        return os.fstat(self.fd).st_blocks * 512

    def release(self) -> None:
        """Gives back the memory of all blocks: for a ledger that has been stopped."""
        kept = self.workers[self.workers["blocks"] > 0]
        begin = int(kept["blocks_at"].min())
        self.memory.madvise(mmap.MADV_REMOVE, begin, len(self.memory) - begin)

    def close(self) -> None:
        """Gives the descriptor back; the mapping ends with its last array."""
        os.close(self.fd)


def _page_up(size_bytes: int) -> int:
    return -(-size_bytes // mmap.PAGESIZE) * mmap.PAGESIZE


def block_bytes(groups: int) -> int:
    """Memory of one open block, in bytes."""
    return _page_up((FIRST_SEEN_PLANE + groups) * PLANE_BYTES + BLOCK_RECORDS * 8)


def create_ledger(workers: Sequence[TrackedWorker | None], groups: int, partitions: int) -> Ledger:
    """Makes an empty ledger.

    Args:
        workers: by run-wide id; None: nothing is kept of this one.
        groups: how many consumer groups there are.
        partitions: how many partitions, of all topics together.

    Raises:
        OSError: there is no memory for it.
        ValueError: there are too many groups or partitions.
    """
    if groups > MOST_GROUPS or partitions > MOST_PARTITIONS:
        raise ValueError(f"{groups} groups and {partitions} partitions are too many for the ledger")
    header = np.zeros(1, dtype=HEADER)
    header["version"] = LEDGER_VERSION
    header["workers"], header["groups"], header["partitions"] = len(workers), groups, partitions
    header["block_bytes"] = block_bytes(groups)
    at = _page_up(HEADER.itemsize)
    for name, size in (
        ("workers_at", len(workers) * WORKER.itemsize),
        ("passages_at", groups * partitions * PASSAGE.itemsize),
        ("latest_at", groups * partitions * len(workers) * LATEST.itemsize),
        ("findings_at", groups * FINDINGS.itemsize),
    ):
        header[name] = at
        at = _page_up(at + size)
    entries, size = _place_blocks(workers, at, block_bytes(groups))
    return _write_new(header, entries, size)


def _place_blocks(
    workers: Sequence[TrackedWorker | None], at: int, size_bytes: int
) -> tuple[npt.NDArray[np.void], int]:
    """The WORKER records of workers whose parts begin at `at`, and where the last one ends."""
    entries = np.zeros(len(workers), dtype=WORKER)
    for entry, worker in zip(entries, workers, strict=True):
        if worker is None:
            continue
        blocks = worker.records // BLOCK_RECORDS + 1
        entry["blocks"] = blocks
        entry["readers"] = sum(1 << group for group in worker.readers)
        entry["folded_at"] = at
        at = _page_up(at + -(-blocks // 64) * 8)
        entry["blocks_at"] = at
        at += blocks * size_bytes
    return entries, at


def _write_new(header: npt.NDArray[np.void], entries: npt.NDArray[np.void], size_bytes: int) -> Ledger:
    fd = os.memfd_create("loadlab-ledger", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, size_bytes)
        os.pwrite(fd, header.tobytes(), 0)
        os.pwrite(fd, entries.tobytes(), int(header["workers_at"][0]))
        return attach_ledger(fd)
    except OSError:
        os.close(fd)
        raise


def attach_ledger(fd: int) -> Ledger:
    """Maps a ledger that `create_ledger` made, here or in the parent process."""
    memory = mmap.mmap(fd, os.fstat(fd).st_size)
    # A core dump would fill it with pages of zeros, and the machine's memory with them.
    memory.madvise(mmap.MADV_DONTDUMP)
    header = np.frombuffer(memory, dtype=HEADER, count=1)
    workers, groups, partitions = (int(header[name][0]) for name in ("workers", "groups", "partitions"))

    def part(name: str, kind: np.dtype[np.void], *shape: int) -> npt.NDArray[np.void]:
        at, count = int(header[name][0]), int(np.prod(shape))
        return np.frombuffer(memory, dtype=kind, count=count, offset=at).reshape(shape)

    return Ledger(
        fd=fd,
        memory=memory,
        header=header,
        workers=part("workers_at", WORKER, workers),
        passages=part("passages_at", PASSAGE, groups, partitions),
        latest=part("latest_at", LATEST, groups, partitions, workers),
        findings=part("findings_at", FINDINGS, groups),
    )

"""The slab: shared memory into which one worker writes all that it measures.

The parent makes a slab before it starts the worker, and reads it while the worker runs and after it died.
A slab is one SLAB record, and behind it two 64-bit offsets for each partition that a consumer may read: all
its positions, then all its first ones.
Each lane of it is written by one thread only, so that nothing is ever locked or lost.

Two groupings of the same events are kept, because they answer different questions:

- `by_intent`: by the phase of the record's intended send time: latencies, and what became of each record.
- `by_moment`: by the phase in which it happened: throughput.
"""

from __future__ import annotations

import enum
import mmap
import os
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from loadlab.measurement.histogram import BUCKETS, HISTOGRAM

SLAB_VERSION: Final = 6
INTERVAL_NS: Final = 1_000_000_000
RING_INTERVALS: Final = 120
ERROR_CODES: Final = 32
NO_POSITION: Final = -1


class Phase(enum.IntEnum):
    """The phases of a run, in their order."""

    WARMUP = 0
    MEASURE = 1
    DRAIN = 2


class Counter(enum.IntEnum):
    """What a lane counts. Bytes are those of key and value, before compression."""

    ATTEMPTED = 0
    REJECTED = 1
    ACKED = 2
    ACKED_BYTES = 3
    FAILED = 4
    INDETERMINATE = 5
    CONSUMED = 6
    CONSUMED_BYTES = 7
    UNSTAMPED = 8
    FOREIGN = 9
    QUEUE_FULL_NS = 10


class SendMetric(enum.IntEnum):
    """The histograms of a sending thread's lane."""

    SEND_DELAY = 0  # every record
    OWN_SEND_DELAY = 1  # records that no full client queue held up


class AckMetric(enum.IntEnum):
    """The histograms of a delivery-report thread's lane."""

    SERVICE_TIME = 0
    PUBLISH_LATENCY = 1


class ConsumeMetric(enum.IntEnum):
    """The histograms of a consuming thread's lane."""

    END_TO_END_LATENCY = 0


Metric: TypeAlias = SendMetric | AckMetric | ConsumeMetric
"""Which histogram of a lane; a lane has two at the most."""


class State(enum.IntEnum):
    """How far a worker has come; the worker writes it."""

    STARTING = 0
    READY = 1  # connected; a consumer holds its assignment
    SENT = 2  # a producer has handed over its last record
    FINISHED = 3
    FAILED = 4


class Command(enum.IntEnum):
    """What the parent wants; the parent writes it."""

    WAIT = 0
    CONNECT = 1
    GO = 2
    STOP = 3  # end now: what is still in the client's queue is purged and counted


SEND_LANE: Final = 0
ACK_LANE: Final = 1
CONSUME_LANE: Final = 0

_METRICS = 2
_COUNTERS = len(Counter)
_PHASES = len(Phase)

INTERVAL = np.dtype(
    [
        ("index", "<i8"),  # 1 + seconds since the common start; 0: never used
        ("first_ns", "<i8"),  # of acks: when the interval's first came, and
        ("last_ns", "<i8"),  # its last; 0: none
        ("counters", "<i8", (_COUNTERS,)),
        ("counts", "<i4", (_METRICS, BUCKETS)),
    ],
)
LANE = np.dtype(
    [
        ("interval_end_ns", "<i8"),
        ("interval", "<i8"),  # the slot in use
        ("by_intent", "<i8", (_PHASES, _COUNTERS)),
        ("by_moment", "<i8", (_PHASES, _COUNTERS)),
        ("histograms", HISTOGRAM, (_PHASES, _METRICS)),
        ("error_codes", "<i8", (ERROR_CODES,)),
        ("error_counts", "<i8", (ERROR_CODES,)),  # the last one holds whatever found no place
        ("measured_error_counts", "<i8", (ERROR_CODES,)),  # of these, the measure phase's
        ("ring", INTERVAL, (RING_INTERVALS,)),
    ],
)
USAGE = np.dtype(
    [
        ("cpu_ns", "<i8"),  # of the whole process
        ("loop_cpu_ns", "<i8"),  # of the producing or consuming thread
        ("wait_ns", "<i8"),  # for which its threads could have run, and stood in line for a core
        ("busiest_ns", "<i8"),  # CPU time in this phase alone of the busiest thread beside the loop's
    ],
)
STAGE_SUMS = np.dtype(
    [
        ("records", "<i8"),  # acked ones whose stages are known
        ("batching_ns", "<f8"),
        ("client_queue_ns", "<f8"),
        ("request_ns", "<f8"),  # without the next
        ("throttled_ns", "<f8"),
        ("report_ns", "<f8"),
        ("requests", "<i8"),
        ("round_trips_ns", "<f8"),  # of each request once
    ],
)
"""Where the time of a producer's records went, added up: see `loadlab.client.stages`."""

SLAB = np.dtype(
    [
        ("version", "<i8"),
        ("state", "<i8"),
        ("command", "<i8"),
        ("start_ns", "<i8"),
        ("warmup_end_ns", "<i8"),
        ("measure_end_ns", "<i8"),
        ("stop_ns", "<i8"),  # nothing is sent or consumed past it
        ("heartbeat_ns", "<i8"),
        ("longest_gap_ns", "<i8"),  # between two heartbeats, from the common start on
        ("first_sent_ns", "<i8"),
        ("last_acked_ns", "<i8"),
        ("last_consumed_ns", "<i8"),
        ("max_rss_bytes", "<i8"),
        ("rebalances", "<i8"),
        ("rebalance_ns", "<i8"),
        ("assigned", "<i8"),  # partitions held now
        ("assignments", "<i8"),  # how often the group gave it any
        ("batches", "<i8"),  # of the measure phase, from librdkafka's statistics
        ("batch_records", "<i8"),
        ("batch_bytes", "<i8"),
        ("stages", STAGE_SUMS, (_PHASES,)),  # by intent; the report thread writes it
        ("usage", USAGE, (_PHASES,)),  # at the end of each phase, cumulative
        ("loop_cpu_ns", "<i8"),  # of the thread of the loop, once that has ended
        ("loop_wait_ns", "<i8"),  # likewise: for which it could have run, and stood in line for a core
        ("committed", "<i8"),  # 1 once a consumer's last commit was answered, or no answer came in time
        ("commit_error", "<i8"),  # librdkafka's code of why that failed; 0 where it did not
        ("may_leave", "<i8"),  # the parent writes it: all workers of the run have committed
        ("lanes", LANE, (2,)),
    ],
)

COMMAND_OFFSET: Final = int(SLAB.fields["command"][1]) if SLAB.fields else 0


@dataclass(frozen=True, eq=False)
class Slab:
    """One worker's slab, mapped into this process.

    Attributes:
        fd: the memory's file descriptor, to be inherited by the worker.
        record: the SLAB record, shape (1,).
        positions: next offset to be read by partition, shape (partitions,); NO_POSITION: none yet.
        begins: the first offset that was read, or at which the log ended; likewise.
    """

    fd: int
    record: npt.NDArray[np.void]
    positions: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]

    @property
    def state(self) -> State:
        """How far the worker says it has come."""
        return State(int(self.record["state"][0]))

    def command(self, command: Command) -> None:
        """Tells the worker what to do."""
        self.record["command"] = command

    def close(self) -> None:
        """Gives the descriptor back; the mapping ends with its last array."""
        os.close(self.fd)


def create_slab(partitions: int = 0) -> Slab:
    """Makes a zeroed slab, its space reserved so that no later write can fail for want of memory.

    Args:
        partitions: how many partitions the worker may hold positions for.
    """
    fd = os.memfd_create("loadlab-slab", os.MFD_CLOEXEC)
    try:
        os.posix_fallocate(fd, 0, SLAB.itemsize + 2 * 8 * partitions)
        slab = attach_slab(fd)
    except OSError:
        os.close(fd)
        raise
    slab.record["version"] = SLAB_VERSION
    slab.positions.fill(NO_POSITION)
    slab.begins.fill(NO_POSITION)
    return slab


def attach_slab(fd: int) -> Slab:
    """Maps a slab that `create_slab` made, here or in the parent process."""
    memory = mmap.mmap(fd, os.fstat(fd).st_size)
    memory.madvise(mmap.MADV_DONTDUMP)
    positions, begins = np.frombuffer(memory, dtype=np.int64, offset=SLAB.itemsize).reshape(2, -1)
    return Slab(fd, np.frombuffer(memory, dtype=SLAB, count=1), positions, begins)

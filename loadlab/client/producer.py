"""One producing client: librdkafka's handle and the memory that the compiled produce loop works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client import symbols
from loadlab.client.bookkeeping import make_sender
from loadlab.client.delivery import (
    create_delivery,
    on_delivery,
    on_statistics,
    on_throttle,
    serve_delivery_reports,
)
from loadlab.client.handle import PRODUCER, await_metadata, new_client, new_configuration, property_of
from loadlab.client.library import librdkafka
from loadlab.client.messages import BATCH_RECORDS, PRODUCTION, ROUNDS_BEGIN_WITHIN
from loadlab.client.pacing import SEGMENT, share_of_worker
from loadlab.client.produce import FIRST_HEADER, produce
from loadlab.client.records import RECORDS
from loadlab.client.schedule import GroupSchedule, make_schedule, trace_schedule
from loadlab.client.settings import KEY_BYTES
from loadlab.client.stages import follow_requests
from loadlab.client.statistics import BatchSums, batch_sums
from loadlab.client.trace import TRACE_ROW, attach_trace
from loadlab.measurement.stamp import STAMP_WORDS, run_tag, worker_word
from loadlab.units import NS_PER_MS

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.client.settings import ProducerSettings
    from loadlab.measurement.ledger import Ledger
    from loadlab.measurement.slab import Slab

_HEADER_NAME: Final = b"loadlab\0"
_MOST_SLOTS: Final = 1 << 22
_NO_LIMIT: Final = 1 << 62
_WORD_BYTES: Final = 8
_PURGE = symbols.PURGE_F_QUEUE | symbols.PURGE_F_INFLIGHT


class Producer:
    """A producing client, made ready but not yet sending.

    Args:
        settings: what it is to do.
        slab: where it writes what it measures.
        pool: the bytes of its values; stamps stand in them while they are handed over.
        alias_table: likelihoods and aliases of weighted keys; empty for any other keys.
        ledger: where its acks are entered; None where nobody reads what it sends.

    Attributes:
        statistics_window_ns: how long the windows of `new_statistics` are.

    Raises:
        WorkerError: librdkafka refuses the properties.
    """

    def __init__(
        self,
        settings: ProducerSettings,
        slab: Slab,
        pool: npt.NDArray[np.int64],
        alias_table: tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]],
        ledger: Ledger | None = None,
    ) -> None:
        self._settings = settings
        self._slab = slab
        self._seen_statistics = 0
        self.statistics_window_ns = settings.statistics_interval_ms * NS_PER_MS
        configuration = new_configuration(settings.client_properties())
        library = librdkafka()
        library.rd_kafka_conf_set_dr_msg_cb(configuration, on_delivery.address)
        library.rd_kafka_conf_set_stats_cb(configuration, on_statistics.address)
        library.rd_kafka_conf_set_throttle_cb(configuration, on_throttle.address)
        # The opaque pointer is known only when the queue's size is, which the configuration tells.
        firsts = np.array([topic.first_partition for topic in settings.topics], dtype=np.int64)
        counts = np.array([topic.partitions for topic in settings.topics], dtype=np.int64)
        sender = make_sender(settings, ledger, firsts, counts)
        linger_ms = float(property_of(configuration, "linger.ms"))
        self._delivery = create_delivery(slab.record, _queue_records(configuration), linger_ms)
        self._delivery.state["sender"] = sender.ctypes.data
        library.rd_kafka_conf_set_opaque(configuration, self._delivery.address)
        following = follow_requests(configuration, int(self._delivery.stages.ctypes.data))
        self._client = new_client(PRODUCER, configuration)
        del following
        names = [topic.name for topic in settings.topics]
        self._topics = [library.rd_kafka_topic_new(self._client, name.encode(), None) for name in names]
        self._kept: list[npt.NDArray[np.generic]] = [pool, *alias_table, firsts, counts, sender]
        self._rows, self._row_keys = _trace(settings)
        self._schedule = _schedule(settings, self._rows)
        self._work = self._make_work(pool, alias_table)

    def _keep(self, array: npt.NDArray[np.generic]) -> int:
        """Keeps an array alive as long as the producer, and gives its address to compiled code."""
        self._kept.append(array)
        return int(array.ctypes.data)

    def _make_plan(self, alias_table: tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]) -> int:
        records = self._settings.records
        plan = np.zeros(1, dtype=RECORDS)
        plan["seed"] = records.seed
        plan["run_tag"] = run_tag(self._settings.run_id)
        plan["worker_word"] = worker_word(self._settings.worker)
        plan["worker"] = self._settings.place
        plan["workers"] = self._settings.workers
        plan["stamped"] = records.stamped
        plan["partition"] = records.partition
        plan["sizes"] = self._keep(np.array(records.sizes_bytes, dtype=np.int64))
        plan["size_count"] = len(records.sizes_bytes)
        plan["key_kind"] = records.key_kind
        plan["key_count"] = records.key_count
        plan["likelihoods"], plan["aliases"] = (array.ctypes.data for array in alias_table)
        plan["null_key_share"] = records.null_key_share
        plan["tombstone_share"] = records.tombstone_share
        plan["header_share"] = records.header_share
        plan["header_count"] = records.header_count
        plan["header_bytes"] = records.header_bytes
        if self._settings.trace is not None:
            rows = self._rows.ctypes.data
            plan["sized_rows"] = rows if self._settings.trace.sizes else 0
            plan["keyed_rows"] = rows if self._settings.trace.keys else 0
            plan["row_keys"] = self._row_keys.ctypes.data
        return self._keep(plan)

    def _make_work(
        self,
        pool: npt.NDArray[np.int64],
        alias_table: tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]],
    ) -> npt.NDArray[np.void]:
        settings = self._settings
        work = np.zeros(1, dtype=PRODUCTION)
        work["client"] = self._client
        work["slab"] = self._slab.record.ctypes.data
        work["delivery"] = self._delivery.address
        work["plan"] = self._make_plan(alias_table)
        work["schedule"] = self._schedule.address
        work["at_max_rate"] = settings.at_max_rate
        work["limit"] = _limit(settings)
        work["batch_records"] = _batch_records(settings, len(pool) * pool.itemsize)
        work["reject_when_full"] = settings.reject_when_full
        work["topics"] = self._keep(np.array(self._topics, dtype=np.uint64))
        work["topic_count"] = len(self._topics)
        work["pool"] = pool.ctypes.data
        work["pool_words"] = len(pool)
        work["covered"] = self._keep(np.zeros((BATCH_RECORDS, STAMP_WORDS), dtype=np.int64))
        work["messages"] = self._keep(np.zeros(BATCH_RECORDS, dtype=symbols.MESSAGE))
        work["keys"] = self._keep(np.zeros((BATCH_RECORDS, KEY_BYTES), dtype=np.uint8))
        arguments = FIRST_HEADER + settings.records.header_count
        work["arguments"] = self._keep(np.zeros(arguments, dtype=symbols.ARGUMENT))
        work["header"] = self._keep(np.frombuffer(_HEADER_NAME, dtype=np.uint8))
        work["header_value"] = self._keep(np.zeros(settings.records.header_bytes, dtype=np.uint8))
        return work

    def connect(self, timeout_s: float) -> None:
        """Waits until the client knows its topics.

        Raises:
            WorkerError: the cluster did not answer in time.
        """
        await_metadata(self._client, timeout_s)

    def send(self) -> None:
        """Runs the produce loop to its end."""
        produce(int(self._work.ctypes.data))

    def serve(self) -> None:
        """Serves delivery reports until `stop_serving`; for a thread of its own."""
        serve_delivery_reports(self._client, self._delivery.address)

    def stop_serving(self) -> None:
        """Ends `serve` within its poll time."""
        self._delivery.state["serving"] = 0

    @property
    def on_their_way(self) -> int:
        """How many records have no delivery report yet."""
        return self._delivery.on_their_way

    def purge(self) -> None:
        """Gives up every record that is still on its way; each gets a report that says how far it came."""
        librdkafka().rd_kafka_purge(self._client, _PURGE)

    def new_statistics(self) -> BatchSums | None:
        """The batches of the latest statistics window, None where there is no new one that is whole."""
        state = self._delivery.state
        count = int(state["statistics_count"][0])
        if count == self._seen_statistics:
            return None
        self._seen_statistics = count
        size = int(state["statistics_bytes"][0])
        copied = self._delivery.statistics[:size].tobytes()
        # The next ones may have come over it meanwhile, where this thread had to wait for a core.
        return batch_sums(copied) if int(state["statistics_begun"][0]) == count else None

    def close(self) -> None:
        """Frees the client; nothing may be on its way any more."""
        library = librdkafka()
        for topic in self._topics:
            library.rd_kafka_topic_destroy(topic)
        library.rd_kafka_destroy(self._client)


def _trace(settings: ProducerSettings) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint8]]:
    """The rows and keys of the trace that is to be replayed; nothing where there is none."""
    if settings.trace is None:
        return np.zeros(0, dtype=TRACE_ROW), np.zeros(0, dtype=np.uint8)
    return attach_trace(settings.trace.fd, settings.trace.rows)


def _schedule(settings: ProducerSettings, rows: npt.NDArray[np.void]) -> GroupSchedule:
    if settings.trace is not None:
        return trace_schedule(rows[: settings.limit])
    segments = np.array(list(settings.schedule), dtype=SEGMENT)
    return make_schedule(segments, settings.poisson_seed)


def _limit(settings: ProducerSettings) -> int:
    """How many records this worker sends at the maximum rate, at most."""
    if settings.limit is None:
        return _NO_LIMIT
    return share_of_worker(settings.limit, settings.place, settings.workers)


def _batch_records(settings: ProducerSettings, pool_bytes: int) -> int:
    """How many records are handed over in one call, at most.

    Values lie side by side in the pool until the call returns; where they reach its end they go on where a
    round may begin, and must not meet the first of them there.
    """
    largest = max(settings.records.sizes_bytes) + _WORD_BYTES
    round_bytes = pool_bytes - pool_bytes // ROUNDS_BEGIN_WITHIN
    return max(1, min(BATCH_RECORDS, round_bytes // largest - 1))


def _queue_records(configuration: int) -> int:
    """How many records may be on their way: queue.buffering.max.messages, where 0 means no limit.

    A queue that takes more is full for loadlab at _MOST_SLOTS, so that the slots do not take all memory.
    """
    wanted = int(property_of(configuration, "queue.buffering.max.messages"))
    return min(wanted, _MOST_SLOTS) if wanted else _MOST_SLOTS

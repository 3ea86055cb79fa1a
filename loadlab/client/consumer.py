"""One consuming client: librdkafka's handle, its rebalances, and the consume loop's memory."""

from __future__ import annotations

import ctypes
import threading
import time
from ctypes import CFUNCTYPE, POINTER, c_int, c_void_p
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client.consume import BATCH_RECORDS, CONSUMPTION, TOPIC, consume
from loadlab.client.handle import CONSUMER, new_client, new_configuration
from loadlab.client.interceptors import intercept
from loadlab.client.library import error_text, librdkafka
from loadlab.client.partitions import (
    PARTITION_UA,
    PartitionList,
    TopicPartition,
    ask_for_ends,
    begin_at_ends,
    partition_list,
)
from loadlab.client.returns import create_returns, free_all, on_fetched
from loadlab.client.settings import LATEST
from loadlab.errors import WorkerError
from loadlab.measurement.lane import count_error, phase_at
from loadlab.measurement.ledger_read import make_reading
from loadlab.measurement.slab import CONSUME_LANE, NO_POSITION
from loadlab.measurement.stamp import run_tag
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.client.settings import ConsumerSettings
    from loadlab.measurement.ledger import Ledger
    from loadlab.measurement.slab import Slab

_ASSIGN_PARTITIONS: Final = -175
_COOPERATIVE: Final = b"COOPERATIVE"
_NO_OFFSET: Final = -168
_WAKE_TIMEOUT_MS: Final = 500
_ENDS_TIMEOUT_MS: Final = 10_000
"""A failover takes about nine seconds."""

# void (*)(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *, void *opaque)
_REBALANCE_CALLBACK = CFUNCTYPE(None, c_void_p, c_int, POINTER(PartitionList), c_void_p)


class Consumer:
    """A consuming client.

    Args:
        settings: what it is to do.
        slab: where it writes what it measures.
        ledger: where it enters what it has seen; None where nothing it reads is kept there.

    Raises:
        WorkerError: librdkafka refuses the properties.
    """

    def __init__(self, settings: ConsumerSettings, slab: Slab, ledger: Ledger | None = None) -> None:
        self._settings = settings
        self._ledger = ledger
        self._slab = slab
        self._revoked_ns: int | None = None
        self._given_up: list[int] = []
        self._places = self._topic_places()
        self._let_go = not settings.existing
        self._pausing = threading.Lock()
        configuration = new_configuration(settings.client_properties())
        library = librdkafka()
        self._callback = _REBALANCE_CALLBACK(self._on_rebalance)
        library.rd_kafka_conf_set_rebalance_cb(configuration, ctypes.cast(self._callback, c_void_p))
        self._returns = create_returns()
        added = intercept(configuration, int(self._returns.ctypes.data), response=on_fetched.address)
        self._client = new_client(CONSUMER, configuration)
        del added
        library.rd_kafka_poll_set_consumer(self._client)
        self._queue: int = library.rd_kafka_queue_get_consumer(self._client)
        self._kept: list[object] = []
        self._work = self._make_work()

    def _make_topics(self) -> npt.NDArray[np.void]:
        topics = np.zeros(len(self._settings.topics), dtype=TOPIC)
        for entry, topic in zip(topics, self._settings.topics, strict=True):
            name = ctypes.create_string_buffer(topic.name.encode())
            self._kept.append(name)
            entry["name"] = ctypes.addressof(name)
            entry["first_position"] = self._places[topic.name.encode()].start
            entry["partitions"] = topic.partitions
            entry["first_partition"] = topic.first_partition
        return topics

    def _make_reading(self) -> int:
        """The address of what this member of its group has read and not yet entered; 0 without a ledger."""
        if self._ledger is None:
            return 0
        reading = make_reading(self._ledger, self._settings.group)
        self._kept.append(reading)
        return int(reading.ctypes.data)

    def _make_work(self) -> npt.NDArray[np.void]:
        topics = self._make_topics()
        messages = np.zeros(BATCH_RECORDS, dtype=np.uint64)
        self._kept += [topics, messages]
        work = np.zeros(1, dtype=CONSUMPTION)
        work["queue"] = self._queue
        work["slab"] = self._slab.record.ctypes.data
        work["positions"] = self._slab.positions.ctypes.data
        work["begins"] = self._slab.begins.ctypes.data
        work["position_count"] = len(self._slab.positions)
        work["topics"] = topics.ctypes.data
        work["topic_count"] = len(topics)
        work["messages"] = messages.ctypes.data
        work["returns"] = self._returns.ctypes.data
        work["reading"] = self._make_reading()
        work["run_tag"] = run_tag(self._settings.run_id)
        work["allowance"] = 1.0  # a group forms while its members ask for records
        work["rate_per_ns"] = (self._settings.max_rate_per_s or 0.0) / NS_PER_S
        return work

    def _on_rebalance(self, client: int, error: int, partitions: POINTER, opaque: int) -> None:  # type: ignore[valid-type] # noqa: ARG002
        """Follows the group: takes what is assigned, gives up what is revoked, and times the gap."""
        now_ns = time.monotonic_ns()
        listed: PartitionList = partitions.contents  # type: ignore[attr-defined]
        record = self._slab.record
        cooperative = librdkafka().rd_kafka_rebalance_protocol(client) == _COOPERATIVE
        if error == _ASSIGN_PARTITIONS:
            self._forget_ends()
            self._begin_at_ends(client, listed)
            with self._pausing:
                # Before, so that nothing is fetched first; and after, for partitions that were not known yet.
                self._hold(client, partitions)
                self._assign(client, partitions, cooperative=cooperative)
                self._hold(client, partitions)
            record["assigned"] += listed.cnt
            record["assignments"] += 1
            self._note_gap(now_ns)
        else:
            self._unassign(client, partitions, cooperative=cooperative)
            record["assigned"] -= listed.cnt
            places = map(self._place_of, listed.entries())
            self._given_up += [place for place in places if place is not None]
            self._revoked_ns = now_ns

    def _begin_at_ends(self, client: int, assigned: PartitionList) -> None:
        """Finds out where a group begins that begins where the log ends, before the common start.

        Left to itself librdkafka asks when it fetches for the first time: on a busy machine that may be after
        the start, and what was sent until then would never be read.
        """
        if self._settings.properties.get("auto.offset.reset") not in LATEST or self._has_started():
            return
        self._count(begin_at_ends(client, assigned, _ENDS_TIMEOUT_MS))
        for entry in assigned.entries():
            place = self._place_of(entry)
            if place is not None and entry.offset >= 0:
                self._slab.begins[place] = self._slab.positions[place] = entry.offset

    def _has_started(self) -> bool:
        """Whether the common start has come."""
        return 0 < int(self._slab.record["start_ns"][0]) <= time.monotonic_ns()

    def _topic_places(self) -> dict[bytes, range]:
        """Where the positions of each topic's partitions lie."""
        topics = self._settings.topics
        ends = accumulate(topic.partitions for topic in topics)
        return {
            topic.name.encode(): range(end - topic.partitions, end)
            for topic, end in zip(topics, ends, strict=True)
        }

    def _place_of(self, entry: TopicPartition) -> int | None:
        """Where a partition's position lies; None of one that its topic got in the run."""
        places = self._places[entry.topic]
        return places[entry.partition] if entry.partition < len(places) else None

    def _hold(self, client: int, partitions: object) -> None:
        """Pauses partitions, unless the common start has come."""
        if not self._let_go:
            librdkafka().rd_kafka_pause_partitions(client, ctypes.cast(partitions, c_void_p))  # type: ignore[arg-type]

    def _note_gap(self, now_ns: int) -> None:
        """Counts a rebalance after the common start, and how long no record could come."""
        if self._revoked_ns is not None and int(self._slab.record["start_ns"][0]):
            self._slab.record["rebalances"] += 1
            self._slab.record["rebalance_ns"] += now_ns - self._revoked_ns
        self._revoked_ns = None

    def _assign(self, client: int, partitions: object, *, cooperative: bool) -> None:
        library, given = librdkafka(), ctypes.cast(partitions, c_void_p)  # type: ignore[arg-type]
        if cooperative:
            self._count(_taken_code(library.rd_kafka_incremental_assign(client, given)))
        else:
            self._count(library.rd_kafka_assign(client, given))

    def _unassign(self, client: int, partitions: object, *, cooperative: bool) -> None:
        library, revoked = librdkafka(), ctypes.cast(partitions, c_void_p)  # type: ignore[arg-type]
        if cooperative:
            self._count(_taken_code(library.rd_kafka_incremental_unassign(client, revoked)))
        else:
            self._count(library.rd_kafka_assign(client, None))

    def _count(self, code: int) -> None:
        """Counts an error; the callback runs in the consuming thread, whose lane this is."""
        if code:
            moment = phase_at(self._slab.record[0], time.monotonic_ns())
            count_error(self._slab.record["lanes"][0, CONSUME_LANE], moment, code)

    def subscribe(self) -> None:
        """Joins the group; `receive` must run for the group to come about.

        Raises:
            WorkerError: librdkafka refuses.
        """
        with partition_list((topic.name.encode(), PARTITION_UA) for topic in self._settings.topics) as topics:
            error = librdkafka().rd_kafka_subscribe(self._client, ctypes.addressof(topics))
        if error:
            raise WorkerError(f"librdkafka can't subscribe: {error_text(error)}")

    def let_go(self) -> None:
        """Lets records come, from the common start on: until then, what is assigned is paused."""
        start_ns = int(self._slab.record["start_ns"][0])
        if self._let_go:
            return
        time.sleep(max(0, start_ns - time.monotonic_ns()) / NS_PER_S)
        library = librdkafka()
        held = c_void_p()
        with self._pausing:
            self._let_go = True
            library.rd_kafka_assignment(self._client, ctypes.byref(held))
            library.rd_kafka_resume_partitions(self._client, held)
        library.rd_kafka_topic_partition_list_destroy(held)
        self._wake_brokers()

    def _forget_ends(self) -> None:
        """Forgets the ends of logs that were met in partitions which were given up before a record was read.

        Without a record there is no commit: whoever is given the partition now, in a group that begins at the
        log's end, begins where that is then, and what came meanwhile is not read.
        """
        begins, positions = self._slab.begins, self._slab.positions
        unread = [place for place in self._given_up if positions[place] <= begins[place]]
        begins[unread] = positions[unread] = NO_POSITION
        self._given_up.clear()

    def _wake_brokers(self) -> None:
        """Has the threads of all leaders look at once for what they may fetch.

        By themselves they do so once a second where nothing else is to do, and what was paused would wait for
        that. Any request to a leader wakes its thread; asking for log ends changes nothing.
        """
        names = ((topic.name.encode(), topic.partitions) for topic in self._settings.topics)
        every = ((name, partition) for name, partitions in names for partition in range(partitions))
        with partition_list(every) as asked:
            ask_for_ends(self._client, asked, _WAKE_TIMEOUT_MS)

    def receive(self) -> None:
        """Runs the consume loop until the parent says stop; a rebalance still open then counts, too."""
        consume(int(self._work.ctypes.data))
        self._note_gap(time.monotonic_ns())
        free_all(self._returns)

    def commit(self) -> int:
        """Commits what was read; returns librdkafka's code of why that failed, or 0."""
        error: int = librdkafka().rd_kafka_commit(self._client, None, 0)
        return 0 if error == _NO_OFFSET else error

    def close(self) -> None:
        """Leaves the group and frees the client."""
        library = librdkafka()
        library.rd_kafka_queue_destroy(self._queue)
        library.rd_kafka_consumer_close(self._client)
        library.rd_kafka_destroy(self._client)


def _taken_code(error: int | None) -> int:
    """The code of a rd_kafka_error_t, which is freed; 0 for none."""
    if not error:
        return 0
    library = librdkafka()
    code: int = library.rd_kafka_error_code(error)
    library.rd_kafka_error_destroy(error)
    return code

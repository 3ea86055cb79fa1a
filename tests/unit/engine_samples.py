"""What tests of the engine share: a producer driven in this process, and its records read back."""

from __future__ import annotations

import struct
import threading
import time
from collections import Counter as Tally
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import confluent_kafka
import numpy as np

from loadlab.client.producer import Producer
from loadlab.client.schedule import make_schedule
from loadlab.client.settings import ProducerSettings, RecordSettings, TopicSettings
from loadlab.measurement.slab import (
    ACK_LANE,
    SEND_LANE,
    Command,
    Counter,
    create_slab,
)
from loadlab.measurement.stamp import STAMP_BYTES
from loadlab.workload.keys import alias_table, zipf_weights
from loadlab.workload.payload import make_pool
from loadlab.workload.schedule import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.cluster.mock_process import MockCluster
    from loadlab.measurement.slab import Slab

S = 1_000_000_000
RUN_ID = "unit-test"
DEADLINE_S = 20.0
_topic_numbers = iter(range(10**6))


def new_topic(mock: MockCluster, partitions: int = 1) -> TopicSettings:
    """A topic that no other test has written to."""
    topic = TopicSettings(f"topic-{next(_topic_numbers)}", partitions)
    mock.create(topic.name, str(partitions), "1")
    return topic


def records_of(*sizes_bytes: int, **fields: object) -> RecordSettings:
    """Records of these sizes and of bytes that cost no time to make."""
    chosen: dict[str, object] = {"compressibility": 0.0, "seed": 5, "pool_bytes": 1 << 16, **fields}
    return RecordSettings(sizes_bytes=sizes_bytes or (100,), **chosen)  # type: ignore[arg-type]


def constant(rate_per_s: float, limit: int | None = None) -> tuple[tuple[int, float, float, float], ...]:
    """A schedule as settings carry it."""
    schedule = make_schedule(table([(10.0, rate_per_s, rate_per_s)]))
    return (schedule if limit is None else schedule.limited(limit)).segment_rows()


def producer_settings(
    bootstrap_servers: str, *topics: TopicSettings, properties: dict[str, str] | None = None, **fields: object
) -> ProducerSettings:
    """One worker that sends 1,000 records a second, unless told otherwise."""
    chosen: dict[str, object] = {
        "records": records_of(),
        "schedule": constant(1_000.0),
        "at_max_rate": False,
        "reject_when_full": False,
        "worker": 3,
        "place": 0,
        "workers": 1,
        **fields,
    }
    basic = {"bootstrap.servers": bootstrap_servers, "log_level": "0", "linger.ms": "0"}
    return ProducerSettings(
        properties={**basic, **(properties or {})},
        topics=topics,
        run_id=RUN_ID,
        **chosen,  # type: ignore[arg-type]
    )


def set_phases(slab: Slab, *, warmup_s: float = 0.0, measure_s: float = 0.3, drain_s: float = 10.0) -> None:
    """Lets the load begin in 10 ms."""
    start_ns = time.monotonic_ns() + 10_000_000
    slab.record["warmup_end_ns"] = start_ns + round(warmup_s * S)
    slab.record["measure_end_ns"] = start_ns + round((warmup_s + measure_s) * S)
    slab.record["stop_ns"] = start_ns + round((warmup_s + measure_s + drain_s) * S)
    slab.record["start_ns"] = start_ns


@dataclass
class DrivenProducer:
    """A producer after its load, as far as its slab tells."""

    settings: ProducerSettings
    slab: Slab = field(default_factory=create_slab)
    duration_s: float = 0.0

    def of(self, lane: int, counter: Counter) -> int:
        by_intent = int(self.slab.record["lanes"][0, lane]["by_intent"][:, counter].sum())
        by_moment = int(self.slab.record["lanes"][0, lane]["by_moment"][:, counter].sum())
        if counter is not Counter.QUEUE_FULL_NS:
            assert by_intent == by_moment
        return by_intent

    @property
    def attempted(self) -> int:
        return self.of(SEND_LANE, Counter.ATTEMPTED)

    @property
    def acked(self) -> int:
        return self.of(ACK_LANE, Counter.ACKED)

    @property
    def failed(self) -> int:
        return self.of(SEND_LANE, Counter.FAILED) + self.of(ACK_LANE, Counter.FAILED)

    @property
    def indeterminate(self) -> int:
        return self.of(ACK_LANE, Counter.INDETERMINATE)

    @property
    def rejected(self) -> int:
        return self.of(SEND_LANE, Counter.REJECTED)

    @property
    def queue_full_ns(self) -> int:
        return self.of(SEND_LANE, Counter.QUEUE_FULL_NS)

    def samples(self, lane: int, metric: int) -> int:
        return int(self.slab.record["lanes"][0, lane]["histograms"]["counts"][:, metric].sum())

    def errors(self) -> dict[int, int]:
        """How often each error came, by its code."""
        tally: Tally[int] = Tally()
        for lane in (SEND_LANE, ACK_LANE):
            record = self.slab.record["lanes"][0, lane]
            for place in np.flatnonzero(record["error_counts"]):
                tally[int(record["error_codes"][place])] += int(record["error_counts"][place])
        return dict(tally)

    def assert_balanced(self) -> None:
        """attempted = acked + failed + indeterminate + rejected, always."""
        assert self.attempted == self.acked + self.failed + self.indeterminate + self.rejected


def until(holds: Callable[[], bool], timeout_s: float = DEADLINE_S) -> bool:
    """Waits for what another thread brings about; whether it came."""
    waker, deadline = threading.Event(), time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        waker.wait(0.002)
    return True


def new_producer(settings: ProducerSettings, slab: Slab) -> Producer:
    """A producer with the pool and the keys that its settings ask for."""
    records = settings.records
    pool = make_pool(records.pool_bytes, records.compressibility, records.seed)
    weighted = (
        alias_table(zipf_weights(records.key_count, records.key_exponent)) if records.key_count else None
    )
    return Producer(settings, slab, pool, weighted or (np.zeros(0), np.zeros(0, np.int32)))


def drive(  # noqa: PLR0913 - what a run is made of
    settings: ProducerSettings,
    *,
    measure_s: float = 0.3,
    warmup_s: float = 0.0,
    drain_s: float = 10.0,
    connects: bool = True,
    meanwhile: Callable[[Producer], None] | None = None,
) -> DrivenProducer:
    """Lets a producer send in this process, and waits for its delivery reports as a worker does."""
    driven = DrivenProducer(settings)
    producer = new_producer(settings, driven.slab)
    if connects:
        producer.connect(DEADLINE_S)
    serving = threading.Thread(target=producer.serve, daemon=True)
    sending = threading.Thread(target=producer.send, daemon=True)
    set_phases(driven.slab, warmup_s=warmup_s, measure_s=measure_s, drain_s=drain_s)
    begun = time.monotonic()
    serving.start()
    sending.start()
    if meanwhile is not None:
        meanwhile(producer)
    sending.join(DEADLINE_S)
    driven.duration_s = time.monotonic() - begun
    until(lambda: producer.on_their_way == 0 or _is_over(driven.slab))
    producer.purge()
    assert until(lambda: producer.on_their_way == 0)
    producer.stop_serving()
    serving.join(DEADLINE_S)
    producer.close()
    return driven


def _is_over(slab: Slab) -> bool:
    told = int(slab.record["command"][0]) == Command.STOP
    return told or time.monotonic_ns() > int(slab.record["stop_ns"][0])


def stop(slab: Slab) -> None:
    """Tells a worker's loop to end."""
    slab.command(Command.STOP)


@dataclass(frozen=True)
class Stamp:
    """A stamp, decoded without the engine's help."""

    run_tag: int
    worker: int
    epoch: int
    sequence: int
    intended_ns: int


@dataclass(frozen=True)
class Read:
    """A record as a plain client reads it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def stamp(self) -> Stamp:
        assert self.value is not None
        return Stamp(*struct.unpack("<qiiqq", self.value[:STAMP_BYTES]))


def read_back(bootstrap_servers: str, *topics: TopicSettings, amount: int) -> list[Read]:
    """Reads the first `amount` records of topics, and looks whether there are more."""
    return list(_read(bootstrap_servers, topics, amount))


def _read(bootstrap_servers: str, topics: tuple[TopicSettings, ...], amount: int) -> Iterator[Read]:
    client = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "fetch.wait.max.ms": 5}
    )
    client.assign(
        [
            confluent_kafka.TopicPartition(topic.name, partition, 0)
            for topic in topics
            for partition in range(topic.partitions)
        ]
    )
    taken, deadline = 0, time.monotonic() + DEADLINE_S
    while taken < amount and time.monotonic() < deadline:
        for message in client.consume(amount - taken, 0.1):
            assert message.error() is None
            taken += 1
            yield _as_read(message)
    # One more record than were sent would be a duplicate.
    for message in client.consume(10, 0.05):
        yield _as_read(message)
    client.close()


def _as_read(message: confluent_kafka.Message) -> Read:
    return Read(
        topic=message.topic(),
        partition=message.partition(),
        key=message.key(),
        value=message.value(),
        headers=message.headers() or [],
    )

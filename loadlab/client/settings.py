"""What a client is told: plain data, so that it can travel to a worker process.

Property values may be secret: these objects are never printed or stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.client.partitions import PARTITION_UA
from loadlab.client.property_table import NEW_PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


NO_KEYS: Final = 0
ROUND_ROBIN_KEYS: Final = 1
UNIFORM_KEYS: Final = 2
WEIGHTED_KEYS: Final = 3

KEY_BYTES: Final = 16

STATISTICS_PARTITIONS: Final = 1_000
"""Of so many partitions a second the client tells its statistics: they have each one, and cost CPU time."""

CONSUMER_DEFAULTS: Final[Mapping[str, str]] = {
    "auto.offset.reset": "earliest",
    "auto.commit.interval.ms": "1000",
}
"""What loadlab sets for its consumers, unless the scenario does."""

_RANGE: Final = "range"

LATEST: Final = frozenset({"latest", "end", "largest"})
"""librdkafka's words for auto.offset.reset that have a new group begin behind what is there."""


@dataclass(frozen=True)
class TopicSettings:
    """A topic.

    Attributes:
        name: on the cluster.
        partitions: how many it has.
        first_partition: where they begin among all partitions of the run, which the ledger numbers through.
    """

    name: str
    partitions: int
    first_partition: int = 0


def most_holders(properties: Mapping[str, str], topics: Sequence[TopicSettings]) -> int:
    """How many members of a consumer group can hold a partition at once.

    The assignor "range", the classic protocol's unless another is set, begins at the first member with each
    topic: ten topics of one partition are all the first member's.
    """
    if properties.get("group.protocol") == NEW_PROTOCOL:
        by_topic = properties.get("group.remote.assignor") == _RANGE
    else:
        by_topic = properties.get("partition.assignment.strategy", _RANGE).startswith(_RANGE)
    partitions = [topic.partitions for topic in topics]
    return max(partitions) if by_topic else sum(partitions)


@dataclass(frozen=True)
class RecordSettings:
    """What the records of a group look like; see `loadlab.client.records`.

    Attributes:
        sizes_bytes: equally likely value sizes; of a trace's, the largest.
        compressibility: the share of the bytes that is fixed text.
        seed: of all that is drawn.
        pool_bytes: how much memory the values are cut from.
    """

    sizes_bytes: tuple[int, ...]
    compressibility: float
    seed: int
    pool_bytes: int
    stamped: bool = True
    partition: int = PARTITION_UA
    key_kind: int = NO_KEYS
    key_count: int = 0
    key_exponent: float = 1.0
    null_key_share: float = 0.0
    tombstone_share: float = 0.0
    header_share: float = 0.0
    header_count: int = 0
    header_bytes: int = 0


@dataclass(frozen=True)
class TraceSettings:
    """The trace that a group replays; see `loadlab.client.trace`.

    Attributes:
        fd: of the memory file that it lies in.
        rows: how many rows it has.
        sizes: whether the records have its sizes, and not those of RecordSettings.
        keys: whether they have its keys.
    """

    fd: int
    rows: int
    sizes: bool
    keys: bool


@dataclass(frozen=True)
class ProducerSettings:
    """One producing worker.

    Attributes:
        properties: librdkafka's, bootstrap.servers included.
        topics: the topics it sends to, in turn.
        records: what it sends.
        schedule: SEGMENT rows: start_ns, first, rate_per_ns, slope.
        at_max_rate: whether it sends as fast as it can, whatever the schedule.
        limit: how many records its group sends at most; None for no limit.
        poisson_seed: of Poisson arrivals; None for uniform ones.
        trace: what to replay; None where the schedule says when records are due.
        reject_when_full: whether a record that finds the client queue full is given up.
        run_id: goes into the stamp.
        worker: run-wide id, goes into the stamp.
        place: its place in its group, from 0.
        workers: how many its group has.
    """

    properties: Mapping[str, str] = field(repr=False)
    topics: tuple[TopicSettings, ...]
    records: RecordSettings
    schedule: tuple[tuple[int, float, float, float], ...]
    at_max_rate: bool
    reject_when_full: bool
    run_id: str
    worker: int
    place: int
    workers: int
    limit: int | None = None
    poisson_seed: int | None = None
    trace: TraceSettings | None = None

    @property
    def statistics_interval_ms(self) -> int:
        """How often the client tells its statistics."""
        partitions = sum(topic.partitions for topic in self.topics)
        return 1_000 * max(1, -(-partitions // STATISTICS_PARTITIONS))

    def client_properties(self) -> dict[str, str]:
        """All properties that the client is made with."""
        return {"statistics.interval.ms": str(self.statistics_interval_ms), **self.properties}


@dataclass(frozen=True)
class ConsumerSettings:
    """One consuming worker.

    Attributes:
        properties: librdkafka's, bootstrap.servers and group.id included.
        topics: the topics it reads.
        run_id: records with another stamp are counted as foreign.
        max_rate_per_s: the most that it reads, or None.
        start_after_s: when it joins the group, after the common start; None: before it.
        existing: whether others made its topics, and may write to them. Its partitions are then paused until
            the common start, because there is something to read before; librdkafka may take up to a second to
            fetch from a partition that was paused.
        expires: whether records may be gone before they are read: the topic's retention is the scenario's.
        group: its group's place among the run's consumer groups, by which the ledger knows it.
    """

    properties: Mapping[str, str] = field(repr=False)
    topics: tuple[TopicSettings, ...]
    run_id: str
    max_rate_per_s: float | None = None
    start_after_s: float | None = None
    existing: bool = False
    expires: bool = False
    group: int = 0

    def client_properties(self) -> dict[str, str]:
        """All properties that the client is made with.

        The end of a partition is asked for only where no record may come from offsets before it: others may
        have written transactions, records may be gone, or the group begins at the end.
        """
        at_end = self.properties.get("auto.offset.reset") in LATEST
        told = {"enable.partition.eof": "true"} if self.existing or self.expires or at_end else {}
        return {**CONSUMER_DEFAULTS, **told, **self.properties}

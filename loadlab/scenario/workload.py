"""Who sends and who reads: topics, producers and consumers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from loadlab.hints import HintedError
from loadlab.scenario.fields import (
    Cpuset,
    Duration,
    Model,
    PositiveRate,
    Properties,
    Whole,
)
from loadlab.scenario.records import STAMP_BYTES, Records
from loadlab.scenario.schedule import Schedule, TraceRate

if TYPE_CHECKING:
    from loadlab.client.trace import Trace

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
MOST_PARTITIONS: Final = 100_000
MOST_RECORDS: Final = 10_000
"""The most that Kafka's controller writes for one request (QuorumController.MAX_RECORDS_PER_USER_OP): for a
topic one record, and one for each of its properties and partitions."""
MOST_CONSUMERS: Final = 62
"""How many consumer groups a run can have: as many as its ledger can follow."""
CODECS: Final = ("compression.type", "compression.codec")
"""librdkafka's names of the property that says what a producer compresses with."""
_OWN_TOPIC_FIELDS: Final = ("partitions", "replication_factor", "config")

Workers = Annotated[Whole, Field(ge=1, le=64)]
"""OS processes of one group."""


def check_topic_name(name: str) -> str:
    """The name of a topic, as Kafka allows it.

    Raises:
        HintedError: not allowed.
    """
    if name in {".", ".."} or not _TOPIC.fullmatch(name):
        raise HintedError(
            f'"{name[:80]}" is no topic name: that is 1 to 249 of A-Z, a-z, 0-9, ".", "_" and "-"'
        )
    return name


def _topic_name(name: object) -> object:
    return check_topic_name(name) if isinstance(name, str) else name


TopicName = Annotated[str, StringConstraints(strict=True), BeforeValidator(_topic_name)]


class TopicSpec(Model):
    """A topic, or ``count`` of them alike; or one that is there already and keeps its own settings."""

    partitions: Annotated[Whole, Field(ge=1, le=MOST_PARTITIONS)] = 1
    replication_factor: Annotated[Whole, Field(ge=1, le=64)] = 1
    config: Properties
    count: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    existing: Annotated[bool, Field(strict=True)] = False

    def names(self, name: str) -> list[str]:
        """The names that the topic called ``name`` in the scenario has on the cluster."""
        return [name] if self.count == 1 else [f"{name}-{number:04d}" for number in range(self.count)]

    @model_validator(mode="after")
    def _keeps_its_own(self) -> Self:
        given = [field for field in _OWN_TOPIC_FIELDS if field in self.model_fields_set]
        if self.existing and given:
            raise HintedError(f"a topic that exists keeps its own settings: drop {', '.join(given)}")
        return self

    @model_validator(mode="after")
    def _bearable(self) -> Self:
        most = MOST_RECORDS - 1 - len(self.config)
        if self.partitions > most:
            raise HintedError(f"Kafka makes a topic of {most:,} partitions at the most")
        return self

    @model_serializer(mode="wrap")
    def _document(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = handler(self)
        if self.existing:
            return {key: value for key, value in document.items() if key not in _OWN_TOPIC_FIELDS}
        return document


class ProducerSpec(Model):
    """A group of worker processes that send to one topic."""

    topic: TopicName
    workers: Workers = 1
    schedule: Schedule
    records: Records
    config: Properties
    cpuset: Cpuset | None = None

    @property
    def trace(self) -> Trace | None:
        """The trace that it replays, None for any other schedule.

        Raises:
            HintedError: it can't be replayed; a scenario with such a trace is refused when it is loaded.
        """
        rate = self.schedule.rate
        return rate.trace.trace if isinstance(rate, TraceRate) else None

    @property
    def codec(self) -> str:
        """What its batches are compressed with, ``none`` for not at all."""
        return next((self.config[name] for name in CODECS if name in self.config), "none")

    @property
    def smallest_bytes(self) -> int:
        """The smallest value that it can send, in bytes."""
        return self._size_bounds[0]

    @property
    def largest_bytes(self) -> int:
        """The largest value that it can send, in bytes."""
        return self._size_bounds[1]

    @property
    def stamped(self) -> bool:
        """Whether the records carry the stamp: it is wanted and every value has room for it."""
        return self.records.stamp and self.smallest_bytes >= STAMP_BYTES

    @property
    def _size_bounds(self) -> tuple[int, int]:
        if self.records.size != "trace" or self.trace is None:
            return self.records.drawn_bounds()
        sizes = self.trace.rows["size_bytes"]
        return int(sizes.min()), int(sizes.max())


def _group_id(value: str) -> str:
    if not value.isprintable():
        raise HintedError("holds a character that no group can be called by, such as a line break")
    return value


class ConsumerSpec(Model):
    """A consumer group whose worker processes read one topic.

    Attributes:
        start_after_s: when it joins, after the common start; None: before it.
        max_rate_per_s: the most that the group reads a second, split over its workers, or None.
        group_id: group.id, or None for ``loadlab-<run-id>-<name>``.
    """

    topic: TopicName
    workers: Workers = 1
    config: Properties
    start_after_s: Duration | None = Field(default=None, alias="start_after")
    max_rate_per_s: PositiveRate | None = Field(default=None, alias="max_rate")
    group_id: Annotated[str, AfterValidator(_group_id)] | None = Field(
        default=None, min_length=1, max_length=249
    )
    cpuset: Cpuset | None = None

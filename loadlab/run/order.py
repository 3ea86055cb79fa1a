"""A worker's order: all that the parent tells a worker process before it starts.

It travels through the worker's standard input, because its properties may hold secrets: an argument list or
an environment can be read by others, and a file can be left behind.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from loadlab.client.settings import (
    ConsumerSettings,
    ProducerSettings,
    RecordSettings,
    TopicSettings,
    TraceSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Order:
    """One worker's order.

    Attributes:
        group: the producer's or consumer's name in the scenario.
        worker: run-wide id.
        settings: what its client is to do.
        cores: the cores that it is pinned to; empty for any.
    """

    group: str
    worker: int
    settings: ProducerSettings | ConsumerSettings = field(repr=False)
    cores: tuple[int, ...] = ()

    @property
    def produces(self) -> bool:
        """Whether the worker is a producer."""
        return isinstance(self.settings, ProducerSettings)

    @property
    def at_max_rate(self) -> bool:
        """Whether the worker sends as fast as it can."""
        return isinstance(self.settings, ProducerSettings) and self.settings.at_max_rate

    @property
    def partitions(self) -> int:
        """How many positions its slab has room for."""
        return 0 if self.produces else sum(topic.partitions for topic in self.settings.topics)

    @property
    def shared_fds(self) -> tuple[int, ...]:
        """Descriptors that the worker is to inherit beside its slab's."""
        trace = self.settings.trace if isinstance(self.settings, ProducerSettings) else None
        return () if trace is None else (trace.fd,)

    def to_json(self, slab_fd: int, parent_pid: int, ledger_fd: int | None = None) -> str:
        """The order as one line of text.

        Args:
            slab_fd: the slab's descriptor in the worker.
            parent_pid: without whom the worker ends.
            ledger_fd: the ledger's descriptor in the worker; None where the run keeps none.
        """
        descriptors = {"slab_fd": slab_fd, "ledger_fd": ledger_fd}
        return json.dumps(
            {"produces": self.produces, "parent_pid": parent_pid, **descriptors, **asdict(self)}
        )


@dataclass(frozen=True)
class Received:
    """An order as the worker reads it."""

    order: Order
    slab_fd: int
    parent_pid: int
    ledger_fd: int | None = None


def read_order(line: str) -> Received:
    """Reads what `Order.to_json` wrote."""
    document: dict[str, Any] = json.loads(line)
    settings = document["settings"]
    made = _producer(settings) if document["produces"] else _consumer(settings)
    order = Order(
        group=document["group"],
        worker=document["worker"],
        settings=made,
        cores=tuple(document["cores"]),
    )
    return Received(
        order=order,
        slab_fd=document["slab_fd"],
        parent_pid=document["parent_pid"],
        ledger_fd=document["ledger_fd"],
    )


def _topics(settings: Mapping[str, Any]) -> tuple[TopicSettings, ...]:
    return tuple(TopicSettings(**topic) for topic in settings["topics"])


def _producer(settings: Mapping[str, Any]) -> ProducerSettings:
    records = dict(settings["records"])
    records["sizes_bytes"] = tuple(records["sizes_bytes"])
    replaced = {
        "topics": _topics(settings),
        "records": RecordSettings(**records),
        "schedule": tuple(tuple(row) for row in settings["schedule"]),
        "trace": settings["trace"] and TraceSettings(**settings["trace"]),
    }
    return ProducerSettings(**{**settings, **replaced})


def _consumer(settings: Mapping[str, Any]) -> ConsumerSettings:
    return ConsumerSettings(**{**settings, "topics": _topics(settings)})

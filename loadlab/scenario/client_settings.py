"""The properties in force at a client: what it is given, and its own defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from loadlab.client.property_table import CANONICAL

if TYPE_CHECKING:
    from collections.abc import Mapping

MOCK_FETCH_WAIT_MS: Final = "5"
"""fetch.wait.max.ms of consumers on the mock, which answers an empty fetch only then."""

Flavour = Literal["librdkafka", "java"]

_SHARED: Final = {
    "acks": "all",
    "compression.type": "none",
    "retries": "2147483647",
    "request.timeout.ms": "30000",
    "session.timeout.ms": "45000",
    "heartbeat.interval.ms": "3000",
    "max.poll.interval.ms": "300000",
    "fetch.min.bytes": "1",
    "fetch.wait.max.ms": "500",
    "fetch.max.bytes": "52428800",
    "max.partition.fetch.bytes": "1048576",
    "linger.ms": "5",
}
DEFAULTS: Final[Mapping[Flavour, Mapping[str, str]]] = {
    "librdkafka": {
        **_SHARED,
        "batch.num.messages": "10000",
        "batch.size": "1000000",
        "compression.level": "-1",
        "delivery.timeout.ms": "300000",
        "enable.idempotence": "false",
        "isolation.level": "read_committed",
        "max.in.flight.requests.per.connection": "1000000",
        "message.max.bytes": "1000000",
        "partitioner": "consistent_random",
        "queue.buffering.max.kbytes": "1048576",
        "queue.buffering.max.messages": "100000",
        "queued.max.messages.kbytes": "65536",
        "queued.min.messages": "100000",
        "socket.nagle.disable": "true",
        "socket.receive.buffer.bytes": "0",
        "socket.send.buffer.bytes": "0",
        "sticky.partitioning.linger.ms": "10",
    },
    "java": {
        **_SHARED,
        "auto.offset.reset": "latest",
        "batch.size": "16384",
        "delivery.timeout.ms": "120000",
        "enable.idempotence": "true",
        "isolation.level": "read_uncommitted",
        "max.in.flight.requests.per.connection": "5",
        "message.max.bytes": "1048576",
        "partitioner": "murmur2_random",
        "queue.buffering.max.kbytes": "32768",
        "socket.nagle.disable": "true",
    },
}
"""Of librdkafka 2, and of Kafka 4's Java clients by librdkafka's names."""


@dataclass(frozen=True)
class Settings:
    """Properties by canonical name.

    Attributes:
        given: what was set.
        defaults: what holds where nothing was.
        flavour: whose client.
    """

    given: Mapping[str, str] = field(repr=False)
    defaults: Mapping[str, str]
    flavour: Flavour = "librdkafka"

    @classmethod
    def of_client(cls, config: Mapping[str, str], flavour: Flavour = "librdkafka") -> Settings:
        """A client's, by any of its names."""
        given = {CANONICAL.get(name, name): value for name, value in config.items()}
        return cls(given, DEFAULTS[flavour], flavour)

    def text(self, name: str) -> str:
        """A value in lower case; empty where it is neither given nor known."""
        return self.given.get(name, self.defaults.get(name, "")).lower()

    def number(self, name: str) -> float | None:
        """A value as a number; None where it is none, nor finite."""
        try:
            number = float(self.text(name))
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def sets(self, *names: str) -> bool:
        """Whether one of the names was given."""
        return any(name in self.given for name in names)

    @property
    def acks_all(self) -> bool:
        """Whether every in-sync replica has a record before it is acked."""
        return self.text("acks") in {"all", "-1"}

    @property
    def idempotent(self) -> bool:
        """Whether a retry neither doubles nor reorders records.

        Java's producer gives its default up where acks or retries do not fit to it.
        """
        if self.flavour == "java" and not self.sets("enable.idempotence"):
            return self.acks_all and self.text("retries") != "0"
        return self.text("enable.idempotence") == "true"

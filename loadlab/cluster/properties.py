"""Broker properties: one rendering for every provider that starts Kafka itself.

What differs from Kafka's defaults, and why:

- the internal topics are replicated min(3, brokers) times: Kafka's 3 can't be met by fewer brokers;
- group.initial.rebalance.delay.ms=0: a lab's groups start whole, waiting 3 s would only lengthen each run;
- log.segment.delete.delay.ms=1000: a run's topics leave the disk when it ends, and not a minute later, in the
  middle of the next one;
- auto.create.topics.enable=false: a misspelt topic must fail, not appear with default settings.

All else is Kafka's own default or the scenario's.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.errors import UsageError
from loadlab.scenario.kafka_properties import is_kafka_3, is_owned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DELETE = 0x7F  # the first of what is no printable ASCII
_IN_ENVIRONMENT = str.maketrans({"-": "___", "_": "__", ".": "_"})


@dataclass(frozen=True)
class Endpoint:
    """Where a listener binds and where others reach it, each as host:port."""

    bind: str
    reached_at: str


@dataclass(frozen=True)
class BrokerEndpoints:
    """The listeners of one broker.

    Attributes:
        broker_id: its node id.
        clients: for clients.
        controller: for KRaft.
        brokers: between brokers; None where they use the clients' listener.
    """

    broker_id: int
    clients: Endpoint
    controller: Endpoint
    brokers: Endpoint | None = None


def new_cluster_id() -> str:
    """Make an id as Kafka does: 16 random bytes in base64 for URLs, unpadded, no dash in front."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")).startswith("-"):
        pass
    return made


def refuse_own(config: Mapping[str, str]) -> None:
    """Refuse properties that loadlab must set itself.

    Raises:
        UsageError: there is one.
    """
    if taken := sorted(filter(is_owned, config)):
        raise UsageError(
            f"cluster.config sets {', '.join(taken)}, which loadlab sets itself to find its brokers again",
            fix="leave it out; provider `external` takes a cluster as it is",
        )


def shared_properties(brokers: int, kafka_version: str, config: Mapping[str, str]) -> dict[str, str]:
    """Render what is the same on every broker; config (the scenario's) wins."""
    refuse_own(config)
    replicas, in_sync = str(min(3, brokers)), str(min(2, brokers))
    rendered = {
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "log.segment.delete.delay.ms": "1000",
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
    }
    if not is_kafka_3(kafka_version):  # share groups came with 4.0
        rendered["share.coordinator.state.topic.replication.factor"] = replicas
        rendered["share.coordinator.state.topic.min.isr"] = in_sync
    return {**rendered, **config}


def broker_properties(
    broker: BrokerEndpoints, cluster: Sequence[BrokerEndpoints], shared: Mapping[str, str], log_dir: str
) -> dict[str, str]:
    """Render all properties of one broker (combined roles) of a cluster."""
    listeners = {"PLAINTEXT": broker.clients}
    if broker.brokers is not None:
        listeners["INTERNAL"] = broker.brokers
    binds = [f"{name}://{endpoint.bind}" for name, endpoint in listeners.items()]
    return {
        **shared,
        "process.roles": "broker,controller",
        "node.id": str(broker.broker_id),
        "controller.quorum.voters": ",".join(
            f"{one.broker_id}@{one.controller.reached_at}" for one in cluster
        ),
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join([*binds, f"CONTROLLER://{broker.controller.bind}"]),
        "advertised.listeners": ",".join(
            f"{name}://{endpoint.reached_at}" for name, endpoint in listeners.items()
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in [*listeners, "CONTROLLER"]
        ),
        "inter.broker.listener.name": "INTERNAL" if broker.brokers else "PLAINTEXT",
        "log.dirs": log_dir,
    }


def as_file(properties: Mapping[str, str]) -> str:
    """Write properties as java.util.Properties reads them."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in sorted(properties.items()))


def _escaped(value: str) -> str:
    """Write a value with what would be read as something else, or as Latin-1, escaped."""
    kept = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if kept.startswith((" ", "\t", "\f")):
        kept = f"\\{kept}"
    units = memoryview(kept.encode("utf-16-le", "surrogatepass")).cast("H")
    return "".join(chr(unit) if unit < _DELETE else f"\\u{unit:04x}" for unit in units)


def as_environment(properties: Mapping[str, str]) -> dict[str, str]:
    """Write properties as the environment that apache/kafka images take."""
    return {environment_name(key): value for key, value in properties.items()}


def environment_name(key: str) -> str:
    """Write one property's name as the image takes it: log.dirs → KAFKA_LOG_DIRS."""
    return "KAFKA_" + key.translate(_IN_ENVIRONMENT).upper()

"""What a cluster and a provider of clusters promise to the rest of loadlab.

A `Provider` starts a `Cluster`; the run layer sees nothing else. A cluster declares what it can do
(`Capability`); calling what it has not declared raises `CapabilityError`, never a silent nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster.telemetry import TelemetrySample
    from loadlab.scenario.cluster import ClusterSpec

Progress: TypeAlias = Callable[[str], None]
Partition: TypeAlias = tuple[str, int]


class Capability(enum.Enum):
    """What a cluster can do beyond carrying records; declared only where it works.

    ADMIN: tells its effective configuration and knows Kafka's own topic ids.
    TELEMETRY: brokers tell their own metrics.
    DURABILITY: what was acked is on a disk and outlives the broker's process.
    PAUSE: one broker can be stopped from answering, and continued.
    KILL: one broker can be ended as by a power cut, and started again.
    """

    ADMIN = "admin"
    TELEMETRY = "telemetry"
    DURABILITY = "durability"
    PAUSE = "pause"
    KILL = "kill"


@dataclass(frozen=True)
class ClusterInfo:
    """What a result says of the cluster it was measured on.

    Attributes:
        provider: the provider's name: docker, local, embedded or external.
        kind: "kafka", or "mock" where it only speaks the protocol.
        kafka_version: None where the cluster does not say.
        brokers: how many brokers.
        network: docker's "host" or "bridge"; None elsewhere.
        config: the broker properties that loadlab rendered, the brokers' addresses left out.
        reason: why this provider.
        cluster_id: Kafka's own id of the cluster.
        image: the container image; None elsewhere.
        engine: the container engine and its version; None elsewhere.
        java: the runtime of the brokers, where loadlab chose it.
        cores: the cores that the brokers are pinned to, as cpuset writes them.
        no_telemetry: why brokers that could tell their metrics do not; None where they do, or never could.
    """

    provider: str
    kind: str
    kafka_version: str | None
    brokers: int
    network: str | None
    config: Mapping[str, str]
    reason: str
    cluster_id: str
    image: str | None = None
    engine: str | None = None
    java: str | None = None
    cores: str | None = None
    no_telemetry: str | None = None


PAUSED: Final = "paused"
"""The detail of a broker that lives and stands still."""


@dataclass(frozen=True)
class BrokerState:
    """Whether one broker lives.

    Attributes:
        broker_id: Kafka's node.id.
        alive: whether its process is there, be it paused.
        detail: how it ended, or where it is.
        started: tells one start of the broker from the next; empty where that is not known.
    """

    broker_id: int
    alive: bool
    detail: str
    started: str = ""


@dataclass(frozen=True)
class TopicRequest:
    """A topic to be created."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PartitionDescription:
    """One partition: its leader (None while it has none) and the brokers that hold it."""

    partition: int
    leader: int | None
    replicas: tuple[int, ...]
    in_sync_replicas: tuple[int, ...]


@dataclass(frozen=True)
class TopicDescription:
    """A topic that exists."""

    name: str
    topic_id: str
    partitions: tuple[PartitionDescription, ...]


@dataclass(frozen=True)
class OffsetSample:
    """Offsets of many partitions, and the two times (CLOCK_MONOTONIC) between which they were taken.

    Attributes:
        before_ns: when the first request left that the offsets are from.
        after_ns: when the last answer was here.
        offsets: by topic and partition.
        failed: partitions whose leader gave none in time, with Kafka's name of the error.
        epochs: of the leaders that answered, where they tell them.
    """

    before_ns: int
    after_ns: int
    offsets: Mapping[Partition, int]
    failed: Mapping[Partition, str] = field(default_factory=dict)
    epochs: Mapping[Partition, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Availability:
    """Whether a provider can start what was asked for; fix says what is missing where it can't."""

    available: bool
    reason: str
    fix: str | None = None


class Cluster(Protocol):
    """A cluster that answers. Its methods raise ClusterError where the cluster does not."""

    @property
    def info(self) -> ClusterInfo:
        """What a result says of it."""

    @property
    def bootstrap_servers(self) -> str:
        """host:port, comma separated."""

    @property
    def client_properties(self) -> Mapping[str, str]:
        """What every client must be given (TLS, SASL). Values are secret: never print them."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What works here."""

    def broker_states(self) -> list[BrokerState]:
        """Say which brokers live; cheap enough for a call each second."""

    def process_ids(self) -> tuple[int, ...] | None:
        """Return the living brokers' processes on this machine; None where they are elsewhere."""

    def create_topics(self, requests: Sequence[TopicRequest]) -> dict[str, str]:
        """Create topics and wait until every partition has a leader.

        Returns:
            The topic ids by name.

        Raises:
            UsageError: one exists already (then none is created), or the cluster refuses the request.
            ClusterError: the cluster did not answer.
        """

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription | None]:
        """Describe topics by name; None where there is none."""

    def topic_names(self) -> list[str]:
        """Return the names of all topics that this user may see."""

    def topic_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return the ids of topics by name; None where there is none."""

    def delete_topics(self, ids: Mapping[str, str], timeout_s: float = 10.0) -> None:
        """Delete each topic (name → id) whose id still is this one; what is gone already is no error."""

    def end_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        """Take each partition's high watermark: the offset that the next record gets.

        A dead leader costs the whole timeout; its partitions are then in `failed`, and nothing is raised.
        """

    def start_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        """Take each partition's first offset that can still be read; otherwise as `end_offsets`."""

    def committed_offsets(
        self, group_id: str, partitions: Sequence[Partition], timeout_s: float = 10.0
    ) -> dict[Partition, int | None]:
        """Return what a group committed; None where it has not."""

    def forget_group(self, group_id: str) -> None:
        """End the connections by which a group's commits were asked for, once nobody asks any more."""

    def delete_groups(self, group_ids: Sequence[str], timeout_s: float = 10.0) -> list[str]:
        """Delete consumer groups; returns those that can be deleted only later. Needs ADMIN."""

    def topic_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the effective configuration of topics. Needs ADMIN."""

    def broker_config(self) -> dict[str, str]:
        """Return the first broker's properties that are not Kafka's defaults. Needs ADMIN."""

    def free_disk_bytes(self) -> int | None:
        """Return the space left where the logs are; None where loadlab can't see the disk."""

    def telemetry(self) -> TelemetrySample:
        """Ask all brokers for their own metrics; takes 2 s where one hangs. Needs TELEMETRY."""

    def pause(self, broker_id: int) -> None:
        """Freeze one broker. Needs PAUSE."""

    def resume(self, broker_id: int) -> None:
        """Continue a paused broker. Needs PAUSE."""

    def kill(self, broker_id: int) -> None:
        """End one broker at once. Needs KILL."""

    def restart(self, broker_id: int) -> None:
        """Start a killed broker again with its data and its address. Needs KILL."""

    def save_logs(self, directory: Path) -> list[Path]:
        """Write each broker's own log into a directory; returns the files (none where there is no log)."""

    def stop(self) -> None:
        """End the cluster and all that it took; a second call does nothing."""


class Provider(Protocol):
    """One way to come by a cluster."""

    @property
    def name(self) -> str:
        """The name that a scenario calls it by."""

    def check(self, spec: ClusterSpec) -> Availability:
        """Say whether `start` can work here, and what is missing where it can't."""

    def start(self, spec: ClusterSpec, request: StartRequest) -> Cluster:
        """Start a cluster that answers, or raise ClusterError and leave nothing behind."""


@dataclass(frozen=True)
class StartRequest:
    """What a start needs besides the scenario's cluster.

    Attributes:
        run_id: the id that everything started is marked with.
        progress: is told each step in a line.
        reason: why this provider was chosen; goes into ClusterInfo.
        standing_name: the cluster outlives this process under this name (`cluster up`).
        needed_disk_bytes: what the run will write, replicas included; too small a disk is refused.
    """

    run_id: str
    progress: Progress
    reason: str
    standing_name: str | None = None
    needed_disk_bytes: int = 0

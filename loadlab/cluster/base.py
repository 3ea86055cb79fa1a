"""What all clusters share: Kafka's admin API, and refusing what was not declared."""

from __future__ import annotations

import abc
from functools import partial
from typing import TYPE_CHECKING

from confluent_kafka.admin import OffsetSpec

from loadlab.cluster.admin import KafkaAdmin
from loadlab.cluster.api import (
    PAUSED,
    BrokerState,
    Capability,
    ClusterInfo,
    OffsetSample,
    Partition,
    TopicDescription,
    TopicRequest,
)
from loadlab.cluster.offsets import OffsetReader
from loadlab.cluster.telemetry import TelemetrySample, read_telemetry
from loadlab.cluster.topics import TopicAdmin, ready_timeout_s
from loadlab.errors import CapabilityError, ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_PROVIDERS_THAT_CAN = {
    Capability.ADMIN: "docker, local or external",
    Capability.TELEMETRY: "docker or local, with Maven for the agent",
    Capability.DURABILITY: "docker, local or external",
    Capability.PAUSE: "docker or local",
    Capability.KILL: "docker or local",
}


OF_OWN_BROKERS = frozenset({Capability.ADMIN, Capability.DURABILITY, Capability.PAUSE, Capability.KILL})
"""What works on brokers that loadlab started, whether in containers or not."""

RESTART_TIMEOUT_S = 60.0
"""How long a broker that was killed may take until it answers again."""


def first_ended(states: Sequence[BrokerState]) -> str | None:
    """Tell how the first broker that does not live ended; None while all live."""
    return next((f"broker {state.broker_id}: {state.detail}" for state in states if not state.alive), None)


class AdministeredCluster(abc.ABC):
    """A cluster whose topics and offsets come by Kafka's protocol.

    Args:
        info: what a result says of it.
        bootstrap_servers: host:port, comma separated.
        capabilities: what works here.
        client_properties: what every client must be given; secret.
        telemetry: host:port of each broker's agent, from broker 1 on; with any, TELEMETRY works.
    """

    def __init__(
        self,
        info: ClusterInfo,
        bootstrap_servers: str,
        capabilities: frozenset[Capability],
        client_properties: Mapping[str, str] | None = None,
        telemetry: Sequence[str] = (),
    ) -> None:
        self.info = info
        self.bootstrap_servers = bootstrap_servers
        self.capabilities = capabilities | ({Capability.TELEMETRY} if telemetry else set())
        self._telemetry = dict(enumerate(telemetry, 1))
        self.client_properties: Mapping[str, str] = dict(client_properties or {})
        self.admin = KafkaAdmin(bootstrap_servers, self.client_properties)
        self._topics = TopicAdmin(self.admin)
        self._offsets = OffsetReader(self.admin)

    def require(self, capability: Capability) -> None:
        """Refuse what was not declared.

        Raises:
            CapabilityError: it was not.
        """
        if capability in self.capabilities:
            return
        raise CapabilityError(
            f"the {self.info.provider} cluster has not the capability {capability.value}",
            fix=f"use provider {_PROVIDERS_THAT_CAN[capability]}",
        )

    @abc.abstractmethod
    def broker_states(self) -> list[BrokerState]:
        """Say which brokers live."""

    def process_ids(self) -> tuple[int, ...] | None:
        """Return None: loadlab does not see this cluster's processes."""
        return None

    @abc.abstractmethod
    def stop(self) -> None:
        """End the cluster and all that it took."""

    def disconnect(self) -> None:
        """End the connections of admin calls."""
        self._offsets.close()
        self.admin.close()

    def create_topics(self, requests: Sequence[TopicRequest]) -> dict[str, str]:
        """Create topics, wait for every partition's leader and return the ids by name."""
        partitions = [(one.name, number) for one in requests for number in range(one.partitions)]
        return self._topics.create(requests, partial(self._wait_for_service, partitions))

    def _wait_for_service(self, partitions: Sequence[Partition]) -> None:
        """Wait until the leaders serve: metadata names one a moment before it knows of it itself."""
        failed = self.start_offsets(partitions, ready_timeout_s(len(partitions))).failed
        for (topic, number), error in failed.items():
            raise ClusterError(f"the leader of {topic}-{number} does not serve it: {error}")

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription | None]:
        """Describe topics by name; None where there is none."""
        return self._topics.describe(names)

    def topic_names(self) -> list[str]:
        """Return the names of all topics that this user may see."""
        return list(self.admin.metadata().topics)

    def topic_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return the ids of topics by name; None where there is none."""
        return {
            name: topic.topic_id if topic else None for name, topic in self.describe_topics(names).items()
        }

    def delete_topics(self, ids: Mapping[str, str], timeout_s: float = 10.0) -> None:
        """Delete topics whose id still is the given one."""
        self._topics.delete(ids, timeout_s)

    def end_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        """Take each partition's high watermark."""
        return self._offsets.sample(partitions, _LATEST, timeout_s)

    def start_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:
        """Take each partition's first offset that can still be read."""
        return self._offsets.sample(partitions, _EARLIEST, timeout_s)

    def committed_offsets(
        self, group_id: str, partitions: Sequence[Partition], timeout_s: float = 10.0
    ) -> dict[Partition, int | None]:
        """Return what a group committed; None where it has not."""
        return self._offsets.committed(group_id, partitions, timeout_s)

    def forget_group(self, group_id: str) -> None:
        """End the connections by which a group's commits were asked for."""
        self._offsets.forget(group_id)

    def delete_groups(self, group_ids: Sequence[str], timeout_s: float = 10.0) -> list[str]:
        """Delete consumer groups; returns those that may be deleted later."""
        self.require(Capability.ADMIN)
        return self.admin.delete_groups(group_ids, timeout_s)

    def topic_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the effective configuration of topics."""
        self.require(Capability.ADMIN)
        return self.admin.topic_config(names)

    def broker_config(self) -> dict[str, str]:
        """Return the first living broker's properties that are not Kafka's defaults; a paused one's last."""
        self.require(Capability.ADMIN)
        living = [(state.detail == PAUSED, state.broker_id) for state in self.broker_states() if state.alive]
        return self.admin.broker_config(min(living, default=(False, 1))[1])

    def free_disk_bytes(self) -> int | None:
        """Return None: loadlab does not see this cluster's disk."""
        return None

    def telemetry(self) -> TelemetrySample:
        """Ask all brokers for their own metrics."""
        self.require(Capability.TELEMETRY)
        return read_telemetry(self._telemetry)

    def pause(self, broker_id: int) -> None:
        """Freeze one broker."""
        self.require(Capability.PAUSE)
        raise NotImplementedError(broker_id)

    def resume(self, broker_id: int) -> None:
        """Continue a paused broker."""
        self.require(Capability.PAUSE)
        raise NotImplementedError(broker_id)

    def kill(self, broker_id: int) -> None:
        """End one broker at once."""
        self.require(Capability.KILL)
        raise NotImplementedError(broker_id)

    def restart(self, broker_id: int) -> None:
        """Start a killed broker again."""
        self.require(Capability.KILL)
        raise NotImplementedError(broker_id)

    def save_logs(self, directory: Path) -> list[Path]:  # noqa: ARG002  (no logs to write there)
        """Return nothing: this cluster's brokers keep no log that loadlab can read."""
        return []

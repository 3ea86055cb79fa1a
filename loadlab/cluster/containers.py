"""The docker provider: Kafka brokers in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.cluster.api import Availability, Cluster, StartRequest

if TYPE_CHECKING:
    from loadlab.scenario.cluster import ClusterSpec


class DockerProvider:
    """Starts brokers in containers."""

    name = "docker"

    def check(self, spec: ClusterSpec) -> Availability:  # noqa: ARG002  (being written)
        """Say that no engine is used yet."""
        return Availability(available=False, reason="not written yet", fix="use another provider")

    def start(self, spec: ClusterSpec, request: StartRequest) -> Cluster:
        """Not yet."""
        raise NotImplementedError

"""Clusters to measure on: providers docker, local, embedded and external behind one protocol."""

from loadlab.cluster.api import (
    Availability,
    BrokerState,
    Capability,
    Cluster,
    ClusterInfo,
    OffsetSample,
    PartitionDescription,
    TopicDescription,
    TopicRequest,
)
from loadlab.cluster.checks import Check, doctor_checks
from loadlab.cluster.providers import start_cluster
from loadlab.cluster.standing import (
    ListedCluster,
    attach,
    brokers_of,
    claimed,
    clean_leftovers,
    down,
    end_run,
    list_clusters,
)
from loadlab.cluster.telemetry import BrokerTelemetry, RequestTimes, TelemetrySample, Timed

__all__ = [
    "Availability",
    "BrokerState",
    "BrokerTelemetry",
    "Capability",
    "Check",
    "Cluster",
    "ClusterInfo",
    "ListedCluster",
    "OffsetSample",
    "PartitionDescription",
    "RequestTimes",
    "TelemetrySample",
    "Timed",
    "TopicDescription",
    "TopicRequest",
    "attach",
    "brokers_of",
    "claimed",
    "clean_leftovers",
    "doctor_checks",
    "down",
    "end_run",
    "list_clusters",
    "start_cluster",
]

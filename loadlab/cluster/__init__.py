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
from loadlab.cluster.providers import start_cluster
from loadlab.cluster.standing import attach, clean_leftovers

__all__ = [
    "Availability",
    "BrokerState",
    "Capability",
    "Cluster",
    "ClusterInfo",
    "OffsetSample",
    "PartitionDescription",
    "TopicDescription",
    "TopicRequest",
    "attach",
    "clean_leftovers",
    "start_cluster",
]

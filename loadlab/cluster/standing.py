"""Clusters that stand under a name: attaching to one, ending it, and clearing what killed runs left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.cluster.embedded import EmbeddedCluster
from loadlab.cluster.leftovers import remove_processes
from loadlab.cluster.local_cluster import Brokers, LocalCluster
from loadlab.cluster.state import ClusterRecord, records, standing

if TYPE_CHECKING:
    from loadlab.cluster.api import Cluster


def attach(name: str) -> Cluster:
    """Use a cluster that `cluster up` left standing; its `stop` leaves it so.

    Raises:
        ClusterError: none stands under this name, or its brokers are gone.
    """
    return _attached(standing(name))


def _attached(record: ClusterRecord) -> Cluster:
    if record.info.provider == "embedded":
        return EmbeddedCluster(record)
    return LocalCluster(Brokers(record), ends_with_owner=False)


def down(name: str) -> list[str]:
    """End a cluster that stands under a name; returns what was removed."""
    return remove_processes(standing(name))


def clean_leftovers(*, everything: bool = False) -> list[str]:
    """Remove what killed runs left; returns what was removed.

    Nothing that is not marked as ours, nothing of a living owner and, unless everything is asked for,
    nothing that stands under a name.
    """
    removed = []
    for record in list(records()):
        if _is_left(record, everything=everything):
            removed += remove_processes(record)
    return removed


def _is_left(record: ClusterRecord, *, everything: bool) -> bool:
    if record.name is not None:
        stands = any(broker.identity.is_alive for broker in record.brokers)
        return everything or (record.owner.is_judgeable and not stands)
    return not record.owner.is_alive and record.owner.is_judgeable

"""A run on a cluster that stands already: what the scenario asks of its own cluster does not apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.cluster.capacity import check_disk

if TYPE_CHECKING:
    from loadlab.cluster import Cluster, ClusterInfo
    from loadlab.scenario.cluster import ClusterSpec


def ignored_keys(asked: ClusterSpec, there: ClusterInfo) -> list[str]:
    """The keys of ``cluster``, dotted, that ask for something else than what stands there.

    Args:
        asked: the scenario's cluster; defaults are not taken for a wish.
        there: the cluster that is used instead.
    """
    document = asked.model_dump(by_alias=True, exclude_defaults=True, exclude={"config"}, mode="json")
    same = {
        "provider": there.provider,
        "brokers": there.brokers,
        "kafka_version": there.kafka_version,
        "network": there.network,
        "cpuset": there.cores,
    }
    keys = [f"cluster.{key}" for key, value in document.items() if same.get(key) != value]
    config = (name for name, value in asked.config.items() if there.config.get(name) != value)
    return [*keys, *(f"cluster.config.{name}" for name in config)]


def check_standing(cluster: Cluster, name: str, asked: ClusterSpec, needed_disk_bytes: int) -> str | None:
    """Looks whether a standing cluster will do.

    Args:
        cluster: it.
        name: what it stands under.
        asked: the scenario's cluster.
        needed_disk_bytes: what the run will write, replicas included.

    Returns:
        A warning of what the scenario asks for and will not get; None where there is nothing.

    Raises:
        ClusterError: its disk has too little room left.
    """
    free_bytes = cluster.free_disk_bytes()
    if free_bytes is not None:
        check_disk(free_bytes, needed_disk_bytes, f"on the disk of cluster {name}")
    ignored = ignored_keys(asked, cluster.info)
    if not ignored:
        return None
    verb = "is" if len(ignored) == 1 else "are"
    return f"{', '.join(ignored)} {verb} ignored: cluster {name} stands already and is used as it is"

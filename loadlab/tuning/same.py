"""What goes on later must go on where it began: on the same machine and the same kind of cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from loadlab.analysis.comparable import same_memory
from loadlab.cluster.state import standing
from loadlab.errors import UsageError
from loadlab.scenario.providers import fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.cluster import Cluster
    from loadlab.results.model import ClusterUsed
    from loadlab.results.model_environment import HostEnvironment
    from loadlab.scenario import LoadedScenario
    from loadlab.scenario.cluster import Provider

_CLUSTER: Final = ("provider", "kind", "kafka_version", "brokers", "network")
_MACHINE: Final = ("cpu_model", "cores", "memory_bytes", "loadlab", "confluent_kafka")


def refuse_other_machine(identity: str, began: HostEnvironment, here: HostEnvironment) -> None:
    """Refuses to go on with what another machine, or other versions, began.

    Raises:
        UsageError: what differs.
    """
    for name in _MACHINE:
        if _differ(name, began, here):
            raise UsageError(
                f"{identity} began where {name} was {getattr(began, name)}; it is {getattr(here, name)} here",
                fix="go on where it began, with the same versions; or begin anew",
            )


def refuse_other_traces(identity: str, began: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Refuses to go on with another load under the same scenario; what older versions stored knows of none.

    Raises:
        UsageError: whose trace is another.
    """
    for name, digest in began.items():
        if here.get(name) != digest:
            raise UsageError(
                f"{identity} began with another trace of producer {name}: its file has changed",
                fix="put the file back as it was, or begin anew",
            )


def _differ(name: str, began: HostEnvironment, here: HostEnvironment) -> bool:
    if name == "memory_bytes":
        return not same_memory(began.memory_bytes, here.memory_bytes)
    return bool(getattr(began, name) != getattr(here, name))


def refuse_gone_cluster(cluster_name: str | None) -> None:
    """Refuses to go on with the brokers of a cluster that is gone: without them it would be another scenario.

    Raises:
        ClusterError: none stands under this name.
    """
    if cluster_name is not None:
        standing(cluster_name)


def on_provider(loaded: LoadedScenario, provider: str | None) -> LoadedScenario:
    """The scenario on the provider that something began with: `auto` might choose another one meanwhile.

    Args:
        loaded: the scenario.
        provider: None where nothing was begun.
    """
    spec = loaded.scenario.cluster
    if provider is None or spec.provider != "auto":
        return loaded
    cluster, _ = fitted(spec, cast("Provider", provider))
    return replace(loaded, scenario=loaded.scenario.model_copy(update={"cluster": cluster}))


def refuse_other_cluster(identity: str, began: ClusterUsed | None, cluster: Cluster, *, stands: bool) -> None:
    """Refuses to go on on another kind of cluster, or on another one that stands.

    Args:
        identity: what goes on.
        began: where it began; None where nothing was measured yet.
        cluster: where it is to go on.
        stands: whether that was there before: another one may be configured otherwise.

    Raises:
        UsageError: what differs.
    """
    names = (*_CLUSTER, "cluster_id") if stands or cluster.info.provider == "external" else _CLUSTER
    for name in names:
        before, now = getattr(began, name, None), getattr(cluster.info, name)
        if began is not None and before != now:
            raise UsageError(
                f"{identity} began on a cluster whose {name} was {before}; here it is {now}",
                fix="use the same cluster, by --provider or --cluster",
            )

"""Choosing a provider and starting a cluster by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from loadlab.cluster.api import Cluster, Progress, Provider, StartRequest
from loadlab.cluster.containers import DockerProvider
from loadlab.cluster.embedded import EmbeddedProvider
from loadlab.cluster.external import ExternalProvider
from loadlab.cluster.local import LocalProvider
from loadlab.errors import ClusterError
from loadlab.scenario.providers import fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.scenario.cluster import ClusterSpec
    from loadlab.scenario.cluster import Provider as ProviderName

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (DockerProvider(), LocalProvider(), EmbeddedProvider(), ExternalProvider())
}
AUTO_ORDER = ("docker", "local", "embedded")


def start_cluster(
    spec: ClusterSpec,
    *,
    progress: Progress,
    run_id: str,
    needed_disk_bytes: int = 0,
    standing_name: str | None = None,
) -> Cluster:
    """Start the cluster that a scenario asks for; it answers when this returns.

    Args:
        spec: what is asked for; `auto` takes the first provider that can: docker, local, embedded.
        progress: is told each step in a line.
        run_id: the id that everything started is marked with.
        needed_disk_bytes: what the run will write, replicas included; too small a disk is refused.
        standing_name: the cluster outlives this process under this name.

    Raises:
        ClusterError: no cluster could be had; the message tells what is missing.
        UsageError: what is asked for contradicts itself.
    """
    provider, reason = choose(spec)
    if spec.provider == "auto":
        spec, set_aside = fitted(spec, cast("ProviderName", provider.name))
        reason = "; ".join([reason, *set_aside])
    progress(f"cluster: provider {provider.name} ({reason})")
    return provider.start(spec, StartRequest(run_id, progress, reason, standing_name, needed_disk_bytes))


def choose(spec: ClusterSpec) -> tuple[Provider, str]:
    """Find the provider for a cluster and the reason for it.

    Raises:
        ClusterError: the provider that is asked for can't start it.
    """
    if spec.provider != "auto":
        return _asked(spec)
    passed_over: list[str] = []
    for name in AUTO_ORDER:
        availability = PROVIDERS[name].check(spec)
        if availability.available:
            return PROVIDERS[name], "; ".join([f"auto: {availability.reason}", *passed_over])
        passed_over.append(f"not {name}: {availability.reason}")
    raise ClusterError("; ".join(passed_over))  # embedded always can, so this is never reached in practice


def _asked(spec: ClusterSpec) -> tuple[Provider, str]:
    provider = PROVIDERS[spec.provider]
    if provider.name == "external":
        return provider, "asked for"  # what its check would say, its start says as the usage error that it is
    availability = provider.check(spec)
    if not availability.available:
        raise ClusterError(
            f"provider {provider.name}: {availability.reason}", fix=_way_out(spec, availability.fix)
        )
    return provider, "asked for"


def _way_out(spec: ClusterSpec, fix: str | None) -> str | None:
    """Name what is missing and, where a container engine is, the way without one and what that needs."""
    if spec.provider != "docker":
        return fix
    local = PROVIDERS["local"].check(spec)
    other = "--provider local works here" if local.available else f"--provider local needs: {local.fix}"
    return f"{fix}; or {other}" if fix else other

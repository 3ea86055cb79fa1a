"""Fits a cluster's fields to the provider that is to make it."""

from __future__ import annotations

from loadlab.scenario.cluster import ClusterSpec, Provider, set_aside
from loadlab.scenario.document import Document, Path, value_at
from loadlab.scenario.problems import dotted

_ASKED = ("cluster", "provider")
_ONLY_OF = {
    "resources": "docker or local",
    "bootstrap_servers": "external",
    "client_properties": "external",
    "cluster_id": "external",
    "round_trip": "embedded",
}


def fit_to_override(document: Document) -> tuple[str, ...]:
    """Sets aside what the file asks of its own provider where another one was set over it.

    A file that names its provider must fit it. But ``--provider local`` on a file with ``cpus`` is a fair
    wish: the run goes on without them, and says so.

    Returns:
        A warning for each field that was set aside.
    """
    cluster = document.data.get("cluster")
    provider = value_at(document.data, _ASKED)
    if _ASKED not in document.overrides or not isinstance(cluster, dict) or not isinstance(provider, str):
        return ()
    paths = [("cluster", *path) for path in set_aside(cluster, provider)]
    dropped = [path for path in paths if document.origin(path).kind not in {"set", "environment"}]
    for path in dropped:
        parent = value_at(document.data, path[:-1])
        if isinstance(parent, dict):
            del parent[path[-1]]
        document.forget(path)
    return tuple(_warning(path, provider) for path in dropped)


def fitted(cluster: ClusterSpec, provider: Provider) -> tuple[ClusterSpec, tuple[str, ...]]:
    """The cluster as a provider can honour it, once ``auto`` has chosen one.

    Returns:
        The cluster, and a warning for each field that had to be set aside.
    """
    document = cluster.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    paths = set_aside(document, provider)
    for path in paths:
        parent = value_at(document, path[:-1])
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
    rest = ClusterSpec.model_validate({**document, "provider": provider})
    return rest, tuple(_warning(("cluster", *path), provider) for path in paths)


def _warning(path: Path, provider: str) -> str:
    return f"{dotted(path)} is set aside: provider {provider} can't honour it"


def refusal(path: tuple[str, ...], provider: str) -> str:
    """Why a provider can't honour a field of ``cluster``."""
    if path[0] == "resources" and provider == "local":
        return f"provider {provider} takes heap and can't limit {path[-1]}; use provider docker for it"
    owner = _ONLY_OF.get(path[-1])
    instead = f"; use provider {owner} for it" if owner else ""
    return f"provider {provider} has no use for {path[-1]}{instead}"

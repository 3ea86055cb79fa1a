"""Clusters that every contract test is asked of; each is started once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import Capability, start_cluster
from loadlab.cluster.docker import Engine
from loadlab.cluster.image import build_image
from loadlab.cluster.java import find_java
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.cluster import Cluster

# A killed broker may come back only when the controller has missed it for this long.
QUICKLY_MISSED = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
VERSION = "4.3.1"
OWN_KAFKA = {
    Capability.ADMIN,
    Capability.TELEMETRY,
    Capability.DURABILITY,
    Capability.PAUSE,
    Capability.KILL,
}
DECLARED: dict[str, set[Capability]] = {
    "embedded": set(),
    "local": OWN_KAFKA,
    "docker": OWN_KAFKA,
    "external": {Capability.ADMIN, Capability.DURABILITY},
}
MARKS = {
    "embedded": [],
    "local": [pytest.mark.local],
    "docker": [pytest.mark.docker],
    "external": [pytest.mark.local],
}


@pytest.fixture(scope="session")
def declared() -> dict[str, set[Capability]]:
    return DECLARED


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[[str], Cluster]]:
    clusters: dict[str, Cluster] = {}

    def start(provider: str) -> Cluster:
        if provider not in clusters:
            clusters[provider] = _start(provider, start)
        return clusters[provider]

    yield start
    for cluster in reversed(clusters.values()):
        cluster.stop()


def _start(provider: str, start: Callable[[str], Cluster]) -> Cluster:
    fields: dict[str, object] = {"provider": provider}
    if provider == "external":
        fields["bootstrap_servers"] = start("local").bootstrap_servers
    elif provider != "embedded":
        _prepare(provider)
        fields["config"] = QUICKLY_MISSED
        fields["resources"] = {"heap": "512MiB"}
    return start_cluster(cluster_spec(fields), progress=print, run_id=f"contract-{uuid.uuid4().hex[:8]}")


def _prepare(provider: str) -> None:
    if provider == "docker":
        try:
            build_image(Engine(), VERSION, print)
        except ClusterError as error:
            pytest.skip(error.message)
    elif find_java() is None:
        pytest.skip("no Java")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask each provider's cluster, or each that declares what the test's mark `needs` names."""
    if "cluster" not in metafunc.fixturenames:
        return
    needed = metafunc.definition.get_closest_marker("needs")
    providers = [one for one in DECLARED if needed is None or needed.args[0] in DECLARED[one]]
    params = [pytest.param(one, marks=MARKS[one]) for one in providers]
    metafunc.parametrize("cluster", params, indirect=True)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, started: Callable[[str], Cluster]) -> Cluster:
    return started(request.param)


@pytest.fixture
def topic() -> str:
    return f"topic-{uuid.uuid4().hex[:8]}"

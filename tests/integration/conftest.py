"""What integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import start_cluster
from loadlab.cluster.docker import Engine
from loadlab.cluster.image import build_image
from loadlab.cluster.java import find_java
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.cluster import Cluster

TAKE_LONGEST = (
    "test_ends_well",
    "test_capacity_searches",
    "test_run",
    "test_documents",
    "test_cluster_start",
    "test_faults",
    "test_early_ends",
    "test_telemetry_run",
    "test_cluster_command",
    "test_reports",
    "test_cluster_contract",
    "test_ledger",
    "test_ledger_runs",
    "test_python_docs",
    "test_shipped_scenarios",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files that take longest, since a whole file is given to one process."""
    ranks = {stem: rank for rank, stem in enumerate(TAKE_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


@pytest.fixture(scope="session")
def local_kafka() -> None:
    """Kafka's own JVM can be started here."""
    if find_java() is None:
        pytest.skip("no Java runtime")


@pytest.fixture(scope="session")
def docker_kafka() -> None:
    """A container engine answers and has the image."""
    try:
        build_image(Engine(), "4.3.1", print)
    except ClusterError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module")
def cluster(local_kafka: None) -> Iterator[Cluster]:  # noqa: ARG001 - it is asked for first
    """One broker for all tests of a module that leave it as they found it."""
    started = start_cluster(cluster_spec({"provider": "local"}), progress=print, run_id="shared")
    yield started
    started.stop()


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("local", marks=pytest.mark.local),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def provider(request: pytest.FixtureRequest) -> str:
    """Each provider in turn that starts a cluster of its own."""
    name = str(request.param)
    if name != "embedded":
        request.getfixturevalue(f"{name}_kafka")
    return name

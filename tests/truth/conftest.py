"""What the ground-truth tests share: the table, and what they need of the machine."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from relay import LOOPBACK, RelayProcess
from truths import Table, behind, run, scenario

from loadlab.cluster import local, start_cluster
from loadlab.cluster.docker import Engine
from loadlab.cluster.image import build_image
from loadlab.cluster.java import find_java
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadlab.cluster.properties import BrokerEndpoints

_TABLE = Table()


@pytest.fixture(scope="session")
def table() -> Table:
    return _TABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table, whatever became of the tests."""
    if _TABLE.rows:
        terminalreporter.section("ground truth")
        terminalreporter.line("| what | known | measured | limit | within |")
        terminalreporter.line("|---|---|---|---|---|")
        for row in _TABLE.rows:
            terminalreporter.line(str(row))


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


@pytest.fixture(scope="session")
def relay(
    local_kafka: None,  # noqa: ARG001  a fixture for what it does
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RelayProcess]:
    """A real broker that names a relay as its address, so that whatever is sent to it goes that way."""
    relays: list[RelayProcess] = []
    render = local.broker_properties

    def behind_relay(
        broker: BrokerEndpoints,
        cluster: Sequence[BrokerEndpoints],
        shared: Mapping[str, str],
        log_dir: str,
    ) -> dict[str, str]:
        relays.append(RelayProcess(int(broker.clients.bind.rpartition(":")[2])))
        properties = render(broker, cluster, shared, log_dir)
        return {**properties, "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{relays[-1].port}"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "broker_properties", behind_relay)
        spec = cluster_spec({"provider": "local"})
        cluster = start_cluster(spec, progress=print, run_id=f"relay-{uuid.uuid4().hex[:6]}")
    # A JVM that has just started is slower than it will be.
    run(scenario(behind(relays[-1]), {"schedule": {"rate": "500/s"}}), tmp_path_factory.mktemp("warm"))
    yield relays[-1]
    cluster.stop()
    for one in relays:
        one.stop()

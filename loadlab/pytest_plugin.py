"""A pytest plugin: load tests as ordinary tests, on a cluster that the session shares.

    def test_checkout_is_fast(loadlab_run):
        result = loadlab_run("scenarios/checkout.yaml")
        result.assert_threshold("publish_latency", "p99 < 20ms")

It comes with loadlab (entry point `pytest11`) and imports nothing of it before a test asks for a fixture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.api.result import Result
    from loadlab.api.running import Overrides, ScenarioSource
    from loadlab.run.opening import OpenCluster

_PROVIDERS = ("auto", "docker", "local", "embedded")


class LoadlabRun(Protocol):
    """What the fixture `loadlab_run` gives."""

    def __call__(self, scenario: ScenarioSource, *, overrides: Overrides = ()) -> Result:
        """Run a scenario on the session's cluster.

        Args:
            scenario: a file, plain data as in a file, or what `loadlab.load_scenario` gave.
            overrides: values over the scenario's own, as of `loadlab.run`.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("loadlab", "load tests of Kafka")
    group.addoption(
        "--loadlab-provider", choices=_PROVIDERS, help="Where the cluster of kafka_cluster comes from (auto)."
    )
    group.addoption("--loadlab-brokers", type=int, metavar="N", help="How many brokers it has (1).")
    group.addoption(
        "--loadlab-results-dir",
        type=Path,
        metavar="DIR",
        help="Where runs are stored (a temporary folder of pytest's).",
    )


@pytest.fixture(scope="session")
def loadlab_results_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which `loadlab_run` stores what it measures."""
    chosen: Path | None = request.config.getoption("--loadlab-results-dir")
    return chosen or tmp_path_factory.mktemp("loadlab-results")


@pytest.fixture(scope="session")
def kafka_cluster(request: pytest.FixtureRequest) -> Iterator[OpenCluster]:
    """A Kafka cluster for all tests of the session: `kafka_cluster.bootstrap_servers`."""
    from loadlab.api.running import open_cluster  # noqa: PLC0415 (pytest must start without the engine)

    option = request.config.getoption
    with open_cluster(option("--loadlab-provider"), brokers=option("--loadlab-brokers")) as cluster:
        yield cluster


@pytest.fixture
def loadlab_run(kafka_cluster: OpenCluster, loadlab_results_dir: Path) -> LoadlabRun:
    """Run a scenario on `kafka_cluster`; what the scenario says of its cluster does not count.

    The result is returned also where a threshold of the scenario failed, so that the test can say what it
    asserts: `assert_threshold` fails with what was measured beside the limit.
    """
    from loadlab.api.running import run  # noqa: PLC0415 (as above)

    def execute(scenario: ScenarioSource, *, overrides: Overrides = ()) -> Result:
        result = run(
            scenario,
            overrides=overrides,
            cluster=kafka_cluster,
            results_dir=loadlab_results_dir,
        )
        if kafka_cluster.interrupts.came:
            raise KeyboardInterrupt
        return result

    return execute

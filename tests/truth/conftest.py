"""What the ground-truth tests share: the table, and what they need of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from truths import Table

from loadlab.cluster.docker import Engine
from loadlab.cluster.image import build_image
from loadlab.cluster.java import find_java
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOADLAB_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


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

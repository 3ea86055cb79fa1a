"""What the benchmarks share: a broker, ways to run a scenario, and the table that `make bench` prints."""

from __future__ import annotations

import os
import statistics
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import start_cluster
from loadlab.cluster.specs import cluster_spec
from loadlab.results.reader import StoredRun
from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import OpenCluster
from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.model import RunResult

REPETITIONS = int(os.environ.get("LOADLAB_REPETITIONS", "5"))


@dataclass(frozen=True)
class Row:
    """A line of the table: what was measured, the figures of all repetitions, and what must be reached."""

    what: str
    figures: Sequence[float]
    unit: str
    limit: float
    at_least: bool

    @property
    def median(self) -> float:
        return statistics.median(self.figures)

    @property
    def reached(self) -> bool:
        return self.median >= self.limit if self.at_least else self.median <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        word = "reached" if self.reached else "MISSED"
        spread = f"{min(self.figures):.3g} to {max(self.figures):.3g}"
        limit = f"{sign} {self.limit:g} {self.unit}"
        return (
            f"{self.what:<84} {self.median:8.3g} {self.unit:<3} ({spread})".ljust(126) + f"{limit:<12} {word}"
        )


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, figures: Sequence[float], unit: str, limit: float, *, at_least: bool) -> Row:
        row = Row(what, figures, unit, limit, at_least)
        self.rows.append(row)
        print(f"\n{row}", flush=True)
        return row


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    table = Table()
    yield table
    print("\n\nmedian of the repetitions (smallest to largest)")
    for row in table.rows:
        print(row)


@pytest.fixture(scope="session")
def broker() -> Iterator[Cluster]:
    """One real broker without a container, used by both sides of each comparison."""
    cluster = start_cluster(
        cluster_spec({"provider": "local"}), progress=print, run_id=f"bench-{uuid.uuid4().hex[:6]}"
    )
    yield cluster
    cluster.stop()


def scenario(
    provider: str,
    topics: dict[str, object],
    producers: dict[str, object],
    consumers: dict[str, object],
    **phases: str,
) -> dict[str, object]:
    """A scenario as plain data."""
    cluster = {"provider": provider}
    return {
        "name": "bench",
        "cluster": cluster,
        "topics": topics,
        "producers": producers,
        "consumers": consumers,
        "phases": {"warmup": "2s", "measure": "8s", "drain": "30s", **phases},
    }


@pytest.fixture
def run(tmp_path: Path) -> Callable[[dict[str, object]], RunResult]:
    """Runs a scenario through the one way by which anything is measured."""

    def execute(document: dict[str, object]) -> RunResult:
        stored = run_scenario(load_document(document), RunOptions(tmp_path), SilentObserver())
        assert isinstance(stored, StoredRun)
        return stored.result

    return execute


@pytest.fixture
def run_on(
    broker: Cluster,
    tmp_path: Path,
) -> Callable[[dict[str, object]], RunResult]:
    """Runs a scenario on the broker that the peers use too, and asks that broker how it is meanwhile."""

    def execute(document: dict[str, object]) -> RunResult:
        opened = OpenCluster(broker, time.monotonic_ns(), Interrupts())
        stored = run_scenario(load_document(document), RunOptions(tmp_path), SilentObserver(), cluster=opened)
        assert stored.result.brokers, "the broker told nothing of itself"
        return stored.result

    return execute

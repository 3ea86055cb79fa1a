"""Whether the capacity search gives the same answer again: five searches on one broker.

    make bench ARGS="-k capacity"

It needs a quiet machine and a container engine, and takes about twenty minutes. The broker has half a core,
so that it is the limit and not what sends. LOADLAB_CAPACITY_P99 (such as 50ms) sets another limit.
"""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING

import pytest
from conftest import REPETITIONS, Table, scenario

from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions, open_cluster
from loadlab.scenario import load_document
from loadlab.tuning.capacity import CapacityOptions, find_capacity
from loadlab.units import duration_s

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.capacity_store import StoredCapacity

P99_S = duration_s(os.environ.get("LOADLAB_CAPACITY_P99", "100ms"))

pytestmark = pytest.mark.timeout(3600)


class Printing(SilentObserver):
    """Prints each probe, so that a spread can be explained."""

    def begun(self, search: StoredCapacity) -> None:
        print(f"\n{search.result.capacity_id}", flush=True)

    def warmed(self, search: StoredCapacity) -> None:
        print(f"  warm-up {search.result.warm_up_per_s[-1]:,.0f}/s", flush=True)

    def probed(self, search: StoredCapacity) -> None:
        probe = search.result.probes[-1]
        p99_ms = (probe.publish_p99_us or 0.0) / 1e3
        rate = "max" if probe.rate_per_s is None else f"{probe.rate_per_s:,.0f}/s"
        said = f"{probe.verdict} {'; '.join(probe.failed)}"
        print(f"  {rate:>12} {probe.achieved_per_s:12,.0f}/s p99 {p99_ms:9.2f} ms {said}", flush=True)


def test_capacity_searches_agree(table: Table, tmp_path: Path) -> None:
    group = {
        "topic": "t",
        "schedule": {"rate": "max"},
        "records": {"size": 1_024},
        "config": {"acks": "all", "linger.ms": 5},
    }
    readers = {"c": {"topic": "t"}}
    document = scenario("docker", {"t": {"partitions": 6}}, {"p": group}, readers, warmup="5s", drain="10s")
    document["cluster"] = {"provider": "docker", "resources": {"cpus": 0.5}}
    loaded, found = load_document(document), []
    with open_cluster(loaded, RunOptions(tmp_path), Printing()) as opened:
        for number in range(REPETITIONS):
            options = CapacityOptions(tmp_path / str(number), p99_limit_s=P99_S)
            answer = find_capacity(loaded, options, Printing(), cluster=opened).result.answer
            assert answer.holds_per_s is not None, "no rate held: is the machine quiet?"
            found.append(answer.holds_per_s)
    middle = statistics.median(found)
    apart = max(abs(rate / middle - 1.0) for rate in found) * 100.0
    table.add("capacity, 1 KiB, acks=all: records/s that hold", found, "/s", 0.0, at_least=True)
    table.add("… the search furthest from their median", [apart], "%", 5.0, at_least=False)

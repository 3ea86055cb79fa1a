"""Every shipped scenario on a real broker, with short phases: it runs, and its accounts agree."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from runs import ROOT, Recorder, assert_accounts_add_up

from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import OpenCluster
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.model import RunResult

pytestmark = [pytest.mark.local, pytest.mark.beside, pytest.mark.usefixtures("local_kafka")]

SHORT = ("phases.warmup=500ms", "phases.measure=2s", "phases.drain=30s")
# Only so many at the maximum rate: other tests run beside this one.
FEW = {
    "high-throughput": ("producers.tracker.schedule.records=200k",),
    "rate-within-50ms": ("producers.checkout.schedule.records=200k",),
}
LATE = "backlog-drain"
OF_THREE_BROKERS = "durable-3-brokers"  # test_ends_well stops one of its brokers
LOSES_A_BROKER = "broker-failure"
APART = {LATE, OF_THREE_BROKERS, LOSES_A_BROKER}
NAMES = sorted({path.stem for path in (ROOT / "scenarios").glob("*.yaml")} - APART)


def ran(name: str, cluster: Cluster, results_dir: Path, *overrides: str) -> RunResult:
    loaded = load(ROOT / "scenarios" / f"{name}.yaml", (*SHORT, *overrides), environ={})
    opened = OpenCluster(cluster, time.monotonic_ns(), Interrupts())
    return run_scenario(loaded, RunOptions(results_dir), Recorder(), cluster=opened).result


def assert_all_was_read(result: RunResult) -> None:
    assert_accounts_add_up(result)
    accounts = result.reconciliation
    assert accounts.acked == accounts.log_end_growth > 0
    assert accounts.failed == accounts.indeterminate == accounts.unexplained == accounts.unseen == 0
    assert accounts.consumed == dict.fromkeys(result.consumers, accounts.acked)
    for group in accounts.groups.values():
        assert (group.seen, group.lost, group.duplicated, group.reordered) == (accounts.acked, 0, 0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_scenario_runs_and_its_accounts_agree(name: str, cluster: Cluster, tmp_path: Path) -> None:
    assert_all_was_read(ran(name, cluster, tmp_path, *FEW.get(name, ())))


def test_a_late_group_has_a_backlog_and_drains_it(cluster: Cluster, tmp_path: Path) -> None:
    result = ran(LATE, cluster, tmp_path, "phases.measure=4s", "consumers.billing.start_after=2s")

    assert_all_was_read(result)
    lag = result.consumers["billing"].lag
    assert lag is not None
    assert lag.max > 8_000
    assert lag.final == 0


def test_the_broker_that_a_scenario_kills_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    quickly = (
        "cluster.provider=local",
        "cluster.config.broker.session.timeout.ms=3000",
        "cluster.config.broker.heartbeat.interval.ms=500",
        "phases.measure=10s",
        "phases.drain=60s",
        "faults=[{at: 4s, kill: 2, for: 1s}]",
    )
    loaded = load(ROOT / "scenarios" / f"{LOSES_A_BROKER}.yaml", quickly, environ={})
    result = run_scenario(loaded, RunOptions(tmp_path), Recorder()).result

    assert_all_was_read(result)
    (fault,) = result.faults
    assert (fault.failure, result.reconciliation.lost, result.reconciliation.duplicated) == (None, 0, 0)
    assert fault.ended_s is not None
    assert "broker_died" not in {reason.code for reason in result.verdict.reasons}

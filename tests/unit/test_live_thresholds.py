"""Which thresholds may end a run, and from when on."""

from __future__ import annotations

import time

import pytest
from run_samples import S, fleet_of, producing, scenario_of, worker_of
from test_reconcile import load_of

from loadlab.run.judging import LiveThresholds
from loadlab.run.timeline import Timeline
from loadlab.scenario import METRICS

NOTHING_ACKED = {"throughput": [{"expression": "records_per_s > 900/s", "abort_on_fail": True}]}


@pytest.mark.parametrize(("measured_s", "ends"), [(0.02, False), (0.9, False), (1.02, True)])
def test_nothing_ends_a_run_before_a_second_was_measured(measured_s: float, *, ends: bool) -> None:
    loaded = scenario_of(thresholds=NOTHING_ACKED)
    load = load_of(loaded, fleet_of(worker_of(producing(0))), {}, kind="kafka", baseline=0)
    begun_ns = time.monotonic_ns() - round(measured_s * S)
    load.timeline = Timeline(begun_ns - 5 * S, begun_ns, begun_ns + 60 * S, begun_ns + 65 * S)

    why = LiveThresholds(loaded.scenario).why_to_end(load)

    assert (why is not None) == ends


@pytest.mark.parametrize("patient", [True, False])
def test_a_study_s_run_goes_on_while_a_rate_may_still_come_right(*, patient: bool) -> None:
    loaded = scenario_of(thresholds=NOTHING_ACKED)
    load = load_of(loaded, fleet_of(worker_of(producing(0))), {}, kind="kafka", baseline=0)
    begun_ns = time.monotonic_ns() - 30 * S
    load.timeline = Timeline(begun_ns - 5 * S, begun_ns, begun_ns + 60 * S, begun_ns + 65 * S)

    assert (LiveThresholds(loaded.scenario, patient).why_to_end(load) is None) == patient


def test_what_is_on_its_way_ends_no_run() -> None:
    assert METRICS["records"].stats["indeterminate"].live == "never"

"""Thresholds on whole runs: what holds, what does not, and what ends a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from runs import run, start_command

from loadlab.results.reader import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.beside

# What is judged is the result, whatever engine the broker runs in.
ON_MOCK_AND_KAFKA = pytest.mark.parametrize(
    "provider", ["embedded", pytest.param("local", marks=pytest.mark.local)], indirect=True
)


@ON_MOCK_AND_KAFKA
def test_a_threshold_is_judged_on_what_the_result_says(tmp_path: Path, provider: str) -> None:
    thresholds = {
        "publish_latency": ["p99 < 60s", "p99.5 < 60s", "p9999 < 60s", "count == 6000"],
        "end_to_end_latency{consumer=billing}": ["p50 < 1us"],
        "consumer_lag": ["final == 0"],
        "log_end_growth{topic=orders}": ["value == 8000"],
        "reconciliation": ["unexplained == 0"],
    }
    stored = run({"cluster": {"provider": provider}, "thresholds": thresholds}, tmp_path)
    result = stored.result
    outcomes = {each.expression: each for each in result.thresholds}

    assert {name for name, each in outcomes.items() if not each.passed} == {
        "publish_latency p9999 < 60s",
        "end_to_end_latency{consumer=billing} p50 < 1us",
    }
    p99, late = (
        outcomes["publish_latency p99 < 60s"],
        outcomes["end_to_end_latency{consumer=billing} p50 < 1us"],
    )
    latency = result.consumers["billing"].end_to_end_latency_us
    assert latency is not None
    assert p99.measured == result.producers["checkout"].publish_latency_us.p99
    assert late.measured == latency.p50
    assert outcomes["publish_latency p9999 < 60s"].not_measurable == (
        "p99.99 needs 100,000 samples, and there are 6,000"
    )
    assert load(result.run_id, tmp_path).result.thresholds == result.thresholds


@ON_MOCK_AND_KAFKA
def test_abort_on_fail_ends_the_run_after_its_delay_and_keeps_what_was_measured(
    tmp_path: Path, provider: str
) -> None:
    thresholds = {
        "publish_latency": [{"expression": "p50 < 1us", "abort_on_fail": True, "delay": "2s"}, "p50 < 5s"]
    }
    phases = {"warmup": "2s", "measure": "60s", "drain": "20s"}
    result = run(
        {"cluster": {"provider": provider}, "thresholds": thresholds, "phases": phases}, tmp_path
    ).result
    measure = result.phase("measure")
    fatal, other = result.thresholds

    assert measure is not None
    assert measure.start_s == 2.0
    assert fatal.ended_run_at_s is not None
    assert 4.0 <= fatal.ended_run_at_s <= measure.end_s < 10.0
    assert (fatal.passed, other.passed) == (False, True)
    assert other.ended_run_at_s is None
    assert not result.interrupted
    producer = result.producers["checkout"].records
    assert producer.attempted == producer.acked > 2_000


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_a_run_that_ends_by_its_threshold_exits_with_99(tmp_path: Path) -> None:
    fatal = 'thresholds.publish_latency=[{expression: "p50 < 1us", abort_on_fail: true}]'
    phases = ("--set", "phases.warmup=1s", "--set", "phases.measure=60s")
    code, output, _ = start_command(tmp_path, *phases, "--set", fatal).end(120)

    assert code == 99
    ended = [one for one in json.loads(output)["thresholds"] if one["ended_run_at_s"] is not None]
    assert [(one["expression"], one["passed"]) for one in ended] == [("publish_latency p50 < 1us", False)]

from __future__ import annotations

from dataclasses import replace

import pytest
from recorded_runs import recorded

from loadlab.analysis.stored_evidence import judge_stored
from loadlab.errors import UsageError


@pytest.mark.parametrize("run", ["pair", "fast"])
def test_a_stored_run_is_judged_as_it_was_at_its_end(run: str) -> None:
    stored = recorded(run)
    assert stored.result.thresholds
    rounded_us = 0.0011  # a result tells means to 0.001 µs
    for judged in stored.result.thresholds:
        key, _, expression = judged.expression.partition(" ")
        again = judge_stored(stored, key, expression)
        assert again.passed == judged.passed, judged.expression
        assert again.measured == pytest.approx(judged.measured, rel=1e-9, abs=rounded_us), judged.expression
        assert (again.limit, again.unit) == (judged.limit, judged.unit)


def test_every_kind_of_threshold_is_among_them() -> None:
    keys = {judged.expression.split("{")[0].split()[0] for judged in recorded("pair").result.thresholds}
    assert {"publish_latency", "end_to_end_latency", "consumer_lag", "committed_lag", "backlog"} <= keys
    assert {"throughput", "reconciliation", "batch"} <= keys


@pytest.mark.parametrize(
    ("key", "expression", "message"),
    [
        ("publsh_latency", "p99 < 20ms", 'did you mean "publish_latency"'),
        ("publish_latency", "p99 < 20", "20"),
        ("publish_latency", "p99 less than 20ms", "is no expression"),
        ("publish_latency", "p9x < 20ms", "has no"),
        ("publish_latency{producer=chekout}", "p99 < 20ms", "no producer of the run is called chekout"),
        ("end_to_end_latency{topic=nothing}", "p99 < 20ms", "no topic of the run is called nothing"),
        ("reconciliation{consumer=billing}", "consumed == 9", "is of the whole run: leave the selector out"),
    ],
)
def test_what_can_not_be_asked_is_told(key: str, expression: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        judge_stored(recorded("pair"), key, expression)


@pytest.mark.parametrize(
    ("errors", "measured_errors", "measured"),
    [({"A": 3}, {"A": 1}, 2.0), ({"A": 3}, {}, 0.0), ({}, None, 0.0), ({"A": 3}, None, None)],
)
def test_errors_are_those_of_the_measure_phase_and_of_older_results_not_known(
    errors: dict[str, int], measured_errors: dict[str, int] | None, measured: float | None
) -> None:
    stored = recorded("pair")  # of two producers
    told = {"errors": errors, "measured_errors": measured_errors}
    producers = {name: group.model_copy(update=told) for name, group in stored.result.producers.items()}
    stored = replace(stored, result=stored.result.model_copy(update={"producers": producers}))

    judged = judge_stored(stored, "errors", "count == 0")

    assert judged.measured == measured
    assert judged.passed == (measured == 0.0)


def test_what_was_not_measured_did_not_hold() -> None:
    judged = judge_stored(recorded("fast"), "send_delay", "p99 < 20ms")

    assert not judged.passed
    assert judged.measured is None
    assert judged.not_measurable is not None

"""What a run ran under makes its verdict: each rule at its limit and beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadlab.measurement.circumstances import (
    BUSY_LIMIT,
    FOREIGN_LOAD_LIMIT,
    SLEEP_LIMIT_S,
    STEAL_LIMIT,
    MachineFigures,
    SeriesDrift,
    Stall,
    disturbed,
    stalled,
    unsteady,
)
from loadlab.measurement.steadiness import Drift

QUIET = MachineFigures(
    busy=0.5,
    workers=0.2,
    brokers=0.25,
    foreign=0.05,
    steal=0.0,
    shared_cores=2,
    beside_workers=None,
    beside_with_brokers=None,
    throttled=None,
    slept_s=0.0,
)


def codes(machine: MachineFigures) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in disturbed(machine)]


def test_a_quiet_machine_makes_no_finding() -> None:
    assert codes(QUIET) == []


def test_values_at_their_limits_are_allowed() -> None:
    at_limits = replace(QUIET, foreign=FOREIGN_LOAD_LIMIT, steal=STEAL_LIMIT, busy=BUSY_LIMIT)

    assert codes(at_limits) == []


def test_the_load_of_others_is_told_with_figure_and_limit() -> None:
    (finding,) = disturbed(replace(QUIET, foreign=0.3))

    assert (finding.code, finding.severity) == ("foreign_load", "suspect")
    assert (finding.figure, finding.limit) == (0.3, FOREIGN_LOAD_LIMIT)
    assert "30.0%" in finding.message


def test_stolen_time_is_foreign_load_too() -> None:
    assert codes(replace(QUIET, steal=0.2)) == [("foreign_load", "suspect")]


def test_a_machine_that_slept_measured_nothing() -> None:
    assert codes(replace(QUIET, slept_s=SLEEP_LIMIT_S)) == []
    assert codes(replace(QUIET, slept_s=30.0)) == [("suspended", "invalid")]


def test_unknown_foreign_load_is_not_held_against_a_run() -> None:
    assert codes(replace(QUIET, brokers=None, foreign=None, shared_cores=None)) == []


def test_busy_shared_cores_are_told_and_leave_the_status() -> None:
    assert codes(replace(QUIET, busy=0.95)) == [("shared_cores", "info")]


@pytest.mark.parametrize(
    ("brokers", "workers", "told"),
    [(0.5, 0.25, "busy: brokers 50%, clients 25%"), (0.5, None, "busy: brokers 50%"), (None, None, "busy")],
)
def test_no_share_of_shared_cores_is_invented(brokers: float, workers: float, told: str) -> None:
    busy = replace(QUIET, busy=0.95, brokers=brokers, workers=workers)
    (finding,) = disturbed(busy)
    assert finding.message.endswith(told)


@pytest.mark.parametrize("shared", [0, None])
def test_a_busy_machine_without_shared_cores_is_no_finding(shared: int | None) -> None:
    assert codes(replace(QUIET, busy=0.95, shared_cores=shared)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [(0.2, "upwards by 20.0%"), (-0.2, "downwards by 20.0%"), (-17.7, "downwards by 17.7 times its median")],
)
def test_a_drift_beyond_its_limit_is_suspect_in_both_directions(change: float, words: str) -> None:
    (finding,) = unsteady([SeriesDrift("throughput of producer p", Drift("trend", change), 0.1)])

    assert (finding.code, finding.severity) == ("drift", "suspect")
    assert words in finding.message
    assert "throughput of producer p" in finding.message


def test_a_drift_within_its_limit_is_none() -> None:
    assert list(unsteady([SeriesDrift("throughput of producer p", Drift("step", 0.1), 0.1)])) == []


def test_a_stalled_worker_makes_a_run_invalid() -> None:
    (finding,) = stalled([Stall("worker 1 of checkout", 3.25)])

    assert (finding.code, finding.severity, finding.figure) == ("worker_stalled", "invalid", 3.25)
    assert "worker 1 of checkout" in finding.message

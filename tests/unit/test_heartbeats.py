"""A worker that lives and does nothing is noticed; one that ended, or has not begun, is not."""

from __future__ import annotations

import time

import pytest
from run_samples import FakeProcess, S, fleet_of, producing, worker_of

from loadlab.measurement.slab import State
from loadlab.run.heartbeats import Heartbeats


def silent(for_s: float, state: State = State.READY, process: FakeProcess | None = None) -> Heartbeats:
    worker = worker_of(producing(3), process, state)
    worker.slab.record["heartbeat_ns"] = time.monotonic_ns() - int(for_s * S)
    return Heartbeats(fleet_of(worker))


def test_a_silent_worker_is_told_once_and_its_longest_silence_kept() -> None:
    heartbeats = silent(for_s=3.0)

    (stall,) = heartbeats.check()
    assert stall.who == "worker 3 of checkout"
    assert stall.longest_s == pytest.approx(3.0, abs=0.5)
    heartbeats.fleet.workers[0].slab.record["heartbeat_ns"] = time.monotonic_ns() - 7 * S
    assert list(heartbeats.check()) == []
    assert heartbeats.stalls[3].longest_s == pytest.approx(7.0, abs=0.5)


def test_a_worker_that_recovers_keeps_its_mark() -> None:
    heartbeats = silent(for_s=3.0)
    list(heartbeats.check())
    heartbeats.fleet.workers[0].slab.record["heartbeat_ns"] = time.monotonic_ns()

    assert list(heartbeats.check()) == []
    assert heartbeats.stalls[3].longest_s == pytest.approx(3.0, abs=0.5)


@pytest.mark.parametrize("state", [State.STARTING, State.FINISHED, State.FAILED])
def test_only_a_worker_at_work_has_to_give_signs(state: State) -> None:
    assert list(silent(10.0, state).check()) == []


def test_a_dead_worker_is_not_called_stalled() -> None:
    assert list(silent(10.0, process=FakeProcess(returncode=-9)).check()) == []


def test_a_gap_that_was_over_when_the_parent_looked_is_told() -> None:
    heartbeats = silent(0.0)
    heartbeats.fleet.workers[0].slab.record["longest_gap_ns"] = 3 * S
    (stall,) = heartbeats.check()
    assert stall.longest_s == pytest.approx(3.0)


def test_a_worker_that_beats_is_well() -> None:
    assert list(silent(0.5).check()) == []

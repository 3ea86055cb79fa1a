from __future__ import annotations

import errno
import os
import subprocess
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from run_samples import FakeProcess, consuming, fleet_of, producing, worker_of

from loadlab.client.settings import ConsumerSettings, TopicSettings
from loadlab.errors import WorkerError
from loadlab.measurement.slab import Command, State
from loadlab.run import fleet as fleet_module

if TYPE_CHECKING:
    from loadlab.run.fleet import WorkerProcess


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here gets ready later."""
    monkeypatch.setattr(fleet_module, "_READY_TIMEOUT_S", 0.05)


def holding(partitions: int, **order: object) -> WorkerProcess:
    worker = worker_of(consuming(**order))  # type: ignore[arg-type]
    worker.slab.record["assigned"] = partitions
    worker.slab.record["assignments"] = 1
    return worker


def test_a_fleet_is_ready_when_its_workers_are_and_its_groups_hold_all_partitions() -> None:
    fleet_of(worker_of(producing()), holding(2), holding(1, worker=2)).await_ready()


def test_a_worker_that_can_not_be_started_is_told_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refused)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(WorkerError, match="worker 0 could not be started: Resource temporarily unavailable"):
        fleet_module.Fleet().spawn([producing(0)], None)

    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_a_worker_that_does_not_get_ready_is_named() -> None:
    late = worker_of(producing(7), state=State.STARTING)

    with pytest.raises(WorkerError, match=r"not ready within .*: checkout \(worker 7\)"):
        fleet_of(late, worker_of(producing(8))).await_ready()


def test_workers_are_to_connect_once_all_have_come_so_far() -> None:
    first, second = worker_of(producing(7)), worker_of(producing(8), state=State.STARTING)
    first.slab.record["heartbeat_ns"] = 1
    with pytest.raises(WorkerError, match=r"not ready within .*: checkout \(worker 8\)"):
        fleet_of(first, second).connect()
    assert first.slab.record["command"][0] == Command.WAIT

    second.slab.record["heartbeat_ns"] = 1
    fleet_of(first, second).connect()
    assert {int(worker.slab.record["command"][0]) for worker in (first, second)} == {Command.CONNECT}


def test_a_group_that_lacks_a_partition_is_not_ready() -> None:
    with pytest.raises(WorkerError, match="did not form"):
        fleet_of(holding(2)).await_ready()


def test_a_group_whose_second_worker_has_not_joined_is_not_ready() -> None:
    waiting = holding(0, worker=2)
    waiting.slab.record["assignments"] = 0

    with pytest.raises(WorkerError, match="did not form"):
        fleet_of(holding(3), waiting).await_ready()


@pytest.mark.parametrize(("assignor", "forms"), [("range", True), ("uniform", False)])
def test_of_topics_that_are_assigned_one_by_one_some_members_get_nothing(
    assignor: str, *, forms: bool
) -> None:
    properties = {"group.protocol": "consumer", "group.remote.assignor": assignor}
    topics = tuple(TopicSettings(f"orders-{number}", 2) for number in range(3))
    orders = [
        replace(consuming(number), settings=ConsumerSettings(properties, topics, "run"))
        for number in range(4)
    ]
    workers = [worker_of(order) for order in orders]
    for worker in workers[:2]:
        worker.slab.record["assigned"] = 3

    with nullcontext() if forms else pytest.raises(WorkerError, match="did not form"):
        fleet_of(*workers).await_ready()


def test_a_group_that_joins_later_is_not_waited_for() -> None:
    fleet_of(worker_of(consuming(start_after_s=3.0))).await_ready()


def test_a_worker_that_ended_before_the_load_is_told_with_its_last_words() -> None:
    dead = worker_of(producing(3), FakeProcess(returncode=4), state=State.STARTING)

    with pytest.raises(WorkerError, match="worker 3 of checkout could not start"):
        fleet_of_words(dead, "librdkafka refuses the property acks").await_ready()


@pytest.mark.parametrize("returncode", [None, 4])
def test_a_worker_that_failed_is_not_ready(returncode: int | None) -> None:
    failed = worker_of(producing(3), FakeProcess(returncode=returncode), state=State.FAILED)

    with pytest.raises(WorkerError):
        fleet_of_words(failed, "the cluster did not answer within 30 s").await_ready()


def fleet_of_words(worker: WorkerProcess, words: str) -> fleet_module.Fleet:
    """A fleet of one worker that has written to its log."""

    class Wordy(fleet_module.WorkerProcess):
        def last_words(self) -> str:
            return words

    return fleet_of(Wordy(worker.order, worker.slab, worker.process, worker.log))


def test_commands_reach_all_workers_or_those_named() -> None:
    one, other = worker_of(producing(0)), worker_of(producing(1))
    fleet = fleet_of(one, other)
    fleet.command(Command.CONNECT)
    other.slab.command(Command.GO)

    commands = [int(worker.slab.record["command"][0]) for worker in (one, other)]
    assert commands == [Command.CONNECT, Command.GO]


def test_a_producer_and_a_consumer_of_one_name_are_two_groups() -> None:
    sender, reader = worker_of(producing(0, "orders")), worker_of(consuming(1, "orders"))
    fleet = fleet_of(sender, reader)

    assert fleet.group("orders", produces=True) == fleet.producers == [sender]
    assert fleet.group("orders", produces=False) == fleet.consumers == [reader]


@pytest.mark.parametrize(
    ("returncode", "text"),
    [
        (None, "running"),
        (0, "finished"),
        (4, "exit code 4"),
        (-9, "killed by SIGKILL"),
        (-15, "killed by SIGTERM"),
    ],
)
def test_how_a_worker_ended_is_said_in_words(returncode: int | None, text: str) -> None:
    assert worker_of(producing(), FakeProcess(returncode=returncode)).exit_text() == text


@pytest.mark.parametrize(
    ("returncode", "state", "died"),
    [
        (None, State.READY, False),
        (0, State.FINISHED, False),
        (-9, State.READY, True),
        (4, State.FAILED, True),
        (0, State.SENT, True),
    ],
)
def test_a_worker_died_that_is_gone_and_did_not_finish(
    returncode: int | None, state: State, died: bool
) -> None:
    assert worker_of(producing(), FakeProcess(returncode=returncode), state).died == died


def test_workers_leave_their_groups_when_all_have_committed() -> None:
    """Who leaves makes the group rebalance, in which the commits of the others may fail."""
    first, last = worker_of(consuming(0)), worker_of(consuming(1))
    last.slab.record["committed"] = 0
    left_early = []

    def commit() -> None:
        left_early.append(int(first.slab.record["may_leave"][0]))
        last.slab.record["committed"] = 1

    timer = threading.Timer(0.1, commit)
    timer.start()
    fleet_of(first, last).end(5.0)
    timer.join()
    assert left_early == [0]
    assert [int(one.slab.record["may_leave"][0]) for one in (first, last)] == [1, 1]


def test_an_end_tells_workers_to_stop_before_it_waits() -> None:
    worker = worker_of(producing())
    fleet_of(worker).end(1.0)

    assert worker.slab.record["command"][0] == Command.STOP
    assert not worker.alive

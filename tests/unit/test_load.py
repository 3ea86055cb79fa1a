"""A load's phases with workers that only a test moves on; a second of it lasts 20 ms."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from run_samples import (
    FakeCluster,
    FakeProcess,
    S,
    book,
    consuming,
    fleet_of,
    producing,
    scenario_of,
    worker_of,
)

from loadlab.cluster import BrokerState, OffsetSample
from loadlab.cluster.api import PAUSED
from loadlab.cluster.capacity import LOW_DISK_BYTES
from loadlab.measurement.slab import ACK_LANE, Command, Counter, State
from loadlab.run.brokers import BrokerSampler
from loadlab.run.events import Events
from loadlab.run.interrupts import Interrupts
from loadlab.run.load import Load
from loadlab.run.offsets import OffsetSampler
from loadlab.run.plan import plan_scenario
from loadlab.run.progress import SilentObserver
from loadlab.run.samples import Group

if TYPE_CHECKING:
    from loadlab.run.fleet import WorkerProcess

PARTITIONS = tuple(("orders", number) for number in range(3))
ENDS = dict.fromkeys(PARTITIONS, 10)


def load_of(
    *workers: WorkerProcess, cluster: FakeCluster | None = None, measure_s: float = 0.1, drain_s: float = 5.0
) -> Load:
    plan = replace(plan_scenario(scenario_of()), warmup_s=0.02, measure_s=measure_s, drain_s=drain_s)
    fake = cluster or FakeCluster(dict(ENDS))
    fleet = fleet_of(*workers)
    groups = [Group("billing", "group-1", PARTITIONS, np.zeros(3, np.int64), ("checkout",))]
    sampler = OffsetSampler(fake.as_cluster(), fleet, PARTITIONS, groups if fleet.consumers else [])
    return Load(
        plan,
        fleet,
        fake.as_cluster(),
        sampler,
        BrokerSampler(fake.as_cluster()),
        Events(SilentObserver()),
        Interrupts(gentle=True),
        lambda intervals, timeline: None,  # noqa: ARG005
    )


def kinds(load: Load) -> list[object]:
    return [line["event"] for line in load.events.lines]


def sender(state: State = State.FINISHED, **process: object) -> WorkerProcess:
    return worker_of(producing(0), FakeProcess(**process), state)  # type: ignore[arg-type]


def reader(*positions: int, state: State = State.FINISHED) -> WorkerProcess:
    worker = worker_of(consuming(1), state=state)
    worker.slab.positions[:] = positions or (10, 10, 10)
    return worker


def test_all_workers_are_told_one_start() -> None:
    workers = [sender(), reader()]
    load = load_of(*workers)
    load.run()

    starts = {int(worker.slab.record["start_ns"][0]) for worker in workers}
    assert starts == {load.timeline.start_ns}
    assert {int(worker.slab.record["command"][0]) for worker in workers} == {Command.STOP}
    assert kinds(load) == ["start", "phase"]


def test_a_load_that_all_have_read_ends_before_its_drain_phase_does() -> None:
    load = load_of(sender(), reader())
    ended_ns = load.run()

    assert load.timeline.measure_end_ns <= ended_ns < load.timeline.stop_ns
    assert list(load.drained_ns) == ["billing"]


def test_a_group_that_does_not_read_all_is_waited_for_until_the_end_of_the_drain_phase() -> None:
    load = load_of(sender(), reader(10, 9, 10), drain_s=0.2)
    ended_ns = load.run()

    assert ended_ns >= load.timeline.stop_ns
    assert load.drained_ns == {}


def test_with_no_drain_phase_a_group_that_has_read_all_has_drained() -> None:
    behind = consuming(2, "audit")
    load = load_of(sender(), reader(), drain_s=0.0)
    load.sampler.groups.append(replace(load.sampler.groups[0], name="audit"))
    load.fleet.workers.append(worker_of(behind, state=State.FINISHED))
    load.run()

    assert list(load.drained_ns) == ["billing"]


def test_the_last_sample_is_taken_after_the_last_read() -> None:
    cluster = FakeCluster(dict(ENDS))
    late = reader(0, 0, 0)

    def reads_when_asked_twice() -> None:
        if cluster.asked >= 3:
            late.slab.positions[:] = 10

    late.process.on_poll = reads_when_asked_twice  # type: ignore[attr-defined]
    load = load_of(sender(), late, cluster=cluster)
    load.run()

    assert load.sampler.samples[-1].groups["billing"].lag.sum() == 0


def test_a_log_end_that_is_told_late_is_waited_for_and_read_up_to() -> None:
    cluster = FakeCluster(dict.fromkeys(PARTITIONS[1:], 10))
    load = load_of(sender(), reader(), cluster=cluster, drain_s=5.0)

    def leader_comes() -> None:
        if load.events.lines[-1]["event"] == "phase" and len(load.sampler.samples) >= 3:
            cluster.ends[PARTITIONS[0]] = 10

    load.fleet.consumers[0].process.on_poll = leader_comes  # type: ignore[attr-defined]
    ended_ns = load.run()

    assert list(load.drained_ns) == ["billing"]
    assert ended_ns < load.timeline.stop_ns


@pytest.mark.parametrize(("acks", "reads_all"), [("1", True), ("all", False)])
def test_acks_of_leaders_are_waited_for_until_followers_let_all_of_it_be_read(
    acks: str, *, reads_all: bool
) -> None:
    """The log ends are high watermarks: 8 records are acked, 5 of them can be read at first."""
    low = {**dict.fromkeys(PARTITIONS, 0), PARTITIONS[0]: 5}
    cluster = FakeCluster(dict(low))
    late = reader(5, 0, 0)
    load = load_of(sender(), late, cluster=cluster)
    producers = [replace(one, config={**one.config, "acks": acks}) for one in load.plan.producers]
    load.plan = replace(load.plan, producers=tuple(producers))
    book(load.fleet.producers[0], ACK_LANE, Counter.ACKED, 8)
    cluster.epochs = dict.fromkeys(PARTITIONS, 1)
    load.sampler.before = OffsetSample(0, 0, dict.fromkeys(PARTITIONS, 0), epochs=cluster.epochs)

    def followers_come() -> None:
        if len(load.sampler.samples) >= 5:
            cluster.ends[PARTITIONS[0]] = 8
            late.slab.positions[0] = 8

    late.process.on_poll = followers_come  # type: ignore[attr-defined]
    load.run()

    assert bool(late.slab.positions[0] == 8) is reads_all


def test_log_ends_that_no_ack_tells_of_are_asked_for_until_they_have_stood_still() -> None:
    """With acks=0 an ack is a write to a socket: what was written last may reach the log a moment later."""
    cluster = FakeCluster(dict(ENDS))
    late = reader()
    load = load_of(sender(), late, cluster=cluster)
    producers = [replace(one, config={**one.config, "acks": "0"}) for one in load.plan.producers]
    load.plan = replace(load.plan, producers=tuple(producers))
    moved_ns: list[int] = []

    def more_comes() -> None:
        if cluster.asked >= 5 and not moved_ns:
            cluster.ends = {**ENDS, PARTITIONS[0]: 12}
            late.slab.positions[0] = 12
            moved_ns.append(time.monotonic_ns())

    late.process.on_poll = more_comes  # type: ignore[attr-defined]
    ended_ns = load.run()

    assert ended_ns - moved_ns[0] >= S
    assert cluster.asked < 40
    assert load.sampler.samples[-1].ends[PARTITIONS[0]] == 12
    assert list(load.drained_ns) == ["billing"]


def test_a_load_that_breaks_off_asks_the_cluster_nothing_more() -> None:
    load = load_of(sender(), reader(), measure_s=60.0)

    def breaks(_: int, __: object) -> None:
        raise KeyboardInterrupt

    load.each_interval = breaks
    with pytest.raises(KeyboardInterrupt):
        load.run()
    thread = load.sampler._beat._thread
    assert thread is not None
    thread.join(5.0)

    assert not thread.is_alive()


def test_an_interrupt_cuts_the_load_short_and_keeps_it() -> None:
    load = load_of(sender(), measure_s=60.0)
    load.interrupts.requested = True
    ended_ns = load.run()

    assert load.interrupted
    assert load.failure is None
    assert load.timeline.measure_end_ns <= ended_ns
    assert load.timeline.measure_s < 1.0
    assert kinds(load)[:2] == ["start", "cut_short"]


def test_a_killed_worker_is_noticed_and_the_others_go_on() -> None:
    load = load_of(sender(State.READY, returncode=-9), reader())
    load.run()

    assert [(death.who, death.how) for death in load.dead_workers.values()] == [
        ("worker 0 of checkout", "died before the start: killed by SIGKILL")
    ]
    assert load.failure is None
    assert kinds(load).count("worker_died") == 1


def test_without_any_worker_left_the_load_has_failed() -> None:
    load = load_of(sender(State.READY, returncode=-9), measure_s=60.0)
    load.run()

    assert load.failure == "all workers are gone"
    assert load.timeline.measure_s < 1.0


def test_a_dead_broker_is_noted_once_and_the_load_goes_on() -> None:
    cluster = FakeCluster(
        dict(ENDS),
        brokers=[BrokerState(1, alive=True, detail=""), BrokerState(2, alive=False, detail="killed")],
    )
    load = load_of(sender(), reader(), cluster=cluster)
    load.run()

    assert list(load.watch.dead) == [2]
    assert "killed" in load.watch.dead[2].how
    assert kinds(load).count("broker_died") == 1


def test_a_broker_that_was_started_again_between_two_looks_has_died() -> None:
    cluster = FakeCluster(dict(ENDS), brokers=[BrokerState(1, alive=True, detail="up", started="first")])
    load = load_of(sender(), reader(), cluster=cluster)
    load.watch.look()
    cluster.brokers = [BrokerState(1, alive=True, detail="up", started="second")]
    load.run()

    assert "ended and was started again" in load.watch.dead[1].how
    assert kinds(load).count("broker_died") == 1


def test_a_broker_that_stands_still_is_noted_once() -> None:
    cluster = FakeCluster(dict(ENDS), brokers=[BrokerState(1, alive=True, detail=PAUSED)])
    load = load_of(sender(), reader(), cluster=cluster)
    load.run()

    assert (list(load.watch.paused), load.watch.dead) == ([1], {})
    assert kinds(load).count("broker_paused") == 1


@pytest.mark.parametrize(
    ("free_bytes", "fails"), [(LOW_DISK_BYTES - (1 << 20), True), (LOW_DISK_BYTES, False), (None, False)]
)
def test_a_disk_that_runs_low_stops_the_load(free_bytes: int | None, fails: bool) -> None:
    load = load_of(sender(), cluster=FakeCluster(dict(ENDS), free_bytes=free_bytes), measure_s=0.3)
    load.run()

    assert (load.failure is not None) == fails
    assert ("disk has 1023 MiB left, less than 1024 MiB" in (load.failure or "")) == fails


def test_a_cluster_that_gives_no_log_ends_is_not_waited_for() -> None:
    load = load_of(sender(), reader(0, 0, 0), cluster=FakeCluster(broken="no broker answers"))
    ended_ns = load.run()

    assert ended_ns < load.timeline.stop_ns
    assert load.drained_ns == {}
    assert set(load.sampler.failures) == {"no broker answers"}


def test_producers_that_wait_for_acks_are_given_the_drain_phase() -> None:
    load = load_of(sender(State.SENT), drain_s=0.2)

    assert load.run() >= load.timeline.stop_ns


def test_a_load_that_is_cut_short_asks_a_silent_cluster_once_more_at_most() -> None:
    """The last sample is left out where the one before it had no answer: each costs its whole timeout."""
    cluster = FakeCluster(broken="no broker answers")
    load = load_of(sender(), reader(0, 0, 0), cluster=cluster, measure_s=60.0)
    load.interrupts.requested = True
    load.run()
    asked = cluster.asked

    assert load.final is None
    assert load.sampler.hurried
    assert load.sampler.take_last() is None
    assert cluster.asked == asked


def test_a_load_that_is_cut_short_still_asks_a_cluster_that_answers() -> None:
    load = load_of(sender(), reader(), measure_s=60.0)
    load.interrupts.requested = True
    load.run()

    assert load.final is load.sampler.samples[-1]


def test_workers_that_have_all_finished_are_not_gone() -> None:
    """The watch may come back late, as when it was stopped by Ctrl-Z."""
    load = load_of(sender(returncode=0))
    load.run()

    assert load.failure is None


@pytest.mark.parametrize(("acks", "early"), [("all", True), ("1", False)])
def test_a_group_has_read_all_while_producers_of_other_topics_still_send(acks: str, *, early: bool) -> None:
    """Billing's producer is done when the drain begins; the other one sends for as long as it lasts."""
    other = worker_of(producing(2, "audit"), FakeProcess(), State.READY)
    load = load_of(sender(), other, reader(), drain_s=0.4)
    producers = [replace(one, config={**one.config, "acks": acks}) for one in load.plan.producers]
    load.plan = replace(load.plan, producers=tuple(producers))
    load.run()

    drain_s = (load.drained_ns["billing"] - load.timeline.measure_end_ns) / 1e9
    assert (drain_s < 0.3) == early

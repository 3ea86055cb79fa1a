"""The CPU time of the measure phase is shared out to those who used it; the clocks are a test's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, cast

import psutil
import pytest
from run_samples import FakeProcess, S, fleet_of, producing, worker_of

from loadlab.errors import ClusterError
from loadlab.measurement.slab import Phase, State
from loadlab.run import machine
from loadlab.run.machine import MachineWatch
from loadlab.run.timeline import Timeline

if TYPE_CHECKING:
    from loadlab.cluster import Cluster
    from loadlab.measurement.circumstances import MachineFigures
    from loadlab.run.fleet import WorkerProcess

WORKER, BROKER = 1_001, 2_002
TIMELINE = Timeline(0, 5 * S, 15 * S, 20 * S)


class Times(NamedTuple):
    """The kernel's clocks, in the order in which psutil gives them."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    irq: float
    softirq: float
    steal: float
    guest: float
    guest_nice: float


@dataclass
class Clocks:
    """A machine of four cores at one moment."""

    now_s: float = 0.0
    cores: list[Times] = field(default_factory=lambda: [Times(*[0.0] * 10)] * 4)
    processes: dict[int, float] = field(default_factory=dict)

    def process(self, pid: int) -> SimpleNamespace:
        if pid not in self.processes:
            raise psutil.NoSuchProcess(pid)
        used_s = self.processes[pid]
        return SimpleNamespace(cpu_times=lambda: (used_s * 0.75, used_s * 0.25, 9.0))


@dataclass
class Brokers:
    """A cluster as far as the watch asks for it."""

    pids: tuple[int, ...] | None = (BROKER,)
    cores: str | None = None
    answers: bool = True

    @property
    def info(self) -> SimpleNamespace:
        return SimpleNamespace(cores=self.cores)

    def process_ids(self) -> tuple[int, ...] | None:
        if not self.answers:
            raise ClusterError("the engine is gone")
        return self.pids


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks(processes={os.getpid(): 1.0, WORKER: 2.0, BROKER: 3.0})
    monkeypatch.setattr(machine.psutil, "cpu_times", lambda percpu: clocks.cores if percpu else None)
    monkeypatch.setattr(machine, "_core_numbers", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(machine.psutil, "Process", clocks.process)
    monkeypatch.setattr(machine.time, "monotonic", lambda: clocks.now_s)
    monkeypatch.setattr(machine.time, "monotonic_ns", lambda: int(clocks.now_s * S))
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    return clocks


def pass_the_phase(clocks: Clocks, watch: MachineWatch) -> None:
    """Ten seconds of four cores: 24 s busy, of which 4 s workers', 1 s ours, 8 s brokers'; 2 s stolen."""
    clocks.now_s, clocks.cores = 5.0, [Times(*[0.0] * 10)] * 4
    watch.tick(TIMELINE)
    clocks.now_s = 15.0
    clocks.cores = [Times(2.5, 0.5, 2, 3, 0.5, 0.25, 0.75, 0.5, 1.5, 0.25)] * 4
    for pid, used_s in ((os.getpid(), 1.0), (WORKER, 4.0), (BROKER, 8.0)):
        if pid in clocks.processes:
            clocks.processes[pid] += used_s
    watch.tick(TIMELINE)


def measured(clocks: Clocks, brokers: Brokers, worker: WorkerProcess | None = None) -> MachineFigures:
    worker = worker or worker_of(producing(0), FakeProcess(pid=WORKER))
    watch = MachineWatch(cast("Cluster", brokers), fleet_of(worker))
    pass_the_phase(clocks, watch)
    figures = watch.figures()
    assert figures is not None
    return figures


def test_every_core_second_goes_to_whom_it_belongs(clocks: Clocks) -> None:
    figures = measured(clocks, Brokers())

    # A guest's seconds are in user and nice already: 10 + 2 + 8 + 1 + 3 - 6 - 1 would leave them out twice.
    assert figures.busy == pytest.approx((10 + 2 + 8 + 1 + 3) / 40)
    assert figures.workers == pytest.approx(5 / 40)
    assert figures.brokers == pytest.approx(8 / 40)
    assert figures.foreign == pytest.approx((24 - 5 - 8) / 40)
    assert figures.steal == pytest.approx(2 / 40)


def test_what_others_took_is_held_against_the_cores_of_the_workers(clocks: Clocks) -> None:
    worker = worker_of(producing(0, cores=(1,)), FakeProcess(pid=WORKER))

    assert measured(clocks, Brokers(cores="2-3"), worker).beside_workers == pytest.approx((6 - 5) / 10)
    # Brokers that may have run there are taken to have.
    assert measured(clocks, Brokers(), worker).beside_workers == 0.0
    assert measured(clocks, Brokers()).beside_workers == pytest.approx((24 - 5 - 8) / 40)
    assert measured(clocks, Brokers(pids=None)).beside_workers is None


def test_brokers_elsewhere_leave_foreign_load_unknown(clocks: Clocks) -> None:
    figures = measured(clocks, Brokers(pids=None))

    assert (figures.brokers, figures.foreign, figures.shared_cores) == (None, None, None)


def test_an_engine_that_does_not_answer_leaves_it_unknown_too(clocks: Clocks) -> None:
    assert measured(clocks, Brokers(answers=False)).foreign is None


def test_a_broker_that_died_takes_its_time_with_it(clocks: Clocks) -> None:
    del clocks.processes[BROKER]

    assert measured(clocks, Brokers()).foreign is None


def test_a_worker_that_finished_left_its_time_behind(clocks: Clocks) -> None:
    del clocks.processes[WORKER]
    worker = worker_of(producing(0), FakeProcess(pid=WORKER), State.FINISHED)
    worker.slab.record["usage"]["cpu_ns"][0, Phase.DRAIN] = 3 * S

    assert measured(clocks, Brokers(), worker).workers == pytest.approx(1 / 40)


def test_a_worker_that_was_killed_leaves_foreign_load_unknown(clocks: Clocks) -> None:
    del clocks.processes[WORKER]

    assert measured(clocks, Brokers()).workers is None


@pytest.mark.parametrize(
    ("workers_on", "brokers_on", "shared"), [((), None, 4), ((0, 1), "2-3", 0), ((1, 2), "2-3", 1)]
)
def test_shared_cores_are_those_of_both(
    clocks: Clocks, workers_on: tuple[int, ...], brokers_on: str | None, shared: int
) -> None:
    worker = worker_of(producing(0, cores=workers_on), FakeProcess(pid=WORKER))

    assert measured(clocks, Brokers(cores=brokers_on), worker).shared_cores == shared


def test_a_phase_that_never_came_has_no_figures(clocks: Clocks) -> None:
    watch = MachineWatch(cast("Cluster", Brokers()), fleet_of())
    clocks.now_s = 4.0
    watch.tick(TIMELINE)
    clocks.now_s = 16.0
    watch.tick(TIMELINE)

    assert watch.figures() is None

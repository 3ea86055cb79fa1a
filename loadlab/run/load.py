"""Carries a run through its phases: start together, watch, stop, drain."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loadlab.measurement.slab import Command, Phase, State
from loadlab.measurement.validity import Incident
from loadlab.run.broker_watch import BrokerWatch, after_start
from loadlab.run.faults import FaultInjector
from loadlab.run.heartbeats import Heartbeats
from loadlab.run.machine import MachineWatch
from loadlab.run.samples import positions
from loadlab.run.timeline import Timeline
from loadlab.scenario.client_settings import Settings
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadlab.cluster import Cluster
    from loadlab.run.brokers import BrokerSampler
    from loadlab.run.events import Events
    from loadlab.run.fleet import Fleet, WorkerProcess
    from loadlab.run.interrupts import Interrupts
    from loadlab.run.offsets import OffsetSampler
    from loadlab.run.plan import PlannedProducer, RunPlan
    from loadlab.run.samples import Group, Partition, Sample

_LEAD_NS: Final = 100_000_000
_TICK_S: Final = 0.02
_END_TIMEOUT_S: Final = 10.0
_ASK_EVERY_NS: Final = NS_PER_S // 10
_STILL_NS: Final = NS_PER_S
"""Followers ask for more after half of that (replica.fetch.wait.max.ms)."""


@dataclass(eq=False)
class Load:
    """A run's load, from the common start to the last read.

    Attributes:
        plan: what is to happen.
        fleet: the workers, all ready.
        cluster: where to.
        sampler: follows log ends and positions.
        brokers: follows what brokers tell of themselves.
        events: is told what happens.
        interrupts: what the user asks for.
        each_interval: called once an interval with its number and the timeline.
        why_to_end: asked once an interval why the load has to end; None where it may go on.
        outlives: whether the cluster goes on after the run.
        timeline: once started.
        interrupted: the user stopped the load before its time.
        failure: why the load could not go on to its end; None where it could.
        dead_workers: workers that ended before their time.
        drained_ns: when each consumer group had read all, by name.
        final: log ends and positions after the last read; None where the cluster did not tell them.
        watch: follows whether the brokers live.
        faults: does to brokers what is planned.
        machine: follows who uses the machine.
        heartbeats: follows whether the workers do anything.
    """

    plan: RunPlan
    fleet: Fleet
    cluster: Cluster
    sampler: OffsetSampler
    brokers: BrokerSampler
    events: Events
    interrupts: Interrupts
    each_interval: Callable[[int, Timeline], None]
    why_to_end: Callable[[Load], str | None] = lambda load: None  # noqa: ARG005
    outlives: bool = False
    timeline: Timeline = field(default_factory=lambda: Timeline(0, 0, 0, 0))
    interrupted: bool = False
    failure: str | None = None
    dead_workers: dict[int, Incident] = field(default_factory=dict)
    drained_ns: dict[str, int] = field(default_factory=dict)
    final: Sample | None = None
    watch: BrokerWatch = field(init=False)
    faults: FaultInjector = field(init=False)
    machine: MachineWatch = field(init=False)
    heartbeats: Heartbeats = field(init=False)
    _intervals: int = 0
    _early_ends: dict[str, Mapping[Partition, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begins to follow brokers, machine and workers."""
        self.watch = BrokerWatch(self.cluster, self.events)
        self.faults = FaultInjector(
            self.cluster, self.events, self.watch, self.plan.faults, revives=self.outlives
        )
        self.machine = MachineWatch(self.cluster, self.fleet)
        self.heartbeats = Heartbeats(self.fleet)

    def run(self) -> int:
        """Carries the load through; returns when it ended, CLOCK_MONOTONIC in nanoseconds."""
        try:
            return self._carry_through()
        finally:
            # Whatever ends the load, nobody asks the cluster any more, or does anything to it.
            self.faults.abandon()
            self.sampler.cancel()
            self.brokers.cancel()
            self.watch.cancel()

    def _carry_through(self) -> int:
        self._start()
        while time.monotonic_ns() < self.timeline.measure_end_ns:
            self._tick()
            if self.failure is None and all(worker.died for worker in self.fleet.workers):
                self._fail("all workers are gone")
        self.machine.tick(self.timeline)
        self._phase_event(Phase.DRAIN)
        ends = self._drain()
        acked_ns = time.monotonic_ns()
        while not self._all_read(ends) and self._time_left() and (ends or self.watch.alive):
            self._tick()
            self._complete(ends, acked_ns)
        # A signal that came too late to cut anything short still says how the run ended.
        self.interrupted |= self.interrupts.requested
        self.faults.stop(at_once=self.interrupted)
        self.sampler.stop()
        ended_ns = time.monotonic_ns()
        self.brokers.stop()
        self.watch.stop()
        self.fleet.end(_END_TIMEOUT_S)
        self._check_workers()
        # After the workers' last reads and commits: what is left now is what was not read.
        self.final = self.sampler.take_last()
        if self.final is not None:
            self._all_read(self.final.ends)  # who had read all just when the time was over
        self.sampler.release()
        return ended_ns

    def _start(self) -> None:
        self.timeline = Timeline.of(self.plan, time.monotonic_ns() + _LEAD_NS)
        for worker in self.fleet.workers:
            self.timeline.write(worker.slab)
        self.fleet.command(Command.GO)
        marks = [self.timeline.warmup_end_ns, self.timeline.measure_end_ns]
        self.sampler.start(self.timeline.start_ns, marks)
        self.brokers.start(self.timeline.start_ns, marks)
        self.watch.start(self.timeline.start_ns)
        self.faults.start(self.timeline.warmup_end_ns)
        self.events.note("start", "load started", phase="warmup")

    def _phase_event(self, phase: Phase) -> None:
        self.events.note("phase", f"{phase.name.lower()} phase", phase=phase.name.lower())

    def _time_left(self) -> bool:
        return time.monotonic_ns() < self.timeline.stop_ns

    def _drain(self) -> dict[Partition, int]:
        """Waits for the last acks; returns the log ends after them, as far as they are known.

        With no time left nobody waits for reads, and the ends are asked for once more in any case.
        """
        while self._time_left() and any(map(self._sends, self.fleet.producers)):
            self._tick()
            self._note_early_readers()
        taken = self.sampler.take() if self._time_left() else None
        ends, since_ns = ({}, 0) if taken is None else (self.sampler.own_ends(taken), taken.at_ns)
        while taken is not None and self._time_left() and not self._are_last(taken, taken.at_ns - since_ns):
            self._pause()
            taken = self.sampler.take()
            if taken is not None and self.sampler.own_ends(taken) != ends:
                ends, since_ns = self.sampler.own_ends(taken), taken.at_ns
        return {} if taken is None else dict(taken.ends)

    def _pause(self) -> None:
        """Lets a moment pass between two questions to the cluster."""
        until_ns = time.monotonic_ns() + _ASK_EVERY_NS
        while self._time_left() and time.monotonic_ns() < until_ns:
            self._tick()

    def _are_last(self, taken: Sample, still_ns: int) -> bool:
        """Whether log ends that were taken after the last ack are those behind all that was acked.

        With acks=1 they may lag behind what was acked: a log ends for its readers where the followers in sync
        have come. With acks=0 an ack is a write to a socket; and where a leader has changed, not all that was
        acked need be there: then ends are the last once they have stood still for a while.

        Args:
            taken: the log ends.
            still_ns: for how long they have been so.
        """
        if all(map(_acks_all, self.plan.producers)):
            return True
        by_socket = any(Settings.of_client(each.config).text("acks") == "0" for each in self.plan.producers)
        if by_socket or not self.sampler.kept_leaders(taken):
            return still_ns >= _STILL_NS
        return self.sampler.holds_all_acked(taken)

    def _complete(self, ends: dict[Partition, int], acked_ns: int) -> None:
        """Adds log ends that were not told at first; those that are known stay, since others may write on."""
        latest = self.sampler.samples[-1] if self.sampler.samples else None
        if latest is not None and latest.at_ns > acked_ns:
            ends |= {partition: end for partition, end in latest.ends.items() if partition not in ends}

    def _sends(self, worker: WorkerProcess) -> bool:
        return worker.alive and worker.slab.state is not State.FINISHED

    def _note_early_readers(self) -> None:
        """Notes the groups that have read all, while producers of topics that are not theirs still send.

        The log ends are asked for once, when the last ack of such a group's own producers is there. Where an
        ack does not say that the end has moved, the group is judged with the others.
        """
        early = {producer.name for producer in self.plan.producers if _acks_all(producer)}
        for group in self.sampler.groups:
            senders = self.fleet.senders_to(group.producers)
            if not early.issuperset(group.producers) or any(map(self._sends, senders)):
                continue
            if group.name not in self._early_ends:
                taken = self.sampler.take()
                self._early_ends[group.name] = {} if taken is None else taken.ends
            self._note_if_read(group, self._early_ends[group.name])

    def _all_read(self, last: Mapping[Partition, int]) -> bool:
        """Whether every group has read up to the log ends; notes when each one had."""
        for group in self.sampler.groups:
            self._note_if_read(group, last)
        return len(self.drained_ns) == len(self.sampler.groups)

    def _note_if_read(self, group: Group, last: Mapping[Partition, int]) -> None:
        if group.name in self.drained_ns:
            return
        at = positions(self.fleet.group(group.name, produces=False), group)
        ends = (last.get(partition) for partition in group.partitions)
        if all(end is not None and position >= end for end, position in zip(ends, at, strict=True)):
            self.drained_ns[group.name] = time.monotonic_ns()

    def _tick(self) -> None:
        """One round of the watch."""
        time.sleep(_TICK_S)
        self.machine.tick(self.timeline)
        now_ns = time.monotonic_ns()
        if self.interrupts.requested and not self.interrupted:
            self.interrupted = True
            self._cut_short("interrupted", self.events.trouble)
        self._check_workers()
        intervals = (now_ns - self.timeline.start_ns) // NS_PER_S
        if intervals > self._intervals:
            self._intervals = intervals
            self.each_interval(intervals, self.timeline)
            why = self.why_to_end(self)
            if why is not None:
                self._cut_short(why, self.events.note)
        if self.watch.low_disk is not None and self.failure is None:
            self._fail(self.watch.low_disk)

    def _fail(self, why: str) -> None:
        self.failure = why
        self._cut_short(why, self.events.trouble)

    def _cut_short(self, why: str, tell: Callable[[str, str], None]) -> None:
        self.timeline = self.timeline.cut_short(time.monotonic_ns())
        self.sampler.hurried = True
        self.faults.cancel()
        for worker in self.fleet.workers:
            self.timeline.write(worker.slab)
        tell("cut_short", f"{why}: the load stops, what was measured is kept")

    def _check_workers(self) -> None:
        for worker in self.fleet.workers:
            number = worker.order.worker
            if number not in self.dead_workers and worker.died:
                death = self._death(f"worker {number} of {worker.order.group}", worker.exit_text())
                self.dead_workers[number] = death
                self.events.trouble("worker_died", f"{death.who} {death.how}", worker=number)
        for stall in self.heartbeats.check():
            self.events.trouble("worker_stalled", f"{stall.who} gives no sign of life")

    def _death(self, who: str, how: str) -> Incident:
        when = after_start(self.timeline.elapsed_s(time.monotonic_ns()))
        return Incident(who, f"died {when}: {how}")


def _acks_all(producer: PlannedProducer) -> bool:
    return Settings.of_client(producer.config).acks_all

"""Who used the measuring machine's CPUs in the measure phase: workers, brokers, or others."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from loadlab.errors import ClusterError
from loadlab.measurement.circumstances import MachineFigures
from loadlab.measurement.slab import Phase
from loadlab.run.quota import read_periods, throttled_share
from loadlab.scenario.fields import cpuset_cores
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loadlab.cluster import Cluster
    from loadlab.run.fleet import Fleet, WorkerProcess
    from loadlab.run.quota import Periods
    from loadlab.run.timeline import Timeline


_CORE: Final = re.compile(r"cpu([0-9]+) ")


@dataclass(frozen=True)
class Reading:
    """CPU seconds spent since the machine, or the process, started.

    Attributes:
        at_s: when, on CLOCK_MONOTONIC.
        awake_or_asleep_s: likewise on CLOCK_BOOTTIME, which goes on while the machine is suspended.
        busy_s: of all cores, whoever used them.
        beside_s: likewise, of the cores that the workers may use.
        steal_s: that the hypervisor gave to others.
        workers_s: of the workers and of this process; None where one of them is gone.
        brokers_s: of the brokers; None where they are not this machine's, or one is gone.
        quotas: how often CPU quotas stopped this process.
    """

    at_s: float
    awake_or_asleep_s: float
    busy_s: float
    beside_s: float
    steal_s: float
    workers_s: float | None
    brokers_s: float | None
    quotas: Mapping[str, Periods]


@dataclass(eq=False)
class MachineWatch:
    """Reads the CPU clocks at both ends of the measure phase.

    Attributes:
        cluster: whose brokers may run here.
        fleet: the workers.
    """

    cluster: Cluster
    fleet: Fleet
    _begin: Reading | None = None
    _end: Reading | None = None
    _broker_pids: tuple[int, ...] | None = field(default=None)

    def tick(self, timeline: Timeline) -> None:
        """Takes the readings when they are due: at the first call in the measure phase, and behind it."""
        now_ns = time.monotonic_ns()
        if self._begin is None and timeline.warmup_end_ns <= now_ns < timeline.measure_end_ns:
            self._broker_pids = self._brokers_here()
            self._begin = self._read()
        elif self._begin is not None and self._end is None and now_ns >= timeline.measure_end_ns:
            self._end = self._read()

    def figures(self) -> MachineFigures | None:
        """How the CPU time of the measure phase was shared out; None where there was no such phase."""
        if self._begin is None or self._end is None or self._end.at_s <= self._begin.at_s:
            return None
        begin, end = self._begin, self._end
        whole_s = (end.at_s - begin.at_s) * (os.cpu_count() or 1)
        busy_s = end.busy_s - begin.busy_s
        workers_s = _difference(begin.workers_s, end.workers_s)
        brokers_s = _difference(begin.brokers_s, end.brokers_s)
        foreign_s = None if workers_s is None or brokers_s is None else busy_s - workers_s - brokers_s
        return MachineFigures(
            busy=busy_s / whole_s,
            workers=None if workers_s is None else workers_s / whole_s,
            brokers=None if brokers_s is None else brokers_s / whole_s,
            foreign=None if foreign_s is None else max(0.0, foreign_s / whole_s),
            steal=(end.steal_s - begin.steal_s) / whole_s,
            beside_workers=self._beside_workers(begin, end, workers_s, brokers_s),
            beside_with_brokers=None
            if workers_s is None
            else self._share_of_cores(begin, end, end.beside_s - begin.beside_s - workers_s),
            throttled=throttled_share(begin.quotas, end.quotas),
            slept_s=max(0.0, end.awake_or_asleep_s - begin.awake_or_asleep_s - (end.at_s - begin.at_s)),
            shared_cores=None if brokers_s is None else len(self._worker_cores() & self._broker_cores()),
        )

    def _beside_workers(
        self, begin: Reading, end: Reading, workers_s: float | None, brokers_s: float | None
    ) -> float | None:
        """The share of their cores' time that others than workers and brokers took; at least that.

        Brokers that may run there, as elsewhere, are taken to have run there all the time.
        """
        if workers_s is None or brokers_s is None:
            return None
        there_s = brokers_s if self._worker_cores() & self._broker_cores() else 0.0
        return self._share_of_cores(begin, end, end.beside_s - begin.beside_s - workers_s - there_s)

    def _share_of_cores(self, begin: Reading, end: Reading, used_s: float) -> float:
        """CPU seconds as a share of the time of the cores that the workers may use."""
        return max(0.0, used_s / ((end.at_s - begin.at_s) * max(1, len(self._worker_cores()))))

    def _read(self) -> Reading:
        cores = psutil.cpu_times(percpu=True)
        ours = self._worker_cores()
        workers = [_process_cpu_s(os.getpid()), *map(_worker_cpu_s, self.fleet.workers)]
        return Reading(
            at_s=time.monotonic(),
            awake_or_asleep_s=time.clock_gettime(time.CLOCK_BOOTTIME),
            busy_s=sum(map(_busy_s, cores)),
            beside_s=sum(
                _busy_s(core) for number, core in zip(_core_numbers(), cores, strict=False) if number in ours
            ),
            steal_s=sum(getattr(core, "steal", 0.0) for core in cores),
            workers_s=_sum(workers),
            brokers_s=None if self._broker_pids is None else _sum(map(_process_cpu_s, self._broker_pids)),
            quotas=read_periods(),
        )

    def _brokers_here(self) -> tuple[int, ...] | None:
        try:
            return self.cluster.process_ids()
        except ClusterError:
            return None  # that it does not answer is told by those who ask it for more

    def _worker_cores(self) -> set[int]:
        pinned = [worker.order.cores for worker in self.fleet.workers]
        return set().union(*(cores or os.sched_getaffinity(0) for cores in pinned))

    def _broker_cores(self) -> set[int]:
        cores = self.cluster.info.cores
        return set(range(os.cpu_count() or 1)) if cores is None else set(cpuset_cores(cores))


def _core_numbers() -> list[int]:
    """The kernel's numbers of the cores that are online, in the order in which psutil tells their times."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    return [int(found[1]) for line in lines if (found := _CORE.match(line))]


def _busy_s(core: Any) -> float:  # noqa: ANN401 (psutil's tuple, whose fields are the system's)
    """For how long a core has worked for anybody here."""
    left_s = core.idle + getattr(core, "iowait", 0.0) + getattr(core, "steal", 0.0)
    # A guest's time is counted in user and nice already.
    guests_s = getattr(core, "guest", 0.0) + getattr(core, "guest_nice", 0.0)
    return float(sum(core) - left_s - guests_s)


def _difference(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _sum(parts: Iterable[float | None]) -> float | None:
    """The sum of all parts; None where one of them is not known."""
    known = list(parts)
    return None if None in known else sum(part for part in known if part is not None)


def _process_cpu_s(pid: int) -> float | None:
    """CPU seconds of a process; None where it is gone, and its time with it, or is not ours to see."""
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])  # user and system
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _worker_cpu_s(worker: WorkerProcess) -> float | None:
    """Likewise of a worker; one that came to its end left its time behind."""
    if worker.finished:
        return int(worker.slab.record["usage"][0]["cpu_ns"][Phase.DRAIN]) / NS_PER_S
    return _process_cpu_s(worker.process.pid)

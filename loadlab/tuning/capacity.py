"""Finds the highest rate that a scenario holds: probes on one cluster, stored after each."""

from __future__ import annotations

import math
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import loadlab
from loadlab.errors import UsageError
from loadlab.results.capacity_store import StoredCapacity, load_capacity, save_capacity
from loadlab.results.environment import capture_host
from loadlab.results.growing import only_writer
from loadlab.results.model_capacity import (
    DEFAULT_MAX_PROBES,
    DEFAULT_PRECISION,
    CapacityAnswer,
    CapacityResult,
    CapacitySettings,
    default_lowest_per_s,
)
from loadlab.results.redact import redact
from loadlab.results.run_id import new_run_id
from loadlab.run.progress import RunObserver
from loadlab.run.runner import RunOptions, open_cluster, run_scenario
from loadlab.scenario.model import SHORTEST_MEASURE_S
from loadlab.tuning.capacity_curve import knee
from loadlab.tuning.capacity_judge import acked_per_s, as_probe, conditions, judged
from loadlab.tuning.capacity_levels import MAX_RATE, answer
from loadlab.tuning.capacity_scenario import workload_of
from loadlab.tuning.capacity_search import Limits, next_rate
from loadlab.tuning.same import (
    on_provider,
    refuse_gone_cluster,
    refuse_other_cluster,
    refuse_other_machine,
    refuse_other_traces,
)
from loadlab.tuning.warming import warmed_up
from loadlab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadlab.results.model import ClusterUsed
    from loadlab.results.model_capacity import CapacityProbe
    from loadlab.run.opening import OpenCluster
    from loadlab.scenario import LoadedScenario
    from loadlab.tuning.capacity_levels import Probe
    from loadlab.tuning.capacity_scenario import Workload


@dataclass(frozen=True)
class CapacityOptions:
    """How a search is to be made.

    Attributes:
        results_dir: where the search and the runs of its probes go.
        cluster_name: the cluster that `cluster up` left standing and that is to be used; None to start one.
        p99_limit_s: a limit of publish latency beside the scenario's thresholds; None: 100 ms where the
            scenario has no thresholds, else none.
        measure_s: the length of each probe's measure phase; None: the scenario's.
        lowest_per_s: no lower rate is probed; None: a hundredth of the scenario's rate. It is raised to what
            the thresholds' percentiles need.
        highest_per_s: no higher rate is probed; None: no such limit.
        max_probes: how many probes it may take.
        precision: how far apart, as a share, the rates may be that hold and fail.
        warm_up: load the cluster until it serves no more from round to round, before the first probe; never
            done on the mock, which has nothing to compile.
        resume: the id of a search that was interrupted; None for a new one.
        study: the id of the study that asks for it, which repeats what was interrupted; None without one.
    """

    results_dir: Path
    cluster_name: str | None = None
    p99_limit_s: float | None = None
    measure_s: float | None = None
    lowest_per_s: float | None = None
    highest_per_s: float | None = None
    max_probes: int = DEFAULT_MAX_PROBES
    precision: float = DEFAULT_PRECISION
    warm_up: bool = True
    resume: str | None = None
    study: str | None = None


class CapacityObserver(RunObserver, Protocol):
    """Whoever watches a search: the runs of its probes, and what each of them says."""

    def begun(self, search: StoredCapacity) -> None:
        """Show what is going to be done; called once, before the first probe."""

    def warmed(self, search: StoredCapacity) -> None:
        """Show the last round of warming the cluster up."""

    def probed(self, search: StoredCapacity) -> None:
        """Show the last of the search's probes."""


def find_capacity(
    loaded: LoadedScenario,
    options: CapacityOptions,
    observer: CapacityObserver,
    *,
    cluster: OpenCluster | None = None,
) -> StoredCapacity:
    """Searches the highest rate that holds.

    Every probe is a run by `run_scenario`, stored whole; the search is stored after each of them, so that one
    that was interrupted or killed can be resumed.

    Args:
        loaded: the scenario; its producers' rates are set by the search.
        options: how to search.
        observer: is told what happens.
        cluster: one that `open_cluster` opened; it goes on afterwards. None to open the scenario's.

    Returns:
        The search as stored; not `finished` where the user interrupted it.

    Raises:
        LoadlabError: the scenario has no rate that could be set, or a probe could not be made.
        KeyboardInterrupt: it was interrupted before there was any probe.
    """
    _refuse_nothing(options)
    workload = workload_of(loaded, p99_limit_s=options.p99_limit_s, measure_s=options.measure_s)
    with ExitStack() as stack:
        search = _Search(_claimed(workload, options, stack), workload, options, observer)
        observer.begun(search.stored)
        try:
            search.run(cluster)
        except BaseException as error:
            if search.is_empty and options.resume is None:
                shutil.rmtree(search.stored.path, ignore_errors=True)
            if not isinstance(error, KeyboardInterrupt) or not search.result.probes:
                raise
    return search.stored


def _refuse_nothing(options: CapacityOptions) -> None:
    """Raises where a duration or a rate is 0, or a probe too short: there is nothing to measure then."""
    given = {
        "--p99": options.p99_limit_s,
        "--probe": options.measure_s,
        "--min-rate": options.lowest_per_s,
        "--max-rate": options.highest_per_s,
    }
    for name, value in given.items():
        if value is not None and value <= 0.0:
            raise UsageError(f"{name} is 0", fix="give more than 0, or leave it out")
    if options.measure_s is not None and options.measure_s < SHORTEST_MEASURE_S:
        # Of a tenth of a second all acks may be on their way.
        raise UsageError(
            f"--probe is {options.measure_s:g} s, which tells nothing of a rate",
            fix=f"give {SHORTEST_MEASURE_S:g}s or more",
        )


def _claimed(workload: Workload, options: CapacityOptions, stack: ExitStack) -> StoredCapacity:
    """The search, and the claim to be the only process at it; one to resume is claimed before it is read."""
    if options.resume is not None:
        stack.enter_context(only_writer(load_capacity(options.resume, options.results_dir).path))
        return _begun(workload, options)
    search = _begun(workload, options)
    stack.enter_context(only_writer(search.path))
    return search


def _begun(workload: Workload, options: CapacityOptions) -> StoredCapacity:
    """A new search, or the one that is to be resumed."""
    now = datetime.now(UTC)
    fresh = CapacityResult(
        loadlab_version=loadlab.__version__,
        capacity_id=new_run_id(f"{workload.scenario.name}-capacity", now),
        name=workload.scenario.name,
        started_at=now,
        scenario=redact(workload.scenario.to_document()),
        settings=_settings(workload, options),
        environment=capture_host(),
        traces=workload.scenario.trace_digests,
        study=options.study,
        answer=_answer(()),
    )
    if options.resume is None:
        return save_capacity(fresh, options.results_dir)
    search = load_capacity(options.resume, options.results_dir)
    refuse_gone_cluster(options.cluster_name)
    _refuse_other(search.result, fresh)
    return search


def _settings(workload: Workload, options: CapacityOptions) -> CapacitySettings:
    start_per_s = workload.rate_per_s
    needed_per_s = math.ceil(workload.least_per_s)
    wanted_per_s = options.lowest_per_s
    if wanted_per_s is None:
        wanted_per_s = default_lowest_per_s(start_per_s)
    lowest_per_s = max(wanted_per_s, needed_per_s)
    highest_per_s = options.highest_per_s
    if highest_per_s is not None and highest_per_s < lowest_per_s:
        raise _no_rate_left(highest_per_s, wanted_per_s, needed_per_s, workload.scenario.phases.measure_s)
    return CapacitySettings(
        start_per_s=start_per_s,
        lowest_per_s=lowest_per_s,
        highest_per_s=options.highest_per_s,
        precision=options.precision,
        max_probes=options.max_probes,
        measure_s=workload.scenario.phases.measure_s,
        conditions=(
            *workload.conditions,
            *conditions(workload.scenario.phases.measure_s),
            *(f"while {fault}" for fault in workload.scenario.faults),
        ),
    )


def _no_rate_left(
    highest_per_s: float, wanted_per_s: float, needed_per_s: int, measure_s: float
) -> UsageError:
    """The error of a highest rate below the lowest, by what makes that the lowest."""
    most = f"{highest_per_s:,.10g}/s"
    if needed_per_s <= wanted_per_s:
        return UsageError(
            f"the highest rate, {most}, is below the lowest, {wanted_per_s:,.10g}/s",
            fix="give a higher --max-rate, or a lower --min-rate",
        )
    probe = format_duration(measure_s)
    return UsageError(
        f"{most} is below {needed_per_s:,}/s, the lowest rate at which a probe of {probe}"
        " has the records that the percentiles which have to hold need",
        fix="give a higher --max-rate, or a longer --probe",
    )


def _refuse_other(search: CapacityResult, fresh: CapacityResult) -> None:
    """A search goes on as it began: its probes must be of one workload on one machine."""
    if search.finished:
        raise UsageError(
            f"{search.capacity_id} is finished", fix=f"loadlab show {search.capacity_id}, or search anew"
        )
    if search.study is not None:
        raise UsageError(
            f"{search.capacity_id} is a trial of the study {search.study}, which repeats it",
            fix=f"loadlab tune STUDY --resume {search.study}, or search anew",
        )
    # How conditions are worded is another thing in another version; what they are is in the rest.
    settings = fresh.settings.model_copy(update={"conditions": search.settings.conditions})
    if search.scenario != fresh.scenario or search.settings != settings:
        raise UsageError(
            f"{search.capacity_id} began with another scenario or other options",
            fix="give the same scenario and options as then; its capacity.json has both",
        )
    refuse_other_traces(search.capacity_id, search.traces, fresh.traces)
    refuse_other_machine(search.capacity_id, search.environment, fresh.environment)


@dataclass(eq=False)
class _Search:
    """A search under way; `stored` is what the disk has of it."""

    stored: StoredCapacity
    workload: Workload
    options: CapacityOptions
    observer: CapacityObserver

    @property
    def result(self) -> CapacityResult:
        return self.stored.result

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing that was measured."""
        return not self.result.probes and not self.result.warm_up_per_s

    def run(self, given: OpenCluster | None) -> None:
        """Probes to the end, or until the user asks for it."""
        run_options = RunOptions(self.options.results_dir, self.options.cluster_name)
        began = self.result.cluster
        loaded = on_provider(self.workload.loaded, None if began is None else began.provider)
        limits = _limits(self.result.settings)
        with ExitStack() as stack:
            opened = given or stack.enter_context(open_cluster(loaded, run_options, self.observer))
            stands = self.options.cluster_name is not None
            refuse_other_cluster(self.result.capacity_id, began, opened.cluster, stands=stands)
            if self.options.warm_up and opened.cluster.info.kind == "kafka":
                self._warm_up(run_options, opened)
                if opened.interrupts.came:
                    return
            while (rate_per_s := next_rate(_probes(self.result.probes), limits)) is not None:
                scenario = self.workload.at(rate_per_s)
                run = run_scenario(scenario, run_options, self.observer, cluster=opened)
                if run.result.interrupted:
                    return
                self._keep(judged(run, scenario.scenario, rate_per_s), run.result.cluster)
                if opened.interrupts.came:
                    return
        self._save(finished=True)

    def _warm_up(self, run_options: RunOptions, opened: OpenCluster) -> None:
        """Loads the cluster until it is warm; what a cold one serves is of no interest."""
        loaded = self.workload.warming(self.options.highest_per_s or MAX_RATE)

        def load() -> float:
            return acked_per_s(run_scenario(loaded, run_options, self.observer, cluster=opened).result)

        rounds_per_s: tuple[float, ...] = ()
        for acked in warmed_up(opened.cluster, load):
            rounds_per_s += (acked,)
            self._save(warm_up_per_s=rounds_per_s)
            self.observer.warmed(self.stored)
            if opened.interrupts.came:
                return

    def _keep(self, probe: CapacityProbe, cluster: ClusterUsed) -> None:
        probes = (*self.result.probes, probe)
        self._save(
            probes=probes,
            cluster=self.result.cluster or cluster,
            answer=_answer(probes),
            knee=knee(probes),
        )
        self.observer.probed(self.stored)

    def _save(self, **changes: object) -> None:
        self.stored = save_capacity(self.result.model_copy(update=changes), self.options.results_dir)


def _answer(probes: Sequence[CapacityProbe]) -> CapacityAnswer:
    found = answer(_probes(probes))
    low, high = found.bracket.low, found.bracket.high
    return CapacityAnswer(
        kind=found.kind,
        holds_per_s=low.rate_per_s if low else None,
        fails_per_s=high.rate_per_s if high else None,
        sure=not found.bracket.unsure,
    )


def _probes(probes: Sequence[CapacityProbe]) -> list[Probe]:
    return [as_probe(probe) for probe in probes]


def _limits(settings: CapacitySettings) -> Limits:
    return Limits(
        start_per_s=settings.start_per_s,
        lowest_per_s=settings.lowest_per_s,
        highest_per_s=math.inf if settings.highest_per_s is None else settings.highest_per_s,
        precision=settings.precision,
        max_probes=settings.max_probes,
    )

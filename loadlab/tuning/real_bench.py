"""The bench that measures: a run by `run_scenario` for each assignment, on a cluster that stays open."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from loadlab.cluster.providers import choose
from loadlab.errors import ClusterError, ClusterGoneError, LoadlabError, TopicsExistError, UsageError
from loadlab.results.model_study import Measurement
from loadlab.results.reader import load
from loadlab.run.repetitions import repetition_seed
from loadlab.run.runner import RunOptions, open_cluster, run_scenario
from loadlab.tuning.apply import with_values
from loadlab.tuning.begin import refuse_unheld, stands_already
from loadlab.tuning.capacity import CapacityOptions, find_capacity
from loadlab.tuning.capacity_judge import acked_per_s
from loadlab.tuning.capacity_levels import MAX_RATE
from loadlab.tuning.capacity_scenario import workload_of
from loadlab.tuning.presets import presets
from loadlab.tuning.reading import read_run
from loadlab.tuning.same import on_provider, refuse_other_cluster
from loadlab.tuning.space import ChangeCost
from loadlab.tuning.study_model import CAPACITY
from loadlab.tuning.warm_up import ROUND_S
from loadlab.tuning.warming import warmed_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.capacity_store import StoredCapacity
    from loadlab.results.model import ClusterUsed, VerdictStatus
    from loadlab.results.study_store import StoredStudy
    from loadlab.run.interrupts import Interrupts
    from loadlab.run.opening import OpenCluster
    from loadlab.run.progress import RunObserver
    from loadlab.scenario import LoadedScenario, Threshold
    from loadlab.tuning.begin import TuneOptions
    from loadlab.tuning.bench import Bench, Terms
    from loadlab.tuning.journal import TuneObserver
    from loadlab.tuning.space import Assignment
    from loadlab.tuning.study_model import LoadedStudy

_SHARE_SEEN: Final = 0.5
"""A trial is ended by a constraint that the first half of its measure phase or more breaks; before that, one
stall of the machine would speak for the whole."""

_NO_ANSWER: Final = {
    "generator": "the generator was the limit: give it more workers, or a tighter threshold",
    "below": "not even the lowest rate holds",
    "nothing": "nothing could be measured",
}


@contextmanager
def open_bench(
    loaded: LoadedStudy,
    stored: StoredStudy,
    options: TuneOptions,
    observer: TuneObserver,
    interrupts: Interrupts,
) -> Iterator[Bench]:
    """Opens the bench of a study; its clusters end with the block.

    Args:
        loaded: the study.
        stored: the study on the disk, which says what it began on.
        options: how it is made.
        observer: is told of the runs.
        interrupts: what the user asks for meanwhile.
    """
    runs = RunOptions(options.results_dir, options.cluster_name, patient=True)
    # A cluster that stands already is warm, or others use it: full load is not for a study to put on it.
    warms_up = stored.result.warms_up and not stands_already(loaded, options)
    began = stored.result.cluster
    pinned = None if began is None else began.provider
    bench = _RealBench(loaded, stored, runs, observer, interrupts, warms_up, provider=pinned)
    try:
        bench.open_default()
        yield bench
    finally:
        bench.close()


@dataclass(eq=False)
class _RealBench:
    """Runs of a study; `_opened` is the cluster of the last of them, `provider` the one it began with."""

    loaded: LoadedStudy
    stored: StoredStudy
    options: RunOptions
    observer: TuneObserver
    interrupts: Interrupts
    warms_up: bool
    provider: str | None = None
    cluster: ClusterUsed | None = None
    _opened: OpenCluster | None = None
    _wanted: str | None = None
    _is_cold: bool = True
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def stopping(self) -> bool:
        return self.interrupts.came

    def open_default(self) -> None:
        """Opens the default's cluster, so that a study which can't have one, or has another, ends at once."""
        default = presets(self.loaded.study)[0][1]
        opened = self._cluster(with_values(self.loaded.loaded, default))
        began, stands = self.stored.result.cluster, self.options.cluster_name is not None
        refuse_other_cluster(self.stored.result.study_id, began, opened.cluster, stands=stands)
        refuse_unheld(self.loaded.study.space, opened.cluster.info.provider)
        self.provider = opened.cluster.info.provider

    @property
    def _fields(self) -> list[str]:
        return [objective.field for objective in self.loaded.study.objectives]

    def measure(self, assignment: Assignment, terms: Terms) -> Measurement:
        begun_s = time.monotonic()
        scenario = self._scenario(assignment, terms)
        measure = self._measure_capacity if CAPACITY in self._fields else self._measure_run
        stood = self._opened
        try:
            opened = self._had(scenario)
            # Warming up what the study began with is no trial's; that of brokers that it asked for is.
            begun_s = time.monotonic() if opened is stood else begun_s
            return measure(scenario, opened, begun_s)
        except TopicsExistError as error:
            self.close()
            fix = "delete what a killed run may have left on a cluster that stands"
            raise ClusterGoneError(error.message, fix=fix) from error
        except LoadlabError:
            # Whatever it met, the next measurement is not to meet it again.
            self.close()
            raise

    def _had(self, loaded: LoadedScenario) -> OpenCluster:
        """The cluster of a scenario, warm; that there is none can only be due to the brokers' properties.

        Raises:
            ClusterError: there is none with these.
            ClusterGoneError: there is none, and no knob can be the reason, or what starts them is gone.
        """
        try:
            opened = self._cluster(loaded)
            if self._is_cold and self.warms_up and opened.cluster.info.kind == "kafka":
                self._warm_up(on_provider(loaded, self.provider), opened)
        except ClusterError as error:
            if any(knob.cost == ChangeCost.BROKER for knob in self.loaded.study.space.knobs):
                self._require_provider(loaded)
                raise
            raise ClusterGoneError(error.message, fix=error.fix) from error
        self._is_cold = False
        return opened

    def _require_provider(self, loaded: LoadedScenario) -> None:
        """Asks whether the study's provider can start any brokers now."""
        try:
            choose(on_provider(loaded, self.provider).scenario.cluster)
        except ClusterError as error:
            raise ClusterGoneError(error.message, fix=error.fix) from error

    def _measure_run(self, loaded: LoadedScenario, opened: OpenCluster, begun_s: float) -> Measurement:
        result = run_scenario(loaded, self.options, self.observer, cluster=opened).result
        if result.interrupted:
            raise KeyboardInterrupt
        self.cluster = result.cluster
        return read_run(result, loaded.scenario, self._fields, time.monotonic() - begun_s)

    def _measure_capacity(self, loaded: LoadedScenario, opened: OpenCluster, begun_s: float) -> Measurement:
        """Searches the highest rate that holds; the run that is told of is the one that held it."""
        options = CapacityOptions(
            self.options.results_dir,
            self.options.cluster_name,
            warm_up=False,
            study=self.stored.result.study_id,
        )
        search = find_capacity(loaded, options, _Probing(self.observer), cluster=opened).result
        if not search.finished:
            raise KeyboardInterrupt
        self.cluster = search.cluster
        took_s = time.monotonic() - begun_s
        holds_per_s = search.answer.holds_per_s
        probe = next((one for one in search.probes if one.rate_per_s == holds_per_s and not one.failed), None)
        if holds_per_s is None or probe is None or search.answer.kind == "generator":
            none = _NO_ANSWER.get(search.answer.kind, "no probe held it")
            why = f"the capacity search {search.capacity_id} has no answer: {none}"
            unsure: VerdictStatus = "invalid" if search.answer.kind == "generator" else "valid"
            return Measurement(run_id=None, status=unsure, failure=why, took_s=took_s)
        result = load(probe.run_id, self.options.results_dir).result
        at_rate = workload_of(loaded).at(holds_per_s).scenario
        return read_run(result, at_rate, self._fields, took_s, holds_per_s)

    def _scenario(self, assignment: Assignment, terms: Terms) -> LoadedScenario:
        loaded = with_values(self.loaded.loaded, assignment)
        scenario = loaded.scenario
        # A capacity search goes by what its probes came to, and needs them whole.
        may_end_early = terms.may_end_early and CAPACITY not in self._fields
        measure_s = scenario.phases.measure_s * terms.measure_scale
        changes: dict[str, object] = {
            "seed": repetition_seed(scenario.seed, terms.number),
            "phases": scenario.phases.model_copy(update={"measure_s": measure_s}),
            "thresholds": {
                key: tuple(_ending(one, measure_s, may=may_end_early) for one in group)
                for key, group in scenario.thresholds.items()
            },
        }
        return replace(loaded, scenario=scenario.model_copy(update=changes))

    def _cluster(self, loaded: LoadedScenario) -> OpenCluster:
        """The cluster that the scenario needs: the one that is open, where it is whole and set so."""
        wanted = loaded.scenario.cluster.model_dump_json()
        loaded = on_provider(loaded, self.provider)
        if self._opened is None or wanted != self._wanted or not _is_whole(self._opened):
            self.close()
            opening = open_cluster(loaded, self.options, self.observer, interrupts=self.interrupts)
            self._opened = self._stack.enter_context(opening)
            self._wanted, self._is_cold = wanted, True
        return self._opened

    def _warm_up(self, loaded: LoadedScenario, opened: OpenCluster) -> None:
        """Loads a fresh cluster until it is warm: else the first runs would be of another system."""
        warming = _warming(loaded)

        def load() -> float:
            result = run_scenario(warming, self.options, self.observer, cluster=opened).result
            if opened.interrupts.came:
                raise KeyboardInterrupt
            return acked_per_s(result)

        for acked in warmed_up(opened.cluster, load):
            self.observer.note(f"warming the cluster up: {acked:,.0f} records/s acked")

    def close(self) -> None:
        """Ends the cluster that is open."""
        self._opened = None
        self._stack.close()


def _is_whole(opened: OpenCluster) -> bool:
    """Whether an earlier run has left all brokers alive."""
    try:
        opened.require_alive()
    except ClusterError:
        return False
    return True


def _warming(loaded: LoadedScenario) -> LoadedScenario:
    """A round of warm-up: at full load, or as the scenario is where it has no rate that could be set."""
    try:
        return workload_of(loaded).warming(MAX_RATE)
    except UsageError:
        phases = loaded.scenario.phases.model_copy(update={"warmup_s": 0.0, "measure_s": ROUND_S})
        changes = {"phases": phases, "thresholds": {}, "faults": ()}
        return replace(loaded, scenario=loaded.scenario.model_copy(update=changes))


def _ending(threshold: Threshold, measure_s: float, *, may: bool) -> Threshold:
    """A constraint that ends the run as soon as it can't be met any more, or one that waits for the end."""
    ends = may and threshold.live != "never"
    delay_s = max(threshold.delay_s, measure_s * _SHARE_SEEN) if ends else 0.0
    return threshold.model_copy(update={"abort_on_fail": ends, "delay_s": delay_s})


class _Probing:
    """Watches a capacity search that is one measurement of a study: its runs are shown, its course is not."""

    def __init__(self, inner: RunObserver) -> None:
        self.message = inner.message
        self.warn = inner.warn
        self.progress = inner.progress

    def begun(self, search: StoredCapacity) -> None:
        pass

    def warmed(self, search: StoredCapacity) -> None:
        pass

    def probed(self, search: StoredCapacity) -> None:
        pass

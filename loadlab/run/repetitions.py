"""Repeats a scenario: one run after the other, each kept whole, and the run set of them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

import loadlab
from loadlab.analysis.headline import headline_figures, usable
from loadlab.errors import LoadlabError, UsageError
from loadlab.results.publish import ensure_writable
from loadlab.results.reader import StoredSet
from loadlab.results.run_id import new_run_id
from loadlab.results.runset import Repetition, RunSet, save_set
from loadlab.run.interrupts import Interrupts
from loadlab.run.runner import open_cluster, run_scenario

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from loadlab.results.model import RunResult, Threshold
    from loadlab.results.reader import StoredRun
    from loadlab.run.opening import OpenCluster, RunOptions
    from loadlab.run.progress import RunObserver
    from loadlab.scenario import LoadedScenario

_SEED_BITS: Final = 63
_SET_SUFFIX: Final = "-set"


@dataclass(frozen=True)
class RepeatOptions:
    """How a scenario is repeated.

    Attributes:
        repetitions: how often it is run.
        fresh_clusters: give each run a cluster of its own; otherwise all have one, each with fresh topics.
    """

    repetitions: int
    fresh_clusters: bool = False


@dataclass(frozen=True)
class Repeated:
    """What came of the repetitions.

    Attributes:
        stored: the run set on the disk.
        results: of its runs, in their order.
        error: what ended the series before its time; None where nothing did.
    """

    stored: StoredSet
    results: tuple[RunResult, ...]
    error: LoadlabError | KeyboardInterrupt | None = None


def repetition_seed(seed: int, repetition: int) -> int:
    """The seed of a repetition: the scenario's own for the first, then one that follows from it.

    It is the upper 63 bits of the first word of NumPy's SeedSequence((seed, repetition)). So the k-th
    repetitions of two scenarios with one seed draw alike and can be compared in pairs.
    """
    if repetition == 1:
        return seed
    word = np.random.SeedSequence((seed, repetition)).generate_state(1, np.uint64)[0]
    return int(word) >> (64 - _SEED_BITS)


def repeat_scenario(
    loaded: LoadedScenario, options: RunOptions, repeat: RepeatOptions, observer: RunObserver
) -> Repeated:
    """Runs a scenario several times and stores the run set.

    An interrupt or an error ends the series; what was measured until then is kept, and the set says so.

    Args:
        loaded: the scenario.
        options: how each run is made.
        repeat: how often, and on what.
        observer: is told what happens.

    Returns:
        The set; who has shown it raises its `error`.

    Raises:
        LoadlabError: no run came to a result.
        KeyboardInterrupt: it was interrupted before any had.
    """
    if options.keep_topics:
        raise UsageError(
            "the repetitions of a scenario each make its topics anew, so that none can be kept",
            fix="drop --keep-topics, or run the scenario once",
        )
    ensure_writable(options.results_dir)
    with Interrupts().handled() as interrupts:
        series = _Series(loaded, options, repeat, observer, interrupts)
        error = series.run()
        if error is not None and not series.stored:
            raise error
        with interrupts.undisturbed():
            return series.store(error)


@dataclass(eq=False)
class _Series:
    """The runs made so far."""

    loaded: LoadedScenario
    options: RunOptions
    repeat: RepeatOptions
    observer: RunObserver
    interrupts: Interrupts
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stored: list[StoredRun] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Names the set."""
        self._set_id = new_run_id(f"{self.loaded.scenario.name}{_SET_SUFFIX}", self.started_at)

    def run(self) -> LoadlabError | KeyboardInterrupt | None:
        """Makes the runs; returns what ended the series before its time."""
        try:
            with ExitStack() as stack:
                cluster = None if self.repeat.fresh_clusters else stack.enter_context(self._open())
                for repetition in range(1, self.repeat.repetitions + 1):
                    self.observer.message(f"repetition {repetition} of {self.repeat.repetitions}")
                    self._run_once(repetition, cluster)
                    self._save(interrupted=True)  # as it is to be read if this process is killed
                    if self.interrupts.came:
                        break
        except (LoadlabError, KeyboardInterrupt) as error:
            return error
        return None

    def _open(self) -> AbstractContextManager[OpenCluster]:
        return open_cluster(self.loaded, self.options, self.observer, interrupts=self.interrupts)

    def _run_once(self, repetition: int, given: OpenCluster | None) -> None:
        seed = repetition_seed(self.loaded.scenario.seed, repetition)
        scenario = self.loaded.scenario.model_copy(update={"seed": seed})
        loaded = replace(self.loaded, scenario=scenario)
        with ExitStack() as stack:
            cluster = given or stack.enter_context(self._open())
            self.stored.append(run_scenario(loaded, self.options, self.observer, cluster=cluster))

    def store(self, error: LoadlabError | KeyboardInterrupt | None) -> Repeated:
        """Puts the runs together."""
        stored = self._save(
            interrupted=self.interrupts.came or isinstance(error, KeyboardInterrupt),
            failure=error.message if isinstance(error, LoadlabError) else None,
        )
        return Repeated(stored, tuple(each.result for each in self.stored), error)

    def _save(self, *, interrupted: bool, failure: str | None = None) -> StoredSet:
        results = [stored.result for stored in self.stored]
        runs = RunSet(
            loadlab_version=loadlab.__version__,
            set_id=self._set_id,
            name=self.loaded.scenario.name,
            started_at=self.started_at,
            scenario=results[0].scenario,
            seed=self.loaded.scenario.seed,
            fresh_clusters=self.repeat.fresh_clusters,
            cluster=results[0].cluster,
            requested=self.repeat.repetitions,
            interrupted=interrupted,
            failure=failure,
            runs=tuple(_repetition(number, result) for number, result in enumerate(results, start=1)),
            headline=headline_figures([result for result in results if usable(result)]),
        )
        return StoredSet(runs, save_set(runs, self.options.results_dir))


def _failed(threshold: Threshold) -> str:
    """A threshold that did not hold, and why nobody knows where that is so."""
    why = threshold.not_measurable
    return threshold.expression if why is None else f"{threshold.expression} (not measurable: {why})"


def _repetition(number: int, result: RunResult) -> Repetition:
    return Repetition(
        repetition=number,
        run_id=result.run_id,
        seed=result.seed,
        status=result.verdict.status,
        saturated=result.verdict.saturated,
        cut_short=result.cut_short,
        used=usable(result),
        reasons=result.verdict.reasons,
        thresholds_failed=tuple(_failed(one) for one in result.thresholds if not one.passed),
    )

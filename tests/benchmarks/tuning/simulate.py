"""Whole studies on made-up benches, by the same loop as real ones, on all cores."""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tuning.surfaces import SurfaceBench

from loadlab.run.progress import SilentObserver
from loadlab.tuning.study import TuneOptions, tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.space import Assignment
    from loadlab.tuning.study_model import LoadedStudy, Sampler


@dataclass(frozen=True)
class Outcome:
    """What one study came to.

    Attributes:
        value: the true value of what it recommends: that of the default where it recommends nothing.
        claimed: the ratio to the default that it tells; None where it claims no gain.
        true: the true ratio of the same.
    """

    value: float
    claimed: float | None
    true: float


class Watcher(SilentObserver):
    """Sees nothing."""

    def note(self, text: str) -> None:
        """Nothing is shown."""

    def begun(self, stored: StoredStudy) -> None:
        """Nothing is shown."""

    def measured(self, stored: StoredStudy) -> None:
        """Nothing is shown."""


def one_study(
    loaded: LoadedStudy,
    truth: Callable[[Assignment], float],
    residuals: NDArray[np.float64],
    sampler: Sampler,
    seed: int,
) -> Outcome:
    """Makes one study whole: baseline, trials, the best again, confirmation."""
    bench = SurfaceBench(truth, residuals, seed)
    seeded = replace(loaded, study=replace(loaded.study, seed=seed, sampler=sampler))
    with tempfile.TemporaryDirectory() as folder:
        result = tune(seeded, TuneOptions(Path(folder), forced=True), Watcher(), bench.open).result
    default = truth(result.trials[0].assignment)
    answer = result.answer
    if answer is None or answer.trial is None or answer.finding != "beats the default":
        return Outcome(default, None, 1.0)
    value = truth(result.trial(answer.trial).assignment)
    return Outcome(value, answer.ratio, value / default)


def studies(
    loaded: LoadedStudy,
    truth: Callable[[Assignment], float],
    residuals: NDArray[np.float64],
    seeds: Sequence[int],
    sampler: Sampler = "additive",
) -> list[Outcome]:
    """A study for each seed, on all cores."""
    make = partial(one_study, loaded, truth, residuals, sampler)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(make, seeds, chunksize=2))

"""Studies for tests: a made-up scenario, and a bench whose surface is a formula."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import optuna

from loadlab.results.model_study import ConstraintFigure, Measurement
from loadlab.run.progress import SilentObserver
from loadlab.scenario import load_document
from loadlab.tuning.space import ChangeCost, Choices, Knob, Range, SearchSpace
from loadlab.tuning.study import TuneOptions, tune
from loadlab.tuning.study_model import Budget, ConfirmSettings, LoadedStudy, NoiseSettings, Objective, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loadlab.results.model_study import StudyResult
    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.bench import Terms
    from loadlab.tuning.space import Assignment

THROUGHPUT = "producers.checkout.throughput.records_per_s"
LINGER = "producers.checkout.config.linger.ms"
CODEC = "producers.checkout.config.compression.type"
THREADS = "cluster.config.num.io.threads"
SCENARIO = {
    "name": "orders",
    "topics": {"orders": {}},
    "producers": {"checkout": {"topic": "orders", "schedule": {"rate": "max"}, "records": {"size": 100}}},
}
KNOBS = (
    Knob(LINGER, Range(0.5, 100.0, whole=False, log=True, special=(0.0,)), ChangeCost.CLIENT, default=5.0),
    Knob(CODEC, Choices(("none", "lz4", "zstd")), ChangeCost.CLIENT, default="none"),
)
BROKER_KNOB = Knob(THREADS, Choices((4, 8, 16)), ChangeCost.BROKER, default=8)
WITH_BROKERS = SearchSpace((*KNOBS, BROKER_KNOB))


def study(**changes: object) -> LoadedStudy:
    """A study of 6 trials over two knobs, with a confirmation as small as it may be."""
    plain = Study(
        name="orders-throughput",
        scenario=None,  # type: ignore[arg-type]  no test reads the file
        objectives=(Objective(THROUGHPUT, "maximize"),),
        constraints={},
        space=SearchSpace(KNOBS),
        own={},
        budget=Budget(trials=6),
        seed=7,
        sampler="tpe",
        baseline="defaults",
        noise=NoiseSettings(runs=4, default_every=3),
        confirm=ConfirmSettings(blocks=5, p_value=0.05, screen_blocks=1, candidates=2, candidate_runs=1),
    )
    loaded = load_document(SCENARIO)
    return LoadedStudy(replace(plain, **changes), loaded, loaded.path)  # type: ignore[arg-type]


def lz4_wins(assignment: Assignment) -> float:
    """100,000 records a second, and half as many again with lz4."""
    return 150_000.0 if assignment[CODEC] == "lz4" else 100_000.0


def nothing(number: int) -> None:
    """What happens before most measurements."""


@dataclass(eq=False)
class Lab:
    """A bench that measures by a formula, with noise.

    Attributes:
        surface: the true value of an assignment.
        cv: of the noise.
        before: is called with each measurement's number; it may raise what the world raises.
        judge: what a measurement is to be told as instead, where it gives one.
    """

    surface: Callable[[Assignment], float] = lz4_wins
    cv: float = 0.02
    before: Callable[[int], None] = nothing
    judge: Callable[[Assignment, Measurement], Measurement] = lambda _, measured: measured
    stopping: bool = False
    cluster: None = None
    measured: list[tuple[Assignment, Terms]] = field(default_factory=list)

    @contextmanager
    def open(self, *_: object) -> Iterator[Lab]:
        yield self

    def measure(self, assignment: Assignment, terms: Terms) -> Measurement:
        self.before(terms.number)
        self.measured.append((assignment, terms))
        noise = float(np.exp(np.random.default_rng(terms.number).normal(0, self.cv)))
        said = Measurement(
            run_id=None,
            status="valid",
            values=(self.surface(assignment) * noise,),
            took_s=30.0,
        )
        return self.judge(assignment, said)


class Watcher(SilentObserver):
    """Keeps what it is told, and sees that it is on the disk by then."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.runs: list[int] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warn(self, text: str) -> None:
        self.messages.append(text)

    def note(self, text: str) -> None:
        self.messages.append(text)

    def begun(self, stored: StoredStudy) -> None:
        self.runs.append(len(stored.result.runs))

    def measured(self, stored: StoredStudy) -> None:
        self.runs.append(len(stored.result.runs))


def broken(expression: str = "publish_latency p99 < 50ms") -> ConstraintFigure:
    """A constraint that is missed by a fifth."""
    return ConstraintFigure(
        expression=expression, measured=60_000.0, limit=50_000.0, unit="us", violation=0.2
    )


def invalid(measured: Measurement) -> Measurement:
    """The same as an invalid run tells it."""
    return measured.model_copy(
        update={"status": "invalid", "values": (), "failure": "generator_limited: records were sent late"}
    )


def whole_folder(path: Path) -> set[str]:
    """The names of all files of a study."""
    return {file.name for file in path.iterdir()}


def tuned(path: Path, lab: Lab, loaded: LoadedStudy | None = None, **options: object) -> StoredStudy:
    return tune(loaded or study(), TuneOptions(path, **options), Watcher(), lab.open)  # type: ignore[arg-type]


def essence(result: StudyResult) -> list[object]:
    """What does not hang on when a study was made."""
    return [(run.purpose, run.trial, run.contender, run.measured.values) for run in result.runs]


def optuna_trials(stored: StoredStudy) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{stored.database}"
    return optuna.load_study(study_name=stored.result.study_id, storage=storage).trials


def stop_at(number: int) -> Callable[[int], None]:
    def before(measurement: int) -> None:
        if measurement == number:
            raise KeyboardInterrupt

    return before

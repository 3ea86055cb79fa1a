"""A study while it goes on: what is planned, and a line for each run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.analysis.knobs import objective_text
from loadlab.cli.coordinates import coordinates, header
from loadlab.cli.observers import QuietObserver
from loadlab.cli.output import Line
from loadlab.tuning.again import noisy_rounds, runs_of
from loadlab.tuning.confirm import BLOCK
from loadlab.tuning.estimate import estimate
from loadlab.tuning.findings import baseline_values, best_so_far, confirm_rules
from loadlab.tuning.warm_up import ROUNDS_TOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model_study import Measurement, StudyResult, StudyRun
    from loadlab.results.study_store import StoredStudy
    from loadlab.run.progress import RunObserver
    from loadlab.tuning.confirm import ConfirmRules
    from loadlab.tuning.estimate import Estimate
    from loadlab.tuning.study_model import LoadedStudy, Study


class StudyWatcher(QuietObserver):
    """A line for each run of a study; of what the runs tell, the live view, and what comes before the load.

    Args:
        inner: watches the runs themselves.
        loaded: the study.
        starts_clusters: whether its clusters are its own to start, and so to warm up.
    """

    def __init__(self, inner: RunObserver, loaded: LoadedStudy, *, starts_clusters: bool = True) -> None:
        super().__init__(inner)
        self._loaded = loaded
        self._starts_clusters = starts_clusters
        self._headed = False

    def note(self, text: str) -> None:
        """Say it above the live view."""
        self._inner.message(text)

    def begun(self, stored: StoredStudy) -> None:
        """Say what is going to be done, how long it takes, and how to go on after an interruption."""
        warms_up = stored.result.warms_up and self._starts_clusters
        for line in plan_lines(self._loaded, stored.result, warms_up=warms_up):
            self.note(line.text)
        self.note(f"after an interruption: the same command with --resume {stored.result.study_id}")

    def measured(self, stored: StoredStudy) -> None:
        """Show the last run, the best so far and the time that is left."""
        run = stored.result.runs[-1]
        if run.purpose == "trial" and not self._headed:
            self._headed = True
            self.note(f"{'':<14}{header(self._loaded.study.space)}")
        left = estimate(self._loaded, stored.result)
        text = run_line(self._loaded, stored.result, run)
        self.note(f"{text} · about {numbers.duration(left.seconds)} left")


def plan_lines(
    loaded: LoadedStudy, result: StudyResult | None = None, *, warms_up: bool = True
) -> Iterator[Line]:
    """What a study is going to measure, and how long that takes.

    Args:
        loaded: the study.
        result: as far as it got; None where it has not begun.
        warms_up: whether its clusters are warmed up.
    """
    left = estimate(loaded, result)
    made = f", {len(result.runs)} made before" if result is not None and result.runs else ""
    runs = numbers.counted(left.runs, "run")
    yield Line(
        f"study {loaded.study.name}: about {runs}{made}; fewer where nothing leads,"
        " more where some have to be repeated"
    )
    rules = confirm_rules(loaded.study, result)
    yield from (Line(f"  {text}") for text in _parts(left, loaded.study, rules))
    drain_s = loaded.loaded.scenario.phases.drain_s
    yield Line(
        f"  of {numbers.duration(left.run_s)} each: {numbers.duration(left.seconds)} in all, and up to"
        f" {numbers.duration(drain_s)} more for each drain"
    )
    if warms_up:
        yield Line(f"  a Kafka cluster that is started for it is warmed up first: {ROUNDS_TOLD}")
    yield from (Line(f"note: {text}", "warn") for text in loaded.warnings)


def plan_document(loaded: LoadedStudy, result: StudyResult | None = None) -> dict[str, object]:
    """The same as data: how many runs of each part, how long one takes, and all of them."""
    left = estimate(loaded, result)
    return {
        "study": loaded.study.name,
        **asdict(left),
        "runs": left.runs,
        "seconds": left.seconds,
        "warnings": list(loaded.warnings),
    }


def _parts(left: Estimate, study: Study, rules: ConfirmRules) -> Iterator[str]:
    open_case = "they leave it open" if rules.noise else "they leave it open or runs vary so"
    again = f", as many again where {open_case}" if rules.extend and not rules.is_noisy else ""
    noisy = runs_of(noisy_rounds(study), left.trials)
    more = f" ({noisy} where a run varies by more than {100 * rules.effect_floor:g} %)"
    told = (
        (left.baseline, f"of the {study.baseline_name} first, for its noise"),
        (left.trials, "of trials"),
        (left.defaults, f"of the {study.baseline_name} between them, for drift"),
        (left.candidates, f"of the best trials again{'' if rules.noise else more}"),
        (left.confirm, f"of {study.baseline_name} and winner in turns{again}"),
    )
    yield from (f"{number:>4} {text}" for number, text in told if number)


def run_line(loaded: LoadedStudy, result: StudyResult, run: StudyRun) -> str:
    """A run on one line."""
    said, baseline_name = _said(result, run.measured), loaded.study.baseline_name
    match run.purpose:
        case "baseline":
            made = len(baseline_values(result))
            return f"baseline {made} of {loaded.study.noise.runs}: {said}"
        case "default":
            return f"the {baseline_name} again: {said}"
        case "trial":
            number = f"trial {run.trial}"
            line = coordinates(loaded.study.space, result.trial(run.trial).assignment)
            return f"{number:<14}{line}  {said}{_best(result)}"
        case "candidate":
            return f"trial {run.trial} again: {said}"
        case "confirm":
            side = baseline_name if run.trial == result.default.number else f"trial {run.trial}"
            runs = sum(one.contender == run.contender for one in result.settled("confirm"))
            # One that is made again is not among them.
            block = (runs - run.settled) // len(BLOCK) + 1
            return f"trial {run.contender} against the {baseline_name}, block {block}: {side}: {said}"


def _said(result: StudyResult, measured: Measurement) -> str:
    """The objectives, or why there are none."""
    if measured.failure is not None:
        return f"failed: {measured.failure_in_short}"
    broken = [f"{one.expression} is broken" for one in measured.constraints if not one.holds]
    if measured.ended_early:
        return f"ended early: {', '.join(broken)}"
    values = [
        objective_text(objective.field, value)
        for objective, value in zip(result.objectives, measured.values, strict=True)
    ]
    return " · ".join([*values, *broken, *(["suspect run"] if measured.status == "suspect" else [])])


def _best(result: StudyResult) -> str:
    best = best_so_far(result)
    if best is None:
        measured = any(run.measured.failure is None for run in result.settled("trial"))
        return f" · {'nothing holds the constraints' if measured else 'no trial was measured'} yet"
    field = result.objectives[0].field
    value, low, high = (objective_text(field, number) for number in (best.value, best.low, best.high))
    return f" · best so far {value} ({low} to {high}) by trial {best.trial}"

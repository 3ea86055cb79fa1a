"""What a configuration costs: what the runs that confirm it have worse than the default's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from loadlab.analysis.headline import Headline, headline_values
from loadlab.analysis.metric_units import unit_of
from loadlab.errors import UsageError
from loadlab.results.reader import load
from loadlab.tuning.confirm import BLOCK
from loadlab.tuning.owners import owner_of
from loadlab.tuning.recommend import costs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadlab.analysis.headline import Direction, Unit
    from loadlab.results.model_study import StudyObjective, StudyResult, StudyRun
    from loadlab.results.model_study_answer import StudyCost

_GOALS: Final = {
    "throughput.records_per_s": "records a second",
    "throughput.bytes_per_s": "bytes a second",
    "cpu_us_per_record": "CPU per record",
    "capacity": "capacity",
}
_WITHOUT_UNIT: Final = ("ratio", "count")


def goal_of(field: str) -> str:
    """An objective for people: "records a second", "publish p99"."""
    for ending, goal in _GOALS.items():
        if field.endswith(ending):
            return goal
    last = field.split(".")[-2:]
    return " ".join(part.removesuffix("_us").removesuffix("_latency").replace("_", " ") for part in last)


def costs(result: StudyResult, trial: int | None, results_dir: Path) -> tuple[StudyCost, ...] | None:
    """What got worse in the confirmation, by its runs that count; None where these are no longer there.

    Of several objectives the first is what is confirmed: what the others lost is a cost like any other.
    """
    confirming = result.settled("confirm")
    block = [run for run in confirming if run.contender == trial and run.measured.counts]
    whole = block[: len(block) // len(BLOCK) * len(BLOCK)]
    try:
        before, after = (
            _numbers(result, [run for run in whole if run.trial == side], results_dir)
            for side in (result.default.number, trial)
        )
    except UsageError:
        return None
    return costs_of(before, after, [result.objectives[0].field])


def _numbers(
    result: StudyResult, runs: Sequence[StudyRun], results_dir: Path
) -> dict[Headline, list[float | None]]:
    """The headline numbers of runs, and the objectives but the first, whose better way is the study's."""
    ids = [run.measured.run_id for run in runs]
    # A bench that makes no runs has no headline numbers either.
    stored = [] if None in ids else [load(run_id, results_dir).result for run_id in ids if run_id]
    numbers = headline_values(stored)
    known = {headline.path: headline for headline in numbers}
    for place, objective in enumerate(result.objectives[1:], start=1):
        headline = known.get(objective.field)
        if headline is not None:
            del numbers[headline]
        own = _headline(objective, result) if headline is None else headline
        numbers[replace(own, better=_better(objective))] = [run.measured.values[place] for run in runs]
    return numbers


def _headline(objective: StudyObjective, result: StudyResult) -> Headline:
    """An objective that is no headline number, as one."""
    path, parts = objective.field, ("producers", "consumers", "topics")
    groups = [f"{part}.{name}" for part in parts for name in _names(result, part)]
    owner = owner_of(path, groups) or ".".join(path.split(".")[:2])
    unit = unit_of(path.removeprefix(f"{owner}."))
    # Headline numbers have three units, and objectives more: the unit is only told.
    told = cast("Unit", "" if unit in _WITHOUT_UNIT else unit)
    return Headline(path, owner.partition(".")[2], goal_of(path), told, _better(objective))


def _names(result: StudyResult, part: str) -> list[str]:
    groups = result.scenario.get(part)
    return list(groups) if isinstance(groups, dict) else []


def _better(objective: StudyObjective) -> Direction:
    return "higher" if objective.direction == "maximize" else "lower"

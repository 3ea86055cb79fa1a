"""A study run by run: the default with the band of its noise, the trials, the best until then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import MaxNLocator

from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.study_axes import objective_axis, objective_label
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILION,
    Look,
    add_legend,
    draw_points,
    draw_steps,
    name_axes,
    new_figure,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model_study import StudyResult, StudyRun

_LOOKS: Final[dict[str, Look]] = {
    "baseline": BLACK,
    "trial": BLUE,
    "trial that breaks a constraint": VERMILION,
    "best trials again": ORANGE,
    "contender in turns with the baseline": GREEN,
}


@dataclass(frozen=True)
class StudyMark:
    """A run of a study that has a value.

    Attributes:
        place: the how many-th run of the study it was, from 1.
        value: of the first objective, as measured.
        kind: what was run, in words.
    """

    place: int
    value: float
    kind: str


@dataclass(frozen=True)
class StudyHistory:
    """What a study's history shows.

    Attributes:
        objective: path of the first objective.
        marks: the runs that have a value, in their order.
        lost: the places of those that have none: failed, invalid, or ended early.
        band: between which 95 % of the default's runs are to be expected; None before its noise is known.
        best: places and values of trials that were better than all before them and met all constraints.
    """

    objective: str
    marks: tuple[StudyMark, ...]
    lost: tuple[int, ...]
    band: tuple[float, float] | None
    best: tuple[tuple[int, float], ...]


def study_history(result: StudyResult, band: tuple[float, float] | None) -> StudyHistory:
    """The runs of a study that are as long as its last ones.

    Args:
        result: the study, as far as it got.
        band: of the default's noise.
    """
    runs = [
        (place, run)
        for place, run in enumerate(result.runs, start=1)
        if run.measure_scale == result.measure_scale
    ]
    default = result.default.number if result.trials else None
    return StudyHistory(
        objective=result.objectives[0].field,
        marks=tuple(
            StudyMark(place, run.measured.values[0], _kind(run, default))
            for place, run in runs
            if run.measured.counts
        ),
        lost=tuple(place for place, run in runs if not run.measured.counts),
        band=band,
        best=tuple(_best(runs, result.objectives[0].direction)),
    )


def _kind(run: StudyRun, default: int | None) -> str:
    if run.trial == default:
        return "baseline"
    if run.purpose == "candidate":
        return "best trials again"
    if run.purpose == "confirm":
        return "contender in turns with the baseline"
    return "trial" if run.measured.feasible else "trial that breaks a constraint"


def _best(runs: Sequence[tuple[int, StudyRun]], direction: str) -> list[tuple[int, float]]:
    sign = 1.0 if direction == "maximize" else -1.0
    found: list[tuple[int, float]] = []
    for place, run in runs:
        if run.purpose != "trial" or not run.measured.feasible:
            continue
        value = run.measured.values[0]
        if not found or sign * value > sign * found[-1][1]:
            found.append((place, value))
    return found


def draw_history(history: StudyHistory) -> Plot:
    """Draw the runs of a study in their order."""
    figure, (axes,) = new_figure()
    if history.band is not None:
        axes.axhspan(
            *history.band,
            color="#bbbbbb",
            alpha=0.4,
            linewidth=0,
            label="95 % of the baseline's runs",
        )
    for kind, look in _LOOKS.items():
        marks = [mark for mark in history.marks if mark.kind == kind]
        if marks:
            draw_points(axes, [mark.place for mark in marks], [mark.value for mark in marks], look, kind)
    last = max((mark.place for mark in history.marks), default=1)
    if history.best:
        places, values = zip(*[*history.best, (last, history.best[-1][1])], strict=True)
        draw_steps(axes, places, values, BLUE, "best trial until then")
    for place in history.lost:
        axes.axvline(place, 0, 0.04, color=PURPLE.colour, linewidth=2, label="a run without a value")
    known = [mark.value for mark in history.marks] + list(history.band or ())
    objective_axis(axes.yaxis, history.objective, known)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    name_axes(axes, "run of the study", objective_label(history.objective))
    add_legend(axes)
    return Plot(
        figure,
        "History",
        "Each mark is a run, in the order in which they were made. A trial within the grey band is not told"
        " from the baseline by one run; the best of many is flattered by luck, which its repetitions show."
        " Where the baseline's marks leave the band, the machine changed meanwhile.",
    )

"""A study of several objectives: what can be had of one for how much of the other."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.study_axes import objective_axis, objective_label
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    ORANGE,
    VERMILION,
    add_legend,
    draw_line,
    draw_points,
    name_axes,
    new_figure,
)

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyResult

_Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class StudyFront:
    """What a Pareto plot shows; all points are values of the first two objectives.

    Attributes:
        objectives: the paths of the two.
        front: the trials that no other one betters in all objectives, by the first objective.
        others: the other trials that met all constraints.
        broken: those that did not.
        default: the medians of the default's first runs; None without any.
        unseen: the paths of further objectives, which the plot has no axis for.
    """

    objectives: tuple[str, str]
    front: _Points
    others: _Points
    broken: _Points
    default: tuple[float, float] | None
    unseen: tuple[str, ...] = ()


def study_front(result: StudyResult) -> StudyFront | None:
    """The trials of a study by its first two objectives; None where it has only one, or no trial counts."""
    runs = [run for run in result.settled("trial") if run.measured.counts]
    if len(result.objectives) < 2 or not runs:  # noqa: PLR2004 (a front has two sides)
        return None
    on_front = set(result.front())
    points = {run.trial: (run.measured.values[0], run.measured.values[1]) for run in runs}
    feasible = {run.trial for run in runs if run.measured.feasible}
    baseline = [
        run.measured.values
        for run in result.settled("baseline")
        if run.measured.counts and run.measure_scale == result.measure_scale
    ]
    return StudyFront(
        objectives=(result.objectives[0].field, result.objectives[1].field),
        front=tuple(sorted(points[trial] for trial in points if trial in on_front)),
        others=tuple(points[trial] for trial in points if trial in feasible - on_front),
        broken=tuple(points[trial] for trial in points if trial not in feasible),
        default=(median(each[0] for each in baseline), median(each[1] for each in baseline))
        if baseline
        else None,
        unseen=tuple(objective.field for objective in result.objectives[2:]),
    )


def draw_front(front: StudyFront) -> Plot:
    """Draw the trials with the front joined by a line."""
    figure, (axes,) = new_figure(height_inches=4.4)
    default = () if front.default is None else (front.default,)
    groups = (
        (front.others, BLUE, "trial"),
        (front.broken, VERMILION, "trial that breaks a constraint"),
        (front.front, ORANGE, "not bettered in all objectives"),
        (default, BLACK, "baseline, in the median"),
    )
    for points, look, words in groups:
        if points:
            draw_points(axes, [x for x, _ in points], [y for _, y in points], look, words)
    if front.front and not front.unseen:
        draw_line(axes, [x for x, _ in front.front], [y for _, y in front.front], ORANGE, "Pareto front")
    known = [point for points, _, _ in groups for point in points]
    objective_axis(axes.xaxis, front.objectives[0], [x for x, _ in known])
    objective_axis(axes.yaxis, front.objectives[1], [y for _, y in known])
    name_axes(axes, front.objectives[0], objective_label(front.objectives[1]))
    add_legend(axes)
    return Plot(
        figure,
        "Pareto front",
        f"Each mark is a trial by two objectives. On the front nothing more can be had of one without giving"
        f" of {_the_rest(front)}; which trade is right only you can say. Each trial was run once, so that"
        " neighbours on the front may change places when they are run again.",
    )


def _the_rest(front: StudyFront) -> str:
    """What is given away; an objective without an axis lets trials stand on the front that do not look so."""
    if not front.unseen:
        return "the other"
    return f"another, and that may be one without an axis here: {', '.join(front.unseen)}"

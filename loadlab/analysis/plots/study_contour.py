"""The objective over two knobs: the trials where they were made, and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import LogNorm, Normalize

from loadlab.analysis.knobs import is_latency
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.study_axes import KnobAxis, is_flat, label_objective, objective_label
from loadlab.analysis.plots.style import BLACK, ORANGE, add_legend, name_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loadlab.results.model_study import StudyResult, StudyRun

_COLOURS: Final = "cividis"  # it rises in grey too, and for eyes that tell no red from green
_LEVELS: Final = 12


@dataclass(frozen=True)
class ContourPoint:
    """A trial where it stands.

    Attributes:
        x: its place on the axis of the first knob, and
        y: on that of the second.
        value: of the first objective.
        feasible: whether it met all constraints.
    """

    x: float
    y: float
    value: float
    feasible: bool


@dataclass(frozen=True)
class StudyContour:
    """What a contour shows.

    Attributes:
        x: the first knob, and
        y: the second.
        objective: path of the first objective.
        points: the trials that have a value and both knobs.
        default: where the default stands; None where it does not have both knobs.
        recommended: where the recommended trial stands; None where there is none.
    """

    x: KnobAxis
    y: KnobAxis
    objective: str
    points: tuple[ContourPoint, ...]
    default: tuple[float, float] | None
    recommended: tuple[float, float] | None


def study_contour(result: StudyResult, x: KnobAxis, y: KnobAxis) -> StudyContour:
    """The trials of a study over two of its knobs."""
    placed = [(run, _placed(result, run.trial, x, y)) for run in result.settled("trial")]
    default = result.default.number if result.trials else None
    return StudyContour(
        x=x,
        y=y,
        objective=result.objectives[0].field,
        points=tuple(_point(run, place) for run, place in placed if place and run.measured.counts),
        default=None if default is None else _placed(result, default, x, y),
        recommended=None if result.confirmed is None else _placed(result, result.confirmed, x, y),
    )


def _placed(result: StudyResult, trial: int, x: KnobAxis, y: KnobAxis) -> tuple[float, float] | None:
    values = result.trial(trial).assignment
    return (x.place(values[x.knob]), y.place(values[y.knob])) if {x.knob, y.knob} <= values.keys() else None


def _point(run: StudyRun, place: tuple[float, float]) -> ContourPoint:
    return ContourPoint(*place, run.measured.values[0], run.measured.feasible)


def draw_contour(contour: StudyContour) -> Plot:
    """Draw the trials, and contours between them where both knobs have ranges."""
    figure, (axes,) = new_figure(height_inches=4.4)
    values = np.asarray([point.value for point in contour.points])
    low, high = float(values.min()), float(values.max())
    scale = LogNorm(low, high) if is_latency(contour.objective) else Normalize(low, high)
    _draw_between(axes, contour, values, scale)
    for feasible, marker, words in ((True, "o", "trial"), (False, "X", "trial that breaks a constraint")):
        chosen = [point for point in contour.points if point.feasible == feasible]
        if chosen:
            axes.scatter(
                [point.x for point in chosen],
                [point.y for point in chosen],
                c=[point.value for point in chosen],
                cmap=_COLOURS,
                norm=scale,
                marker=marker,
                s=60,
                edgecolors="white",
                linewidths=1.2,
                zorder=3,
                label=words,
            )
    _draw_rings(axes, contour)
    bar = figure.colorbar(axes.collections[-1], ax=axes, label="objective")
    label_objective(bar.ax.yaxis, contour.objective, low, high)
    bar.set_label(objective_label(contour.objective), fontsize=9)
    contour.x.label(axes.xaxis)
    contour.y.label(axes.yaxis)
    name_axes(axes, contour.x.knob, contour.y.knob.replace(".config.", ".config.\n"))
    add_legend(axes)
    return Plot(
        figure,
        "Over two knobs",
        "Each mark is a trial at its values of two knobs, its shade the objective by the scale at the right."
        " Between the trials the shade is interpolated where both knobs have ranges: it is a guess, and other"
        " knobs differed too. Values outside a range, and choices, stand apart: nothing lies between them.",
    )


def _draw_between(
    axes: Axes, contour: StudyContour, values: np.ndarray[tuple[int], np.dtype[np.float64]], scale: Normalize
) -> None:
    """Contours over the trials within both ranges; none where they span no area."""
    within = [number for number, point in enumerate(contour.points) if point.x >= 0 and point.y >= 0]
    places = [(contour.points[number].x, contour.points[number].y) for number in within]
    differ = len({contour.points[number].value for number in within}) > 1
    if contour.x.is_range and contour.y.is_range and differ and not is_flat(places):
        x, y = zip(*places, strict=True)
        levels = np.geomspace if isinstance(scale, LogNorm) else np.linspace
        axes.tricontourf(
            x,
            y,
            values[within],
            levels=levels(values.min(), values.max(), _LEVELS),
            cmap=_COLOURS,
            norm=scale,
            alpha=0.6,
        )


def _draw_rings(axes: Axes, contour: StudyContour) -> None:
    """Rings around the default and the recommended trial."""
    for place, look, words in (
        (contour.default, BLACK, "baseline"),
        (contour.recommended, ORANGE, "recommended"),
    ):
        if place is not None:
            axes.plot(
                *place,
                marker=look.marker,
                markersize=14,
                fillstyle="none",
                markeredgewidth=2,
                color=look.colour,
                linestyle="none",
                zorder=4,
                label=words,
            )

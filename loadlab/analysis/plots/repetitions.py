"""Repetitions of a scenario: each run as a point, with the median and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import MaxNLocator, ScalarFormatter

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import BLUE, VERMILION, add_legend, draw_points, name_axes, new_figure

if TYPE_CHECKING:
    from loadlab.results.runset import RunSet

_ALIKE: Final = 0.02
"""On an axis that is no longer, as a share of what it shows, three digits would be the same at all ticks."""


@dataclass(frozen=True)
class RepeatedNumber:
    """A headline number over the runs of a set that count.

    Attributes:
        label: its name and group.
        unit: of the values.
        values: by run, in the order in which they were made; None where a run has none.
        median: of them.
        low: lower end of the median's 95 % interval, and
        high: its upper end; None with too few runs.
    """

    label: str
    unit: str
    values: tuple[float | None, ...]
    median: float | None
    low: float | None
    high: float | None


def repeated_numbers(runs: RunSet) -> tuple[RepeatedNumber, ...]:
    """The headline numbers of a set that any of its runs has."""
    return tuple(
        RepeatedNumber(
            f"{each.label} ({each.group})", each.unit, each.values, each.median, each.low, each.high
        )
        for each in runs.headline.values()
        if each.median is not None
    )


def draw_repetitions(number: RepeatedNumber) -> Plot:
    """Draw one headline number run by run."""
    figure, (axes,) = new_figure(height_inches=2.4)
    places = [place for place, value in enumerate(number.values, start=1) if value is not None]
    draw_points(axes, places, [value for value in number.values if value is not None], BLUE, "a run")
    if number.median is not None:
        axes.axhline(number.median, color=VERMILION.colour, linestyle=VERMILION.line, label="median")
    if number.low is not None and number.high is not None:
        axes.axhspan(number.low, number.high, color=VERMILION.colour, alpha=0.15, label="its 95 % interval")
    axes.set_xlim(0.5, len(number.values) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_ylim()
    if high - low > _ALIKE * high:
        axes.yaxis.set_major_formatter(lambda value, _place: numbers.of_unit(value, number.unit))
        name_axes(axes, "run, in the order in which they were made", number.label)
    else:
        axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        name_axes(axes, "run, in the order in which they were made", f"{number.label}\n({number.unit})")
    add_legend(axes)
    return Plot(
        figure,
        f"{number.label.capitalize()} by run",
        "Each point is a run. The band is where the median is to be expected; single runs scatter more"
        " widely. Points that rise or fall from left to right are no repetitions of one thing, but something"
        " that warms up or fills.",
    )

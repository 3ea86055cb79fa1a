"""A comparison: each headline number of the contender as a ratio of the baseline's, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    ORANGE,
    VERMILION,
    Look,
    add_legend,
    name_axes,
    new_figure,
)

if TYPE_CHECKING:
    from loadlab.analysis.comparison import Comparison, Row

_LOOKS: Final[dict[str, Look]] = {
    "better": BLUE,
    "worse": VERMILION,
    "unclear": ORANGE,
    "no difference seen": BLACK,
    "no interval": BLACK,
}


@dataclass(frozen=True)
class RatioRow:
    """A headline number of both sides.

    Attributes:
        label: its name and group.
        ratio: contender over baseline.
        low: lower end of its 95 % interval, and
        high: its upper end; None where there is none.
        said: better, worse, unclear, no difference seen or no interval.
    """

    label: str
    ratio: float
    low: float | None
    high: float | None
    said: str


def ratio_rows(comparison: Comparison) -> tuple[RatioRow, ...]:
    """The numbers of a comparison that have a ratio."""
    return tuple(_row(row, row.effect.ratio) for row in comparison.rows if row.effect.ratio is not None)


def _row(row: Row, ratio: float) -> RatioRow:
    interval = row.effect.interval
    label = f"{row.headline.label} ({row.headline.group}), {row.headline.better} is better"
    low, high = (interval.low, interval.high) if interval else (None, None)
    return RatioRow(label, ratio, low, high, _said(row))


def _said(row: Row) -> str:
    if row.better is not None:
        return "better" if row.better else "worse"
    return "no interval" if row.finding == "not known" else row.finding


def draw_ratios(rows: tuple[RatioRow, ...]) -> Plot:
    """Draw each ratio as a point on its interval, against the line of no difference."""
    figure, (axes,) = new_figure(height_inches=1.2 + 0.36 * len(rows))
    axes.set_xscale("log")
    axes.axvline(1.0, color="#888888", linewidth=1)
    for place, row in enumerate(rows):
        look = _LOOKS[row.said]
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=look.colour, linestyle="-", linewidth=2)
        axes.plot(
            [row.ratio], [place], color=look.colour, marker=look.marker, linestyle="none", label=row.said
        )
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: numbers.ratio(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    name_axes(axes, "B ÷ A", "")
    add_legend(axes)
    return Plot(
        figure,
        "What B has of A",
        "A point is B's figure over A's, the line its 95 % interval. A line that crosses 1 shows no"
        " difference: it says how great a one may have been missed. Better and worse are claimed only where"
        " the difference survives that so many numbers were compared.",
    )

"""The confirmation of a study: the contender against the default, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import MaxNLocator

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    VERMILION,
    add_legend,
    draw_points,
    name_axes,
    new_figure,
)

if TYPE_CHECKING:
    from loadlab.results.model_study import StudyObjective

_FINE: Final = 0.1
"""On an axis that is no longer, two decimals would be the same at several ticks."""


@dataclass(frozen=True)
class StudyBlocks:
    """What the plot of a confirmation shows.

    Attributes:
        objective: what is compared.
        trial: the contender's number.
        ratios: contender over default, one for each block that is whole.
        ratio: of all blocks, and
        low: the lower end of its 95 % interval, and
        high: the upper one; None where the confirmation did not come to its end.
        floor: the least gain that is claimed, as a share.
    """

    objective: StudyObjective
    trial: int
    ratios: tuple[float, ...]
    ratio: float | None
    low: float | None
    high: float | None
    floor: float

    @property
    def claimed_from(self) -> float:
        """The ratio from which on a gain is claimed."""
        return 1 + self.floor if self.objective.direction == "maximize" else 1 / (1 + self.floor)


def draw_blocks(blocks: StudyBlocks) -> Plot:
    """Draw the ratio of each block, and that of all of them with its interval."""
    figure, (axes,) = new_figure(height_inches=3.0)
    places = range(1, len(blocks.ratios) + 1)
    draw_points(axes, list(places), list(blocks.ratios), BLUE, "a block of four runs")
    axes.axhline(1.0, color=BLACK.colour, linestyle=BLACK.line, linewidth=1, label="no difference")
    axes.axhline(
        blocks.claimed_from,
        color=VERMILION.colour,
        linestyle=VERMILION.line,
        linewidth=1,
        label=f"least gain that is claimed ({numbers.share(blocks.floor)})",
    )
    if blocks.ratio is not None and blocks.low is not None and blocks.high is not None:
        axes.axhspan(blocks.low, blocks.high, color=BLUE.colour, alpha=0.15, label="95 % interval")
    axes.set_xlim(0.5, len(blocks.ratios) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))  # which two or three digits can name
    axes.yaxis.set_major_formatter(lambda value, _: numbers.ratio(value, fine=high - low < _FINE))
    name_axes(axes, "block", f"trial {blocks.trial} ÷ baseline\n{blocks.objective.field.rpartition('.')[2]}")
    add_legend(axes)
    better = "above" if blocks.objective.direction == "maximize" else "below"
    return Plot(
        figure,
        "Confirmation",
        f"Each mark is four runs in turns, so that whatever drifts moves both sides alike; {better} 1 the"
        " contender is better. Only this ratio is claimed, and only where the blocks agree and the ratio is"
        " beyond the least gain.",
    )

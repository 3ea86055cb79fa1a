"""How much each knob of a study mattered, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import PercentFormatter

from loadlab.analysis.knobs import short_names
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import BLUE, VERMILION, add_legend, name_axes, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model_study_answer import StudyImportance


def draw_importances(importances: Sequence[StudyImportance], notable: float) -> Plot:
    """Draw the share of each knob as a point on its interval, the greatest on top.

    Args:
        importances: at least one.
        notable: the share above which a whole interval lies if the knob is said to have mattered.
    """
    ranked = sorted(importances, key=lambda each: each.share, reverse=True)
    names = short_names(each.knob for each in ranked)
    figure, (axes,) = new_figure(height_inches=1.2 + 0.36 * len(ranked))
    for place, each in enumerate(ranked):
        axes.plot([each.low, each.high], [place, place], color=BLUE.colour, linewidth=2)
        axes.plot(
            [each.share], [place], color=BLUE.colour, marker=BLUE.marker, linestyle="none", label="share"
        )
    axes.axvline(
        notable, color=VERMILION.colour, linestyle=VERMILION.line, linewidth=1, label=f"{notable:.0%}"
    )
    axes.set_yticks(range(len(ranked)), [names[each.knob] for each in ranked])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    name_axes(axes, "share in reaching the best third of the trials (%)", "")
    add_legend(axes)
    return Plot(
        figure,
        "Which knobs mattered",
        "A point is a knob's share in telling the best third of the trials from the others, the line its"
        f" 95 % interval. A knob mattered where the whole line is right of {notable:.0%}, did not where it is"
        " left of it; of a line that crosses it the trials were too few to tell.",
    )

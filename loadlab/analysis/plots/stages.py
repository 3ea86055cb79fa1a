"""Where the time goes: the stages of the mean publish latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import HATCHES, SERIES, add_legend, name_axes, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.analysis.recorded import Recorded


@dataclass(frozen=True)
class StagesData:
    """The stages by producer.

    Attributes:
        means_us: by producer and stage, in the order in which a record goes through them.
    """

    means_us: Mapping[str, Mapping[str, float]]

    @property
    def stages(self) -> tuple[str, ...]:
        """All stages of any producer."""
        return tuple(dict.fromkeys(stage for means in self.means_us.values() for stage in means))


def stages_data(recorded: Recorded) -> StagesData | None:
    """The stages of a run's producers; None where none had a record acked."""
    means = {
        name: {stage.name: stage.mean_us for stage in producer.stages}
        for name, producer in recorded.result.producers.items()
        if producer.stages
    }
    return StagesData(means) if means else None


def draw_stages(data: StagesData) -> Plot:
    """Draw a bar for each producer, divided into its stages."""
    names = list(data.means_us)
    figure, (axes,) = new_figure(height_inches=1.6 + 0.45 * len(names))
    left = [0.0] * len(names)
    for place, stage in enumerate(data.stages):
        # What is below 0 (brokers told more than the round trip) is told in the legend and has no width.
        widths = [max(0.0, data.means_us[name].get(stage, 0.0)) / 1_000 for name in names]
        axes.barh(
            names,
            widths,
            left=left,
            color=SERIES[place % len(SERIES)].colour,
            hatch=HATCHES[place % len(HATCHES)],
            edgecolor="white",
            height=0.6,
            label=f"{stage.replace('_', ' ')} {_mean(data, stage)}",
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    name_axes(axes, "mean publish latency (ms)", "")
    add_legend(axes)
    return Plot(
        figure,
        "Where the time goes",
        "The mean publish latency, divided among what a record goes through, in its order from left to"
        " right. The longest part is where a change can win most: batching falls with linger.ms, client"
        " queue with more connections or larger batches, network and broker only in the cluster.",
    )


def _mean(data: StagesData, stage: str) -> str:
    """A stage's mean where one producer is shown; several have theirs in result.json."""
    if len(data.means_us) > 1:
        return ""
    (means,) = data.means_us.values()
    mean_us = means[stage]
    return f"-{numbers.latency(-mean_us)}" if mean_us < 0 else numbers.latency(mean_us)

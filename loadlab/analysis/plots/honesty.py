"""One run seen from two moments: from the call that sends, and from the time at which records were due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.spectrum import METRICS
from loadlab.analysis.plots.style import (
    add_legend,
    draw_steps,
    latency_axis,
    name_axes,
    new_figure,
    shade_course,
)

if TYPE_CHECKING:
    from loadlab.analysis.recorded import Recorded, Track
    from loadlab.results.model import FaultResult, Phase


@dataclass(frozen=True)
class TwoViews:
    """The median of each second's acks, by both ways to count, in µs.

    Attributes:
        service_time: from the call that hands the record over.
        publish_latency: from the intended send time.
        phases: of the run.
        faults: what was done to brokers meanwhile.
    """

    service_time: Track
    publish_latency: Track
    phases: tuple[Phase, ...]
    faults: tuple[FaultResult, ...]


def two_views(recorded: Recorded) -> TwoViews:
    """The medians of each second of a run with one producer."""
    (source,) = recorded.sources("producer")
    acks = recorded.track(source, "acked_records_per_s")
    return TwoViews(
        service_time=recorded.track(source, "service_time_p50_us").at(acks.at_s),
        publish_latency=recorded.track(source, "publish_latency_p50_us").at(acks.at_s),
        phases=recorded.result.phases,
        faults=recorded.result.faults,
    )


def draw_two_views(data: TwoViews, name: str) -> Plot:
    """Draw both medians over time."""
    figure, (axes,) = new_figure(height_inches=2.6)
    tracks = {"service_time": data.service_time, "publish_latency": data.publish_latency}
    latency_axis(axes.yaxis, [value for track in tracks.values() for value in track.values])
    shade_course(axes, data.phases, data.faults)
    for metric, track in tracks.items():
        _, label, look = METRICS[metric]
        draw_steps(axes, track.at_s, track.values, look, f"median {label}")
    name_axes(axes, "time since the start (s)", "latency")
    add_legend(axes)
    return Plot(
        figure,
        f"Two ways to count: {name}",
        "The median of each second's acks, counted from the call that sends the record and from the time at"
        " which it was due. Where the two part, records waited before they were sent, and the lower line"
        " does not know it.",
    )

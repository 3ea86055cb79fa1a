"""What brokers told of themselves, on the time axis of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    SERIES,
    add_legend,
    draw_line,
    from_zero,
    name_axes,
    new_figure,
    shade_course,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.analysis.recorded import Recorded, Track
    from loadlab.results.model import FaultResult, Phase

_PANELS: Final = (
    ("request_handler_idle_share", "request handlers\nidle (%)", 100.0),
    ("produce_total_mean_ms", "produce request,\nmean (ms)", 1.0),
    ("gc_pause_ms", "collections' pauses\n(ms in a sample)", 1.0),
    ("heap_used_bytes", "heap used (MB)", 1e-6),
    ("bytes_in_per_s", "in from producers\n(MB/s)", 1e-6),
    ("under_replicated_partitions", "under-replicated\npartitions", 1.0),
)
"""Metric, what its axis says, and the factor to the unit there."""


@dataclass(frozen=True)
class BrokersData:
    """Broker telemetry.

    Attributes:
        panels: by the name of the axis, a track for each broker by its id; of no more than can be told apart.
        phases: of the run.
        faults: what was done to brokers meanwhile.
        left_out: brokers that are not drawn.
    """

    panels: Mapping[str, Mapping[str, Track]]
    phases: tuple[Phase, ...]
    faults: tuple[FaultResult, ...]
    left_out: int


def brokers_data(recorded: Recorded) -> BrokersData | None:
    """What the brokers of a run told; None where they told nothing."""
    brokers = recorded.sources("broker")
    shown = brokers[: len(SERIES)]
    panels = {
        name: {
            broker.partition(":")[2]: track.scaled(factor)
            for broker in shown
            if (track := recorded.track(broker, metric))
        }
        for metric, name, factor in _PANELS
    }
    told = {name: tracks for name, tracks in panels.items() if tracks}
    left_out = len(brokers) - len(shown)
    return BrokersData(told, recorded.result.phases, recorded.result.faults, left_out) if told else None


def draw_brokers(data: BrokersData) -> Plot:
    """Draw a panel for each figure, below each other on one time axis."""
    figure, panels = new_figure(rows=len(data.panels), height_inches=1.5)
    for axes, (name, tracks) in zip(panels, data.panels.items(), strict=True):
        shade_course(axes, data.phases, data.faults)
        for (broker, track), look in zip(tracks.items(), SERIES, strict=False):
            draw_line(axes, track.at_s, track.values, look, f"broker {broker}")
        from_zero(axes)
        name_axes(axes, "", name)
    add_legend(panels[0])
    name_axes(panels[-1], "time since the start (s)", list(data.panels)[-1])
    more = f" Not drawn: {numbers.counted(data.left_out, 'more broker')}." if data.left_out else ""
    return Plot(
        figure,
        "Broker telemetry",
        "What the brokers told of themselves, at the times of the plots above. Look for what moves together"
        " with a rise of latency: handlers that are never idle are a broker at its limit, a pause of the"
        " collector stops everything for its length, and follower fetches that fall behind show as"
        f" under-replicated partitions.{more}",
    )

"""Consumer lag over time, in total and by partition, and how even the partitions are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    BLUE,
    HATCHES,
    ORANGE,
    SERIES,
    VERMILION,
    add_legend,
    count_axis,
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

_SHOWN_PARTITIONS: Final = 6
_EVEN: Final = 1.0
_MOST_TOPICS: Final = 12


@dataclass(frozen=True)
class LagData:
    """One consumer group's lag.

    Attributes:
        group: its name.
        total: all partitions together, by the consumers' positions.
        committed: the same by committed offsets.
        partitions: by name, those with the greatest lag first; no more than can be told apart.
        left_out: partitions that are not among them.
        phases: of the run.
        faults: what was done to brokers meanwhile.
    """

    group: str
    total: Track
    committed: Track
    partitions: Mapping[str, Track]
    left_out: int
    phases: tuple[Phase, ...]
    faults: tuple[FaultResult, ...]


def lag_data(recorded: Recorded, group: str) -> LagData:
    """A consumer group's lag, sample by sample."""
    source = f"consumer/{group}"
    names = [
        each.removeprefix(f"{source}/")
        for each, metric in recorded.tracks
        if each.startswith(f"{source}/") and metric == "consumer_lag_records"
    ]
    tracks = {name: recorded.track(f"{source}/{name}", "consumer_lag_records") for name in names}
    worst = sorted(tracks, key=lambda name: float(tracks[name].values.max()), reverse=True)[
        :_SHOWN_PARTITIONS
    ]
    return LagData(
        group=group,
        total=recorded.track(source, "consumer_lag_records"),
        committed=recorded.track(source, "committed_lag_records"),
        partitions={name: tracks[name] for name in worst},
        left_out=len(tracks) - len(worst),
        phases=recorded.result.phases,
        faults=recorded.result.faults,
    )


def draw_lag(data: LagData) -> Plot:
    """Draw a group's lag: in total above, by partition below."""
    figure, (above, below) = new_figure(rows=2, height_inches=2.6)
    for axes in (above, below):
        shade_course(axes, data.phases, data.faults)
    draw_line(above, data.total.at_s, data.total.values, BLUE, "by position")
    draw_line(above, data.committed.at_s, data.committed.values, ORANGE, "by committed offset")
    for (name, track), look in zip(data.partitions.items(), SERIES, strict=False):
        draw_line(below, track.at_s, track.values, look, name)
    for axes, what in ((above, "lag, all partitions"), (below, "lag by partition")):
        from_zero(axes)
        count_axis(axes.yaxis)
        name_axes(axes, "", f"{what}\n(records)")
        add_legend(axes)
    name_axes(below, "time since the start (s)", "lag by partition\n(records)")
    more = f" {data.left_out} partitions with less lag are not drawn." if data.left_out else ""
    return Plot(
        figure,
        f"Lag of {data.group}",
        "Log end less what the group has read, and less what it has committed, which is about a second's"
        " records behind at best. A line that rises is a group that reads less than is written; one"
        f" partition above the others is a hot key or a slow member.{more}",
    )


@dataclass(frozen=True)
class SkewData:
    """How a topic's records fell on its partitions.

    Attributes:
        topic: its name.
        share: of the growth of the topic's log, by partition number.
        left_out: how many topics are less skewed, and not drawn.
    """

    topic: str
    share: tuple[float, ...]
    left_out: int = 0

    @property
    def skew(self) -> float:
        """What the fullest partition has of an even share: 1 is even."""
        return max(self.share) * len(self.share)


def skew_data(recorded: Recorded) -> tuple[SkewData, ...]:
    """The topics of a run that grew and have more than one partition, the most skewed of many first."""
    topics = recorded.result.topics.items()
    found = [
        SkewData(name, topic.partition_share) for name, topic in topics if len(topic.partition_share) > 1
    ]
    if len(found) <= _MOST_TOPICS:
        return tuple(found)
    worst = sorted(found, key=lambda each: each.skew, reverse=True)[:_MOST_TOPICS]
    return (*worst[:-1], replace(worst[-1], left_out=len(found) - len(worst)))


def draw_skew(data: SkewData) -> Plot:
    """Draw each partition's share of a topic's records against the even share."""
    figure, (axes,) = new_figure(height_inches=2.8)
    even = _EVEN / len(data.share)
    axes.bar(
        np.arange(len(data.share)),
        np.array(data.share) * 100,
        color=BLUE.colour,
        hatch=HATCHES[1],
        edgecolor="white",
    )
    axes.axhline(even * 100, color=VERMILION.colour, linestyle=VERMILION.line, label="even share")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    more = (
        f" {numbers.counted(data.left_out, 'topic')} with less skew are not drawn." if data.left_out else ""
    )
    name_axes(axes, f"partition of {data.topic}", "share of the records (%)")
    add_legend(axes)
    return Plot(
        figure,
        f"Partition skew of {data.topic}",
        f"The fullest partition has {data.skew:.2f} times an even share. A consumer reads a partition alone,"
        f" so that the fullest one says how much faster than the mean the fastest consumer must be.{more}",
    )

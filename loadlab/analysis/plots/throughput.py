"""Throughput over time: what was asked for, sent, acked and consumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.analysis.intended import intended_records
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    Look,
    add_legend,
    count_axis,
    draw_steps,
    from_zero,
    name_axes,
    new_figure,
    shade_course,
)
from loadlab.analysis.recorded import INTERVAL_S, Track, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.analysis.recorded import Recorded
    from loadlab.results.model import FaultResult, Phase

_CONSUMER_LOOKS: Final = (GREEN, PURPLE, SKY)
"""More groups than these are told in result.json and not drawn: their lines could not be told apart."""


@dataclass(frozen=True)
class Rate:
    """A rate over time, in records/s."""

    label: str
    look: Look
    track: Track


@dataclass(frozen=True)
class ThroughputData:
    """What a run's throughput plot shows.

    Attributes:
        rates: what was asked for first, where that is known; then sent, acked and consumed.
        phases: of the run.
        faults: what was done to brokers meanwhile.
        left_out: consumer groups that are not drawn.
    """

    rates: tuple[Rate, ...]
    phases: tuple[Phase, ...]
    faults: tuple[FaultResult, ...]
    left_out: int


def throughput_data(recorded: Recorded) -> ThroughputData:
    """A run's rates by the second; producers added up, each consumer group by itself."""
    left_out = max(0, len(recorded.sources("consumer")) - len(_CONSUMER_LOOKS))
    rates = tuple(rate for rate in _rates(recorded) if rate.track)
    return ThroughputData(rates, recorded.result.phases, recorded.result.faults, left_out)


def _rates(recorded: Recorded) -> Iterator[Rate]:
    rejected = recorded.summed("producer", "rejected_records_per_s")
    sent = total((recorded.summed("producer", "attempted_records_per_s"), rejected.scaled(-1.0)))
    yield Rate("intended", BLACK, _intended(recorded, sent))
    yield Rate("sent", ORANGE, sent)
    yield Rate("acked", BLUE, recorded.summed("producer", "acked_records_per_s"))
    for source, look in zip(recorded.sources("consumer"), _CONSUMER_LOOKS, strict=False):
        name = source.partition("/")[2]
        yield Rate(f"consumed by {name}", look, recorded.track(source, "consumed_records_per_s"))


def _intended(recorded: Recorded, sent: Track) -> Track:
    """What the schedules asked for in each second of warm-up and measure phase; empty if not known."""
    due_until_s = max((each.end_s for each in recorded.result.phases if each.name != "drain"), default=0.0)
    at_s = sent.at_s[sent.at_s < due_until_s]
    if not len(at_s):
        return Track(at_s, at_s)
    records = intended_records(recorded.result, np.append(at_s, at_s[-1] + INTERVAL_S))
    if records is None:
        return Track(at_s[:0], at_s[:0])
    # Of a second that the load ends in as much of it as of all else: what came in it, by a second.
    return Track(at_s, records / INTERVAL_S)


def draw_throughput(data: ThroughputData) -> Plot:
    """Draw rates over time, what is not the measure phase shaded."""
    figure, (axes,) = new_figure()
    shade_course(axes, data.phases, data.faults)
    for rate in data.rates:
        draw_steps(axes, rate.track.at_s, rate.track.values, rate.look, rate.label)
    from_zero(axes)
    count_axis(axes.yaxis)
    name_axes(axes, "time since the start (s)", "records/s")
    add_legend(axes)
    more = f" {data.left_out} more consumer groups are not drawn." if data.left_out else ""
    return Plot(
        figure,
        "Throughput",
        "Records a second, by the second in which it happened. Where sent falls below intended the client"
        " could not send on time; where acked falls below sent, records wait for their acks; where consumed"
        f" falls below acked, lag grows. The grey areas do not count.{more}",
    )

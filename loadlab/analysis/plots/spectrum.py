"""The percentile spectrum: latency against percentile, with equal room for each further nine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from loadlab.analysis import numbers
from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    Look,
    add_legend,
    draw_line,
    latency_axis,
    name_axes,
    new_figure,
)
from loadlab.measurement.histogram import SAMPLES_BEYOND, midpoints_ns
from loadlab.units import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from loadlab.analysis.recorded import Recorded
    from loadlab.measurement.histogram import Histogram

_POINTS: Final = 300
_TICKS: Final = (2, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_FROM_TAIL: Final = 1.02
"""The axis has room from here on: the very fastest records would take more of it than all others."""
METRICS: Final[dict[str, tuple[str, str, Look]]] = {
    "send_delay": ("producer", "send delay", ORANGE),
    "service_time": ("producer", "service time", GREEN),
    "publish_latency": ("producer", "publish latency", BLUE),
    "end_to_end_latency": ("consumer", "end to end", VERMILION),
}
"""By metric: whose it is, its name for people, and how it is drawn everywhere."""


@dataclass(frozen=True, eq=False)
class SpectrumLine:
    """One latency from its least to the highest percentile that its sample supports.

    Attributes:
        label: what it is of.
        look: how it is drawn.
        tail: one record in how many is slower: 100 is p99; shape (n,), ascending from 1.
        latency_us: shape (n,).
        missing: records that never came through.
    """

    label: str
    look: Look
    tail: NDArray[np.float64]
    latency_us: NDArray[np.float64]
    missing: int


def spectrum_line(histogram: Histogram, label: str, look: Look) -> SpectrumLine | None:
    """A latency's spectrum; None for a sample that supports none.

    It is cut where fewer than SAMPLES_BEYOND records lie beyond, and where those begin that never came
    through: they took longer than any sample.
    """
    count = histogram.count + histogram.missing
    if count <= SAMPLES_BEYOND or not histogram.count:
        return None
    tail = np.geomspace(1.0, count / SAMPLES_BEYOND, _POINTS)
    ranks = np.maximum(np.ceil(count * (1.0 - 1.0 / tail) - 1e-9), 1.0)
    tail, ranks = tail[ranks <= histogram.count], ranks[ranks <= histogram.count]
    buckets = np.searchsorted(np.cumsum(histogram.counts), ranks)
    return SpectrumLine(label, look, tail, midpoints_ns()[buckets] / NS_PER_US, histogram.missing)


def spectrum_lines(recorded: Recorded) -> tuple[SpectrumLine, ...]:
    """A run's latencies of the measure phase, the groups of a kind merged; those without samples left out."""
    return tuple(_lines(recorded))


def _lines(recorded: Recorded) -> Iterable[SpectrumLine]:
    producers = recorded.result.producers.values()
    for metric, (kind, label, look) in METRICS.items():
        if metric == "publish_latency" and all(one.publish_latency_is_service_time for one in producers):
            continue  # at the maximum rate it is the service time, which has a line of its own
        histogram = recorded.merged(kind, metric)
        line = spectrum_line(histogram, label, look) if histogram else None
        if line is not None:
            yield line


def draw_spectrum(lines: Sequence[SpectrumLine]) -> Plot:
    """Draw latencies against the percentile, on the axis that HdrHistogram's plots have."""
    figure, (axes,) = new_figure()
    for line in lines:
        draw_line(axes, line.tail, line.latency_us, line.look, line.label)
        axes.plot(line.tail[-1], line.latency_us[-1], color=line.look.colour, marker=line.look.marker)
    axes.set_xscale("log")
    axes.set_xlim(1, max((line.tail[-1] for line in lines), default=10.0) * 1.2)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tail, _place: percentile_text(tail)))
    latency_axis(axes.yaxis, [value for line in lines for value in line.latency_us[line.tail >= _FROM_TAIL]])
    name_axes(axes, "percentile of the records", "latency")
    add_legend(axes)
    return Plot(
        figure,
        "Percentile spectrum",
        "At 99 % stands the latency that one record in a hundred exceeds; each further nine has the same"
        f" room. A line ends where fewer than {SAMPLES_BEYOND} records are slower: beyond it the sample says"
        " nothing. A flat line is a steady latency, a step to the right of it a few records that met"
        f" something else.{''.join(map(_never_came, lines))}",
    )


def _never_came(line: SpectrumLine) -> str:
    if not line.missing:
        return ""
    told = numbers.counted(line.missing, "record")
    return f" Of {line.label}, {told} never came through: the line ends before them."


def percentile_text(tail: float) -> str:
    """A percentile by its tail: 1 → "0 %", 100 → "99 %", 10,000 → "99.99 %"."""
    return f"{100.0 * (1.0 - 1.0 / tail):.10g} %"

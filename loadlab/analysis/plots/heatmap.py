"""Latency over time: how many records had which latency in each second, with p50, p99 and the maximum."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import LogNorm

from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.spectrum import METRICS
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    VERMILION,
    Look,
    add_legend,
    draw_steps,
    latency_axis,
    name_axes,
    new_figure,
    shade_course,
)
from loadlab.analysis.recorded import INTERVAL_S
from loadlab.measurement.histogram import Histogram, lower_bounds_ns, midpoints_ns
from loadlab.units import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from loadlab.analysis.recorded import Recorded
    from loadlab.results.model import FaultResult, Phase

_BINS: Final = 60
_COLOURS: Final = "Greys"
_STATISTICS: Final[dict[str, Look]] = {"p50": BLUE, "p99": VERMILION, "max": BLACK}


@dataclass(frozen=True, eq=False)
class HeatmapData:
    """One latency over time.

    Attributes:
        label: which latency.
        edges_s: the seconds since the common start, shape (n + 1,).
        edges_us: latencies, evenly spaced on a logarithmic axis, shape (m + 1,).
        share: of a second's records in each bin, shape (m, n).
        lines: p50, p99 and the maximum of each second in µs; NaN where the sample does not support it.
        phases: of the run.
        faults: what was done to brokers meanwhile.
    """

    label: str
    edges_s: NDArray[np.float64]
    edges_us: NDArray[np.float64]
    share: NDArray[np.float64]
    lines: dict[str, NDArray[np.float64]]
    phases: tuple[Phase, ...]
    faults: tuple[FaultResult, ...]


def heatmap_data(recorded: Recorded, metric: str) -> HeatmapData | None:
    """One latency by the second, all groups of its kind merged.

    Args:
        recorded: the run.
        metric: send_delay, service_time, publish_latency or end_to_end_latency.

    Returns:
        None where the run has no sample, or was stored before each second's histogram was kept.
    """
    kind, label, _ = METRICS[metric]
    producers = recorded.result.producers.values()
    if metric == "publish_latency" and all(each.publish_latency_is_service_time for each in producers):
        label = METRICS["service_time"][1]
    found = recorded.by_interval(kind, metric)
    if found is None or not found[1].any():
        return None
    starts_s, counts = found
    edges_s = np.arange(starts_s[0], starts_s[-1] + 2 * INTERVAL_S, INTERVAL_S)
    by_second = counts
    if len(edges_s) != len(counts) + 1:  # there are seconds without a sample
        by_second = np.zeros((len(edges_s) - 1, counts.shape[1]), dtype=np.int32)
        by_second[np.round((starts_s - starts_s[0]) / INTERVAL_S).astype(int)] = counts
    edges_us, share = _binned(by_second)
    phases, faults = recorded.result.phases, recorded.result.faults
    return HeatmapData(label, edges_s, edges_us, share, dict(_lines(by_second)), phases, faults)


def _binned(counts: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Histograms by second put into few bins, each second's as shares of its records."""
    filled = np.flatnonzero(counts.any(axis=0))
    bounds = lower_bounds_ns()
    low_us, high_us = max(bounds[filled[0]], 1_000) / NS_PER_US, bounds[filled[-1] + 1] / NS_PER_US
    edges_us = np.geomspace(low_us, max(high_us, low_us * 1.1), _BINS + 1)
    places = np.clip(np.searchsorted(edges_us, midpoints_ns() / NS_PER_US, side="right") - 1, 0, _BINS - 1)
    ends = np.searchsorted(places, np.arange(_BINS + 1))  # places rise with the buckets
    binned = np.stack([counts[:, first:last].sum(axis=1) for first, last in pairwise(ends)])
    return edges_us, binned / np.maximum(binned.sum(axis=0), 1)


def _lines(counts: NDArray[np.int32]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    summaries = [Histogram.of_counts(row).summary_us() for row in counts]
    for name in _STATISTICS:
        yield (
            name,
            np.array([np.nan if each[name] is None else each[name] for each in summaries], dtype=float),
        )


def draw_heatmap(data: HeatmapData) -> Plot:
    """Draw how a latency was distributed in each second."""
    figure, (axes,) = new_figure(height_inches=4.0)
    latency_axis(axes.yaxis, [float(data.edges_us[0]), float(data.edges_us[-1])])
    shade_course(axes, data.phases, data.faults)
    shown = np.ma.masked_equal(data.share, 0.0)
    norm = LogNorm(vmin=1e-4, vmax=1.0, clip=True)
    mesh = axes.pcolormesh(data.edges_s, data.edges_us, shown, cmap=_COLOURS, norm=norm, rasterized=True)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01)
    bar.set_label("share of the second's records", fontsize=9)
    for name, look in _STATISTICS.items():
        draw_steps(axes, data.edges_s[:-1], data.lines[name], look, name)
    name_axes(axes, "time since the start (s)", data.label)
    add_legend(axes)
    return Plot(
        figure,
        f"{data.label.capitalize()} over time",
        "Each column is a second; the darker a field, the more of that second's records had this latency."
        " Two dark bands are two kinds of records. A dark band that bends upwards is a queue that grows; a"
        " lone rise of p99 or of the maximum is a few records that met a pause. A second with too few"
        " records has no p99.",
    )

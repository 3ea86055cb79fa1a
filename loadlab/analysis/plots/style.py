"""The visual language that all plots share.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which people with any colour vision tell
apart. Nothing is said by colour alone: each line has a style of its own, each set of points a marker, so that
a plot printed in grey says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from loadlab.analysis import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from numpy.typing import ArrayLike

    from loadlab.results.model import FaultResult, Phase

_WIDTH_INCHES: Final = 8.6
_GRID: Final = "#d9d9d9"
_TEXT: Final = "#222222"
_FONT_POINTS: Final = 9
_WIDE_DECADES: Final = 2.5
_LEGEND_LETTERS: Final = 110  # that have room beside each other
_HANDLE_LETTERS: Final = 9


@dataclass(frozen=True)
class Look:
    """How one kind of figure is drawn everywhere.

    Attributes:
        colour: of line and marker.
        line: matplotlib's line style, by name or as dashes.
        marker: of its points.
    """

    colour: str
    line: str | tuple[int, tuple[int, ...]] = "-"
    marker: str = "o"


BLACK: Final = Look("#000000", (0, (1, 1)), "s")
BLUE: Final = Look("#0072B2", "-", "o")
ORANGE: Final = Look("#E69F00", "-.", "^")
GREEN: Final = Look("#009E73", "--", "D")
VERMILION: Final = Look("#D55E00", (0, (5, 1, 1, 1, 1, 1)), "v")
SKY: Final = Look("#56B4E9", (0, (9, 3)), "P")
PURPLE: Final = Look("#CC79A7", ":", "X")
SERIES: Final = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
"""For groups, partitions and brokers, which have no look of their own."""

HATCHES: Final = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "oo", "++", "**", "||")
"""Of areas, which have no line style."""

PHASE_SHADES: Final[Mapping[str, str]] = {"warmup": "#f0f0f0", "drain": "#e0e0e0"}
_FAULT_SHADE: Final = "#fbe3d6"


def new_figure(rows: int = 1, height_inches: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure with axes below each other, which share the axis of what runs to the right.

    Args:
        rows: number of axes.
        height_inches: of each.
    """
    figure = Figure(figsize=(_WIDTH_INCHES, height_inches * rows), layout="constrained", facecolor="white")
    column = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axes in column:
        axes.grid(visible=True, color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=_FONT_POINTS, colors=_TEXT)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, list(column)


def draw_line(axes: Axes, x: ArrayLike, y: ArrayLike, look: Look, label: str) -> None:
    """Draw a line from point to point."""
    axes.plot(x, y, color=look.colour, linestyle=look.line, linewidth=1.6, label=label)


def draw_steps(axes: Axes, x: ArrayLike, y: ArrayLike, look: Look, label: str) -> None:
    """Draw a line of which each figure holds until the next, as one of an interval does."""
    axes.step(x, y, where="post", color=look.colour, linestyle=look.line, linewidth=1.6, label=label)


def draw_points(axes: Axes, x: ArrayLike, y: ArrayLike, look: Look, label: str) -> None:
    """Draw points that no line joins."""
    axes.plot(x, y, color=look.colour, linestyle="none", marker=look.marker, markersize=6, label=label)


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Write at both axes what they show, with the unit."""
    axes.set_xlabel(x, fontsize=_FONT_POINTS, color=_TEXT)
    axes.set_ylabel(y, fontsize=_FONT_POINTS, color=_TEXT)


def add_legend(axes: Axes) -> None:
    """A legend above the axes, where it covers nothing; what has the same name stands there once."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        labels = list(once)
        axes.legend(
            list(once.values()),
            labels,
            fontsize=_FONT_POINTS,
            frameon=False,
            ncols=max(1, min(len(labels), _LEGEND_LETTERS // (max(map(len, labels)) + _HANDLE_LETTERS))),
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderaxespad=0.2,
            handlelength=3,
        )


def shade_course(axes: Axes, phases: Sequence[Phase], faults: Sequence[FaultResult]) -> None:
    """Shade what is not the measure phase and the faults in it, and write what they are along the top."""
    for begin_s, end_s, fault in _spans(phases, faults):
        axes.axvspan(begin_s, end_s, color=_FAULT_SHADE, linewidth=0, zorder=0)
        axes.text(
            begin_s,
            0.02,
            f" {fault.kind} {fault.broker}",
            transform=axes.get_xaxis_transform(),
            fontsize=_FONT_POINTS - 1,
            color="#8b2500",
        )
    for phase in phases:
        if phase.name in PHASE_SHADES:
            axes.axvspan(phase.start_s, phase.end_s, color=PHASE_SHADES[phase.name], linewidth=0, zorder=0)
        axes.text(
            (phase.start_s + phase.end_s) / 2,
            0.98,
            phase.name if phase.end_s - phase.start_s >= _room_s(phases) else "",
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=_FONT_POINTS - 1,
            color="#666666",
        )
    axes.set_xlim(min(each.start_s for each in phases), max(each.end_s for each in phases))


def _spans(
    phases: Sequence[Phase], faults: Sequence[FaultResult]
) -> Iterator[tuple[float, float, FaultResult]]:
    """Where each fault that began lies on the axis of time; one that did not end lasts as long as the run."""
    origin_s = next((phase.start_s for phase in phases if phase.name == "measure"), 0.0)
    last_s = max((phase.end_s for phase in phases), default=0.0)
    for fault in faults:
        if fault.begun_s is not None:
            end_s = last_s if fault.ended_s is None else min(last_s, origin_s + fault.ended_s)
            yield origin_s + fault.begun_s, end_s, fault


def _room_s(phases: Sequence[Phase]) -> float:
    """How long a phase must be for its name to fit."""
    return 0.06 * max(each.end_s for each in phases)


def latency_axis(axis: Axis, values_us: Sequence[float]) -> None:
    """A logarithmic axis of microseconds, labelled in µs, ms and s, that has room for these values."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})  # type: ignore[attr-defined]  # which every axis has
    above_zero = [value for value in values_us if value > 0]
    if not above_zero:
        return
    low, high = min(above_zero) * 0.8, max(above_zero) * 1.25
    axis.set_view_interval(low, high, ignore=True)
    label_latencies(axis, low, high)


def label_latencies(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis of microseconds, which reaches from low to high, in µs, ms and s."""
    wide = high / low > 10**_WIDE_DECADES
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: _short_latency(value)))
    axis.set_minor_formatter(NullFormatter())


def _short_latency(microseconds: float) -> str:
    """A tick's label: "2 ms" rather than "2.00 ms"."""
    number, _, unit = numbers.latency(microseconds).partition(" ")
    return f"{float(number):g} {unit}"


def count_axis(axis: Axis) -> None:
    """An axis of numbers of things, labelled with k and M for thousands and millions."""
    axis.set_major_formatter(EngFormatter(sep=" "))


def from_zero(axes: Axes) -> None:
    """Let an axis of amounts begin at 0, with room above for the names of phases."""
    drawn = [np.asarray(line.get_ydata()) for line in axes.get_lines()]
    highest = max((float(values.max()) for values in drawn if values.size), default=0.0)
    axes.set_ylim(0.0, 1.15 * highest if highest > 0 else 1.0)

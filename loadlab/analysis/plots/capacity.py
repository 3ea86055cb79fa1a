"""A capacity search: latency against rate, with what holds, what does not, and the knee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.analysis.plots.plot import Plot
from loadlab.analysis.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    Look,
    add_legend,
    count_axis,
    draw_points,
    latency_axis,
    name_axes,
    new_figure,
)

if TYPE_CHECKING:
    from loadlab.results.model_capacity import CapacityResult

_VERDICTS: Final[dict[str, tuple[str, Look]]] = {
    "holds": ("holds", BLUE),
    "fails": ("does not hold", VERMILION),
    "unmeasured": ("not measured", ORANGE),
}


@dataclass(frozen=True)
class CapacityPoint:
    """A probe at a rate of its own.

    Attributes:
        rate_per_s: what was asked for.
        p50_us: of publish latency; None where the sample does not support it, as is
        p99_us: likewise.
        verdict: holds, fails or unmeasured.
    """

    rate_per_s: float
    p50_us: float | None
    p99_us: float | None
    verdict: str


@dataclass(frozen=True)
class CapacityCurve:
    """What a search's plot shows.

    Attributes:
        points: by rate.
        holds_per_s: the highest rate that holds.
        fails_per_s: the lowest above it that does not, or that could not be measured.
        is_measured: whether the probes at that rate say that it fails.
        knee_per_s: where latency begins to grow by a greater factor than the rate.
    """

    points: tuple[CapacityPoint, ...]
    holds_per_s: float | None
    fails_per_s: float | None
    is_measured: bool
    knee_per_s: float | None


def capacity_curve(search: CapacityResult) -> CapacityCurve:
    """The probes of a search that were judged, by their rates."""
    points = [
        CapacityPoint(probe.rate_per_s, probe.publish_p50_us, probe.publish_p99_us, probe.verdict)
        for probe in search.probes
        if probe.rate_per_s is not None and probe.verdict is not None
    ]
    return CapacityCurve(
        points=tuple(sorted(points, key=lambda point: point.rate_per_s)),
        holds_per_s=search.answer.holds_per_s,
        fails_per_s=search.answer.fails_per_s,
        is_measured=search.answer.kind in {"between", "below"},
        knee_per_s=search.knee.rate_per_s if search.knee else None,
    )


def draw_capacity(curve: CapacityCurve) -> Plot:
    """Draw p50 and p99 against the rate."""
    figure, (axes,) = new_figure()
    for verdict, (words, look) in _VERDICTS.items():
        found = [point for point in curve.points if point.verdict == verdict and point.p99_us is not None]
        if found:
            rates = [point.rate_per_s for point in found]
            draw_points(axes, rates, [point.p99_us or 0.0 for point in found], look, f"p99, {words}")
    halves = [(point.rate_per_s, point.p50_us) for point in curve.points if point.p50_us is not None]
    if halves:
        draw_points(axes, [rate for rate, _ in halves], [p50 for _, p50 in halves], GREEN, "p50")
    above = (VERMILION, "lowest that does not") if curve.is_measured else (ORANGE, "could not be measured")
    for rate, look, words in (
        (curve.knee_per_s, GREEN, "knee"),
        (curve.holds_per_s, BLUE, "highest that holds"),
        (curve.fails_per_s, *above),
    ):
        if rate is not None:
            axes.axvline(rate, color=look.colour, linestyle=look.line, linewidth=1, label=words)
    known = [value for point in curve.points for value in (point.p50_us, point.p99_us) if value is not None]
    latency_axis(axes.yaxis, known)
    axes.set_xlim(left=0)
    count_axis(axes.xaxis)
    name_axes(axes, "rate (records/s), all producers together", "publish latency")
    add_legend(axes)
    return Plot(
        figure,
        "Latency against rate",
        "Each mark is a run of its own at a constant rate. Left of the knee more rate costs little latency,"
        f" right of it latency grows by a greater factor than the rate. {_capacity(curve)}",
    )


def _capacity(curve: CapacityCurve) -> str:
    """Between which rates the capacity lies, as far as it was measured."""
    if curve.holds_per_s is None:
        return "The capacity is below what failed." if curve.is_measured else "No rate was seen to hold."
    if curve.fails_per_s is not None and curve.is_measured:
        return "The capacity lies between the highest rate that holds and the lowest that does not."
    return "The capacity is the highest rate that holds, or more: nothing above it was measured."

"""The interval series of a stored run by whole windows of its measure phase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadlab.analysis.recorded import INTERVAL_S, LATE_SAMPLE_S
from loadlab.errors import UsageError
from loadlab.results.artifacts import read_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from loadlab.results.reader import StoredRun


@dataclass(frozen=True)
class Window:
    """Some seconds of the measure phase, one after the other; times are since the common start."""

    start_s: float
    seconds: int

    @property
    def end_s(self) -> float:
        """The end of the last one."""
        return self.start_s + self.seconds * INTERVAL_S


@dataclass(frozen=True, eq=False)
class Seconds:
    """A run's series.

    Attributes:
        begin: the first interval that lies in the measure phase whole, by its number.
        end: the one behind the last.
        series: times and values by source and metric.
    """

    begin: int
    end: int
    series: Mapping[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64]]]

    def windows(self, seconds: int) -> list[Window]:
        """Whole windows of so many seconds; one with what there is where the phase is shorter than that."""
        length = min(seconds, self.end - self.begin)
        starts = range(self.begin, self.end - length + 1, length)
        return [Window(start * INTERVAL_S, length) for start in starts]

    def left_over(self, seconds: int) -> int:
        """Seconds of the measure phase behind its last window."""
        return (self.end - self.begin) % min(seconds, self.end - self.begin)

    def mean(self, window: Window, sources: Iterable[str], metric: str) -> float:
        """The mean of a rate over a window, all sources added; a second without a row counts as 0."""
        total = sum(float(self._within(window, source, metric).sum()) for source in sources)
        return total / window.seconds

    def last(self, window: Window, sources: Iterable[str], metric: str) -> float:
        """The last value of a window, all sources added; it is due at the end and taken a little after."""
        return float(sum(self._latest(window, source, metric) for source in sources))

    def added(self, sources: Iterable[str], metric: str) -> dict[float, float]:
        """A metric over the whole run, all sources added, by its times in order."""
        totals: dict[float, float] = {}
        for source in sources:
            for at_s, value in zip(*(column.tolist() for column in self._of(source, metric)), strict=True):
                totals[at_s] = totals.get(at_s, 0.0) + value
        return dict(sorted(totals.items()))

    def _within(self, window: Window, source: str, metric: str) -> NDArray[np.float64]:
        times, values = self._of(source, metric)
        return values[(times >= window.start_s) & (times < window.end_s)]

    def _latest(self, window: Window, source: str, metric: str) -> float:
        times, values = self._of(source, metric)
        before = np.searchsorted(times, window.end_s + LATE_SAMPLE_S, side="right")
        return float(values[before - 1]) if before else 0.0

    def _of(self, source: str, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        nothing = np.empty(0)
        return self.series.get((source, metric), (nothing, nothing))


def read_seconds(stored: StoredRun) -> Seconds:
    """The series of a run.

    Raises:
        UsageError: its measure phase holds no whole interval.
    """
    measure = stored.result.phase("measure")
    begin = math.ceil(measure.start_s / INTERVAL_S) if measure else 0
    end = math.floor(measure.end_s / INTERVAL_S) if measure else 0
    if end <= begin:
        raise UsageError(
            f"{stored.result.run_id} measured for less than a second: there is no series to export",
            fix="run the scenario again with a longer phases.measure",
        )
    return Seconds(begin, end, _by_source_and_metric(stored))


def _by_source_and_metric(
    stored: StoredRun,
) -> dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = {}
    table = read_intervals(stored.path)
    columns = (table[name].to_pylist() for name in ("interval_start_s", "source", "metric", "value"))
    for start_s, source, metric, value in zip(*columns, strict=True):
        rows.setdefault((source, metric), []).append((start_s, value))
    return {key: (*np.array(sorted(pairs)).T,) for key, pairs in rows.items()}

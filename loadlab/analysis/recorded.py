"""A stored run with its series and histograms at hand, as plots and reports read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.analysis.histograms import latency_histograms
from loadlab.results.artifacts import read_interval_histograms, read_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from loadlab.measurement.histogram import Histogram
    from loadlab.results.model import RunResult
    from loadlab.results.reader import StoredRun

INTERVAL_S: Final = 1.0
LATE_SAMPLE_S: Final = 0.25
"""As in `loadlab.run.samples`: a sample of lag that is due at a moment is taken a little after it."""


@dataclass(frozen=True, eq=False)
class Track:
    """One metric over time.

    Attributes:
        at_s: seconds since the workers' common start, ascending; of intervals their beginning.
        values: the figures, in the unit in which the metric's name ends.
    """

    at_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def __bool__(self) -> bool:
        """Whether there is any figure."""
        return len(self.at_s) > 0

    def at(self, at_s: NDArray[np.float64]) -> Track:
        """The same at all of some times: NaN, a gap in a line, where there is no figure."""
        known = dict(zip(self.at_s.tolist(), self.values.tolist(), strict=True))
        return Track(at_s, np.array([known.get(each, np.nan) for each in at_s.tolist()]))

    def scaled(self, factor: float) -> Track:
        """The same in another unit."""
        return Track(self.at_s, self.values * factor)


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a run left.

    Attributes:
        result: result.json.
        path: the run's folder.
        tracks: intervals.parquet by source and metric.
        histograms: of the measure phase, by source and metric: ("producer/checkout", "publish_latency").
    """

    result: RunResult
    path: Path
    tracks: Mapping[tuple[str, str], Track]
    histograms: Mapping[tuple[str, str], Histogram]

    def sources(self, kind: str) -> tuple[str, ...]:
        """The sources of a kind ("producer", "consumer" or "broker"), partitions left out, in their order."""
        found = dict.fromkeys(source for source, _ in self.tracks)
        return tuple(
            each for each in found if each.replace(":", "/").split("/")[0] == kind and _is_whole(each)
        )

    def track(self, source: str, metric: str) -> Track:
        """A metric over time; empty where the run has no figure of it."""
        return self.tracks.get((source, metric), _NOTHING)

    def summed(self, kind: str, metric: str) -> Track:
        """A rate of all groups of a kind together: at each interval their sum."""
        return total(self.track(source, metric) for source in self.sources(kind))

    def merged(self, kind: str, metric: str) -> Histogram | None:
        """The histograms of all groups of a kind as one; None where none has a record to tell of."""
        found = [
            histogram
            for (source, name), histogram in self.histograms.items()
            if source.startswith(f"{kind}/") and name == metric and (histogram.count or histogram.missing)
        ]
        return sum(found[1:], start=found[0]) if found else None

    def by_interval(self, kind: str, metric: str) -> tuple[NDArray[np.float64], NDArray[np.int32]] | None:
        """The histograms of each second, all groups of a kind merged.

        Returns:
            The seconds' starts, shape (k,), and samples by second and bucket, shape (k, BUCKETS); None where
            the run was stored before they were kept.

        Raises:
            UsageError: the file is damaged.
        """
        found = [read_interval_histograms(self.path, source, f"{metric}_us") for source in self.sources(kind)]
        known = [each for each in found if each is not None and len(each[0])]
        if not known:
            return None
        if len(known) == 1:
            return known[0]
        starts_s = np.unique(np.concatenate([starts for starts, _ in known]))
        counts = np.zeros((len(starts_s), known[0][1].shape[1]), dtype=np.int32)
        for starts, each in known:
            counts[np.searchsorted(starts_s, starts)] += each
        return starts_s, counts


_NOTHING: Final = Track(np.zeros(0), np.zeros(0))


def recorded(stored: StoredRun) -> Recorded:
    """Read all that a stored run left.

    Raises:
        UsageError: a file is missing or damaged.
    """
    histograms = {place: each.durations for place, each in latency_histograms(stored).items()}
    return Recorded(stored.result, stored.path, _tracks(stored.path), histograms)


def total(tracks: Iterable[Track]) -> Track:
    """The sum of several tracks at each of their times; one that has no figure at a time adds none."""
    known = [track for track in tracks if track]
    if not known:
        return _NOTHING
    at_s, places = np.unique(np.concatenate([track.at_s for track in known]), return_inverse=True)
    values = np.zeros(len(at_s))
    np.add.at(values, places, np.concatenate([track.values for track in known]))
    return Track(at_s, values)


def _is_whole(source: str) -> bool:
    return source.count("/") <= 1


def _tracks(folder: Path) -> dict[tuple[str, str], Track]:
    frame = read_intervals(folder).to_pandas().sort_values("interval_start_s", kind="stable")
    return {
        (str(source), str(metric)): Track(
            part["interval_start_s"].to_numpy(dtype=np.float64), part["value"].to_numpy(dtype=np.float64)
        )
        for (source, metric), part in frame.groupby(["source", "metric"], sort=False, observed=True)
    }

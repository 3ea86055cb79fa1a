"""A stored run as tidy tables: one row an observation, the run's id in each, units in a column or a name.

- run: the run itself, one row
- metrics: every figure of the result
- intervals: the series, a row an interval, source and metric
- histograms: the filled buckets of each latency of the measure phase

The histograms of intervals are a table of their own, with the same columns behind the interval's start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from loadlab.analysis.export.durations import latencies, over_time
from loadlab.analysis.frames import intervals_frame, metrics_frame, row_frame
from loadlab.analysis.runs import run_row
from loadlab.measurement.histogram import BUCKETS, lower_bounds_ns
from loadlab.results.reader import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from loadlab.results.reader import StoredRun

_BUCKET: Final = ("from_us", "to_us", "count")
_PHASE: Final = np.zeros(1)  # the measure phase is one histogram, whose start nobody asks for


def tables(stored: StoredRun) -> dict[str, pd.DataFrame]:
    """All tables of a run by their names.

    Raises:
        UsageError: a file is damaged.
    """
    run_id = stored.result.run_id
    parts = {
        "metrics": metrics_frame(stored.result),
        "intervals": intervals_frame(stored),
        "histograms": _histograms(stored),
    }
    for frame in parts.values():
        frame.insert(0, "run_id", run_id)
    rows = [run_row(Entry(run_id, stored.path, stored))]
    run = row_frame(rows).drop(columns=["path", "problem"])
    # A text that this run lacks is a text in others, whose tables stand below this one's.
    texts = dict.fromkeys(run.select_dtypes(["object", "string"]), "string")
    return {"run": run.astype(texts), **parts}


def interval_histograms(stored: StoredRun) -> pd.DataFrame:
    """The filled buckets of each latency in each interval.

    Raises:
        UsageError: the run holds no histograms of its intervals.
    """
    series = {key: over_time(stored, *key) for key in latencies(stored)}
    frames = [
        _buckets(each.counts, each.starts_s).assign(source=source, metric=metric)
        for (source, metric), each in series.items()
    ]
    frame = _together(frames)[["interval_start_s", "source", "metric", *_BUCKET]]
    frame.insert(0, "run_id", stored.result.run_id)
    return frame


def _histograms(stored: StoredRun) -> pd.DataFrame:
    frames = [
        _buckets(histogram.counts[np.newaxis], _PHASE).assign(source=source, metric=metric)
        for (source, metric), histogram in latencies(stored).items()
    ]
    return _together(frames)[["source", "metric", *_BUCKET]]


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The buckets of all latencies; an empty table where nothing was measured."""
    nothing = _buckets(np.zeros((1, BUCKETS), np.int64), _PHASE).assign(source="", metric="")
    return pd.concat(frames or [nothing], ignore_index=True)


def _buckets(counts: NDArray[np.integer], starts_s: NDArray[np.float64]) -> pd.DataFrame:
    """The filled buckets of histograms, a row of counts each: a bucket holds from_us ≤ latency < to_us."""
    rows, buckets = np.nonzero(counts)
    edges_us = lower_bounds_ns() / 1_000
    return pd.DataFrame(
        {
            "interval_start_s": starts_s[rows],
            "from_us": edges_us[buckets],
            "to_us": edges_us[buckets + 1],
            "count": counts[rows, buckets],
        }
    )

"""A histogram log of HdrHistogram, format 1.3: one line for each interval, source and metric. Values are ns.

The form is that of org.HdrHistogram.HistogramLogWriter (https://github.com/HdrHistogram/HdrHistogram). The
intervals are those from the end of the warm-up on, the drain included: records of the measure phase are acked
and read there too, and they are the late ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.analysis.export.durations import load_start, over_time, some_latencies
from loadlab.analysis.export.files import Exported, file_name
from loadlab.analysis.export.hdr import HdrHistogram
from loadlab.analysis.recorded import INTERVAL_S
from loadlab.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.reader import StoredRun

_LEGEND: Final = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def export(stored: StoredRun) -> Exported:
    """The run as a histogram log.

    Raises:
        UsageError: it holds no histograms of its intervals.
    """
    lines = [*_head(stored), *(line for _, line in sorted(_intervals(stored)))]
    return Exported({"": ("\n".join(lines) + "\n").encode()})


def _head(stored: StoredRun) -> Iterator[str]:
    result, start = stored.result, load_start(stored)
    yield f"#[loadlab {result.loadlab_version}: {file_name(result.run_id)}, verdict {result.verdict.status}]"
    yield "#[Nanoseconds, by the moment of the ack or the read, from the end of the warm-up on]"
    yield "#[Histogram log format version 1.3]"
    at = f"{start.timestamp():.3f} (seconds since epoch)"
    yield f"#[StartTime: {at}, {start:%a %b %d %H:%M:%S} UTC {start:%Y}]"
    yield f"#[BaseTime: {at}]"
    yield _LEGEND


def _intervals(stored: StoredRun) -> Iterator[tuple[tuple[float, str], str]]:
    """Each line, after what it is sorted by."""
    measure = stored.result.phase("measure")
    begin_s = measure.start_s if measure else 0.0
    for source, metric in some_latencies(stored):
        tag = file_name(*source.split("/"), metric)
        series = over_time(stored, source, metric)
        for start_s, counts in zip(series.starts_s.tolist(), series.counts, strict=True):
            if start_s >= begin_s:
                yield (start_s, tag), _line(tag, start_s, HdrHistogram.of_counts(counts))


def _line(tag: str, start_s: float, histogram: HdrHistogram) -> str:
    highest_ms = histogram.max_ns / NS_PER_MS
    return f"Tag={tag},{start_s:.3f},{INTERVAL_S:.3f},{highest_ms:.3f},{histogram.base64()}"

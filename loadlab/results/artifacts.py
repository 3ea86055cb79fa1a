"""What a run leaves beside result.json: intervals, histograms, those of each interval, events and logs."""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from loadlab.errors import UsageError
from loadlab.measurement.histogram import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydantic import JsonValue

    from loadlab.results.redact import Redactor

INTERVALS_FILE = "intervals.parquet"
HISTOGRAMS_FILE = "histograms.npz"
INTERVAL_HISTOGRAMS_FILE = "interval_histograms.parquet"
EVENTS_FILE = "events.jsonl"
LOGS_FOLDER = "logs"
BUCKET_EDGES = "bucket_edges_us"
_ROWS_AT_ONCE = 100_000
_HISTOGRAMS_AT_ONCE = 1_000
_AGAIN = "copy the run's folder again, or run the scenario again"

_INTERVAL_SCHEMA = pa.schema(
    [
        pa.field("interval_start_s", pa.float64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)

_INTERVAL_HISTOGRAM_SCHEMA = pa.schema(
    [
        pa.field("interval_start_s", pa.float64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("bucket", pa.int16(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)


class Interval(NamedTuple):
    """One metric of one source in one interval.

    Attributes:
        interval_start_s: seconds since the workers' common start.
        source: "producer/checkout", "consumer/billing" or "consumer/billing/orders-0".
        metric: its name ends in its unit, such as acked_records_per_s.
        value: the figure; a metric without a sample has no row.
    """

    interval_start_s: float
    source: str
    metric: str
    value: float


class IntervalHistogram(NamedTuple):
    """The durations that one interval took of one source, as the buckets that hold any.

    Attributes:
        interval_start_s: seconds since the workers' common start.
        source: as in `Interval`.
        metric: as in `Histograms`, such as publish_latency_us.
        buckets: numbers of the filled buckets, ascending.
        counts: samples in each of them.
    """

    interval_start_s: float
    source: str
    metric: str
    buckets: NDArray[np.int16]
    counts: NDArray[np.int64] | NDArray[np.uint16]


@dataclass(frozen=True)
class Histograms:
    """Latency histograms of the measure phase, all in one bucket layout.

    Attributes:
        bucket_edges_us: float64 (n + 1,), ascending: bucket i holds edges[i] ≤ latency < edges[i + 1], in µs.
        counts: int64 (n,) by "source/metric", such as "producer/checkout/publish_latency_us".
    """

    bucket_edges_us: NDArray[np.float64]
    counts: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Artifacts:
    """Everything of a run that is stored beside result.json.

    Attributes:
        intervals: the series, one row per interval, source and metric.
        histograms: None where nothing was measured.
        interval_histograms: of each interval, source and metric that has a sample.
        events: what happened, in order; each with its time and kind.
        logs: files to keep, by the name they get in logs/.
    """

    intervals: Iterable[Interval] = ()
    histograms: Histograms | None = None
    interval_histograms: Sequence[IntervalHistogram] = ()
    events: Sequence[Mapping[str, JsonValue]] = ()
    logs: Mapping[str, Path] = field(default_factory=dict)


def write_artifacts(artifacts: Artifacts, folder: Path, redactor: Redactor) -> None:
    """Write all of them into a folder; texts go through the redactor."""
    _write_intervals(artifacts.intervals, folder / INTERVALS_FILE)
    if artifacts.histograms is not None:
        _write_histograms(artifacts.histograms, folder / HISTOGRAMS_FILE)
    _write_interval_histograms(artifacts.interval_histograms, folder / INTERVAL_HISTOGRAMS_FILE)
    _write_events(artifacts.events, folder / EVENTS_FILE, redactor)
    for name, source in artifacts.logs.items():
        _copy_log(source, folder / LOGS_FOLDER / name, redactor)


def read_intervals(folder: Path) -> pa.Table:
    """The interval series of a stored run, with the columns of `Interval`; source and metric as dictionaries.

    Raises:
        UsageError: the file isn't there, can't be read or is damaged.
    """
    path = folder / INTERVALS_FILE
    with _telling(path):
        return parquet.read_table(path, columns=_INTERVAL_SCHEMA.names, read_dictionary=["source", "metric"])


def read_series(folder: Path, source: str, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One metric of one source over a stored run: seconds since the common start, and the figures.

    Raises:
        UsageError: as `read_intervals`.
    """
    wanted = [("source", "==", source), ("metric", "==", metric)]
    path = folder / INTERVALS_FILE
    with _telling(path):
        table = parquet.read_table(path, filters=wanted)
        return table["interval_start_s"].to_numpy(), table["value"].to_numpy()


def read_histograms(folder: Path) -> Histograms | None:
    """The histograms of a stored run; None where it has none.

    Raises:
        UsageError: the file can't be read or is damaged.
    """
    path = folder / HISTOGRAMS_FILE
    if not path.exists():
        return None
    with _telling(path), np.load(path, allow_pickle=False) as stored:
        counts = {name: stored[name] for name in stored.files if name != BUCKET_EDGES}
        return Histograms(bucket_edges_us=stored[BUCKET_EDGES], counts=counts)


def read_interval_histograms(
    folder: Path, source: str, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.int32]] | None:
    """The histograms of one metric of one source over a stored run.

    Returns:
        The starts of the intervals that have a sample, in seconds since the common start, shape (k,), and
        samples by interval and bucket, shape (k, BUCKETS): as in `Histograms`. None where the run was stored
        before they were kept.

    Raises:
        UsageError: the file can't be read or is damaged.
    """
    path = folder / INTERVAL_HISTOGRAMS_FILE
    if not path.exists():
        return None
    wanted = [("source", "==", source), ("metric", "==", metric)]
    with _telling(path):
        table = parquet.read_table(path, filters=wanted)
        starts, rows = np.unique(table["interval_start_s"].to_numpy(), return_inverse=True)
        # A day has 86,400 rows of them; no second has as many samples as 32 bits can't count.
        counts = np.zeros((len(starts), BUCKETS), dtype=np.int32)
        counts[rows, table["bucket"].to_numpy()] = table["count"].to_numpy()
        return starts, counts


def read_events(folder: Path) -> list[dict[str, JsonValue]]:
    """What happened in a stored run, in order; the members of a line are told in docs/measurement.md.

    Raises:
        UsageError: the file isn't there, can't be read or is damaged.
    """
    path = folder / EVENTS_FILE
    with _telling(path):
        # Only what JSON escapes ends a line: texts may hold what else Unicode calls a line's end.
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn what the libraries raise for a file that can't be read into one error that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"{path} is not there", fix=_AGAIN) from error
    except (ValueError, LookupError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path} is damaged: {_first_line(error)}", fix=_AGAIN) from error
    except OSError as error:
        # Arrow raises it too, without a number, for what is damaged within the file.
        state = f"can't be read: {error.strerror}" if error.errno else f"is damaged: {_first_line(error)}"
        raise UsageError(f"{path} {state}", fix=_AGAIN) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _write_intervals(intervals: Iterable[Interval], path: Path) -> None:
    rows = iter(intervals)
    with parquet.ParquetWriter(path, _INTERVAL_SCHEMA, compression="zstd") as writer:
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            starts, sources, metrics, values = zip(*part, strict=True)
            columns = [
                _numbers(np.array(starts, np.float64)),
                _texts(sources),
                _texts(metrics),
                _numbers(np.array(values, np.float64)),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_INTERVAL_SCHEMA))


# pa.array would do, and loads pandas: a third of a second at the end of each run.
def _numbers(values: NDArray[np.generic]) -> pa.Array:
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
    )


def _texts(values: Sequence[str]) -> pa.Array:
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    )


def _write_histograms(histograms: Histograms, path: Path) -> None:
    arrays = {BUCKET_EDGES: histograms.bucket_edges_us, **histograms.counts}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _write_interval_histograms(histograms: Sequence[IntervalHistogram], path: Path) -> None:
    parts = iter(histograms)
    with parquet.ParquetWriter(path, _INTERVAL_HISTOGRAM_SCHEMA, compression="zstd") as writer:
        while part := list(islice(parts, _HISTOGRAMS_AT_ONCE)):
            filled = [len(each.buckets) for each in part]
            columns = [
                _numbers(np.repeat(np.array([each.interval_start_s for each in part], np.float64), filled)),
                _texts([each.source for each in part]).take(_places(filled)),
                _texts([each.metric for each in part]).take(_places(filled)),
                _numbers(np.concatenate([each.buckets for each in part])),
                _numbers(np.concatenate([each.counts for each in part])),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_INTERVAL_HISTOGRAM_SCHEMA))


def _places(lengths: Sequence[int]) -> pa.Array:
    """0 as often as the first length says, then 1 as often as the second, and so on."""
    return _numbers(np.repeat(np.arange(len(lengths)), lengths))


def _write_events(events: Sequence[Mapping[str, JsonValue]], path: Path, redactor: Redactor) -> None:
    with path.open("w", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps(redactor.model(event), ensure_ascii=False) + "\n")


def _copy_log(source: Path, target: Path, redactor: Redactor) -> None:
    """Copy a log line by line; a log that has gone is noted in its place rather than losing the result."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as copy:
        try:
            with source.open(encoding="utf-8", errors="replace") as log:
                copy.writelines(map(redactor.text, log))
        except OSError as error:
            copy.write(f"loadlab: this log could not be read: {error.strerror}\n")

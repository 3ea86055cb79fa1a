"""Latency histograms of stored runs: of one group, or of several added up."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np

from loadlab.analysis import numbers
from loadlab.errors import UsageError
from loadlab.hints import near
from loadlab.measurement.histogram import Histogram, lower_bounds_ns
from loadlab.results.artifacts import HISTOGRAMS_FILE, read_histograms
from loadlab.units import NS_PER_US, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from loadlab.results.artifacts import Histograms
    from loadlab.results.model import ConsumerResult, LatencyBlock, ProducerResult, RunResult
    from loadlab.results.reader import StoredRun

LatencyMetric: TypeAlias = Literal["send_delay", "service_time", "publish_latency", "end_to_end_latency"]
LATENCIES: Final[tuple[LatencyMetric, ...]] = get_args(LatencyMetric)


@dataclass(frozen=True, eq=False, repr=False)
class LatencyHistogram:
    """A latency of the measure phase, counted by bucket. Merging is addition: ``a + b``.

    Attributes:
        metric: send_delay, service_time, publish_latency or end_to_end_latency.
        sources: whose records it holds, such as ``producer/checkout``.
        durations: the samples in nanoseconds; minimum, maximum and mean are exact to the nanosecond.
    """

    metric: str
    sources: tuple[str, ...]
    durations: Histogram

    def __repr__(self) -> str:
        """One line: which latency, whose, and its figures."""
        shown = {"p50": self.percentile_us(50), "p99": self.percentile_us(99), "max": self.max_us}
        figures = ", ".join(f"{name} {numbers.latency(value)}" for name, value in shown.items())
        records = numbers.counted(self.count, "record")
        return f"<LatencyHistogram {self.metric} of {', '.join(self.sources)}: {records}, {figures}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    @cached_property
    def bucket_edges_us(self) -> NDArray[np.float64]:
        """Edges in µs, shape (n + 1,), ascending: bucket i holds edges[i] ≤ latency < edges[i + 1]."""
        return lower_bounds_ns() / NS_PER_US

    @property
    def counts(self) -> NDArray[np.int64]:
        """Samples by bucket, shape (n,)."""
        return self.durations.counts

    @property
    def count(self) -> int:
        """All samples."""
        return self.durations.count

    @property
    def mean_us(self) -> float | None:
        """Exact mean; None without a sample, as are the next two."""
        return microseconds(self.durations.mean_ns)

    @property
    def min_us(self) -> float | None:
        """The smallest sample."""
        return microseconds(self.durations.min_ns)

    @property
    def max_us(self) -> float | None:
        """The largest sample."""
        return microseconds(self.durations.max_ns)

    def percentile_us(self, percentile: float) -> float | None:
        """The latency in µs that so many percent of the records do not exceed, as results tell it.

        Args:
            percentile: above 0 and below 100, with two digits behind the point at most: 99.99.

        Returns:
            The midpoint of the bucket that holds it (buckets are 0.8 % wide); None where fewer than ten
            samples lie beyond it, since it would be a figure of noise.

        Raises:
            UsageError: no such percentile.
        """
        if not 0 < percentile < 100 or round(percentile, 2) != percentile:  # noqa: PLR2004 (percent)
            raise UsageError(f"{percentile:g} is no percentile: give one such as 50, 99 or 99.99")
        return microseconds(self.durations.percentile_ns(percentile))

    def __add__(self, other: LatencyHistogram) -> LatencyHistogram:
        """All samples of both, be they of other groups or of other runs.

        Raises:
            UsageError: they are not of the same latency.
        """
        if not isinstance(other, LatencyHistogram):
            return NotImplemented
        if other.metric != self.metric:
            raise UsageError(f"{self.metric} and {other.metric} are not the same: they can't be added")
        sources = tuple(dict.fromkeys([*self.sources, *other.sources]))
        return LatencyHistogram(self.metric, sources, self.durations + other.durations)

    def __radd__(self, other: object) -> LatencyHistogram:
        """What `sum` begins with."""
        return self if other == 0 else NotImplemented


def latency_histogram(stored: StoredRun, metric: LatencyMetric, group: str | None = None) -> LatencyHistogram:
    """The histogram of a latency in a stored run's measure phase.

    At `rate: max` there is no intended send time, and publish_latency is the service time.

    Args:
        stored: the run.
        metric: which latency.
        group: the producer or consumer whose records are meant; None for all groups, added up.

    Raises:
        UsageError: no such latency or group, the run has not measured it, or the file is damaged.
    """
    if metric not in LATENCIES:
        raise unknown("latency", metric, LATENCIES)
    groups = _groups(stored.result, metric)
    if group is not None and group not in groups:
        raise unknown("producer" if metric != "end_to_end_latency" else "consumer", group, tuple(groups))
    found = latency_histograms(stored)
    parts = [
        found[name] for name in found if name[1] == metric and group in {None, name[0].partition("/")[2]}
    ]
    if not parts:
        whose = f" of {group}" if group else ""
        raise UsageError(
            f"run {stored.result.run_id} has no {metric}{whose}: no record has the intended send time, or "
            "the stamp, that it is told from"
        )
    return sum(parts[1:], parts[0])


def latency_histograms(stored: StoredRun) -> dict[tuple[str, str], LatencyHistogram]:
    """All histograms of a stored run by source and metric: ("producer/checkout", "publish_latency").

    Raises:
        UsageError: the file is damaged, or not in the bucket layout of this loadlab.
    """
    histograms = read_histograms(stored.path)
    if histograms is None:
        return {}
    if not np.array_equal(histograms.bucket_edges_us, lower_bounds_ns() / NS_PER_US):
        raise UsageError(
            f"{stored.path / HISTOGRAMS_FILE} has other buckets than this loadlab",
            fix="read it with the loadlab that wrote it",
        )
    return {
        (source, metric): LatencyHistogram(metric, (source,), _durations(counts, block))
        for source, metric, counts, block in _parts(stored.result, histograms)
    }


def _parts(
    result: RunResult, histograms: Histograms
) -> Iterator[tuple[str, str, NDArray[np.int64], LatencyBlock]]:
    for source, group in _sources(result):
        for metric in LATENCIES:
            block: LatencyBlock | None = getattr(group, f"{metric}_us", None)
            at_max = metric == "publish_latency" and getattr(group, "publish_latency_is_service_time", False)
            counts = histograms.counts.get(f"{source}/{'service_time' if at_max else metric}_us")
            if block is not None and counts is not None:
                yield source, metric, counts, block


def _sources(result: RunResult) -> Iterator[tuple[str, ProducerResult | ConsumerResult]]:
    for name, producer in result.producers.items():
        yield f"producer/{name}", producer
    for name, consumer in result.consumers.items():
        yield f"consumer/{name}", consumer


def _groups(result: RunResult, metric: str) -> Mapping[str, ProducerResult | ConsumerResult]:
    return result.consumers if metric == "end_to_end_latency" else result.producers


def _durations(counts: NDArray[np.int64], block: LatencyBlock) -> Histogram:
    """The buckets with what they don't tell: the exact mean, minimum and maximum stand in the result."""
    if block.mean is None or block.min is None or block.max is None:
        return replace(Histogram.of_counts(counts), missing=block.missing)
    return Histogram(
        counts=counts,
        missing=block.missing,
        total_ns=round(block.mean * NS_PER_US * int(counts.sum())),
        min_ns=round(block.min * NS_PER_US),
        max_ns=round(block.max * NS_PER_US),
    )


def unknown(kind: str, name: str, known: tuple[str, ...]) -> UsageError:
    """What to raise for a name that there is not, with the one that was probably meant."""
    suggestion = near(name, known)
    hint = f"; did you mean {suggestion}?" if suggestion else f"; there are {', '.join(known)}"
    return UsageError(f"no {kind} is called {name}" + (hint if known else ""))

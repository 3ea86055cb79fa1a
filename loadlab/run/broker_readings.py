"""What brokers' telemetry says of intervals and of the measure phase.

Counts are compared only between samples of the same JVM: a restarted broker counts from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from loadlab.cluster import RequestTimes, Timed
from loadlab.results.artifacts import Interval
from loadlab.results.model_brokers import BrokerResult, Collections, Flushes, HeapUse, Requests
from loadlab.run.samples import in_measure_phase
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loadlab.cluster import BrokerTelemetry
    from loadlab.run.brokers import BrokerSampler
    from loadlab.run.timeline import Timeline

_Counted: TypeAlias = Literal["gc_count", "gc_pause_ms", "bytes_in", "bytes_out", "messages_in"]
_Idle: TypeAlias = Literal["request_handler_idle_s", "network_processor_idle_s"]
STAGES: Final = tuple(one.name for one in fields(RequestTimes))
_REQUESTS: Final = ("produce", "fetch_consumer")


@dataclass(frozen=True)
class Span:
    """What a broker did between samples of the same JVM; of several such parts, gaps left out."""

    parts: Sequence[tuple[BrokerTelemetry, BrokerTelemetry]]

    @classmethod
    def of(cls, samples: Sequence[BrokerTelemetry]) -> Span:
        """All that lies between neighbouring samples, restarts left out."""
        return cls([pair for pair in pairwise(samples) if pair[0].started_ms == pair[1].started_ms])

    @property
    def seconds(self) -> float:
        """How long it was."""
        return sum(later.at_ns - earlier.at_ns for earlier, later in self.parts) / NS_PER_S

    def counted(self, name: _Counted) -> int:
        """By how much a count grew."""
        return sum(getattr(later, name) - getattr(earlier, name) for earlier, later in self.parts)

    def idle_share(self, name: _Idle) -> float:
        """The share of the time for which threads waited for work.

        A thread books its waiting when that ends, 0.3 s late at most: a second may come out above 1.
        """
        waited_s = sum(getattr(later, name) - getattr(earlier, name) for earlier, later in self.parts)
        return float(min(1.0, max(0.0, waited_s / self.seconds)))

    def timed(self, path: str) -> Timed:
        """What was timed, by its path in `BrokerTelemetry`, such as produce.total."""
        found: Callable[[BrokerTelemetry], Timed] = attrgetter(path)
        grown = (found(later).since(found(earlier)) for earlier, later in self.parts)
        return reduce(Timed.plus, grown)


def broker_rows(samples: Mapping[int, Sequence[BrokerTelemetry]], start_ns: int) -> Iterator[Interval]:
    """The series of all brokers: levels at the time of a sample, the rest from one sample to the next."""
    for broker_id, found in samples.items():
        for sample in found:
            yield from _rows(broker_id, sample, start_ns, _levels(sample))
        for earlier, later in pairwise(found):
            span = Span.of([earlier, later])
            if span.parts:
                yield from _rows(broker_id, earlier, start_ns, _changes(span))


def _rows(
    broker_id: int, sample: BrokerTelemetry, start_ns: int, values: Mapping[str, float | None]
) -> Iterator[Interval]:
    at_s = (sample.at_ns - start_ns) / NS_PER_S
    for metric, value in values.items():
        if value is not None:
            yield Interval(at_s, f"broker:{broker_id}", metric, float(value))


def _levels(sample: BrokerTelemetry) -> dict[str, float | None]:
    return {
        "heap_used_bytes": sample.heap_used_bytes,
        "heap_max_bytes": sample.heap_max_bytes,
        "under_replicated_partitions": sample.under_replicated_partitions,
    }


def _changes(span: Span) -> dict[str, float | None]:
    changes: dict[str, float | None] = {
        "gc_count": span.counted("gc_count"),
        "gc_pause_ms": span.counted("gc_pause_ms"),
        "request_handler_idle_share": span.idle_share("request_handler_idle_s"),
        "network_processor_idle_share": span.idle_share("network_processor_idle_s"),
        "bytes_in_per_s": span.counted("bytes_in") / span.seconds,
        "bytes_out_per_s": span.counted("bytes_out") / span.seconds,
        "messages_in_per_s": span.counted("messages_in") / span.seconds,
        "log_flush_count": span.timed("log_flush").count,
        "log_flush_mean_ms": span.timed("log_flush").mean_ms,
    }
    for request in _REQUESTS:
        changes[f"{request}_requests_per_s"] = span.timed(f"{request}.total").count / span.seconds
        for stage in STAGES:
            changes[f"{request}_{stage}_mean_ms"] = span.timed(f"{request}.{stage}").mean_ms
    return changes


def broker_results(sampler: BrokerSampler, timeline: Timeline) -> dict[str, BrokerResult]:
    """Each broker in the measure phase, by its id, where it gave two samples of the same JVM."""
    results = {}
    for broker_id, samples in sorted(sampler.samples.items()):
        inside = in_measure_phase(samples, timeline)
        span = Span.of(inside)
        if span.parts:
            results[str(broker_id)] = _result(inside, span, sampler.missed.get(broker_id, 0))
    return results


def _result(samples: Sequence[BrokerTelemetry], span: Span, missed: int) -> BrokerResult:
    used = [sample.heap_used_bytes for sample in samples]
    pause_ms, flushes = span.counted("gc_pause_ms"), span.timed("log_flush")
    return BrokerResult(
        samples=len(samples),
        missed=missed,
        restarts=len({sample.started_ms for sample in samples}) - 1,
        covered_s=span.seconds,
        heap=HeapUse(
            mean_bytes=sum(used) / len(used), max_bytes=max(used), limit_bytes=samples[-1].heap_max_bytes
        ),
        gc=Collections(
            count=span.counted("gc_count"), pause_ms=pause_ms, pause_share=pause_ms / 1_000 / span.seconds
        ),
        request_handler_idle_share=span.idle_share("request_handler_idle_s"),
        network_processor_idle_share=span.idle_share("network_processor_idle_s"),
        under_replicated_partitions_max=max(sample.under_replicated_partitions for sample in samples),
        bytes_in_per_s=span.counted("bytes_in") / span.seconds,
        bytes_out_per_s=span.counted("bytes_out") / span.seconds,
        messages_in_per_s=span.counted("messages_in") / span.seconds,
        log_flush=Flushes(count=flushes.count, mean_ms=flushes.mean_ms),
        produce=_requests(span, "produce"),
        fetch_consumer=_requests(span, "fetch_consumer"),
    )


def _requests(span: Span, request: str) -> Requests:
    means = {f"{stage}_ms": span.timed(f"{request}.{stage}").mean_ms for stage in STAGES}
    return Requests(count=span.timed(f"{request}.total").count, **means)

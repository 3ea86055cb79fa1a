"""The result file of OpenMessaging Benchmark: every field of its TestResult, in its units.

Fields and units are those of io.openmessaging.benchmark.TestResult and of WorkloadGenerator, which fills it
(https://github.com/openmessaging/benchmark). Lists hold a value for each 10 s of the measure phase, by
moment; `aggregated…` fields are of the whole measure phase, by intent. What OMB calls publish latency begins
with the send (WorkerStats.recordProducerSuccess): it is loadlab's service_time. The publish delay before it,
loadlab's send_delay, is in microseconds, all other latencies in milliseconds.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.analysis.export.durations import latencies, merged, over_time, spans, value_at_ns
from loadlab.analysis.export.files import Exported
from loadlab.analysis.export.hdr import HdrHistogram
from loadlab.analysis.export.seconds import Seconds, read_seconds
from loadlab.units import size_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadlab.analysis.export.durations import IntervalLatency
    from loadlab.analysis.export.seconds import Window
    from loadlab.measurement.histogram import Histogram
    from loadlab.results.model import RunResult
    from loadlab.results.reader import StoredRun

WINDOW_S: Final = 10
MOCK_SYSTEM: Final = "librdkafka mock"
_PERCENTILES: Final = {
    "50pct": 50.0,
    "75pct": 75.0,
    "95pct": 95.0,
    "99pct": 99.0,
    "999pct": 99.9,
    "9999pct": 99.99,
}
_TICKS_PER_HALF: Final = 100


@dataclass(frozen=True)
class _Measure:
    """A latency under OMB's name.

    Attributes:
        name: OMB's: "publishLatency".
        metric: loadlab's.
        shown: nanoseconds in the field's unit.
    """

    name: str
    metric: str
    shown: Callable[[float], float | int]

    @property
    def aggregated(self) -> str:
        """The beginning of the names of the fields of the whole run."""
        return f"aggregated{self.name[0].upper()}{self.name[1:]}"


def _ms(value_ns: float) -> float:
    return value_ns / 1e6


def _us(value_ns: float) -> int:
    return round(value_ns / 1e3)


_MEASURES: Final = (
    _Measure("publishLatency", "service_time", _ms),
    _Measure("publishDelayLatency", "send_delay", _us),
    _Measure("endToEndLatency", "end_to_end_latency", _ms),
)


def export(stored: StoredRun) -> Exported:
    """The run as OMB would have stored it.

    Raises:
        UsageError: nothing was measured, or the run holds no histograms of its intervals.
    """
    seconds = read_seconds(stored)
    windows = seconds.windows(WINDOW_S)
    document = {**_head(stored.result), **_rates(stored.result, seconds, windows)}
    notes = []
    for measure in _MEASURES:
        parts = _parts(stored, measure)
        taken = [spans([series.between(each.start_s, each.end_s) for _, series in parts]) for each in windows]
        document |= _lists(measure, taken) | _totals(measure, merged([whole for whole, _ in parts]))
        if not all(histogram.count for histogram in taken):
            notes.append(
                f"{measure.name} is 0 where there was no sample: OMB's format can't say so otherwise"
            )
    notes += _some_without_delay(stored.result)
    if windows[0].seconds < WINDOW_S:
        notes.append(f"the one value of each list is of {windows[0].seconds} s, not {WINDOW_S} s")
    if left_s := seconds.left_over(WINDOW_S):
        notes.append(f"lists are by {WINDOW_S} s: the last {left_s} s stand in the aggregated fields only")
    return Exported({"": (json.dumps(document, indent=2) + "\n").encode()}, tuple(notes))


def _some_without_delay(result: RunResult) -> list[str]:
    """That the publish delay is not of all producers, where some send as fast as they can."""
    due = {name: producer.send_delay_us is not None for name, producer in result.producers.items()}
    if all(due.values()) or not any(due.values()):
        return []
    named = [", ".join(name for name, is_due in due.items() if is_due is which) for which in (True, False)]
    return [f"publishDelayLatency is of {named[0]} alone: at rate max ({named[1]}) no record is due"]


def _head(result: RunResult) -> dict[str, object]:
    topics = max(1, len(result.topics))
    consumers = sum(len(group.workers) for group in result.consumers.values())
    return {
        "workload": result.name,
        "driver": _driver(result),
        "messageSize": _message_size(result),
        "topics": len(result.topics),
        "partitions": round(sum(topic.partitions for topic in result.topics.values()) / topics),
        "producersPerTopic": _producers_per_topic(result),
        "consumersPerTopic": round(consumers / max(1, len(result.consumers))),
    }


def _producers_per_topic(result: RunResult) -> int:
    """How many workers send to a topic, on average; each sends to all topics that a name stands for."""
    sending: Counter[str] = Counter()
    for name, group in result.producers.items():
        sending[str(_asked(result, "producers", name, "topic"))] += len(group.workers)
    return round(sending.total() / len(sending)) if sending else 0


def _driver(result: RunResult) -> str:
    """What OMB's charts label a run with: system and version, and the run, as there may be several."""
    version = result.cluster.kafka_version
    system = MOCK_SYSTEM if result.cluster.kind == "mock" else f"Kafka {version}" if version else "Kafka"
    return f"{system} (loadlab {result.run_id.rsplit('-', 1)[-1]})"


def _message_size(result: RunResult) -> int:
    """The size that the scenario gives, where it is one; else the mean of the acked keys and values."""
    sizes = {_fixed_size(result, name) for name in result.producers}
    if len(sizes) == 1 and (size := sizes.pop()) is not None:
        return size
    records = sum(group.throughput.records_per_s for group in result.producers.values())
    size_per_s = sum(group.throughput.bytes_per_s for group in result.producers.values())
    return round(size_per_s / records) if records else 0


def _fixed_size(result: RunResult, producer: str) -> int | None:
    place = _asked(result, "producers", producer, "records", "size")
    return size_bytes(place) if isinstance(place, int | str) and place != "trace" else None


def _asked(result: RunResult, *keys: str) -> object:
    """What the scenario has at a place; None where it has nothing."""
    place: object = result.scenario
    for key in keys:
        place = place.get(key) if isinstance(place, dict) else None
    return place


def _rates(result: RunResult, seconds: Seconds, windows: Sequence[Window]) -> dict[str, object]:
    producers = [f"producer/{name}" for name in result.producers]
    consumers = [f"consumer/{name}" for name in result.consumers]
    failures = ("failed_records_per_s", "indeterminate_records_per_s", "rejected_records_per_s")
    return {
        "publishRate": [seconds.mean(window, producers, "acked_records_per_s") for window in windows],
        "publishErrorRate": [
            sum(seconds.mean(window, producers, metric) for metric in failures) for window in windows
        ],
        "consumeRate": [seconds.mean(window, consumers, "consumed_records_per_s") for window in windows],
        "backlog": [round(seconds.last(window, consumers, "backlog_records")) for window in windows],
    }


def _parts(stored: StoredRun, measure: _Measure) -> list[tuple[Histogram, IntervalLatency]]:
    """Of each group that measured it: the whole measure phase, and the seconds."""
    return [
        (histogram, over_time(stored, source, metric))
        for (source, metric), histogram in latencies(stored).items()
        if metric == measure.metric
    ]


def _lists(measure: _Measure, windows: Sequence[Histogram]) -> dict[str, list[float]]:
    columns = [_statistics(measure, histogram) for histogram in windows]
    return {f"{measure.name}{name}": [column[name] for column in columns] for name in columns[0]}


def _totals(measure: _Measure, histogram: Histogram) -> dict[str, object]:
    quantiles = {
        str(100.0 * step.reached / histogram.count): measure.shown(step.value_ns)
        for step in HdrHistogram.of(histogram).steps(_TICKS_PER_HALF)
    }
    single = {f"{measure.aggregated}{name}": value for name, value in _statistics(measure, histogram).items()}
    return {**single, f"{measure.aggregated}Quantiles": quantiles}


def _statistics(measure: _Measure, histogram: Histogram) -> dict[str, float]:
    """Each statistic by the end of its field's name; the mean of a delay has decimals, as in OMB."""
    mean_ns = histogram.mean_ns or 0.0
    return {
        "Avg": mean_ns / 1e3 if measure.shown is _us else _ms(mean_ns),
        **{name: measure.shown(value_at_ns(histogram, at) or 0.0) for name, at in _PERCENTILES.items()},
        "Max": measure.shown(histogram.max_ns or 0),
    }

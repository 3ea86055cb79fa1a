"""What a run came to, as metrics: one sample of each at the end of its measure phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.analysis.export.openmetrics_text import Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.results.model import LatencyBlock, RunResult

_VERDICTS: Final = ("valid", "suspect", "invalid")
_QUANTILES: Final = {
    "0.5": "p50",
    "0.9": "p90",
    "0.95": "p95",
    "0.99": "p99",
    "0.999": "p999",
    "0.9999": "p9999",
}
_LATENCIES: Final = {
    "send_delay": "From the intended send time to the call that hands the record to the client.",
    "service_time": "From that call to the ack.",
    "publish_latency": "From the intended send time to the ack; at rate max from the call.",
    "end_to_end_latency": "From the intended send time until the consumer holds the record.",
}
_RATE: Final = "records_per_second"


def outcome(result: RunResult, labels: Mapping[str, str], at_s: float) -> Iterator[Family]:
    """Verdict, thresholds, and each group's figures in the measure phase.

    Args:
        result: the run's.
        labels: of each sample.
        at_s: the samples' time, seconds since the epoch.
    """
    made = _Outcome(result, labels, at_s)
    yield made.verdict()
    yield made.thresholds()
    for name, text in _LATENCIES.items():
        yield made.latency(name, text)
    yield made.throughput()
    yield made.records()
    yield made.lag()
    yield made.reconciliation()


class _Outcome:
    def __init__(self, result: RunResult, labels: Mapping[str, str], at_s: float) -> None:
        self._result = result
        self._labels = labels
        self._at_s = at_s

    def verdict(self) -> Family:
        status = self._result.verdict.status
        family = Family("loadlab_run_verdict", "stateset", "Whether the measurement can be trusted.")
        return family.of(
            *(self._sample(float(name == status), loadlab_run_verdict=name) for name in _VERDICTS)
        )

    def thresholds(self) -> Family:
        family = Family("loadlab_run_threshold_passed", "gauge", "1 where the threshold held.")
        passed = {each.expression: each.passed for each in self._result.thresholds}
        return family.of(*(self._sample(held, expression=text) for text, held in passed.items()))

    def latency(self, name: str, text: str) -> Family:
        blocks = {
            (kind, group): getattr(each, f"{name}_us", None)
            for kind, groups in (("producer", self._result.producers), ("consumer", self._result.consumers))
            for group, each in groups.items()
        }
        family = Family(f"loadlab_run_{name}_seconds", "summary", text, "seconds")
        return family.of(
            *(
                sample
                for (kind, group), block in blocks.items()
                if block is not None
                for sample in self._summary(block, {kind: group})
            )
        )

    def _summary(self, block: LatencyBlock, group: Mapping[str, str]) -> Iterator[Sample]:
        for quantile, statistic in _QUANTILES.items():
            if (value_us := getattr(block, statistic)) is not None:
                yield self._sample(value_us / 1e6, **group, quantile=quantile)
        if block.mean is not None:
            yield self._sample(block.mean * block.count / 1e6, "_sum", **group)
        yield self._sample(block.count, "_count", **group)

    def throughput(self) -> Family:
        family = Family(
            f"loadlab_run_throughput_{_RATE}", "gauge", "Acks, or records received, in the phase.", _RATE
        )
        producers = ((name, each.throughput) for name, each in self._result.producers.items())
        consumers = ((name, each.throughput) for name, each in self._result.consumers.items())
        return family.of(
            *(self._sample(told.records_per_s, producer=name) for name, told in producers),
            *(self._sample(told.records_per_s, consumer=name) for name, told in consumers),
        )

    def records(self) -> Family:
        family = Family("loadlab_run_sent_records", "gauge", "Where the producers' records ended.", "records")
        return family.of(
            *(
                self._sample(count, producer=name, outcome=outcome)
                for name, group in self._result.producers.items()
                for outcome, count in group.records.model_dump(exclude={"attempted"}).items()
            )
        )

    def lag(self) -> Family:
        family = Family("loadlab_run_consumer_lag_max_records", "gauge", "The highest lag seen.", "records")
        known = {name: each.lag.max for name, each in self._result.consumers.items() if each.lag is not None}
        return family.of(*(self._sample(lag, consumer=name) for name, lag in known.items()))

    def reconciliation(self) -> Family:
        family = Family(
            "loadlab_run_wrong_records",
            "gauge",
            "Lost (at least), duplicated and reordered, where known.",
            "records",
        )
        found = self._result.reconciliation
        told = found.model_dump(include={"lost", "duplicated", "reordered"})
        if found.lost is None and found.lost_at_least:
            told["lost"] = found.lost_at_least
        return family.of(*(self._sample(n, outcome=name) for name, n in told.items() if n is not None))

    def _sample(self, value: float, suffix: str = "", **labels: str) -> Sample:
        return Sample({**self._labels, **labels}, value, self._at_s, suffix)

"""A stored run as one row among others: what it was, what it is worth, and what it reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loadlab.analysis.histograms import latency_histograms
from loadlab.errors import UsageError
from loadlab.results.reader import StoredRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from loadlab.analysis.histograms import LatencyMetric
    from loadlab.results.model import ConsumerResult, LatencyBlock, ProducerResult
    from loadlab.results.reader import Entry, StoredRun


@dataclass(frozen=True)
class RunRow:
    """One run. Rates are added over groups; percentiles are of all groups' histograms added, never averaged.

    Attributes:
        run_id: the run's, which is the name of its folder.
        name: the scenario's.
        started_at: when it began, UTC.
        verdict: valid, suspect or invalid; missing where the run can't be read, see `problem`.
        reasons: codes of the verdict's reasons, comma separated.
        saturated: the cluster was the limit.
        cut_short: the user or a threshold ended it before its time.
        thresholds: how many the scenario has, and
        thresholds_failed: how many of them did not hold.
        measured_s: length of the measure phase, seconds.
        provider: docker, local, embedded or external.
        kind: kafka, or mock, which is not Kafka.
        kafka_version: the brokers'.
        brokers: their number.
        target_records_per_s: what the schedules asked for; missing at `rate: max`.
        records_per_s: acks in the measure phase.
        bytes_per_s: their keys and values.
        publish_latency_p50_us: at `rate: max` it is the service time.
        publish_latency_p99_us: likewise.
        consumed_records_per_s: records received in the measure phase, all groups added.
        end_to_end_latency_p50_us: intended send time to the consumer.
        end_to_end_latency_p99_us: likewise.
        consumer_lag_max_records: of the group that was furthest behind.
        cpu_us_per_record_sent: producers' CPU time over acks.
        cpu_us_per_record_read: consumers' CPU time over records received.
        lost_records: missing where the ledger can't tell, as are the next two.
        duplicated_records: copies in the log.
        reordered_records: behind a later one of their worker and partition.
        loadlab_version: of the program that measured.
        librdkafka_version: of the client.
        git_commit: of loadlab's checkout, where it ran from one.
        seed: of the run's draws.
        path: the run's folder.
        problem: why it can't be read; missing where it can.
    """

    run_id: str
    name: str | None = None
    started_at: datetime | None = None
    verdict: str | None = None
    reasons: str | None = None
    saturated: bool | None = None
    cut_short: bool | None = None
    thresholds: int | None = None
    thresholds_failed: int | None = None
    measured_s: float | None = None
    provider: str | None = None
    kind: str | None = None
    kafka_version: str | None = None
    brokers: int | None = None
    target_records_per_s: float | None = None
    records_per_s: float | None = None
    bytes_per_s: float | None = None
    publish_latency_p50_us: float | None = None
    publish_latency_p99_us: float | None = None
    consumed_records_per_s: float | None = None
    end_to_end_latency_p50_us: float | None = None
    end_to_end_latency_p99_us: float | None = None
    consumer_lag_max_records: int | None = None
    cpu_us_per_record_sent: float | None = None
    cpu_us_per_record_read: float | None = None
    lost_records: int | None = None
    duplicated_records: int | None = None
    reordered_records: int | None = None
    loadlab_version: str | None = None
    librdkafka_version: str | None = None
    git_commit: str | None = None
    seed: int | None = None
    path: str | None = None
    problem: str | None = None


def run_row(entry: Entry[StoredRun]) -> RunRow:
    """A line of the list of runs as a row; what of a run can't be read is missing, and `problem` says why."""
    if entry.stored is None:
        return RunRow(run_id=entry.name, path=str(entry.path), problem=entry.problem)
    row = _was(entry.stored)
    try:
        return _reached(row, entry.stored)
    except UsageError as error:
        return replace(row, problem=error.message)


def _was(stored: StoredRun) -> RunRow:
    """What was run, and what it is worth."""
    result = stored.result
    return RunRow(
        run_id=result.run_id,
        name=result.name,
        started_at=result.started_at,
        verdict=result.verdict.status,
        reasons=",".join(dict.fromkeys(reason.code for reason in result.verdict.reasons)),
        saturated=result.verdict.saturated,
        cut_short=result.cut_short,
        thresholds=len(result.thresholds),
        thresholds_failed=sum(not threshold.passed for threshold in result.thresholds),
        measured_s=result.measured_s,
        provider=result.cluster.provider,
        kind=result.cluster.kind,
        kafka_version=result.cluster.kafka_version,
        brokers=result.cluster.brokers,
        loadlab_version=result.loadlab_version,
        librdkafka_version=result.environment.librdkafka,
        git_commit=result.environment.git_commit,
        seed=result.seed,
        path=str(stored.path),
    )


def _reached(row: RunRow, stored: StoredRun) -> RunRow:
    """The row with the run's figures."""
    result = stored.result
    producers, consumers = list(result.producers.values()), list(result.consumers.values())
    publish = _latency([each.publish_latency_us for each in producers], stored, "publish_latency")
    end_to_end = _latency([each.end_to_end_latency_us for each in consumers], stored, "end_to_end_latency")
    return replace(
        row,
        target_records_per_s=_added(each.target_records_per_s for each in producers),
        records_per_s=_added(each.throughput.records_per_s for each in producers),
        bytes_per_s=_added(each.throughput.bytes_per_s for each in producers),
        publish_latency_p50_us=publish[0],
        publish_latency_p99_us=publish[1],
        consumed_records_per_s=_added(each.throughput.records_per_s for each in consumers),
        end_to_end_latency_p50_us=end_to_end[0],
        end_to_end_latency_p99_us=end_to_end[1],
        consumer_lag_max_records=max((each.lag.max for each in consumers if each.lag), default=None),
        cpu_us_per_record_sent=_cpu_us_per_record(producers),
        cpu_us_per_record_read=_cpu_us_per_record(consumers),
        lost_records=result.reconciliation.lost,
        duplicated_records=result.reconciliation.duplicated,
        reordered_records=result.reconciliation.reordered,
    )


def _added(values: Iterable[float | None]) -> float | None:
    """The sum; None where there is nothing to add, or a part is not known."""
    parts = list(values)
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _latency(
    blocks: Sequence[LatencyBlock | None], stored: StoredRun, metric: LatencyMetric
) -> tuple[float | None, float | None]:
    """Median and 99th percentile; the histograms on the disk are read only where groups have to be merged."""
    measured = [block for block in blocks if block is not None]
    if len(measured) <= 1:
        return (measured[0].p50, measured[0].p99) if measured else (None, None)
    histograms = latency_histograms(stored)
    found = [histogram for (_, name), histogram in histograms.items() if name == metric]
    if not found:
        return None, None
    merged = sum(found[1:], found[0])
    return merged.percentile_us(50), merged.percentile_us(99)


def _cpu_us_per_record(groups: Iterable[ProducerResult | ConsumerResult]) -> float | None:
    """All groups' CPU time over all their records; None where that of one is not known."""
    parts = [(each.cpu_us_per_record, each.throughput.records_per_s) for each in groups]
    if any(cpu_us is None and rate for cpu_us, rate in parts):
        return None
    known = [(cpu_us, rate) for cpu_us, rate in parts if cpu_us is not None]
    rates = sum(rate for _, rate in known)
    return sum(cpu_us * rate for cpu_us, rate in known) / rates if rates else None

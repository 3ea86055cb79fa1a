"""The one figure that a threshold is about, taken of a run's evidence; several groups are merged.

Histograms are merged by addition, counts and rates are summed, lags are summed sample by sample, and means
are weighted by what they are means of. docs/measurement.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.measurement.histogram import Histogram, samples_needed
from loadlab.measurement.levels import mean_over_time
from loadlab.scenario.metrics import OF_GROUPS
from loadlab.units import microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from loadlab.analysis.evidence import Evidence
    from loadlab.results.model import Reconciliation
    from loadlab.scenario import Threshold

_NO_SAMPLE: Final = "there is no sample"
_NO_TWO_ENDS: Final = "the log's end was not asked for twice in the measure phase"
_NO_SIZE: Final = "the run neither sent nor read a record of it, so that their size is not known"
_LEVELS: Final[Mapping[str, str]] = {
    "consumer_lag": "lag",
    "committed_lag": "committed_lag",
    "backlog": "backlog",
}


@dataclass(frozen=True)
class Figure:
    """A figure, or why there is none.

    Attributes:
        value: in the unit of its stat; None where it could not be measured.
        missing: why it could not; None where it could.
        at_least: what it is in any case, of a count that is not known.
    """

    value: float | None
    missing: str | None = None
    at_least: float = 0.0


@dataclass(frozen=True)
class _Question:
    """What is asked for.

    Attributes:
        metric: a key of METRICS.
        stat: one of its stats.
        percentile: which one the stat is, if it is one.
        selector: whom it is asked of; empty: of all.
        evidence: of the groups that are asked about.
    """

    metric: str
    stat: str
    percentile: float | None
    selector: Mapping[str, str]
    evidence: Evidence


def figure(threshold: Threshold, evidence: Evidence) -> Figure:
    """What a threshold compares: the figure of the groups that it selects, merged.

    Args:
        threshold: says which figure, and of whom.
        evidence: of the whole run.
    """
    if evidence.measured_s <= 0:
        return Figure(None, "the run did not come to its measure phase")
    condition = threshold.condition
    asked = _Question(
        metric=threshold.metric,
        stat=condition.stat,
        percentile=condition.percentile,
        selector=threshold.selector,
        evidence=evidence.selected(threshold.selector),
    )
    return _FIGURES[threshold.metric](asked)


def _known(value: float | None, why: str) -> Figure:
    """The value, or why there is none."""
    return Figure(None, why) if value is None else Figure(float(value))


def _latency(asked: _Question) -> Figure:
    evidence = asked.evidence
    parts = [evidence.histograms.get((group, asked.metric)) for group in evidence.groups()]
    found = [part for part in parts if part is not None]
    if not found:
        return Figure(None, "no record has the intended send time, or the stamp, that it is told from")
    merged = sum(found, Histogram())
    if asked.stat == "count":
        return Figure(float(merged.count))
    if asked.percentile is not None:
        return _known(microseconds(merged.percentile_ns(asked.percentile)), _no_percentile(asked, merged))
    if merged.missing and asked.stat != "min":
        return Figure(None, _never_came(merged))
    value_ns = {"mean": merged.mean_ns, "min": merged.min_ns, "max": merged.max_ns}[asked.stat]
    return _known(microseconds(value_ns), _NO_SAMPLE)


def _no_percentile(asked: _Question, durations: Histogram) -> str:
    """Why a percentile is not known."""
    percentile = asked.percentile or 0.0
    needed, there = samples_needed(percentile), durations.count + durations.missing
    if there < needed:
        return f"p{percentile:g} needs {needed:,} samples, and there are {there:,}"
    if durations.missing:
        return f"p{percentile:g} is among those that took longest, and {_never_came(durations)}"
    return f"p{percentile:g} is above 137 s, the longest that is told apart"


def _never_came(durations: Histogram) -> str:
    whole = durations.count + durations.missing
    return f"{durations.missing:,} of {whole:,} records never came through"


def _level(asked: _Question) -> Figure:
    evidence = asked.evidence
    if asked.stat == "final":
        blocks = [getattr(group, _LEVELS[asked.metric]) for group in evidence.consumers.values()]
        if None in blocks:
            return Figure(None, _NO_SAMPLE)
        finals = [None if block is None else block.final for block in blocks]
        return _known(_sum(finals), "the cluster did not answer after the last read")
    samples = [evidence.levels[(("consumer", name), asked.metric)] for name in evidence.consumers]
    totals = map(_sum, zip(*samples, strict=True)) if samples else ()
    times_s = evidence.level_times_s if samples else ()
    known = [(at_s, total) for at_s, total in zip(times_s, totals, strict=True) if total is not None]
    if not known:
        return Figure(None, _NO_SAMPLE)
    times_s, sums = zip(*known, strict=True)
    return Figure(float(max(sums)) if asked.stat == "max" else mean_over_time(times_s, sums))


def _sum(parts: Iterable[float | None]) -> float | None:
    """The sum, None where there is nothing to add or a part is not known."""
    total: float | None = None
    for part in parts:
        if part is None:
            return None
        total = part if total is None else total + part
    return total


def _throughput(asked: _Question) -> Figure:
    """Of topics where one is selected, else of producers, else of consumers."""
    evidence = asked.evidence
    measured = evidence.topics if "topic" in asked.selector else evidence.producers or evidence.consumers
    throughputs = [one.throughput for one in measured.values()]
    rates = [None if each is None else getattr(each, asked.stat) for each in throughputs]
    twice = all(each is not None for each in throughputs)
    return _known(_sum(rates), _NO_SIZE if twice else _NO_TWO_ENDS)


def _records(asked: _Question) -> Figure:
    groups = asked.evidence.results()
    counts = [getattr(group.records, asked.stat) for group in groups if hasattr(group.records, asked.stat)]
    return _known(_sum(counts), "nobody counts it")


def _weighted(values: Iterable[tuple[float | None, float]], why: str) -> Figure:
    """The mean of values by their weights; those that are not known are left out."""
    known = [(value, weight) for value, weight in values if value is not None]
    weights = sum(weight for _, weight in known)
    if not weights:
        return Figure(None, why)
    return Figure(sum(value * weight for value, weight in known) / weights)


def _achieved(asked: _Question) -> Figure:
    """Weighted by the records due."""
    groups = asked.evidence.producers.values()
    return _weighted(
        ((group.achieved_ratio, group.target_records_per_s or 0.0) for group in groups),
        "at rate: max nothing is due",
    )


def _cpu(asked: _Question) -> Figure:
    """Of producers, else of consumers; weighted by the records acked or received."""
    groups = (asked.evidence.producers or asked.evidence.consumers).values()
    if any(group.cpu_us_per_record is None and group.throughput.records_per_s > 0 for group in groups):
        return Figure(None, "a worker did not live to tell it")
    return _weighted(
        ((group.cpu_us_per_record, group.throughput.records_per_s) for group in groups),
        "no record was counted",
    )


def _batch(asked: _Question) -> Figure:
    """Weighted by the batches: records over records per batch."""
    known = (group for group in asked.evidence.producers.values() if group.batch.records_mean)
    return _weighted(
        (
            (
                getattr(group.batch, asked.stat),
                group.throughput.records_per_s / (group.batch.records_mean or 1),
            )
            for group in known
        ),
        "librdkafka told of no batch in the measure phase",
    )


def _compression(asked: _Question) -> Figure:
    """All bytes before over all bytes after: weighted by the bytes after."""
    known = (group for group in asked.evidence.producers.values() if group.compression_ratio)
    return _weighted(
        (
            (group.compression_ratio, group.throughput.bytes_per_s / (group.compression_ratio or 1))
            for group in known
        ),
        "nothing is compressed, or librdkafka told of no batch in the measure phase",
    )


def _workers(asked: _Question) -> Figure:
    """The largest of all workers."""
    workers = [worker for group in asked.evidence.results() for worker in group.workers]
    if any(worker.exit != "finished" for worker in workers):
        return Figure(None, "a worker did not live to tell it")
    return _known(max((getattr(worker, asked.stat) for worker in workers), default=None), _NO_SAMPLE)


def _errors(asked: _Question) -> Figure:
    """Of the measure phase; older results tell only of those that never had one."""
    found = [
        group.errors if group.measured_errors is None and not group.errors else group.measured_errors
        for group in asked.evidence.results()
    ]
    unknown = "the result is of an older loadlab, which did not tell errors by phase"
    return _known(_sum(None if errors is None else sum(errors.values()) for errors in found), unknown)


def _drain(asked: _Question) -> Figure:
    """Of the group that took longest."""
    times = [group.drain_s for group in asked.evidence.consumers.values()]
    known = [time for time in times if time is not None]
    return (
        Figure(max(known)) if known and len(known) == len(times) else Figure(None, "a group has not read all")
    )


def _rebalances(asked: _Question) -> Figure:
    groups = asked.evidence.consumers.values()
    return _known(_sum(getattr(group.rebalances, asked.stat) for group in groups), _NO_SAMPLE)


def _growth(asked: _Question) -> Figure:
    grown = _sum(topic.log_end_growth for topic in asked.evidence.topics.values())
    return _known(grown, "the cluster did not tell all log ends")


def _share(asked: _Question) -> Figure:
    shares = [share for topic in asked.evidence.topics.values() for share in topic.partition_share]
    extreme = {"max": max, "min": min}[asked.stat]
    return Figure(extreme(shares)) if shares else Figure(None, "nothing came into the log")


def _reconciled(asked: _Question) -> Figure:
    """Of the whole run; by group where one is selected, or where nothing else is told."""
    found = asked.evidence.reconciliation
    unknown = f"{asked.stat} is not known of this run"
    if found is None:
        return Figure(None, unknown)
    if asked.stat == "lost":
        return _lost(asked, found, unknown)
    if asked.selector or asked.stat in OF_GROUPS:
        groups = [found.groups.get(name) for name in asked.evidence.consumers]
        return _known(
            _sum(None if group is None else getattr(group, asked.stat) for group in groups), unknown
        )
    if asked.stat == "consumed":
        return Figure(float(sum(found.consumed.values())))
    return _known(getattr(found, asked.stat), unknown)


def _lost(asked: _Question, found: Reconciliation, unknown: str) -> Figure:
    """What is certain fails a limit that it is above, also where there may be more."""
    if not asked.selector:
        return Figure(found.lost, unknown if found.lost is None else None, found.lost_at_least)
    groups = [group for name in asked.evidence.consumers if (group := found.groups.get(name))]
    lost = _sum(group.lost for group in groups) if len(groups) == len(asked.evidence.consumers) else None
    return Figure(lost, unknown if lost is None else None, sum(group.lost_at_least for group in groups))


_FIGURES: Final[Mapping[str, Callable[[_Question], Figure]]] = {
    "send_delay": _latency,
    "service_time": _latency,
    "publish_latency": _latency,
    "end_to_end_latency": _latency,
    "consumer_lag": _level,
    "committed_lag": _level,
    "backlog": _level,
    "throughput": _throughput,
    "records": _records,
    "achieved_ratio": _achieved,
    "cpu_us_per_record": _cpu,
    "workers": _workers,
    "batch": _batch,
    "compression_ratio": _compression,
    "errors": _errors,
    "drain_s": _drain,
    "rebalances": _rebalances,
    "log_end_growth": _growth,
    "partition_share": _share,
    "reconciliation": _reconciled,
}

"""The verdict: whether a measurement can be trusted, from figures alone.

Each rule looks at figures of one run and gives the findings that they make: what was measured, its limit
and what to do. docs/measurement.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from loadlab.measurement.circumstances import disturbed, stalled, unsteady
from loadlab.measurement.correctness import Correctness, incorrect
from loadlab.measurement.finding import Finding
from loadlab.measurement.generator import (
    client_bound,
    delivery_findings,
    generator_findings,
    is_saturated,
    is_starved,
    left_over,
    starvation,
)
from loadlab.measurement.reading import consumer_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.measurement.circumstances import MachineFigures, SeriesDrift, Stall
    from loadlab.measurement.finding import Severity
    from loadlab.measurement.generator import ProducerFigures
    from loadlab.measurement.reading import ConsumerFigures


@dataclass(frozen=True)
class Incident:
    """What befell a worker or a broker: which one it was, and what happened."""

    who: str
    how: str


@dataclass(frozen=True)
class RunFigures:
    """What the rules need to know of a run.

    Attributes:
        producers: each group.
        consumers: likewise.
        dead_workers: workers that did not come to their end.
        dead_brokers: brokers that died or were started again.
        paused_brokers: brokers that were seen to stand still.
        failed_faults: why faults that the scenario asked for could not be done or undone.
        unexplained: records in the log that nothing accounts for (negative: acked ones missing); None
            where the log could not be asked.
        ends_known: whether the log ends could be asked for after the last read.
        changed_topics: what others did to topics in the run, in words.
        may_duplicate: whether a retry may have written records twice.
        correctness: what the ledger found.
        stalls: workers that gave no sign of life for too long.
        drifts: series that were not steady.
        machine: who used the measuring machine; None where there was no measure phase to watch.
        unread: records in the log that a group had not read at the end, by consumer name.
        unacknowledged: records without an answer, or never sent, when the drain phase ended.
        measured_s: the length of the measure phase as it came to be.
        failure: why the load could not go on to its end; None where it could.
        idle: whether no record was due, sent or read in the measure phase.
    """

    producers: Sequence[ProducerFigures]
    dead_workers: Sequence[Incident]
    dead_brokers: Sequence[Incident]
    unexplained: int | None
    unread: dict[str, int]
    unacknowledged: int
    measured_s: float
    paused_brokers: Sequence[Incident]
    failed_faults: Sequence[str]
    consumers: Sequence[ConsumerFigures]
    ends_known: bool
    changed_topics: Sequence[str]
    may_duplicate: bool
    correctness: Correctness
    stalls: Sequence[Stall]
    drifts: Sequence[SeriesDrift]
    machine: MachineFigures | None
    failure: str | None
    idle: bool


@dataclass(frozen=True)
class Judgement:
    """The verdict on a run.

    Attributes:
        status: of the worst finding.
        findings: worst first.
        saturated: the target was missed because the cluster was the limit.
    """

    status: Literal["valid", "suspect", "invalid"]
    findings: tuple[Finding, ...]
    saturated: bool


def judge(run: RunFigures) -> Judgement:
    """Applies all rules to a run."""
    findings = [*_course(run), *_incidents(run), *stalled(run.stalls), *_reconciliation(run), *_drain(run)]
    findings += [*incorrect(run.correctness), *unsteady(run.drifts)]
    if run.machine is not None:
        findings += disturbed(run.machine)
    beside = run.machine.beside_workers if run.machine else None
    starved = [producer for producer in run.producers if is_starved(producer, beside)]
    for producer in run.producers:
        findings += delivery_findings(producer)
        findings += generator_findings(producer, run.measured_s)
        findings += left_over(producer, run.measured_s)
        findings += client_bound(producer)
        if beside is None and run.machine and is_starved(producer, run.machine.beside_with_brokers):
            findings.append(starvation(producer, known=False))
    for consumer in run.consumers:
        findings += consumer_findings(consumer, run.measured_s)
    findings += map(starvation, starved)
    order: dict[Severity, int] = {"invalid": 0, "suspect": 1, "info": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    severities = {finding.severity for finding in findings}
    return Judgement(
        status="invalid" if "invalid" in severities else "suspect" if "suspect" in severities else "valid",
        findings=tuple(findings),
        saturated=any(is_saturated(producer) for producer in run.producers if producer not in starved),
    )


def _course(run: RunFigures) -> Iterator[Finding]:
    if run.measured_s <= 0.0:
        yield Finding(
            code="nothing_measured",
            message="the load ended in the warm-up: there is no measure phase",
            fix="let the run go on, or shorten phases.warmup",
            figure=0.0,
            limit=0.0,
            severity="invalid",
        )
    elif run.idle:
        message = "no record was due, sent or read in the measure phase"
        fix = "shorten phases.warmup, or let schedule.records or the trace last longer"
        yield Finding("nothing_measured", message, fix, 0.0, 0.0, "invalid")
    if run.failure is not None:
        message = f"the load could not go on to its end: {run.failure}"
        yield Finding("ended_early", message, "see to the cause, and run again", None, None, "invalid")


def _incidents(run: RunFigures) -> Iterator[Finding]:
    for each in run.dead_workers:
        message = f"{each.who} {each.how} (limit 0 deaths)"
        # What is killed so has no last word; the kernel does it where memory runs out.
        if each.how.endswith("killed by SIGKILL"):
            fix = "see who killed it (`dmesg` tells, if it was the kernel), and run again"
        else:
            fix = "see its log beside the result, and run again"
        yield Finding("worker_died", message, fix, 1.0, 0.0, "invalid")
    for each in run.dead_brokers:
        message = f"{each.who} {each.how} (limit 0 deaths)"
        fix = "see the broker's log beside the result; the figures include the failover"
        yield Finding("broker_died", message, fix, 1.0, 0.0, "suspect")
    for each in run.paused_brokers:
        message = f"{each.who} {each.how} (limit 0 pauses)"
        fix = "see who pauses containers or stops processes; the figures include what was waited"
        yield Finding("broker_paused", message, fix, 1.0, 0.0, "suspect")
    for failure in run.failed_faults:
        message = f"a fault is not what the scenario asks for: {failure}"
        fix = "see the broker's log beside the result, and run again"
        yield Finding("fault_failed", message, fix, 1.0, 0.0, "invalid")


def _reconciliation(run: RunFigures) -> Iterator[Finding]:
    if run.changed_topics:
        changed = "; ".join(run.changed_topics)
        message = f"topics were changed in the run ({changed}; limit 0): what they hold can't be counted"
        fix = "see who changes topics, and run again"
        yield Finding("unreconciled", message, fix, float(len(run.changed_topics)), 0.0, "invalid")
    elif not run.ends_known:
        message = "the cluster did not tell its log ends after the last read: nothing could be reconciled"
        yield Finding("unreconciled", message, "see the brokers' logs", None, None, "invalid")
    if run.unexplained:
        yield _unexplained(run.unexplained, may_duplicate=run.may_duplicate)


def _unexplained(records: int, *, may_duplicate: bool) -> Finding:
    """Records in the log that nothing accounts for, or acked ones that it does not hold."""
    figure = float(records)
    if records < 0:
        message = f"the log holds {-records:,} records fewer than were acked"
        fix = "acked records are missing: see the brokers' logs"
        return Finding("unreconciled", message, fix, figure, 0.0, "invalid")
    message = f"the log holds {records:,} records more than were acked"
    if may_duplicate:
        fix = "a retry may have written records twice: set enable.idempotence=true"
        return Finding("unreconciled", message, fix, figure, 0.0, "suspect")
    fix = "is somebody else writing to these topics?"
    return Finding("unreconciled", message, fix, figure, 0.0, "invalid")


def _drain(run: RunFigures) -> Iterator[Finding]:
    fix = "lengthen phases.drain, or lower the rate to what is read and acked"
    for name, unread in run.unread.items():
        if unread > 0:
            message = f"consumer {name} had {unread:,} records still to read when the drain phase ended"
            yield Finding("undrained", message, fix, float(unread), 0.0, "suspect")
    if run.unacknowledged > 0:
        if run.dead_workers:
            fix = "see worker_died: what was left to a worker that died, nobody sent"
        message = f"{run.unacknowledged:,} records were not sent or not acked when the drain phase ended"
        yield Finding("undrained", message, fix, float(run.unacknowledged), 0.0, "suspect")

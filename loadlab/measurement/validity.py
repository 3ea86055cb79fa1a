"""The verdict: whether a measurement can be trusted, from figures alone.

Each rule looks at figures of one run and gives the findings that they make: what was measured, its limit
and what to do. docs/measurement.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from loadlab.measurement.circumstances import disturbed, stalled, unsteady
from loadlab.measurement.correctness import NOTHING_FOUND, Correctness, incorrect
from loadlab.measurement.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.measurement.circumstances import MachineFigures, SeriesDrift, Stall
    from loadlab.measurement.finding import Severity

ACHIEVED_LIMIT: Final = 0.995
"""The least share of the intended records that must be sent, and acked, within the measure phase."""

DELIVERY_ERROR_LIMIT: Final = 0.005
"""The most of the records of the measure phase that may fail, or may have failed, without a word."""

QUEUE_FULL_LIMIT: Final = 0.05
"""The cluster was the limit where the client queue was full for at least this share of the time."""

ACK_GRACE_S: Final = 0.1
"""How long acks may be on their way at the end of the measure phase without being missed."""

FEWEST_LEFT_OVER: Final = 10
"""No fewer records are ever said to have been left waiting by the warm-up: at low rates that is chance."""

SEND_DELAY_LIMIT_US: Final = 10_000.0
"""The most that send_delay may be at its 99th percentile while the client queue has room. Fewer than 1,000
records support no 99th percentile: then the highest that they support is held to the same limit."""

WORKER_CPU_LIMIT: Final = 0.9
"""The most of a core that a produce loop may use at a fixed rate; above it, it may be the limit."""

CORE_WAIT_LIMIT: Final = 0.2
"""Workers whose threads stand in line for a core for more of the time, while others take more than
BESIDE_LIMIT of their cores' time, are starved: then a full client queue says nothing of the cluster."""

BESIDE_LIMIT: Final = 0.2
"""See CORE_WAIT_LIMIT. Brokers are not others: a cluster that takes the workers' cores is at its limit."""


@dataclass(frozen=True)
class ProducerFigures:
    """What the rules need to know of a producer group, all of the measure phase.

    Attributes:
        name: in the scenario.
        intended: records due; None at the maximum rate.
        sent: records handed over within the phase, or rejected because the client queue was full.
        acked: acks received within the phase.
        queue_full_share: the share of the workers' time for which the client queue was full.
        own_send_delay_us: of the records that no full client queue held up; None without a sample.
        own_send_delay_percentile: which percentile that is: 99 where the sample supports it.
        limit_reached: at the maximum rate: all records that the scenario wanted were sent.
        attempted: records that were due in the phase and handed over, whenever that was.
        undelivered: how many of them failed, or may have.
        rejected: records that found the client queue full and were given up.
        loop_cpu_share: the busiest worker's produce loop, of a core.
        core_wait_share: for how long a worker's threads stood in line for a core, over the phase's length;
            threads are added, so that it may be above 1.
        on_their_way_s: for how long records are in the client's hands and on their way, for the most part.
        steady: it was to send alike all through the phase.
    """

    name: str
    intended: int | None
    sent: int
    acked: int
    queue_full_share: float
    own_send_delay_us: float | None
    loop_cpu_share: float
    own_send_delay_percentile: float = 99.0
    limit_reached: bool = False
    attempted: int = 0
    undelivered: int = 0
    rejected: int = 0
    core_wait_share: float = 0.0
    on_their_way_s: float = 0.0
    steady: bool = True


@dataclass(frozen=True)
class Death:
    """A worker or broker that ended before its time: which one, and how."""

    who: str
    how: str


@dataclass(frozen=True)
class RunFigures:
    """What the rules need to know of a run.

    Attributes:
        producers: each group.
        dead_workers: workers that did not come to their end.
        dead_brokers: brokers seen dead.
        unexplained: records in the log that nothing accounts for (negative: acked ones missing); None
            where the log could not be asked.
        ends_known: whether the log ends could be asked for after the last read.
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
    dead_workers: Sequence[Death]
    dead_brokers: Sequence[Death]
    unexplained: int | None
    unread: dict[str, int]
    unacknowledged: int
    measured_s: float
    ends_known: bool = True
    may_duplicate: bool = False
    correctness: Correctness = NOTHING_FOUND
    stalls: Sequence[Stall] = ()
    drifts: Sequence[SeriesDrift] = ()
    machine: MachineFigures | None = None
    failure: str | None = None
    idle: bool = False


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
    findings = [*_course(run), *_deaths(run), *stalled(run.stalls), *_reconciliation(run), *_drain(run)]
    findings += [*incorrect(run.correctness), *unsteady(run.drifts)]
    if run.machine is not None:
        findings += disturbed(run.machine)
    starved = [producer for producer in run.producers if _is_starved(producer, run)]
    for producer in run.producers:
        findings += [*_errors(producer), *_generator(producer), *_left_over(producer, run.measured_s)]
    findings += map(_starvation, starved)
    order: dict[Severity, int] = {"invalid": 0, "suspect": 1, "info": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    severities = {finding.severity for finding in findings}
    return Judgement(
        status="invalid" if "invalid" in severities else "suspect" if "suspect" in severities else "valid",
        findings=tuple(findings),
        saturated=any(
            is_saturated(producer, run.measured_s) for producer in run.producers if producer not in starved
        ),
    )


def granted_share(measured_s: float) -> float:
    """The share of a target that a phase may miss: some always, and what is on its way at its end."""
    return 1.0 - ACHIEVED_LIMIT + ACK_GRACE_S / measured_s


def is_saturated(producer: ProducerFigures, measured_s: float) -> bool:
    """Whether the cluster was the limit: records found the client queue full, or were sent and not acked.

    Acks that are on their way at the end of the phase are missing in it, so that a phase is granted those of
    ACK_GRACE_S: only what piles up beyond is the cluster's.
    """
    if producer.rejected > (producer.intended or 0) * (1.0 - ACHIEVED_LIMIT):
        return True
    if producer.intended is None or _reached(producer.sent, producer.intended) < ACHIEVED_LIMIT:
        return producer.queue_full_share >= QUEUE_FULL_LIMIT
    granted = producer.intended * ACK_GRACE_S / measured_s if measured_s > 0.0 else 0.0
    answered = producer.acked + producer.undelivered
    return answered + max(granted, 1.0) < producer.intended * ACHIEVED_LIMIT


def _is_starved(producer: ProducerFigures, run: RunFigures) -> bool:
    """Whether others kept the workers from running, so that a full queue is not the cluster's doing.

    Librdkafka's threads empty the queue, and stand in line for the same cores as the one that fills it.
    """
    beside = run.machine.beside_workers if run.machine else None
    waited = producer.core_wait_share > CORE_WAIT_LIMIT
    return waited and (beside or 0.0) > BESIDE_LIMIT and is_saturated(producer, run.measured_s)


def _starvation(producer: ProducerFigures) -> Finding:
    return Finding(
        code="generator_limited",
        message=(
            f"the threads of each worker of producer {producer.name} stood in line for a core for "
            f"{producer.core_wait_share:.2f} s in a second (limit {CORE_WAIT_LIMIT:g} s), while processes of "
            "others ran and the target was missed"
        ),
        fix="end the other processes, or leave the workers a core of their own (cpuset)",
        figure=producer.core_wait_share,
        limit=CORE_WAIT_LIMIT,
        severity="invalid",
    )


def _reached(sent: int, due: int) -> float:
    """The share of what was due that was sent; one at the phase's very end may be sent a moment after it."""
    return 1.0 if due - sent <= 1 else sent / due


def _generator(producer: ProducerFigures) -> Iterator[Finding]:
    if producer.intended is None:
        yield from _generator_at_max(producer)
        return
    achieved = _reached(producer.sent, producer.intended)
    if achieved < ACHIEVED_LIMIT and producer.queue_full_share < QUEUE_FULL_LIMIT:
        yield Finding(
            code="generator_limited",
            message=(
                f"producer {producer.name} sent {achieved:.1%} of the records that were due (limit "
                f"{ACHIEVED_LIMIT:.1%}), while its client queue had room"
            ),
            fix="give the producer more workers or cores, or lower the rate",
            figure=achieved,
            limit=ACHIEVED_LIMIT,
            severity="invalid",
        )
    delay = producer.own_send_delay_us
    if delay is not None and delay > SEND_DELAY_LIMIT_US:
        yield Finding(
            code="generator_limited",
            message=(
                f"producer {producer.name} sent records late: send_delay p"
                f"{producer.own_send_delay_percentile:g} {delay / 1000:.1f} ms (limit "
                f"{SEND_DELAY_LIMIT_US / 1000:.0f} ms), while its client queue had room"
            ),
            fix="leave the workers a core of their own (cpuset), use more workers, or lower the rate",
            figure=delay,
            limit=SEND_DELAY_LIMIT_US,
            severity="invalid",
        )
    if producer.loop_cpu_share > WORKER_CPU_LIMIT:
        yield Finding(
            code="worker_cpu",
            message=(
                f"a produce loop of {producer.name} used {producer.loop_cpu_share:.0%} of a core (limit "
                f"{WORKER_CPU_LIMIT:.0%})"
            ),
            fix="give the producer more workers",
            figure=producer.loop_cpu_share,
            limit=WORKER_CPU_LIMIT,
            severity="suspect",
        )


def _generator_at_max(producer: ProducerFigures) -> Iterator[Finding]:
    if producer.queue_full_share < QUEUE_FULL_LIMIT and not producer.limit_reached:
        yield Finding(
            code="generator_limited",
            message=(
                f"producer {producer.name} at rate: max had its client queue full for "
                f"{producer.queue_full_share:.1%} of the time (limit {QUEUE_FULL_LIMIT:.0%}): the cluster "
                "could have taken more"
            ),
            fix="give the producer more workers or cores",
            figure=producer.queue_full_share,
            limit=QUEUE_FULL_LIMIT,
            severity="invalid",
        )


def _left_over(producer: ProducerFigures, measured_s: float) -> Iterator[Finding]:
    """Records of the warm-up are to be out of the way when measuring begins: those behind them have to wait.

    What is on its way at the phase's two ends differs by chance, by as much as is granted to acks and is on
    its way at any time; and where the rate changes, by that.
    """
    if not producer.intended or not producer.steady or measured_s <= 0.0:
        return
    left_over = producer.acked - producer.intended
    beyond = left_over / producer.intended
    limit = granted_share(measured_s) + producer.on_their_way_s / measured_s
    if beyond > limit and left_over >= FEWEST_LEFT_OVER:
        yield Finding(
            code="drift",
            message=(
                f"producer {producer.name} was acked {beyond:.1%} more records than were due in the measure "
                f"phase (limit {limit:.1%}): it began with what the warm-up had left waiting"
            ),
            fix="lengthen phases.warmup, or let the rate rise in it: schedule.rate: {ramp: …}",
            figure=beyond,
            limit=limit,
            severity="suspect",
        )


def _errors(producer: ProducerFigures) -> Iterator[Finding]:
    if not producer.undelivered:
        return
    failed = producer.undelivered / max(producer.attempted, 1)
    message = (
        f"{failed:.1%} of the records of producer {producer.name} failed or may have (limit "
        f"{DELIVERY_ERROR_LIMIT:.1%})"
    )
    fix = "see producers.*.errors for Kafka's names of what went wrong"
    if producer.undelivered == producer.attempted:
        yield Finding("delivery_errors", message, fix, failed, DELIVERY_ERROR_LIMIT, "invalid")
    elif failed > DELIVERY_ERROR_LIMIT:
        yield Finding("delivery_errors", message, fix, failed, DELIVERY_ERROR_LIMIT, "suspect")


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


def _deaths(run: RunFigures) -> Iterator[Finding]:
    for death in run.dead_workers:
        yield Finding(
            code="worker_died",
            message=f"{death.who} {death.how}",
            fix="see its log beside the result, and run again",
            figure=None,
            limit=None,
            severity="invalid",
        )
    for death in run.dead_brokers:
        yield Finding(
            code="broker_died",
            message=f"{death.who} {death.how}",
            fix="see the broker's log beside the result; the figures include the failover",
            figure=None,
            limit=None,
            severity="suspect",
        )


def _reconciliation(run: RunFigures) -> Iterator[Finding]:
    if not run.ends_known:
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
        message = f"{run.unacknowledged:,} records were not sent or not acked when the drain phase ended"
        yield Finding("undrained", message, fix, float(run.unacknowledged), 0.0, "suspect")

"""What the verdict says of producers: whether they were the limit, or the cluster, and what failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.measurement.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

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
"""The most of a core that one thread of a worker may use; above it, it may be the limit."""

CORE_WAIT_LIMIT: Final = 0.2
"""Workers whose threads stand in line for a core for more of the time, while others take more than
BESIDE_LIMIT of their cores' time, are starved: then a full client queue says nothing of the cluster."""

BESIDE_LIMIT: Final = 0.2
"""See CORE_WAIT_LIMIT. Brokers are not others: a cluster that takes the workers' cores is at its limit."""

_MOST_MISSED: Final = 1.0 - ACHIEVED_LIMIT


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
        client_cpu_share: likewise the busiest thread beside it: one of librdkafka's, which compress, encrypt
            and send, or the one that takes the acks.
        core_wait_share: for how long a worker's threads stood in line for a core, over the phase's length;
            threads are added, so that it may be above 1.
        on_their_way_s: for how long records are in the client's hands and on their way, for the most part.
        steady: it was to send alike all through the phase.
        due_last: records that were due so late that their acks may come after the phase's end: within
            ACK_GRACE_S, or by how many more were lingering then than at its begin.
        acked_until_share: the share of the phase until the last ack.
    """

    name: str
    intended: int | None
    sent: int
    acked: int
    queue_full_share: float
    own_send_delay_us: float | None
    loop_cpu_share: float
    client_cpu_share: float
    own_send_delay_percentile: float
    limit_reached: bool
    attempted: int
    undelivered: int
    rejected: int
    core_wait_share: float
    on_their_way_s: float
    steady: bool
    due_last: int
    acked_until_share: float

    @property
    def missed_share(self) -> float:
        """The share of what was due that was not sent; one at the very end may be sent a moment after it."""
        intended = self.intended or 0
        return 0.0 if intended - self.sent <= 1 else 1.0 - self.sent / intended

    @property
    def misses(self) -> bool:
        """Whether it sent less of what was due than it had to."""
        return self.missed_share > _MOST_MISSED

    @property
    def held_up(self) -> bool:
        """Whether a full client queue held it up: for much of the time, or for as much as it did not send."""
        full = self.queue_full_share
        return full >= QUEUE_FULL_LIMIT or (full > 0.0 and self.missed_share <= full + _MOST_MISSED)


def granted_share(measured_s: float) -> float:
    """The share of a target that a phase may miss: some always, and what is on its way at its end."""
    return 1.0 - ACHIEVED_LIMIT + ACK_GRACE_S / measured_s


def least_until(measured_s: float) -> float:
    """The share of a phase after which the last record has to come, for rates to be of all of it."""
    return 1.0 - granted_share(measured_s) if measured_s > 0.0 else 0.0


def is_saturated(producer: ProducerFigures) -> bool:
    """Whether the cluster was the limit: records found the client queue full, or were sent and not acked.

    Acks of what was due last may come after the end of the phase: only what piles up beyond is the cluster's.
    """
    if producer.rejected > (producer.intended or 0) * _MOST_MISSED:
        return True
    if producer.intended is None:
        return producer.queue_full_share >= QUEUE_FULL_LIMIT
    if producer.misses:
        return producer.held_up
    answered = producer.acked + producer.undelivered
    return answered + max(producer.due_last, 1) < producer.intended * ACHIEVED_LIMIT


def is_starved(producer: ProducerFigures, beside: float | None) -> bool:
    """Whether others kept the workers from running, so that a full queue is not the cluster's doing.

    Librdkafka's threads empty the queue, and stand in line for the same cores as the one that fills it.

    Args:
        producer: the group.
        beside: the share of its cores' time that others took; None where that is not known.
    """
    waited = producer.core_wait_share > CORE_WAIT_LIMIT
    return waited and (beside or 0.0) > BESIDE_LIMIT and is_saturated(producer)


def starvation(producer: ProducerFigures, *, known: bool = True) -> Finding:
    """That a producer which `is_starved` is; or may be, where it is not known who took its cores."""
    others = "processes of others ran on these cores" if known else "others or brokers ran on these cores"
    so = "says nothing of the cluster" if known else "may say nothing of the cluster"
    return Finding(
        code="generator_limited",
        message=(
            f"the threads of each worker of producer {producer.name} stood in line for a core for "
            f"{producer.core_wait_share:.2f} s in a second (limit {CORE_WAIT_LIMIT:g} s), while {others}: "
            f"that acks were late {so}"
        ),
        fix="end the other processes, or leave the workers a core of their own (cpuset)",
        figure=producer.core_wait_share,
        limit=CORE_WAIT_LIMIT,
        severity="invalid" if known else "suspect",
    )


def client_bound(producer: ProducerFigures) -> Iterator[Finding]:
    """That a producer may be saturated by the client's own doing: one of its threads had no time left.

    At the maximum rate that is what a producer can do, codec and encryption included, and no fault; at a
    fixed one it may be taken for what the cluster can.
    """
    if producer.client_cpu_share > WORKER_CPU_LIMIT and is_saturated(producer):
        yield Finding(
            code="client_cpu",
            message=(
                f"a thread of the client of producer {producer.name} used {producer.client_cpu_share:.1%} of "
                f"a core (limit {WORKER_CPU_LIMIT:.0%}): that records waited, or acks came late, may be the "
                "client's doing as well as the cluster's"
            ),
            fix="give the producer more workers",
            figure=producer.client_cpu_share,
            limit=WORKER_CPU_LIMIT,
            severity="info" if producer.intended is None else "suspect",
        )


def generator_findings(producer: ProducerFigures, measured_s: float) -> Iterator[Finding]:
    """That the generator was the limit, or may have been."""
    if producer.intended is None:
        yield from _at_max(producer, measured_s)
        return
    achieved = 1.0 - producer.missed_share
    if producer.misses and not producer.held_up:
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
                f"a produce loop of {producer.name} used {producer.loop_cpu_share:.1%} of a core (limit "
                f"{WORKER_CPU_LIMIT:.0%})"
            ),
            fix="give the producer more workers",
            figure=producer.loop_cpu_share,
            limit=WORKER_CPU_LIMIT,
            severity="suspect",
        )


def _at_max(producer: ProducerFigures, measured_s: float) -> Iterator[Finding]:
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
    least = least_until(measured_s)
    if producer.limit_reached and producer.acked_until_share < least:
        yield Finding(
            code="limit_reached",
            message=(
                f"producer {producer.name} had sent all of schedule.records and got its last ack after "
                f"{producer.acked_until_share:.1%} of the measure phase (limit {least:.1%}): its rates are "
                "over all of the phase"
            ),
            fix="shorten phases.measure, or raise schedule.records",
            figure=producer.acked_until_share,
            limit=least,
            severity="suspect",
        )


def left_over(producer: ProducerFigures, measured_s: float) -> Iterator[Finding]:
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


def delivery_findings(producer: ProducerFigures) -> Iterator[Finding]:
    """That records failed, or may have."""
    if not producer.undelivered:
        return
    failed = producer.undelivered / max(producer.attempted, 1)
    message = (
        f"{failed:.1%} of the records of producer {producer.name} failed or may have (limit "
        f"{DELIVERY_ERROR_LIMIT:.1%})"
    )
    fix = "see producers.*.errors for Kafka's names of what went wrong"
    # An overloaded cluster acks in the phase what was due before it, and that is its throughput.
    if producer.undelivered == producer.attempted and not producer.acked:
        yield Finding("delivery_errors", message, fix, failed, DELIVERY_ERROR_LIMIT, "invalid")
    elif failed > DELIVERY_ERROR_LIMIT:
        yield Finding("delivery_errors", message, fix, failed, DELIVERY_ERROR_LIMIT, "suspect")

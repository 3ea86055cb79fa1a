"""What the verdict says of consumers: whether they, and not the cluster, were the limit of what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.measurement.finding import Finding
from loadlab.measurement.generator import WORKER_CPU_LIMIT, least_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class ConsumerFigures:
    """What the rules need to know of a consumer group, all of the measure phase.

    Attributes:
        name: in the scenario.
        thread_cpu_share: the busiest thread of a worker, its loop or one of librdkafka's, of a core.
        keeps_pace: whether all that it reads was to be sent at a rate, so that its speed should not matter.
        limited: whether the scenario limits what it reads a second.
        read_all: whether it read what lay there until it stood at the log's end, with nobody left to send.
        consumed: records read in the phase.
        consumed_until_share: the share of the phase until the last of them came.
    """

    name: str
    thread_cpu_share: float
    keeps_pace: bool
    limited: bool
    read_all: bool
    consumed: int
    consumed_until_share: float


def consumer_findings(consumer: ConsumerFigures, measured_s: float) -> Iterator[Finding]:
    """That a group was the limit itself, or had nothing left to read."""
    if consumer.thread_cpu_share > WORKER_CPU_LIMIT and not consumer.limited:
        yield Finding(
            code="worker_cpu",
            message=(
                f"a thread of consumer {consumer.name} used {consumer.thread_cpu_share:.1%} of a core (limit "
                f"{WORKER_CPU_LIMIT:.0%}): its lag and latency, and what it read, may be its own doing"
            ),
            fix="give the consumer more workers, up to one for each partition",
            figure=consumer.thread_cpu_share,
            limit=WORKER_CPU_LIMIT,
            severity="suspect" if consumer.keeps_pace else "info",
        )
    least = least_until(measured_s)
    if consumer.read_all and consumer.consumed and consumer.consumed_until_share < least:
        yield Finding(
            code="limit_reached",
            message=(
                f"consumer {consumer.name} had read all there was after {consumer.consumed_until_share:.1%} "
                f"of the measure phase (limit {least:.1%}): its rates are over all of the phase"
            ),
            fix="shorten phases.measure, or have it read a topic that holds more",
            figure=consumer.consumed_until_share,
            limit=least,
            severity="suspect",
        )

"""Whether the machine has memory for a run's workers; said before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.cgroups import available_bytes
from loadlab.errors import UsageError
from loadlab.run.orders import pool_size_bytes
from loadlab.units import format_size

if TYPE_CHECKING:
    from loadlab.scenario import Scenario

_WORKER_BYTES: Final = 64 << 20
"""What a worker takes for itself at the least, beside its values: interpreter, compiled loops, librdkafka."""

_OFFSET_BYTES: Final = 8
_OF_GROUPS: Final = 2
"""Each group's lag and committed offset are kept of each second; beside them the log ends."""


def check_memory(scenario: Scenario) -> None:
    """Refuses a scenario that surely needs more memory than is available.

    Raises:
        UsageError: with both figures.
    """
    available = available_bytes()
    _check_workers(scenario, available)
    _check_samples(scenario, available)


def _check_workers(scenario: Scenario, available: int) -> None:
    producers = scenario.producers.values()
    consumers = scenario.consumers.values()
    needed = sum(spec.workers * (_WORKER_BYTES + pool_size_bytes(spec)) for spec in producers)
    needed += sum(spec.workers * _WORKER_BYTES for spec in consumers)
    if needed > available:
        workers = sum(spec.workers for spec in producers) + sum(spec.workers for spec in consumers)
        raise UsageError(
            f"{workers} workers need {_told(needed)} of memory or more, and {_told(available)} are available",
            fix="set fewer workers, or smaller records",
        )


def _check_samples(scenario: Scenario, available: int) -> None:
    """What brokers tell each second is kept until the end, when what a group did is judged over all of it."""
    partitions = sum(
        topic.count * topic.partitions for topic in scenario.topics.values() if not topic.existing
    )
    phases = scenario.phases
    seconds = phases.warmup_s + phases.measure_s  # the drain mostly ends at once
    judged = 2 if scenario.consumers else 0
    numbers = 1 + _OF_GROUPS * len(scenario.consumers) + judged
    needed = round(seconds * partitions * _OFFSET_BYTES * numbers)
    if needed > available:
        raise UsageError(
            f"the offsets of {partitions:,} partitions, told each second, take {_told(needed)} of memory in"
            f" the end, and {_told(available)} are available",
            fix="set a shorter measure phase, or fewer partitions",
        )


def _told(size_bytes: int) -> str:
    return format_size(size_bytes >> 20 << 20)

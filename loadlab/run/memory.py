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


def check_memory(scenario: Scenario) -> None:
    """Refuses a scenario whose workers surely need more memory than is available.

    Raises:
        UsageError: with both figures.
    """
    producers = scenario.producers.values()
    consumers = scenario.consumers.values()
    needed = sum(spec.workers * (_WORKER_BYTES + pool_size_bytes(spec)) for spec in producers)
    needed += sum(spec.workers * _WORKER_BYTES for spec in consumers)
    available = available_bytes()
    if needed > available:
        workers = sum(spec.workers for spec in producers) + sum(spec.workers for spec in consumers)
        raise UsageError(
            f"{workers} workers need {_told(needed)} of memory or more, and {_told(available)} are available",
            fix="set fewer workers, or smaller records",
        )


def _told(size_bytes: int) -> str:
    return format_size(size_bytes >> 20 << 20)

"""What a run tells whoever watches it, while it goes on.

The runner calls; the command line shows. Nothing here knows of terminals, so a notebook or a test can watch
a run too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

PhaseName = Literal["warmup", "measure", "drain"]


@dataclass(frozen=True)
class Progress:
    """One interval of a run that is under way; all groups together.

    Attributes:
        run_id: the run's id.
        name: the scenario's name.
        phase: the phase at this moment.
        elapsed_s: seconds since the workers' common start.
        phase_left_s: seconds until the phase ends at the latest.
        target_records_per_s: what the schedules ask for now; None where the rate is `max`.
        sent_records_per_s: records handed to the client in the interval, per second.
        acked_records_per_s: records acked in the interval, per second.
        consumed_records_per_s: records received in the interval, per second, all groups added.
        publish_p50_us: median publish latency of the interval; None without a sample.
        publish_p99_us: its 99th percentile; None without a sample.
        end_to_end_p99_us: 99th percentile of end-to-end latency of the interval; None without a sample.
        consumer_lag: records between log end and the groups' positions; None where nothing consumes.
        errors: producers' and consumers' errors since the start.
        generator_limited: the generator, not the cluster, is what holds the rate down now.
        saturated: the client queue is full: the cluster is what holds the rate down now.
    """

    run_id: str
    name: str
    phase: PhaseName
    elapsed_s: float
    phase_left_s: float
    target_records_per_s: float | None
    sent_records_per_s: float
    acked_records_per_s: float
    consumed_records_per_s: float
    publish_p50_us: float | None
    publish_p99_us: float | None
    end_to_end_p99_us: float | None
    consumer_lag: int | None
    errors: int
    generator_limited: bool
    saturated: bool


class RunObserver(Protocol):
    """Whoever watches a run; called from the runner's thread, so each call should return at once."""

    def message(self, text: str) -> None:
        """Say what is being done now, such as "starting cluster…"."""

    def warn(self, text: str) -> None:
        """Say what went wrong, ends the load, or was left behind; not to be left out."""

    def progress(self, progress: Progress) -> None:
        """Show one interval; called once a second."""


class SilentObserver:
    """An observer that shows nothing; for callers that want only the result."""

    def message(self, text: str) -> None:
        """Drop the text."""

    def warn(self, text: str) -> None:
        """Drop the text."""

    def progress(self, progress: Progress) -> None:
        """Drop the interval."""

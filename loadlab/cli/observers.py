"""A run as plain lines on stderr, and the words that the live view shares with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.cli.output import print_note

if TYPE_CHECKING:
    from loadlab.run.progress import Progress, RunObserver


class PlainObserver:
    """Writes one line for each message and each interval."""

    def message(self, text: str) -> None:
        """Write what is being done."""
        print_note(text)

    def warn(self, text: str) -> None:
        """Write what went wrong."""
        print_note(text)

    def progress(self, progress: Progress) -> None:
        """Write the interval."""
        print_note(progress_line(progress))


class QuietObserver:
    """Lets through, of many runs, what is said before the first load, and intervals to a live view only.

    A line a second of each run would drown what is told of all of them.

    Args:
        inner: watches the runs themselves.
    """

    def __init__(self, inner: RunObserver) -> None:
        self._inner = inner
        self._loading = False

    def message(self, text: str) -> None:
        """Pass on what is said before the first load."""
        if not self._loading:
            self._inner.message(text)

    def warn(self, text: str) -> None:
        """Pass on what went wrong, or was left behind."""
        self._inner.warn(text)

    def progress(self, progress: Progress) -> None:
        """Pass on an interval, to a live view only."""
        self._loading = True
        if not isinstance(self._inner, PlainObserver):
            self._inner.progress(progress)


def progress_line(progress: Progress) -> str:
    """One interval on one line."""
    p50, p99 = numbers.latency(progress.publish_p50_us), numbers.latency(progress.publish_p99_us)
    parts = [
        f"{progress.elapsed_s:6.1f} s {progress.phase:<7}",
        time_left(progress),
        target(progress),
        f"acked {numbers.record_rate(progress.acked_records_per_s)}",
        f"consumed {numbers.record_rate(progress.consumed_records_per_s)}",
        f"publish p50 {p50} p99 {p99}",
        f"end to end p99 {numbers.latency(progress.end_to_end_p99_us)}",
    ]
    if progress.consumer_lag is not None:
        parts.append(f"lag {numbers.count(progress.consumer_lag)} records")
    parts.append(f"errors {numbers.count(progress.errors)}")
    limit = limited_by(progress)
    return " · ".join([*parts, limit] if limit else parts)


def time_left(progress: Progress) -> str:
    """How long the phase goes on; the drain ends as soon as nothing is left to read."""
    left = f"{max(0.0, progress.phase_left_s):.0f} s left"
    return f"at most {left}" if progress.phase == "drain" else left


def target(progress: Progress) -> str:
    """What the schedules ask for."""
    if progress.target_records_per_s is None:
        return "target max"
    return f"target {numbers.record_rate(progress.target_records_per_s)}"


def limited_by(progress: Progress) -> str | None:
    """What holds the rate down, if anything does."""
    if progress.generator_limited:
        return "the generator is the limit"
    return "the cluster is the limit" if progress.saturated else None

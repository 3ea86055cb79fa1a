"""The live view of a run: a few lines that are redrawn in place."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from loadlab.analysis import numbers
from loadlab.cli.observers import target, time_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from loadlab.run.progress import Progress

_BARS = "▁▂▃▄▅▆▇█"
_SPARKLINE_LENGTH = 40
_LABEL_WIDTH = len("end to end")


class LiveObserver:
    """Keeps the view up to date; messages scroll away above it.

    Args:
        live: rich's live display, started.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lags: deque[int] = deque(maxlen=_SPARKLINE_LENGTH)

    def message(self, text: str) -> None:
        """Say what is being done, above the view."""
        self._live.console.print(Text(text, style="dim"))

    def warn(self, text: str) -> None:
        """Say what went wrong, above the view."""
        self._live.console.print(Text(text, style="yellow"))

    def progress(self, progress: Progress) -> None:
        """Redraw the view with this interval."""
        if progress.consumer_lag is not None:
            self._lags.append(progress.consumer_lag)
        self._live.update(view(progress, self._lags), refresh=True)


@contextlib.contextmanager
def live_observer(console: Console | None = None) -> Iterator[LiveObserver]:
    """Show a live view while the block runs.

    Args:
        console: where; stderr unless given.
    """
    console = console or Console(stderr=True)
    # Drawn when there is news only: a thread that redraws would take its time from the load.
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield LiveObserver(live)


def view(progress: Progress, lags: Sequence[int]) -> RenderableType:
    """Draw one interval.

    Args:
        progress: the interval.
        lags: consumer lag of the last intervals, in records, oldest first.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True, min_width=_LABEL_WIDTH)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for label, text in _rows(progress, lags):
        table.add_row(label, text)
    return Group(Text(f"{progress.name}  {progress.run_id}", no_wrap=True, overflow="ellipsis"), table)


def _rows(progress: Progress, lags: Sequence[int]) -> Iterator[tuple[str, Text]]:
    since = f"{progress.elapsed_s:.0f} s since the start"
    yield "phase", Text(f"{progress.phase} · {time_left(progress)} · {since}")
    yield "rate", Text(f"{numbers.record_rate(progress.acked_records_per_s)} acked · {target(progress)}")
    yield "consumed", Text(numbers.record_rate(progress.consumed_records_per_s))
    p50, p99 = numbers.latency(progress.publish_p50_us), numbers.latency(progress.publish_p99_us)
    yield "publish", Text(f"p50 {p50} · p99 {p99}")
    yield "end to end", Text(f"p99 {numbers.latency(progress.end_to_end_p99_us)}")
    if progress.consumer_lag is not None:
        yield "lag", Text(f"{numbers.count(progress.consumer_lag)} records  {sparkline(lags)}")
    yield "errors", Text(numbers.count(progress.errors), style="red" if progress.errors else "")
    yield "generator", _light(progress)


def _light(progress: Progress) -> Text:
    """Red where the generator is the limit, yellow where the cluster is, else green."""
    if progress.generator_limited:
        return Text.assemble(("● ", "red"), "is the limit")
    if progress.saturated:
        return Text.assemble(("● ", "yellow"), "keeps up; the cluster is the limit")
    return Text.assemble(("● ", "green"), "keeps up")


def sparkline(values: Sequence[int]) -> str:
    """Values as bars from 0 to the largest of them."""
    top = max(values, default=0)
    if top <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[max(0, value) * (len(_BARS) - 1) // top] for value in values)

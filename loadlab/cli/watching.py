"""Who watches a run on the command line: a live view in a terminal, plain lines elsewhere; both on stderr.

Beside it, where it was asked for, a metrics system.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from loadlab.cli.display import live_observer
from loadlab.cli.observers import PlainObserver
from loadlab.cli.output import is_terminal, print_note
from loadlab.errors import UsageError
from loadlab.run.shield import Several

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.run.progress import RunObserver


@contextlib.contextmanager
def watching(metrics_host: str | None = None, metrics_port: int | None = None) -> Iterator[RunObserver]:
    """An observer for as long as a run goes on; view and endpoint are gone afterwards.

    Args:
        metrics_host: the address to serve metrics on; None for this machine alone.
        metrics_port: its port; None for no metrics.

    Raises:
        UsageError: metrics can't be served there, or on no port; nothing has been started.
    """
    if metrics_port is None:
        if metrics_host is not None:
            raise UsageError("--metrics-host is given without a port", fix="add --metrics-port")
        with _display() as display:
            yield display
        return
    from loadlab.run.metrics_endpoint import metrics_endpoint  # noqa: PLC0415 (http.server is seldom needed)

    with metrics_endpoint(metrics_host or "127.0.0.1", metrics_port) as (metrics, url), _display() as display:
        print_note(f"metrics: {url}")
        yield Several(metrics, display)


@contextlib.contextmanager
def _display() -> Iterator[RunObserver]:
    if is_terminal(sys.stdout) and is_terminal(sys.stderr):
        view = contextlib.ExitStack()
        try:
            yield view.enter_context(live_observer())
        finally:
            # The terminal may have been closed while the run went on; what was measured must not go with it.
            with contextlib.suppress(OSError):
                view.close()
    else:
        yield PlainObserver()

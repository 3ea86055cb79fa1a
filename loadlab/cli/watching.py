"""Who watches a run on the command line: a live view in a terminal, plain lines elsewhere; both on stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from loadlab.cli.display import live_observer
from loadlab.cli.observers import PlainObserver
from loadlab.cli.output import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.run.progress import RunObserver


@contextlib.contextmanager
def watching() -> Iterator[RunObserver]:
    """An observer for as long as a run goes on; the live view is gone afterwards."""
    if is_terminal(sys.stdout) and is_terminal(sys.stderr):
        # The terminal may be closed while the run goes on; what was measured must not go with it.
        with contextlib.suppress(OSError), live_observer() as observer:
            yield observer
    else:
        yield PlainObserver()

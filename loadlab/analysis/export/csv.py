"""The tables of a run as CSV: UTF-8, a line of names, a missing value empty.

All but the histograms of intervals, which as text would be 200 kB a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.analysis.export.files import Exported
from loadlab.analysis.export.tables import tables

if TYPE_CHECKING:
    from loadlab.results.reader import StoredRun


def export(stored: StoredRun) -> Exported:
    """A file for each table.

    Raises:
        UsageError: nothing was measured, or a file is damaged.
    """
    frames = tables(stored)
    return Exported({f"{name}.csv": frame.to_csv(index=False).encode() for name, frame in frames.items()})

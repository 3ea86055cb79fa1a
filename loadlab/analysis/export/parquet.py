"""The tables of a run as Parquet."""

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
    return Exported(
        {
            f"{name}.parquet": frame.to_parquet(index=False, compression="zstd")
            for name, frame in frames.items()
        }
    )

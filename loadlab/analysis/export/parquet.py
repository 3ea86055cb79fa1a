"""The tables of a run as Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.analysis.export.files import Exported
from loadlab.analysis.export.tables import interval_histograms, tables

if TYPE_CHECKING:
    import pandas as pd

    from loadlab.results.reader import StoredRun


def export(stored: StoredRun) -> Exported:
    """A file for each table.

    Raises:
        UsageError: nothing was measured, or a file is damaged.
    """
    frames = {**tables(stored), "interval_histograms": interval_histograms(stored)}
    return Exported({f"{name}.parquet": _parquet(frame) for name, frame in frames.items()})


def _parquet(frame: pd.DataFrame) -> bytes:
    written: bytes = frame.to_parquet(index=False, compression="zstd")
    return written

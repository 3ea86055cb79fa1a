"""Stored runs in the formats of other tools. docs/exports.md says what each field means.

Each format has a module of its own here, which is imported when it is asked for: some need pandas.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from loadlab.analysis.export.files import Exported
    from loadlab.results.reader import StoredRun


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        module: makes it.
        ending: of the file's name, or of the folder's.
        single: one file; else several in a folder.
    """

    module: str
    ending: str
    single: bool = True


FORMATS: Final = {
    "omb": Format("omb", ".omb.json"),
    "hlog": Format("hlog", ".hlog"),
    "hgrm": Format("hgrm", "-hgrm", single=False),
    "csv": Format("csv", "-csv", single=False),
    "parquet": Format("parquet", "-parquet", single=False),
    "openmetrics": Format("openmetrics", ".openmetrics.txt"),
}


class _Module(Protocol):
    def export(self, stored: StoredRun) -> Exported: ...


def export_run(stored: StoredRun, form: str) -> Exported:
    """A stored run in one of FORMATS, as the contents of files.

    Raises:
        UsageError: the run holds too little for the format, or can't be read.
    """
    module = importlib.import_module(f"{__name__}.{FORMATS[form].module}")
    return cast("_Module", module).export(stored)

"""docs/exports.md names every format, every metric and every table."""

from __future__ import annotations

import re
from pathlib import Path

from export_samples import known, store
from openmetrics_reader import read_openmetrics
from test_live_metrics import PROGRESS

from loadlab.analysis.export import FORMATS, export_run
from loadlab.run.live_metrics import live_text

DOCUMENT = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


def test_every_format_has_its_section() -> None:
    headings = {
        name for line in re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE) for name in line.split(", ")
    }

    assert set(FORMATS) <= headings


def test_the_metrics_in_the_tables_are_those_that_are_told(tmp_path: Path) -> None:
    live = {name for name, *_ in read_openmetrics(live_text(PROGRESS)).samples}
    stored = read_openmetrics(export_run(store(tmp_path, known(100)), "openmetrics").contents[""].decode())
    documented = set(re.findall(r"`(loadlab_\w+)`", "\n".join(re.findall(r"^\|.*", DOCUMENT, re.MULTILINE))))

    assert documented - {"loadlab_run_threshold_passed"} == live | {
        name for name in stored.kinds if name.startswith("loadlab_run_")
    }


def test_every_table_has_its_row(tmp_path: Path) -> None:
    names = export_run(store(tmp_path, known(100)), "parquet").contents

    assert all(f"| `{name.removesuffix('.parquet')}` |" in DOCUMENT for name in names)

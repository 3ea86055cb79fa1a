"""How long a folder of a thousand stored runs takes to become a frame."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.analysis.frames import runs_frame

if TYPE_CHECKING:
    from conftest import Table
    from pytest_benchmark.fixture import BenchmarkFixture

RUNS = Path(__file__).parents[1] / "data" / "runs"
AMOUNT = 1_000
LIMIT_S = 2.0


def _store_many(results_dir: Path) -> None:
    """A real run of one group of each kind, on a real broker, under a thousand ids."""
    (run,) = RUNS.glob("*-fast-*")
    document = json.loads((run / "result.json").read_text("utf-8"))
    for number in range(AMOUNT):
        document["run_id"] = f"20261123T{number:06d}-fast-aaaa"
        folder = results_dir / document["run_id"]
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps(document, indent=2), "utf-8")
        for name in ("intervals.parquet", "histograms.npz", "events.jsonl"):
            shutil.copyfile(run / name, folder / name)


def test_loading_1000_stored_runs(benchmark: BenchmarkFixture, table: Table, tmp_path: Path) -> None:
    _store_many(tmp_path)
    frame = benchmark.pedantic(runs_frame, args=(tmp_path,), rounds=5, iterations=1)

    assert len(frame) == AMOUNT
    table.add("1,000 stored runs into a frame", benchmark.stats.stats.data, "s", LIMIT_S, at_least=False)

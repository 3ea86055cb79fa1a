"""Real runs to read in tests, recorded with `loadlab run` by the scenarios in their result.json.

pair   embedded; two producers, two consumers, thresholds of every kind
fast   local; one of each at rate: max
"""

from __future__ import annotations

import shutil
from pathlib import Path

from loadlab.results.reader import StoredRun, load

RUNS = Path(__file__).parents[1] / "data" / "runs"


def recorded(name: str) -> StoredRun:
    (folder,) = RUNS.glob(f"*-{name}-*")
    return load(folder.name, RUNS)


def copied(name: str, results_dir: Path) -> StoredRun:
    """A copy whose files can be spoilt."""
    path = recorded(name).path
    shutil.copytree(path, results_dir / path.name, copy_function=shutil.copyfile)
    return load(path.name, results_dir)

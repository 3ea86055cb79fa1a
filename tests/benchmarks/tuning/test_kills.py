"""What kills cost a study: processes that make one are killed at random points, and others go on with it."""

from __future__ import annotations

import multiprocessing
import random
import time
from typing import TYPE_CHECKING

from unit.bench_samples import Lab, tuned

from loadlab.results.study_store import load_study_result
from loadlab.tuning.study_database import refuse_foreign

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized
    from pathlib import Path

KILLS = 50
LONGEST_S = 4.0
RUN_S = 0.01


def go_on(path: Path, resume: str | None, begun: Synchronized[int]) -> None:
    """Makes a study, or goes on with it, and counts the measurements that it begins."""

    def before(_: int) -> None:
        with begun.get_lock():
            begun.value += 1
        time.sleep(RUN_S)

    tuned(path, Lab(before=before), resume=resume)


def kept_runs(path: Path) -> tuple[str | None, int, bool]:
    """The study that a folder has, how many runs of it are stored, and whether it is finished."""
    for folder in path.iterdir():
        if (folder / "study.json").is_file():
            stored = load_study_result(folder.name, path)
            if stored.database.is_file():
                refuse_foreign(stored.database, folder.name)  # opens it as the next process will
            return folder.name, len(stored.result.runs), stored.result.finished
    return None, 0, False


def test_kills_at_random_points_cost_at_most_the_run_under_way(table, tmp_path: Path) -> None:  # noqa: ANN001 (conftest's Table)
    fork, rng = multiprocessing.get_context("fork"), random.Random(1)  # noqa: S311 (where to kill is no secret)
    lost: list[float] = []
    number = 0
    while len(lost) < KILLS:
        number += 1
        path = tmp_path / f"study-{number}"
        path.mkdir()
        finished = False
        while not finished and len(lost) < KILLS:
            resume, before, _ = kept_runs(path)
            begun = fork.Value("i", 0)
            process = fork.Process(target=go_on, args=(path, resume, begun))
            process.start()
            process.join(rng.uniform(0.02, LONGEST_S))
            alive = process.exitcode is None
            process.kill()
            process.join()
            _, after, finished = kept_runs(path)
            if alive:
                lost.append(begun.value - (after - before))
    table.add(f"runs lost by a kill, the most of {KILLS} kills", [max(lost)], "", 1, at_least=False)

"""Records a real surface: what a study's objective is at each point of a grid, for `make bench-tuning`.

    python tools/record_surface.py tests/benchmarks/tuning/throughput.yaml [--set cluster.provider=local]

The default is run fifteen times first, for the brokers to get warm: with half a core that takes a minute. All
points of the grid are run twice, in an order that is drawn anew for each round; then the best twenty, and the
default, until each has six runs. It takes long, and goes on where it stopped when it is called again. One run
a line is written to results/reference/surfaces/, below a first line that says what was run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from loadlab.errors import LoadlabError
from loadlab.results.environment import capture_host
from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions, open_cluster, run_scenario
from loadlab.tuning.apply import with_values
from loadlab.tuning.objectives import value_of
from loadlab.tuning.study_file import load_study

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.run.opening import OpenCluster
    from loadlab.tuning.study_model import LoadedStudy

TARGET = Path(__file__).parent.parent / "results" / "reference" / "surfaces"
GRID = {
    "batch.size": (16384, 65536, 262144, 1_000_000),
    "linger.ms": (0, 2, 15, 100),
    "compression.type": ("none", "lz4", "snappy", "zstd"),
    "partitions": (1, 6, 24),
}
WARMING_RUNS = 15
ROUNDS = 2
TOP = 20
TOP_RUNS = 6
MOST_FAILURES = 10

Point = tuple[str | float, ...]


@dataclass(frozen=True)
class Line:
    """One run of the recording: a value for each knob, and what was measured; None where the run failed."""

    point: Point
    value: float | None


def grid(knobs: Sequence[str]) -> list[Point]:
    """All points; a knob's values are those of the property that its path ends with."""
    values = [next(GRID[name] for name in GRID if knob.endswith(f".{name}")) for knob in knobs]
    return list(itertools.product(*values))


def planned(
    points: Sequence[Point], default: Point, direction: str, lines: Sequence[Line]
) -> Iterator[Point]:
    """What is still to be run; it follows from the lines so far, so that a recording can go on.

    A point whose runs keep failing is given up.
    """
    good = Counter(line.point for line in lines if line.value is not None)
    failed = Counter(line.point for line in lines if line.value is None)
    for wanted in range(1, ROUNDS + 1):
        order = random.Random(wanted).sample(points, len(points))  # noqa: S311 (no secret)
        yield from (point for point in order if good[point] < wanted and failed[point] < MOST_FAILURES)
    values: defaultdict[Point, list[float]] = defaultdict(list)
    for line in lines:
        if line.value is not None:
            values[line.point].append(line.value)
    ranked = sorted(values, key=lambda point: median(values[point]), reverse=direction == "maximize")
    top = dict.fromkeys([default, *ranked[:TOP]])
    for wanted in range(ROUNDS + 1, TOP_RUNS + 1):
        yield from (point for point in top if good[point] < wanted and failed[point] < MOST_FAILURES)


def header(loaded: LoadedStudy) -> dict[str, object]:
    """What the file says of itself in its first line."""
    host, study = capture_host(), loaded.study
    return {
        "surface": study.name,
        "objective": study.objectives[0].field,
        "direction": study.objectives[0].direction,
        "knobs": [knob.name for knob in study.space.knobs],
        "machine": {"cpu_model": host.cpu_model, "cores": host.cores, "memory_bytes": host.memory_bytes},
        "loadlab": host.loadlab,
        "git_commit": host.git_commit,
        "kafka_version": loaded.loaded.scenario.cluster.kafka_version,
    }


def measure(loaded: LoadedStudy, point: Point, opened: OpenCluster, folder: Path) -> float | None:
    """One run of a point; None where it failed or is not valid.

    Raises:
        KeyboardInterrupt: the user wants to stop.
    """
    knobs = [knob.name for knob in loaded.study.space.knobs]
    scenario = with_values(loaded.loaded, dict(zip(knobs, point, strict=True)))
    try:
        run = run_scenario(scenario, RunOptions(folder), SilentObserver(), cluster=opened)
    except LoadlabError as error:
        print(f"{point}: {error}", flush=True)  # noqa: T201 (a tool's progress)
        return None
    shutil.rmtree(run.path)
    if run.result.interrupted or opened.interrupts.came:
        raise KeyboardInterrupt
    if run.result.verdict.status == "invalid":
        return None
    return value_of(run.result, loaded.study.objectives[0].field)


def read(path: Path) -> list[Line]:
    """The runs of a file; a last line that a kill tore is left out."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    return [Line(tuple(point), value) for point, value in map(json.loads, whole[1:])]


def record(loaded: LoadedStudy, path: Path) -> None:
    """Runs what is still to be run and writes each run as soon as it is made."""
    lines = read(path)
    knobs = [knob.name for knob in loaded.study.space.knobs]
    default = tuple(loaded.study.space.default()[knob] for knob in knobs)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = path.read_text(encoding="utf-8").partition("\n")[0] if lines else json.dumps(header(loaded))
    path.write_text("\n".join([head, *map(_text, lines)]) + "\n", encoding="utf-8")
    with (
        tempfile.TemporaryDirectory() as folder,
        path.open("a", encoding="utf-8") as file,
        open_cluster(loaded.loaded, RunOptions(Path(folder)), SilentObserver()) as opened,
    ):
        for _ in range(WARMING_RUNS):
            measure(loaded, default, opened, Path(folder))
        while True:
            left = list(planned(grid(knobs), default, loaded.study.objectives[0].direction, lines))
            if not left:
                return
            lines.append(Line(left[0], measure(loaded, left[0], opened, Path(folder))))
            file.write(_text(lines[-1]) + "\n")
            file.flush()
            os.fsync(file.fileno())
            print(f"{len(left) - 1} left: {_text(lines[-1])}", flush=True)  # noqa: T201 (a tool's progress)


def _text(line: Line) -> str:
    value = None if line.value is None else float(f"{line.value:.6g}")
    return json.dumps([line.point, value], separators=(",", ":"))


def main() -> None:
    """Records the surface of the study that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("study", type=Path)
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="as loadlab tune has it"
    )
    parser.add_argument("--into", type=Path, default=TARGET, help="the folder of the file")
    options = parser.parse_args()
    loaded = load_study(options.study, options.set)
    record(loaded, options.into / f"{loaded.study.name}.jsonl")


if __name__ == "__main__":
    main()

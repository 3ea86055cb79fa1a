"""The benchmark of the tuner and the tool that records for it, on a surface that was made up."""

from __future__ import annotations

import importlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.tuning.simulate import one_study
from benchmarks.tuning.surfaces import Recording, Surface, SurfaceBench, fit, read_recording

from loadlab.tuning.bench import Terms
from loadlab.tuning.study_file import load_study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from loadlab.tuning.space import Assignment
    from loadlab.tuning.study_model import LoadedStudy

ROOT = Path(__file__).parents[2]
BATCH, LINGER, CODEC, PARTITIONS = KNOBS = (
    "producers.tracker.config.batch.size",
    "producers.tracker.config.linger.ms",
    "producers.tracker.config.compression.type",
    "topics.events.partitions",
)
CV = 0.03


@pytest.fixture(scope="module")
def recorder() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        yield importlib.import_module("record_surface")


@pytest.fixture(scope="module")
def loaded() -> LoadedStudy:
    return load_study(ROOT / "tests" / "benchmarks" / "tuning" / "throughput.yaml", environ={})


def truth(assignment: Assignment) -> float:
    """Best at 10 ms and 256 KiB with lz4; partitions do nothing."""
    off = (
        np.log2((float(assignment[LINGER]) + 0.5) / 10) ** 2 + np.log2(float(assignment[BATCH]) / 2**18) ** 2
    )
    return float(100_000 * np.exp(-0.02 * off) * (1.3 if assignment[CODEC] == "lz4" else 1.0))


@pytest.fixture(scope="module")
def recording(recorder: ModuleType) -> Recording:
    rng = np.random.default_rng(1)
    values = {
        point: [truth(dict(zip(KNOBS, point, strict=True))) * float(rng.lognormal(0, CV)) for _ in range(2)]
        for point in recorder.grid(KNOBS)[::2]
    }
    return Recording("maximize", KNOBS, values)


@pytest.fixture(scope="module")
def surface(recording: Recording) -> Surface:
    return fit(recording)


def test_the_grid_has_at_least_192_points_within_the_studys_space(
    recorder: ModuleType, loaded: LoadedStudy
) -> None:
    points = recorder.grid([knob.name for knob in loaded.study.space.knobs])
    assert len(set(points)) == len(points) >= 192
    for point in points:
        assert not loaded.study.space.outside(dict(zip(KNOBS, point, strict=True)))


def test_a_recording_runs_all_points_twice_and_the_best_twenty_and_the_default_six_times(
    recorder: ModuleType,
) -> None:
    points = recorder.grid(KNOBS)
    default = points[-1]
    lines = []
    while left := list(recorder.planned(points, default, "maximize", lines)):
        lines += [recorder.Line(left[0], truth(dict(zip(KNOBS, left[0], strict=True))))]
    runs = {point: sum(line.point == point for line in lines) for point in points}
    assert len(lines) == 2 * len(points) + 4 * 21
    assert runs[default] == 6
    assert sorted(set(runs.values())) == [2, 6]
    ranked = sorted(points, key=lambda point: truth(dict(zip(KNOBS, point, strict=True))))
    assert runs[ranked[-1]] == 6
    assert [line.point for line in lines[: len(points)]] != points


def test_a_point_that_keeps_failing_is_given_up(recorder: ModuleType) -> None:
    point = ("none", 1)
    lines = [recorder.Line(point, None)] * recorder.MOST_FAILURES
    assert list(recorder.planned([point], point, "minimize", lines[1:])) != []
    assert list(recorder.planned([point], point, "minimize", lines)) == []


def test_a_recording_that_was_killed_goes_on_with_its_whole_lines(
    recorder: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "surface.jsonl"
    assert recorder.read(file) == []
    file.write_text('{"surface": "x"}\n[["lz4",6],100.5]\n[["none",1],null]\n[["lz4",', encoding="utf-8")
    assert recorder.read(file) == [recorder.Line(("lz4", 6), 100.5), recorder.Line(("none", 1), None)]


def test_a_recording_is_read_without_the_runs_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "surface.jsonl"
    head = json.dumps({"direction": "minimize", "knobs": ["a", "b"]})
    file.write_text(f'{head}\n[["lz4",6],100.5]\n[["lz4",6],102.5]\n[["none",1],null]\n', encoding="utf-8")
    read = read_recording(file)
    assert (read.direction, read.knobs) == ("minimize", ("a", "b"))
    assert read.values == {("lz4", 6): [100.5, 102.5]}


def test_the_noise_of_a_recording_is_what_repetitions_differ_by(recording: Recording) -> None:
    assert recording.spread == pytest.approx(CV, rel=0.1)


def test_the_fitted_surface_is_nearer_to_the_truth_than_the_runs_are(
    recording: Recording, surface: Surface
) -> None:
    errors = [
        np.log(
            surface.value(dict(zip(KNOBS, point, strict=True))) / truth(dict(zip(KNOBS, point, strict=True)))
        )
        for point in itertools.islice(recording.values, 0, None, 7)
    ]
    assert np.std(errors) < CV / 2**0.5


def test_the_fitted_surface_tells_what_lies_between_its_points(surface: Surface) -> None:
    between = {BATCH: 150_000, LINGER: 9.0, CODEC: "lz4", PARTITIONS: 3}
    assert surface.value(between) == pytest.approx(truth(between), rel=0.05)


def test_the_best_of_the_surface_is_that_of_the_truth(surface: Surface, loaded: LoadedStudy) -> None:
    assert surface.best(loaded.study.space) == pytest.approx(130_000, rel=0.03)


def test_a_longer_run_on_a_surface_has_less_noise() -> None:
    bench = SurfaceBench(lambda _: 100.0, np.asarray([0.1]), seed=1)
    short, long = (bench.measure({}, Terms(number=1, measure_scale=scale)) for scale in (1, 4))
    assert short.values == pytest.approx((100 * np.exp(0.1),))
    assert long.values == pytest.approx((100 * np.exp(0.05),))


def test_a_whole_study_on_a_surface_finds_what_is_better(surface: Surface, loaded: LoadedStudy) -> None:
    outcome = one_study(loaded, surface.value, surface.recording.residuals, "tpe", seed=1)
    assert outcome.claimed is not None
    assert outcome.claimed == pytest.approx(outcome.true, rel=0.05)
    assert outcome.value > 0.85 * 130_000

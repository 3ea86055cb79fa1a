"""What the tuner's answers are worth: studies on recorded surfaces, and on ones whose answer is known.

Run by `make bench-tuning`. A surface that was not recorded yet is skipped, which says how to record it.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.tuning.simulate import Outcome, studies
from benchmarks.tuning.surfaces import Recording, Surface, fit, read_recording

from loadlab.tuning.presets import presets
from loadlab.tuning.study_file import load_study

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from loadlab.tuning.space import Assignment
    from loadlab.tuning.study_model import LoadedStudy, Sampler

HERE = Path(__file__).parent
RECORDED = HERE.parents[2] / "results" / "reference" / "surfaces"
SEEDS = range(int(os.environ.get("LOADLAB_SEEDS", "100")))
SAME_SEEDS = range(3 * len(SEEDS))
SAMPLERS: tuple[Sampler, ...] = ("additive", "tpe", "random")
CV = 0.05


def loaded_study(name: str) -> LoadedStudy:
    return load_study(HERE / f"{name}.yaml", environ={})


def recorded(name: str) -> tuple[LoadedStudy, Surface]:
    loaded = loaded_study(name)
    path = RECORDED / f"{loaded.study.name}.jsonl"
    if not path.exists():
        command = f"python tools/record_surface.py tests/benchmarks/tuning/{name}.yaml"
        pytest.skip(f"no surface is recorded, nothing was measured here: {command}")
    return loaded, fit(read_recording(path))


def of_best(values: Iterable[float], best: float, recording: Recording) -> list[float]:
    """Values as percentages of the best there is: 100 is as good as can be."""
    maximize = recording.direction == "maximize"
    return [100 * (value / best if maximize else best / value) for value in values]


def as_good(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """In how many percent of pairs with the same seed ours is as good as theirs, or better."""
    return 100 * float(np.mean([one >= other - 1e-9 for one, other in zip(ours, theirs, strict=True)]))


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(("name", "most"), [("throughput", np.inf), ("latency", np.inf), ("latency", 0.1)])
def test_recommendations_on_a_recorded_surface(name: str, most: float, table) -> None:  # noqa: ANN001 (conftest's Table)
    """With the noise that was recorded, and the latency surface with what a longer run might have."""
    loaded, surface = recorded(name)
    recording, noise = surface.recording, scaled(surface.recording, most)
    best = surface.best(loaded.study.space)
    ours, tpe, random = (studies(loaded, surface.value, noise, SEEDS, sampler) for sampler in SAMPLERS)
    shares, others, control = (
        of_best((one.value for one in outcomes), best, recording) for outcomes in (ours, tpe, random)
    )
    preset_values = {preset: surface.value(values) for preset, values in presets(loaded.study)}
    alone = of_best(preset_values.values(), best, recording)

    spread = min(most, recording.spread)
    name += f" at {spread:.0%} of noise" if spread == most else ""
    print(f"\n{name}: noise {spread:.1%} a run; the best {best:.6g}; presets {preset_values}")
    for who, reached in zip(SAMPLERS, (shares, others, control), strict=True):
        what = f"{name}, {who}: true value of the recommendation, of the best"
        table.add(what, reached, "%", 95, at_least=True)
        table.add("  10th percentile", [float(np.percentile(reached, 10))], "%", 90, at_least=True)
    table.add(f"{name}: the best preset alone, of the best", [max(alone)], "%", 95, at_least=True)
    paired = as_good(shares, control)
    table.add(f"{name}: additive as good as random or better", [paired], "%", 80, at_least=True)
    table.add(f"{name}: additive as good as tpe or better", [as_good(shares, others)], "%", 50, at_least=True)
    claimed = [100 * float(np.mean([one.claimed is not None for one in ours]))]
    table.add(f"{name}: studies that claim a gain", claimed, "%", 90, at_least=True)
    if errors := told_errors(ours):
        table.add(f"{name}: claimed against true gain", errors, "%", 2, at_least=False)


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("name", ["throughput", "latency"])
def test_the_gaussian_process_on_a_recorded_surface(name: str, table) -> None:  # noqa: ANN001 (conftest's Table)
    pytest.importorskip("torch", reason="the sampler gp needs it; nothing was measured here")
    loaded, surface = recorded(name)
    recording, seeds = surface.recording, SEEDS[: len(SEEDS) // 5]
    best = surface.best(loaded.study.space)
    gp, ours = (
        of_best((one.value for one in outcomes), best, recording)
        for outcomes in (
            studies(loaded, surface.value, recording.residuals, seeds, "gp"),
            studies(loaded, surface.value, recording.residuals, seeds),
        )
    )
    table.add(f"{name}: gp, true value of the recommendation, of the best", gp, "%", 95, at_least=True)
    table.add(f"{name}: gp as good as additive or better", [as_good(gp, ours)], "%", 50, at_least=True)


def told_errors(outcomes: Sequence[Outcome]) -> list[float]:
    """By how many percent the claimed ratios are wrong."""
    return [abs(one.claimed / one.true - 1) * 100 for one in outcomes if one.claimed is not None]


def flat(_: Assignment) -> float:
    return 100_000.0


def raised(default: Assignment, assignment: Assignment) -> float:
    """Whatever is not the default has 10 % more: only the claim is in question, not the search."""
    return 100_000.0 if assignment == default else 110_000.0


def recorded_noise(most: float = np.inf) -> tuple[LoadedStudy, NDArray[np.float64]]:
    """The noise of the runs of the throughput surface, scaled down where its spread is more than `most`."""
    loaded, surface = recorded("throughput")
    return loaded, scaled(surface.recording, most)


def scaled(recording: Recording, most: float) -> NDArray[np.float64]:
    """The noise of a recording's runs, scaled down where its spread is more than `most`."""
    return recording.residuals * min(1.0, most / recording.spread)


@pytest.mark.timeout(4 * 3600)
def test_nothing_is_claimed_where_there_is_nothing(table) -> None:  # noqa: ANN001 (conftest's Table)
    loaded, noise = recorded_noise()
    outcomes = studies(loaded, flat, noise, SAME_SEEDS)
    claims = 100 * np.mean([one.claimed is not None for one in outcomes])
    table.add(f"gain claimed of nothing, {len(outcomes)} studies", [float(claims)], "%", 1, at_least=False)


@pytest.mark.timeout(4 * 3600)
def test_a_true_gain_is_claimed_as_it_is(table) -> None:  # noqa: ANN001 (conftest's Table)
    loaded, noise = recorded_noise(CV)
    default = dict(presets(loaded.study)[0][1])
    outcomes = studies(loaded, partial(raised, default), noise, SEEDS)
    claims = 100 * np.mean([one.claimed is not None for one in outcomes])
    table.add(
        "a true gain of 10 % is claimed, at a CV of at most 5 %", [float(claims)], "%", 90, at_least=True
    )
    table.add("claimed against true gain, of 10 %", told_errors(outcomes), "%", 2, at_least=False)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from study_samples import CHECKOUT, SCENARIO, TRACKER, loaded

from loadlab.scenario import load
from loadlab.tuning.presets import PRESETS, presets

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LINGER, BATCH = f"{TRACKER}.linger.ms", f"{TRACKER}.batch.size"
CODEC, LEVEL = f"{TRACKER}.compression.type", f"{TRACKER}.compression.level"
SPACE = dict.fromkeys((LINGER, BATCH, CODEC, LEVEL), "default")


def test_the_default_is_librdkafkas_whatever_the_scenario_has(tmp_path: Path) -> None:
    name, assignment = presets(loaded(tmp_path, search_space=SPACE).study)[0]

    assert (name, assignment) == ("default", {LINGER: 5.0, BATCH: 1_000_000, CODEC: "none"})


def test_a_study_may_have_the_scenario_as_its_baseline(tmp_path: Path) -> None:
    found = presets(loaded(tmp_path, search_space=SPACE, baseline="scenario").study)

    assert found[0] == ("scenario", {LINGER: 20.0, BATCH: 1_000_000, CODEC: "zstd", LEVEL: 9})
    assert "default" in dict(found)


def test_the_scenario_and_the_three_of_practice_come_after_the_default(tmp_path: Path) -> None:
    found = dict(presets(loaded(tmp_path, search_space=SPACE).study))

    assert list(found) == ["default", "scenario", "production", "throughput", "latency"]
    assert found["production"] == {LINGER: 10.0, BATCH: 32768, CODEC: "snappy"}
    assert found["throughput"] == {LINGER: 50.0, BATCH: 524288, CODEC: "lz4", LEVEL: -1}
    assert found["latency"] == {LINGER: 0.0, BATCH: 1_000_000, CODEC: "none"}


def test_presets_speak_of_a_property_by_either_of_its_names(tmp_path: Path) -> None:
    name = f"{CHECKOUT}.queue.buffering.max.ms"
    space = {name: {"low": 0, "high": 100}}

    assert dict(presets(loaded(tmp_path, search_space=space).study))["throughput"] == {name: 50.0}


def test_a_preset_is_fitted_into_narrower_ranges(tmp_path: Path) -> None:
    space = {LINGER: {"low": 20, "high": 30}, BATCH: {"low": "16KiB", "high": "64KiB", "step": "16KiB"}}
    found = dict(presets(loaded(tmp_path, search_space=space).study))

    assert found["default"] == {LINGER: 5.0, BATCH: 1_000_000}
    assert found["default within the ranges"] == {LINGER: 20.0, BATCH: 65536}
    assert found["throughput"] == {LINGER: 30.0, BATCH: 65536}


def test_none_is_there_twice_and_none_breaks_a_rule(tmp_path: Path) -> None:
    found = presets(loaded(tmp_path, search_space=SPACE, rules=[f"{BATCH} <= 600000"]).study)
    assignments = [assignment for _, assignment in found[1:]]

    assert all(assignments.count(one) == 1 for one in assignments)
    assert all(one[BATCH] <= 600_000 for one in assignments)


@pytest.mark.parametrize("name", [name for (_, name) in PRESETS["production"]])
def test_the_production_preset_is_the_production_scenario(name: str) -> None:
    config = load(SCENARIOS / "production-producer.yaml").scenario.producers["checkout"].config
    value = PRESETS["production"]["producers", name]

    assert config[name] == str(value).removesuffix(".0")


def test_a_baseline_by_the_scenario_has_what_is_active_beside_its_own_codec(tmp_path: Path) -> None:
    codec, level = f"{CHECKOUT}.compression.type", f"{CHECKOUT}.compression.level"
    study = loaded(tmp_path, search_space={codec: "default", level: "default"}, baseline="scenario").study
    own = {codec: "zstd"}

    assert presets(replace(study, own=own))[0] == ("scenario", {codec: "zstd", level: -1})


def test_a_baseline_by_the_scenario_keeps_what_the_space_has_only_beside_other_values(tmp_path: Path) -> None:
    """gzip's level is none of the default space, but it is what stands in the scenario."""
    codec, level = f"{TRACKER}.compression.type", f"{TRACKER}.compression.level"
    gzip = {"linger.ms": 20, "compression.type": "gzip", "compression.level": 1}
    tracker = {**SCENARIO["producers"]["tracker"], "config": gzip}  # type: ignore[index]
    scenario = {**SCENARIO, "producers": {**SCENARIO["producers"], "tracker": tracker}}  # type: ignore[dict-item]
    study = loaded(tmp_path, scenario, search_space="default", baseline="scenario").study
    _, baseline = presets(study)[0]
    assert (baseline[codec], baseline[level]) == ("gzip", 1)


def test_a_level_without_effect_beside_the_scenario_s_codec_makes_no_second_default(
    tmp_path: Path,
) -> None:
    plain = {"linger.ms": 5, "compression.type": "none", "compression.level": 3}
    tracker = {**SCENARIO["producers"]["tracker"], "config": plain}  # type: ignore[index]
    scenario = {**SCENARIO, "producers": {**SCENARIO["producers"], "tracker": tracker}}  # type: ignore[dict-item]
    found = presets(loaded(tmp_path, scenario, search_space=SPACE, baseline="scenario").study)
    assert LEVEL not in found[0][1]
    assert "default" not in dict(found)

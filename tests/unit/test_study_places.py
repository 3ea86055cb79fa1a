"""Knobs of groups with odd names, values that are no numbers, and files that can't be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from study_samples import CHECKOUT, SCENARIO, loaded

from loadlab.errors import ScenarioError
from loadlab.tuning.study_file import load_study

if TYPE_CHECKING:
    from pathlib import Path

RANGE = {"low": 1, "high": 4}


def test_a_group_may_be_called_config(tmp_path: Path) -> None:
    producer = {**SCENARIO["producers"]["checkout"], "topic": "config"}  # type: ignore[index]
    scenario = {
        **SCENARIO,
        "topics": {**SCENARIO["topics"], "config": {}},  # type: ignore[dict-item]
        "producers": {**SCENARIO["producers"], "config": producer},  # type: ignore[dict-item]
    }
    space = {
        "topics.config.partitions": RANGE,
        "topics.config.config.retention.ms": {"low": 1000, "high": 9000},
        "producers.config.workers": RANGE,
        "producers.config.config.linger.ms": RANGE,
    }
    study = loaded(tmp_path, scenario, search_space=space).study
    assert [knob.default for knob in study.space.knobs] == [1, 604_800_000, 1, 5.0]


@pytest.mark.parametrize("written", ["nan", "inf", "-inf", ".nan", float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["low", "high", "step"])
def test_a_space_has_finite_numbers_only(tmp_path: Path, written: object, key: str) -> None:
    for name in ("cluster.resources.cpus", f"{CHECKOUT}.linger.ms"):
        with pytest.raises(ScenarioError, match=f"{key}: "):
            loaded(tmp_path, search_space={name: {**RANGE, key: written}})


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_rule_compares_with_finite_numbers_only(tmp_path: Path, number: str) -> None:
    linger = f"{CHECKOUT}.linger.ms"
    with pytest.raises(ScenarioError, match="is no finite number"):
        loaded(tmp_path, search_space={linger: RANGE}, rules=[f"{linger} <= {number}"])


def test_an_empty_path_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"search_space.*: is empty: a path such as"):
        loaded(tmp_path, search_space={"": RANGE})
    with pytest.raises(ScenarioError, match="set"):
        loaded(tmp_path, set={"": 1})


def test_a_scenario_that_can_t_be_looked_at_is_told_of(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    text = f"study: x\nscenario: {'x' * 300}.yaml\nobjective: {{maximize: capacity}}\n"
    study.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match="can't be read: File name too long"):
        load_study(study)

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from loadlab.scenario import load
from loadlab.scenario.shape import keys
from loadlab.tuning.default_space import default_space
from loadlab.tuning.presets import PRESETS
from loadlab.tuning.study_file import load_study
from loadlab.tuning.study_model import (
    Budget,
    ChoicesEntry,
    ConfirmSettings,
    NoiseSettings,
    RangeEntry,
    StudyFile,
)

if TYPE_CHECKING:
    from loadlab.scenario.fields import Model

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SCENARIO = ROOT / "scenarios" / "production-producer.yaml"
BASE = {
    "study": "example",
    "scenario": str(SCENARIO),
    "objective": {"minimize": "producers.checkout.publish_latency_us.p99"},
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0])
def test_an_example_loads(example: str, tmp_path: Path) -> None:
    study = {**BASE, **YAML(typ="safe").load(example), "scenario": str(SCENARIO)}
    with (tmp_path / "study.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(study, file)
    load_study(tmp_path / "study.yaml")


@pytest.mark.parametrize(
    "model", [StudyFile, RangeEntry, ChoicesEntry, Budget, NoiseSettings, ConfirmSettings]
)
def test_every_key_is_explained(model: type[Model]) -> None:
    for key in keys((model,)):
        assert f"`{key}`" in PAGE, key


def test_every_knob_of_the_default_space_and_every_preset_is_named() -> None:
    for name in default_space(load(SCENARIO).scenario):
        assert f"`{name.split('.config.')[-1]}`" in PAGE or name.endswith(".partitions"), name
    for name in PRESETS:
        assert f"| `{name}` |" in PAGE

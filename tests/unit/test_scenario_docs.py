from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from loadlab.scenario import METRICS, load_document
from loadlab.scenario.cluster import ClusterSpec, Resources
from loadlab.scenario.model import Phases, Scenario
from loadlab.scenario.records import Headers, Keys, LognormalSize, Records, UniformSize, WeightedSize
from loadlab.scenario.schedule import Bursts, Ramp, Schedule, Step, TraceFile
from loadlab.scenario.shape import keys
from loadlab.scenario.thresholds import Threshold
from loadlab.scenario.workload import ConsumerSpec, ProducerSpec, TopicSpec

if TYPE_CHECKING:
    from loadlab.scenario.fields import Model

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BASE = {
    "name": "example",
    "topics": {"orders": {"partitions": 6}},
    "producers": {"checkout": {"topic": "orders", "schedule": {"rate": 100}, "records": {"size": 100}}},
    "consumers": {"billing": {"topic": "orders"}},
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0])
def test_an_example_loads(example: str) -> None:
    document = {**BASE, **YAML(typ="safe").load(example)}
    load_document(document)


@pytest.mark.parametrize(
    "model",
    [
        Scenario,
        ClusterSpec,
        Resources,
        TopicSpec,
        ProducerSpec,
        ConsumerSpec,
        Schedule,
        Ramp,
        Step,
        Bursts,
        TraceFile,
        Records,
        Keys,
        Headers,
        UniformSize,
        LognormalSize,
        WeightedSize,
        Phases,
    ],
)
def test_every_key_is_explained(model: type[Model]) -> None:
    for key in keys((model,)):
        assert re.search(rf"`{key}`|\b{key}:", PAGE), key


def test_every_metric_and_stat_is_explained() -> None:
    for name, metric in METRICS.items():
        for word in (name, *metric.stats):
            assert f"`{word}`" in PAGE, word
    assert "abort_on_fail" in Threshold.model_fields

"""The scenario file: model, errors with line numbers, overrides, JSON Schema."""

from loadlab.scenario.cluster import ClusterSpec, Provider, Resources
from loadlab.scenario.document import Origin
from loadlab.scenario.fields import cpuset_cores
from loadlab.scenario.loader import LoadedScenario, load, load_document
from loadlab.scenario.metrics import METRICS, Metric
from loadlab.scenario.model import Phases, Scenario
from loadlab.scenario.providers import fitted
from loadlab.scenario.records import (
    STAMP_BYTES,
    Headers,
    Keys,
    LognormalForm,
    LognormalSize,
    Records,
    UniformForm,
    UniformSize,
    WeightedForm,
    WeightedSize,
)
from loadlab.scenario.schedule import (
    Bursts,
    BurstsRate,
    Ramp,
    RampRate,
    Schedule,
    Step,
    StepsRate,
    TraceFile,
    TraceRate,
)
from loadlab.scenario.schema import json_schema
from loadlab.scenario.thresholds import Threshold
from loadlab.scenario.workload import ConsumerSpec, ProducerSpec, TopicSpec

__all__ = [
    "METRICS",
    "STAMP_BYTES",
    "Bursts",
    "BurstsRate",
    "ClusterSpec",
    "ConsumerSpec",
    "Headers",
    "Keys",
    "LoadedScenario",
    "LognormalForm",
    "LognormalSize",
    "Metric",
    "Origin",
    "Phases",
    "ProducerSpec",
    "Provider",
    "Ramp",
    "RampRate",
    "Records",
    "Resources",
    "Scenario",
    "Schedule",
    "Step",
    "StepsRate",
    "Threshold",
    "TopicSpec",
    "TraceFile",
    "TraceRate",
    "UniformForm",
    "UniformSize",
    "WeightedForm",
    "WeightedSize",
    "cpuset_cores",
    "fitted",
    "json_schema",
    "load",
    "load_document",
]

"""The scenario as a whole."""

from __future__ import annotations

from typing import Annotated, Final, cast

from pydantic import AfterValidator, Field

from loadlab.scenario.cluster import PROVIDER_FIELDS, ClusterSpec
from loadlab.scenario.faults import MOST_FAULTS, Fault
from loadlab.scenario.fields import NAME_PATTERN, Duration, Model, Whole
from loadlab.scenario.secrets import redacted
from loadlab.scenario.thresholds import Thresholds
from loadlab.scenario.workload import (
    MOST_CONSUMERS,
    ConsumerSpec,
    ProducerSpec,
    TopicSpec,
    check_topic_name,
)

Name = Annotated[str, Field(pattern=NAME_PATTERN, strict=True)]
"""The name of a scenario, a producer or a consumer."""

_LONGEST_S: Final = 7 * 24 * 3600.0
SHORTEST_MEASURE_S: Final = 1.0
_Phase = Annotated[Duration, Field(le=_LONGEST_S)]


class Phases(Model):
    """How long each phase lasts; drain is the most that is waited for the last acks and reads."""

    warmup_s: _Phase = Field(default=5.0, alias="warmup")
    measure_s: Annotated[_Phase, Field(ge=SHORTEST_MEASURE_S)] = Field(default=30.0, alias="measure")
    drain_s: _Phase = Field(default=30.0, alias="drain")

    @property
    def total_s(self) -> float:
        """The longest that all phases can take together."""
        return self.warmup_s + self.measure_s + self.drain_s


class Scenario(Model):
    """A cluster, a workload and what must hold."""

    name: Name
    description: str = Field(default="", max_length=2000)
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = 1
    cluster: ClusterSpec = Field(default_factory=lambda: ClusterSpec(config={}))
    topics: dict[Annotated[str, AfterValidator(check_topic_name)], TopicSpec] = Field(min_length=1)
    producers: dict[Name, ProducerSpec] = Field(default_factory=dict)
    consumers: dict[Name, ConsumerSpec] = Field(default_factory=dict, max_length=MOST_CONSUMERS)
    phases: Phases = Phases()
    faults: tuple[Fault, ...] = Field(default=(), max_length=MOST_FAULTS)
    thresholds: Thresholds = Field(default_factory=dict)

    @property
    def trace_digests(self) -> dict[str, str]:
        """The SHA-256 of what producers replay, by their names."""
        return {name: spec.trace.sha256 for name, spec in self.producers.items() if spec.trace is not None}

    def to_document(self) -> dict[str, object]:
        """The resolved scenario as plain data that loads again, units written out and secrets redacted."""
        return cast("dict[str, object]", redacted(self.to_secret_document()))

    def to_secret_document(self) -> dict[str, object]:
        """The same with its secrets: to be loaded again within the process, never stored or shown."""
        document = cast("dict[str, object]", self.model_dump(mode="json", by_alias=True, exclude_none=True))
        taken = PROVIDER_FIELDS[self.cluster.provider] | {"provider"}
        cluster = cast("dict[str, object]", document["cluster"])
        document["cluster"] = {key: value for key, value in cluster.items() if key in taken}
        return document

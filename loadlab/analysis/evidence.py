"""What thresholds are judged by: the figures of a run's groups, and the samples behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.measurement.histogram import Histogram
    from loadlab.results.model import ConsumerResult, ProducerResult, Reconciliation, TopicResult
    from loadlab.scenario import Scenario

Group = tuple[str, str]
"""A group's kind, "producer" or "consumer", and its name."""


@dataclass(frozen=True)
class Evidence:
    """A run's figures, at its end or as they are while it goes on.

    Attributes:
        scenario: what was asked for; it says which group uses which topic.
        measured_s: length of the measure phase, seconds.
        producers: by name.
        consumers: by name.
        topics: by name on the cluster; empty while the run goes on.
        reconciliation: None while the run goes on.
        histograms: durations of the measure phase by group and metric, such as ``publish_latency``; a metric
            that a group doesn't have is missing.
        levels: samples of the measure phase by group and metric, such as ``consumer_lag``, in records; all
            groups are sampled at the same moments. None is a sample without an answer.
        level_times_s: those moments, seconds since any, rising.
    """

    scenario: Scenario
    measured_s: float
    producers: Mapping[str, ProducerResult]
    consumers: Mapping[str, ConsumerResult]
    topics: Mapping[str, TopicResult] = field(default_factory=dict)
    reconciliation: Reconciliation | None = None
    histograms: Mapping[tuple[Group, str], Histogram] = field(default_factory=dict)
    levels: Mapping[tuple[Group, str], Sequence[int | None]] = field(default_factory=dict)
    level_times_s: Sequence[float] = ()

    def selected(self, selector: Mapping[str, str]) -> Evidence:
        """The figures of the groups and topics that a selector names; all of them where it is empty."""
        names = dict(selector)
        topic = names.get("topic")
        if not names:
            return self
        on_cluster = self.scenario.topics[topic].names(topic) if topic is not None else ()
        return Evidence(
            scenario=self.scenario,
            measured_s=self.measured_s,
            producers={
                name: group
                for name, group in self.producers.items()
                if name == names.get("producer") or self.scenario.producers[name].topic == topic
            },
            consumers={
                name: group
                for name, group in self.consumers.items()
                if name == names.get("consumer") or self.scenario.consumers[name].topic == topic
            },
            topics={name: found for name, found in self.topics.items() if name in on_cluster},
            reconciliation=self.reconciliation,
            histograms=self.histograms,
            levels=self.levels,
            level_times_s=self.level_times_s,
        )

    def groups(self) -> list[Group]:
        """All groups that are left."""
        return [("producer", name) for name in self.producers] + [
            ("consumer", name) for name in self.consumers
        ]

    def results(self) -> list[ProducerResult | ConsumerResult]:
        """What each of them did."""
        return [*self.producers.values(), *self.consumers.values()]

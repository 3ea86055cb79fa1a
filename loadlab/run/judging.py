"""Judges a run's thresholds: at its end, and while it goes on those that may end it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from loadlab.analysis.evidence import Evidence, Group
from loadlab.analysis.thresholds import all_thresholds, failing_for_good, judge
from loadlab.run.ended import consumer_groups, producer_groups
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.measurement.histogram import Histogram
    from loadlab.results.model import RunResult
    from loadlab.results.model import Threshold as Judged
    from loadlab.run.consumer_group import ConsumerGroup
    from loadlab.run.ended import EndedRun
    from loadlab.run.load import Load
    from loadlab.run.producer_group import ProducerGroup
    from loadlab.scenario import Scenario, Threshold

_SHORTEST_S: Final = 1.0
"""Of less than an interval, what is on its way is so large a share that figures say nothing."""


@dataclass(eq=False)
class LiveThresholds:
    """Judges the thresholds with ``abort_on_fail``, once an interval of the measure phase.

    Attributes:
        scenario: whose they are.
        patient: whether a threshold ends a run only where it could not come right any more.
        failed: what ended the run, by the threshold that it is the judgement of.
    """

    scenario: Scenario
    patient: bool = False
    failed: dict[Threshold, Judged] = field(default_factory=dict)

    def why_to_end(self, load: Load) -> str | None:
        """Why a run has to end by now; None where it may go on, or does end already."""
        now_ns = time.monotonic_ns()
        timeline = load.timeline
        measured_s = (now_ns - timeline.warmup_end_ns) / NS_PER_S
        due = [
            threshold
            for threshold in all_thresholds(self.scenario)
            if threshold.abort_on_fail and measured_s >= max(_SHORTEST_S, threshold.delay_s)
        ]
        if self.failed or not due or not timeline.warmup_end_ns < now_ns < timeline.measure_end_ns:
            return None
        evidence = self._evidence(load, now_ns)
        share = measured_s / timeline.measure_s if self.patient else 1.0
        for threshold in due:
            judged = failing_for_good(threshold, evidence, share)
            if judged is not None:
                at_s = round(timeline.elapsed_s(now_ns), 3)
                self.failed[threshold] = judged.model_copy(update={"ended_run_at_s": at_s})
        return (
            f"failed: {', '.join(threshold.expression for threshold in self.failed)}" if self.failed else None
        )

    def _evidence(self, load: Load, now_ns: int) -> Evidence:
        """What was measured from the end of the warm-up until now."""
        timeline = replace(load.timeline, measure_end_ns=now_ns)
        producers = producer_groups(load, self.scenario, timeline, ended=False)
        consumers = consumer_groups(load, self.scenario, timeline, ended=False)
        return Evidence(
            scenario=self.scenario,
            measured_s=timeline.measure_s,
            producers={name: group.result() for name, group in producers.items()},
            consumers={name: group.result(live=True) for name, group in consumers.items()},
            histograms=dict(_histograms(producers, consumers)),
            levels=dict(_levels(consumers)),
            level_times_s=_level_times_s(consumers),
        )


def judged(run: EndedRun, result: RunResult, live: LiveThresholds) -> RunResult:
    """A result with its thresholds judged; those that ended the run stay as they were then."""
    producers, consumers = run.producers(), run.consumers()
    evidence = Evidence(
        scenario=run.scenario,
        measured_s=run.load.timeline.measure_s,
        producers=result.producers,
        consumers=result.consumers,
        topics=result.topics,
        reconciliation=result.reconciliation,
        histograms=dict(_histograms(producers, consumers)),
        levels=dict(_levels(consumers)),
        level_times_s=_level_times_s(consumers),
    )
    thresholds = tuple(
        live.failed.get(threshold) or judge(threshold, evidence) for threshold in all_thresholds(run.scenario)
    )
    return result.model_copy(update={"thresholds": thresholds})


def _histograms(
    producers: Mapping[str, ProducerGroup], consumers: Mapping[str, ConsumerGroup]
) -> Iterator[tuple[tuple[Group, str], Histogram]]:
    """Durations of the measure phase by group and metric."""
    for name, producer in producers.items():
        for metric, histogram in producer.latencies().items():
            yield (("producer", name), metric), histogram
    for name, consumer in consumers.items():
        if consumer.stamped:
            yield (("consumer", name), "end_to_end_latency"), consumer.latency()


def _level_times_s(consumers: Mapping[str, ConsumerGroup]) -> list[float]:
    """When lag was sampled in the measure phase, of all groups at once."""
    return next((consumer.times_s() for consumer in consumers.values()), [])


def _levels(
    consumers: Mapping[str, ConsumerGroup],
) -> Iterator[tuple[tuple[Group, str], list[int | None]]]:
    for name, consumer in consumers.items():
        for metric, samples in consumer.levels().items():
            yield (("consumer", name), metric), samples

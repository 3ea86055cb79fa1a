"""Checks of thresholds: that what they judge will be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.hints import near
from loadlab.scenario.finding import Finding, View, found
from loadlab.scenario.metrics import METRICS, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.workload import ProducerSpec

_PARTS: Final = {"producer": "producers", "consumer": "consumers", "topic": "topics"}
_END_TO_END: Final = "end_to_end_latency"


def known_selectors(view: View) -> Iterator[Finding]:
    """A selector names a producer, a consumer or a topic that is there."""
    for key in view.scenario.thresholds:
        for label, name in parse_key(key).selector.items():
            names = view.names(_PARTS[label])
            if name not in names:
                suggestion = near(name, names)
                yield found(("thresholds", key), f'no {label} is called "{name}"', suggestion, at_key=True)


def measured_by_someone(view: View) -> Iterator[Finding]:
    """A metric of producers has one, and a metric of consumers too."""
    for key in view.scenario.thresholds:
        metric = parse_key(key).metric
        takers = [label for label in METRICS[metric].selectors if label != "topic"]
        if takers and not any(view.names(_PARTS[label]) for label in takers):
            groups = " and ".join(_PARTS[label] for label in takers)
            message = f"{metric} is measured by {groups}, and there are none"
            yield found(("thresholds", key), message, at_key=True)


def stamped_records(view: View) -> Iterator[Finding]:
    """End-to-end latency is judged only of records that carry the stamp it is told from."""
    for key in view.scenario.thresholds:
        if parse_key(key).metric != _END_TO_END:
            continue
        for name, producer in _judged(view, parse_key(key).selector.get("consumer")):
            if not producer.records.stamp:
                message = f"{name} sends without the stamp that it is told from; drop its stamp: false"
                yield found(
                    ("thresholds", key), message, about=(("producers", name, "records"),), at_key=True
                )


def _judged(view: View, consumer: str | None) -> Iterator[tuple[str, ProducerSpec]]:
    """The producers whose records a consumer reads, or any consumer where none is named."""
    consumers = view.scenario.consumers
    chosen = [consumers[consumer]] if consumer in consumers else list(consumers.values())
    topics = {one.topic for one in chosen}
    return ((name, spec) for name, spec in view.scenario.producers.items() if spec.topic in topics)


def judged_in_time(view: View) -> Iterator[Finding]:
    """A threshold that may end the run is judged before the measure phase is over."""
    measure_s = view.scenario.phases.measure_s
    for key, thresholds in view.scenario.thresholds.items():
        for index, threshold in enumerate(thresholds):
            if threshold.delay_s >= measure_s > 0 and threshold.delay_s:
                length = units.format_duration(measure_s)
                message = f"would never be judged: the measure phase is over after {length}"
                yield found(("thresholds", key, index, "delay"), message, about=(("phases",),))

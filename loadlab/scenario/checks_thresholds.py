"""Checks of thresholds: that what they judge will be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.hints import near
from loadlab.scenario.expressions import parse_key, stat_of
from loadlab.scenario.finding import Finding, View, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.scenario.thresholds import Threshold
    from loadlab.scenario.workload import ProducerSpec

_PARTS: Final = {"producer": "producers", "consumer": "consumers", "topic": "topics"}
_END_TO_END: Final = "end_to_end_latency"
_OF_DUE: Final = frozenset({"achieved_ratio", "send_delay"})
_OF_CODECS: Final = frozenset({"compression_ratio"})
_LIVE: Final = (
    "what can end a run is a latency, the max or mean of a lag, a group's throughput or achieved_ratio, and "
    "records, errors or rebalances that become too many"
)


def known_selectors(view: View) -> Iterator[Finding]:
    """A selector names a producer, a consumer or a topic that is there."""
    for key in view.scenario.thresholds:
        for label, name in parse_key(key).selector.items():
            names = view.names(_PARTS[label])
            if name not in names:
                suggestion = near(name, names)
                yield found(("thresholds", key), f'no {label} is called "{name}"', suggestion, at_key=True)


def measured_by_someone(view: View) -> Iterator[Finding]:
    """What a threshold judges has somebody who measures it."""
    for key, thresholds in view.scenario.thresholds.items():
        for index, threshold in enumerate(thresholds):
            missing = nobody(view, threshold)
            if missing is not None:
                yield found(("thresholds", key, index), missing)


def nobody(view: View, threshold: Threshold) -> str | None:
    """Why nobody measures a threshold's stat, such as its selector; None where somebody does."""
    name = f"{threshold.metric} {threshold.condition.stat}"
    known = stat_of(threshold.metric, threshold.condition.stat)
    kinds = () if known is None else known.kinds
    if not kinds:
        return f"{name} is of the whole run: leave the selector out" if threshold.selector else None
    groups = " and ".join(_PARTS[kind] for kind in kinds)
    for label, chosen in threshold.selector.items():
        if label in kinds or (label == "topic" and any(_on_topic(view, kind, chosen) for kind in kinds)):
            return None
        whom = f"{chosen} has none" if label == "topic" else f"{chosen} is a {label}"
        return f"{name} is measured by {groups}, and {whom}"
    there = any(view.names(_PARTS[kind]) for kind in kinds if kind != "topic" or len(kinds) == 1)
    return None if there else f"{name} is measured by {groups}, and there are none"


def _on_topic(view: View, kind: str, topic: str) -> bool:
    groups = view.scenario.producers if kind == "producer" else view.scenario.consumers
    return any(group.topic == topic for group in groups.values())


def stamped_records(view: View) -> Iterator[Finding]:
    """End-to-end latency is judged only of records that carry the stamp it is told from."""
    for key in view.scenario.thresholds:
        if parse_key(key).metric != _END_TO_END:
            continue
        topics = _read_topics(view, parse_key(key).selector)
        senders = {name: spec for name, spec in view.scenario.producers.items() if spec.topic in topics}
        none_stamps = not any(producer.records.stamp for producer in senders.values())
        for name in senders:
            if none_stamps:
                message = f"{name} sends without the stamp that it is told from; drop its stamp: false"
                yield found(
                    ("thresholds", key), message, about=(("producers", name, "records"),), at_key=True
                )
        missing = _no_stamp(view, topics, senders)
        if missing is not None:
            about = (("producers",), ("consumers",), ("topics",))
            yield found(("thresholds", key), missing, about=about, at_key=True)


def _no_stamp(view: View, topics: set[str], senders: Mapping[str, ProducerSpec]) -> str | None:
    """Why no record that is read can carry a stamp, where nobody asked to go without; else None."""
    if senders:
        if any(spec.records.tombstones < 1 for spec in senders.values()):
            return None
        return f"can't be measured: tombstones carry no stamp, and {', '.join(senders)} sends nothing else"
    known = [view.scenario.topics.get(topic) for topic in topics]
    if known and all(topic is not None and topic.existing for topic in known):
        names = ", ".join(sorted(topics))
        return f"can't be measured: no producer of this run sends to {names}, so no record has its stamp"
    return None  # who reads a topic of the run's own that nobody sends to is told so


def _read_topics(view: View, selector: Mapping[str, str]) -> set[str]:
    """The topics that a selector's consumer reads, or any consumer; or the one that it names."""
    consumers = view.scenario.consumers
    read = {one.topic for one in consumers.values()}
    if selector.get("consumer") in consumers:
        return {consumers[selector["consumer"]].topic}
    return read & {selector["topic"]} if "topic" in selector else read


def due_records(view: View) -> Iterator[Finding]:
    """What is judged by when records were due has a producer whose records are due at a time."""
    for key, senders in _judged_senders(view, _OF_DUE):
        if all(spec.schedule.rate == "max" for spec in senders.values()):
            message = (
                f"can't be measured: at rate: max ({', '.join(senders)}) no record is due at a time; "
                "set a rate, or judge throughput"
            )
            yield found(("thresholds", key), message, about=(("producers",),), at_key=True)


def compressed_records(view: View) -> Iterator[Finding]:
    """A compression ratio is judged of a producer that compresses."""
    for key, senders in _judged_senders(view, _OF_CODECS):
        if all(spec.codec == "none" for spec in senders.values()):
            message = f"can't be measured: without compression.type {', '.join(senders)} compresses nothing"
            yield found(("thresholds", key), message, about=(("producers",),), at_key=True)


def _judged_senders(view: View, metrics: frozenset[str]) -> Iterator[tuple[str, Mapping[str, ProducerSpec]]]:
    """The keys about some metrics, each with the producers that it is about, of which there is one at least.

    That is the one that is selected, those that send to the topic that is, or all.
    """
    for key in view.scenario.thresholds:
        asked = parse_key(key)
        topic, producer = asked.selector.get("topic"), asked.selector.get("producer")
        senders = {
            name: spec
            for name, spec in view.scenario.producers.items()
            if producer in {None, name} and topic in {None, spec.topic}
        }
        if asked.metric in metrics and senders:
            yield key, senders


def judged_in_time(view: View) -> Iterator[Finding]:
    """A threshold that may end the run is judged before the measure phase is over."""
    measure_s = view.scenario.phases.measure_s
    for key, thresholds in view.scenario.thresholds.items():
        for index, threshold in enumerate(thresholds):
            if threshold.delay_s >= measure_s:
                length = units.format_duration(measure_s)
                message = f"would never be judged: the measure phase is over after {length}"
                yield found(("thresholds", key, index, "delay"), message, about=(("phases",),))


def judged_live(view: View) -> Iterator[Finding]:
    """A threshold that may end the run can be judged while it goes on; only such a one is delayed."""
    for key, thresholds in view.scenario.thresholds.items():
        for index, threshold in enumerate(thresholds):
            path = ("thresholds", key, index)
            if threshold.abort_on_fail:
                message = _not_live(threshold)
                if message is not None:
                    yield found((*path, "abort_on_fail"), message)
            elif threshold.delay_s:
                about = ((*path, "abort_on_fail"),)
                yield found((*path, "delay"), "is of use with abort_on_fail: true only", about=about)


def _not_live(threshold: Threshold) -> str | None:
    """Why a threshold can't be judged while the run goes on; None where it can."""
    condition = threshold.condition
    if threshold.live == "never":
        return f"{threshold.key} {condition.stat} is known after the run only; {_LIVE}"
    if threshold.live == "grows" and condition.op in {">", ">="}:
        return (
            f"{threshold.metric} {condition.stat} grows from 0, so {condition.op} would end each run at once"
        )
    return None

"""Rules about the measurement: what a run can tell, and what it can't."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.scenario.lint.limits import END_TO_END, latency_limits
from loadlab.scenario.lint.rule import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.lint.limits import Limit
    from loadlab.scenario.lint.subject import Producer, Subject

_SHORTEST_WARMUP_S: Final = 5
_BEYOND: Final = 10
"""How many records must be slower than a percentile for it to be told."""

_FLUSH: Final = "flush.messages"


def _more_workers_than_cores(subject: Subject) -> Iterator[Hit]:
    workers = sum(producer.spec.workers for producer in subject.producers if producer.spec)
    if workers > subject.cores:
        cores = f"{subject.cores} core{'s' if subject.cores > 1 else ''}"
        yield Hit("producers", f"{workers} producing workers for {cores}")


def _short_warmup(subject: Subject) -> Iterator[Hit]:
    if subject.scenario is not None and subject.scenario.phases.warmup_s < _SHORTEST_WARMUP_S:
        yield Hit("phases.warmup", f"a warm-up of {units.format_duration(subject.scenario.phases.warmup_s)}")


def _too_few_records(subject: Subject) -> Iterator[Hit]:
    measure_s = subject.scenario.phases.measure_s if subject.scenario else 0.0
    for limit, rate_per_s in _judged_per_s(subject).items():
        records = rate_per_s * measure_s
        beyond = records * (1 - (limit.percentile or 0) / 100)
        if limit.percentile is not None and round(beyond, 6) < _BEYOND:
            yield Hit(
                "phases.measure",
                f"{records:.0f} records at most, {beyond:.3g} of them beyond {limit.expression}",
            )


def _judged_per_s(subject: Subject) -> dict[Limit, float]:
    """How many records a second each limit is judged by, at most: those of all groups that it is about."""
    judged: dict[Limit, float] = {}
    for producer in subject.producers:
        for limit in latency_limits(subject, producer=producer.name):
            if limit.metric != END_TO_END:
                judged[limit] = judged.get(limit, 0.0) + _per_s(producer)
    for consumer in subject.consumers:
        sent = sum(_per_s(producer) for producer in subject.producers if producer.topic is consumer.topic)
        for limit in latency_limits(subject, consumer=consumer.name):
            if limit.metric == END_TO_END:
                judged[limit] = judged.get(limit, 0.0) + sent
    return judged


def _per_s(producer: Producer) -> float:
    """The highest rate of a producer; where none is known, as many as can be."""
    return math.inf if producer.peak_per_s is None else producer.peak_per_s


def _unused_topic(subject: Subject) -> Iterator[Hit]:
    sent_to = [producer.topic for producer in subject.producers]
    read = [consumer.topic for consumer in subject.consumers]
    for topic in subject.topics if subject.scenario else ():
        if not any(topic is used for used in (*sent_to, *read)):
            yield Hit(topic.path, "no producer sends to it, and no consumer reads it")


def _flushed_each_time(subject: Subject) -> Iterator[Hit]:
    for topic in subject.topics:
        if topic.settings.number(_FLUSH) == 1:
            # As it is written: brokers have another name for it.
            place = topic.at(_FLUSH)
            yield Hit(place, f"{place.rpartition('config.')[2]}=1: each batch is flushed to the disk")


def _misspelt(subject: Subject) -> Iterator[Hit]:
    for name, meant in subject.misspelt.items():
        yield Hit(name, f'there is no such property; did you mean "{meant}"?')


def _refused(subject: Subject) -> Iterator[Hit]:
    for name, wrong in subject.refused.items():
        yield Hit(name, wrong)


RULES: Final = (
    Rule(
        "misspelt-property",
        "high",
        "Java's clients and brokers only log an unknown name, and go on with the default.",
        "Kafka documentation, Configuration",
        "the name as it is documented",
        _misspelt,
    ),
    Rule(
        "refused-value",
        "high",
        "What a property's value must not be keeps a client or broker from starting, or is read as another.",
        "Kafka documentation, Configuration; librdkafka, CONFIGURATION.md",
        "a value of the type and in the range that are documented",
        _refused,
    ),
    Rule(
        "too-few-records",
        "high",
        "A percentile needs 10 records beyond it to be told, and a threshold on one that is not told fails.",
        "loadlab, docs/measurement.md: Thresholds",
        "a longer measure phase, a higher rate, or a lower percentile",
        _too_few_records,
    ),
    Rule(
        "more-workers-than-cores",
        "medium",
        "A producing worker wants a core of its own at high rates; those that wait for one send late, and the"
        " verdict blames the generator.",
        "loadlab, docs/measurement.md: The verdict",
        "fewer workers: one sends hundreds of thousands of records a second",
        _more_workers_than_cores,
    ),
    Rule(
        "short-warmup",
        "medium",
        "Brokers compile their code and clients open connections in the first seconds: these are measured as"
        " if they were the steady state.",
        "loadlab, docs/measurement.md: The verdict",
        "phases.warmup: 5s or more",
        _short_warmup,
    ),
    Rule(
        "unused-topic",
        "low",
        "It is made, or looked for, and nothing is measured there; perhaps a group was meant to use it.",
        "loadlab, docs/scenarios.md: topics",
        "drop it, or name it as a group's topic",
        _unused_topic,
    ),
    Rule(
        "flushed-each-time",
        "low",
        "The disk's flush is part of every ack; Kafka's durability comes from replicas, and its documentation"
        " advises against it.",
        "Kafka documentation, Topic Configs: flush.messages",
        "leave it out, unless the disk's flush is what is measured",
        _flushed_each_time,
    ),
)
"""What is measured."""

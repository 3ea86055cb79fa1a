"""How much a run sends, and how much of it lies on the brokers' disks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab import units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.run.plan import PlannedProducer
    from loadlab.scenario import Scenario, TopicSpec

_RECORD_OVERHEAD_BYTES: Final = 10
_MS_PER_S: Final = 1_000.0
_SEGMENT_BYTES: Final = 1 << 30
_CHECK_MS: Final = 300_000
_FILE_DELETE_MS: Final = 60_000
"""Kafka's own log.segment.bytes, log.retention.check.interval.ms and log.segment.delete.delay.ms."""


def sent_bytes(producers: Sequence[PlannedProducer]) -> int | None:
    """What producers send, before compression, each record to one replica; None at the maximum rate."""
    total = 0.0
    for producer in producers:
        if producer.records is None:
            return None
        total += producer.records * (producer.sent_bytes_mean + _RECORD_OVERHEAD_BYTES)
    return round(total)


def disk_bytes(scenario: Scenario, producers: Sequence[PlannedProducer]) -> int | None:
    """What lies on all brokers' disks together, at the most; None at the maximum rate.

    Replicas count, what codecs take off does not, nor does what retention removes meanwhile. That is closed
    segments only, once a check finds them, so that a partition has one segment more than it has to keep.
    """
    by_topic: dict[str, float] = {}
    for producer in producers:
        if producer.records is None:
            return None
        spec = scenario.producers[producer.name]
        left = 1.0 if spec.codec == "none" else 1.0 - spec.records.compressibility
        each = producer.sent_bytes_mean * left + _RECORD_OVERHEAD_BYTES
        by_topic[spec.topic] = by_topic.get(spec.topic, 0.0) + producer.records * each
    sending_s = scenario.phases.warmup_s + scenario.phases.measure_s
    total = 0.0
    for name, written in by_topic.items():
        topic = scenario.topics[name]
        kept = _kept_bytes(topic, scenario.cluster.config, written / sending_s if sending_s else written)
        total += topic.replication_factor * min(written, kept)
    return round(total)


def _kept_bytes(topic: TopicSpec, brokers: Mapping[str, str], bytes_per_s: float) -> float:
    """What retention leaves of a topic that grows evenly; of one that is there already nothing is known."""
    if topic.existing or "delete" not in topic.config.get("cleanup.policy", "delete"):
        return float("inf")
    partitions = topic.partitions * topic.count
    segment = _number(_SEGMENT_BYTES, topic.config.get("segment.bytes"), brokers.get("log.segment.bytes"))
    check_ms = _number(_CHECK_MS, brokers.get("log.retention.check.interval.ms")) + _FILE_DELETE_MS
    beside = partitions * segment + bytes_per_s * check_ms / _MS_PER_S
    by_size = _number(-1, topic.config.get("retention.bytes"), brokers.get("log.retention.bytes"))
    by_time_ms = _number(-1, topic.config.get("retention.ms"), brokers.get("log.retention.ms"))
    kept: list[float] = [partitions * by_size] if by_size >= 0 else []
    kept += [bytes_per_s * by_time_ms / _MS_PER_S] if by_time_ms >= 0 else []
    return min(kept) + beside if kept else float("inf")


def _number(default: int, *texts: str | None) -> int:
    """The first of several settings that is set, a whole number."""
    return next((int(text) for text in texts if text is not None and units.is_digits(text)), default)

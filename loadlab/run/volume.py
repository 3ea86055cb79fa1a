"""How much a run sends, and how much of it lies on the brokers' disks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadlab.run.plan import PlannedProducer, RunPlan
    from loadlab.scenario import ProducerSpec, Scenario, TopicSpec

_RECORD_OVERHEAD_BYTES: Final = 10
_MS_PER_S: Final = 1_000.0
_SEGMENT_BYTES: Final = 1 << 30
_CHECK_MS: Final = 300_000
"""Kafka's own log.segment.bytes and log.retention.check.interval.ms."""

_DELETE_MS: Final = 1_000
"""The log.segment.delete.delay.ms that brokers have which are started here."""


def sent_bytes(producers: Sequence[PlannedProducer]) -> int | None:
    """What producers send, before compression, each record to one replica; None at the maximum rate."""
    total = 0.0
    for producer in producers:
        if producer.records is None:
            return None
        total += producer.records * (producer.sent_bytes_mean + _RECORD_OVERHEAD_BYTES)
    return round(total)


def disk_bytes(
    scenario: Scenario, producers: Sequence[PlannedProducer], brokers: Mapping[str, str]
) -> int | None:
    """About what lies on all brokers' disks together, replicas included; None at the maximum rate.

    What a codec takes off values does not count, nor does what retention removes meanwhile. That is closed
    segments only, once a check finds them, so that a partition has one segment more than it has to keep.

    Args:
        scenario: as resolved.
        producers: as planned.
        brokers: their properties; what a topic does not say is as they have it.
    """
    by_topic: dict[str, float] = {}
    for producer in producers:
        if producer.records is None:
            return None
        spec = scenario.producers[producer.name]
        written = producer.records * _written_bytes(producer, spec, scenario.topics[spec.topic], brokers)
        by_topic[spec.topic] = by_topic.get(spec.topic, 0.0) + written
    sending_s = scenario.phases.warmup_s + scenario.phases.measure_s
    total = 0.0
    for name, written in by_topic.items():
        topic = scenario.topics[name]
        kept = _kept_bytes(topic, brokers, written / sending_s if sending_s else written)
        total += topic.replication_factor * min(written, kept)
    return round(total)


def needed_bytes(scenario: Scenario, plan: RunPlan, *, stands: bool) -> int:
    """What must be free on the brokers' disk before a run, 0 where that is not known.

    Args:
        scenario: as resolved.
        plan: of the run.
        stands: whether its cluster stands already, and has properties of its own.
    """
    return disk_bytes(scenario, plan.producers, {} if stands else scenario.cluster.config) or 0


def _written_bytes(
    producer: PlannedProducer, spec: ProducerSpec, topic: TopicSpec, brokers: Mapping[str, str]
) -> float:
    """What a record takes in a log, in the mean."""
    sent = producer.sent_bytes_mean + _RECORD_OVERHEAD_BYTES
    keeps_codec = _first(topic.config.get("compression.type"), brokers.get("compression.type")) or "producer"
    if topic.existing or keeps_codec != "producer" or spec.codec == "none":
        return sent
    values = producer.record_bytes_mean * (1.0 - spec.records.tombstones)
    return sent - values * spec.records.compressibility


def _kept_bytes(topic: TopicSpec, brokers: Mapping[str, str], bytes_per_s: float) -> float:
    """What retention leaves of a topic that grows evenly; of one that is there already nothing is known."""
    policy = _first(topic.config.get("cleanup.policy"), brokers.get("log.cleanup.policy")) or "delete"
    if topic.existing or "delete" not in policy:
        return float("inf")
    partitions = topic.partitions * topic.count
    segment = _number(_SEGMENT_BYTES, topic.config.get("segment.bytes"), brokers.get("log.segment.bytes"))
    check_ms = _number(_CHECK_MS, brokers.get("log.retention.check.interval.ms"))
    check_ms += _number(
        _DELETE_MS, topic.config.get("file.delete.delay.ms"), brokers.get("log.segment.delete.delay.ms")
    )
    beside = partitions * segment + bytes_per_s * check_ms / _MS_PER_S
    by_size = _number(-1, topic.config.get("retention.bytes"), brokers.get("log.retention.bytes"))
    by_time_ms = _number(-1, topic.config.get("retention.ms"), *_retention_ms(brokers))
    kept: list[float] = [partitions * by_size] if by_size >= 0 else []
    kept += [bytes_per_s * by_time_ms / _MS_PER_S] if by_time_ms >= 0 else []
    return min(kept) + beside if kept else float("inf")


def _retention_ms(brokers: Mapping[str, str]) -> Iterator[str]:
    """For how long brokers keep records, by each property that says so; the finest unit prevails."""
    for unit, unit_ms in (("ms", 1), ("minutes", 60_000), ("hours", 3_600_000)):
        if (text := brokers.get(f"log.retention.{unit}")) is not None:
            yield str(max(-1, int(text) * unit_ms))


def _first(*texts: str | None) -> str | None:
    """The first of several settings that is set."""
    return next((text for text in texts if text is not None), None)


def _number(default: int, *texts: str | None) -> int:
    """The same where it is a whole number; -1 is Kafka's word for no limit."""
    text = _first(*texts)
    return default if text is None else int(text)

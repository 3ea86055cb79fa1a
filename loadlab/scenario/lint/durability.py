"""Rules about what an ack promises: records that may be lost, doubled, reordered or refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from loadlab.scenario.expressions import parse_key
from loadlab.scenario.lint.rule import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.client_settings import Settings
    from loadlab.scenario.lint.subject import Producer, Subject, Topic

_MOST_IN_FLIGHT: Final = 5
_IN_FLIGHT: Final = "max.in.flight.requests.per.connection"
_MIN_INSYNC: Final = "min.insync.replicas"
_CALLED_DURABLE: Final = re.compile(
    r"durab|no(thing| record)?( is| may be)? lost|no loss|never los", re.IGNORECASE
)


def _min_insync(topic: Topic) -> int:
    return int(topic.settings.number(_MIN_INSYNC) or 1)


def _sent_to(subject: Subject, topic: Topic) -> list[Producer]:
    return [producer for producer in subject.producers if producer.topic is topic]


def _acks_below_min_insync(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        topic = producer.topic
        if topic is not None and _min_insync(topic) > 1 and not producer.settings.acks_all:
            acks = producer.settings.text("acks")
            yield Hit(
                producer.at("acks"),
                f"acks={acks} to a topic with min.insync.replicas={_min_insync(topic)}",
            )


def _idempotence_without_acks(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        settings = producer.settings
        if settings.sets("enable.idempotence") and settings.idempotent and not settings.acks_all:
            acks = settings.text("acks")
            yield Hit(producer.at("acks"), f"acks={acks} beside enable.idempotence=true")


def _idempotence_in_flight(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        in_flight = producer.settings.number(_IN_FLIGHT) or 0
        asked = producer.settings.sets(_IN_FLIGHT) and producer.settings.idempotent
        if asked and in_flight > _MOST_IN_FLIGHT:
            own = "" if producer.settings.sets("enable.idempotence") else ", which is the default"
            yield Hit(
                producer.at(_IN_FLIGHT),
                f"{in_flight:.0f} requests in flight beside enable.idempotence=true{own}",
            )


def _promises_without_idempotence(subject: Subject) -> Iterator[Hit]:
    scenario = subject.scenario
    for text, thresholds in scenario.thresholds.items() if scenario else ():
        key = parse_key(text)
        if key.metric != "reconciliation":
            continue
        weak = [one for one in _read_by(subject, key.selector.get("consumer")) if not one.settings.idempotent]
        for condition in (threshold.condition for threshold in thresholds):
            is_none = condition.holds(0.0) and not condition.holds(1.0)
            if condition.stat in {"duplicated", "reordered"} and is_none:
                for producer in weak:
                    yield Hit(
                        f"{producer.path}.config",
                        f"{condition.stat} records are to be none, and enable.idempotence is false",
                    )


def _read_by(subject: Subject, consumer: str | None) -> list[Producer]:
    """The producers whose records a group reads; all of them where no group is named."""
    topics = [one.topic for one in subject.consumers if consumer in {None, one.name}]
    return [one for one in subject.producers if consumer is None or one.topic in topics]


def _reordering_retries(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        settings = producer.settings
        told = settings.flavour == "java" or settings.sets("enable.idempotence")
        turned_off = told and not settings.idempotent and settings.text("acks") != "0"
        retries, in_flight = settings.number("retries") or 0, settings.number(_IN_FLIGHT) or 0
        if turned_off and retries > 0 and in_flight > 1:
            yield Hit(
                producer.at("enable.idempotence" if settings.sets("enable.idempotence") else "acks"),
                f"idempotence is off, with retries and {in_flight:.0f} requests in flight",
            )


def _one_replica_called_durable(subject: Subject) -> Iterator[Hit]:
    scenario = subject.scenario
    if scenario is None or not _CALLED_DURABLE.search(f"{scenario.name} {scenario.description}"):
        return
    for topic in subject.topics:
        if topic.replication_factor == 1 and any(
            producer.settings.acks_all for producer in _sent_to(subject, topic)
        ):
            yield Hit(
                f"{topic.path}.replication_factor", "the scenario speaks of durability, with one replica"
            )


def _no_spare_replica(subject: Subject) -> Iterator[Hit]:
    for topic in subject.topics:
        factor, needed = topic.replication_factor, _min_insync(topic)
        if factor is not None and factor > 1 and needed == factor:
            yield Hit(
                topic.at(_MIN_INSYNC),
                f"min.insync.replicas={needed} of a replication factor of {factor}",
            )


def _unreachable_min_insync(subject: Subject) -> Iterator[Hit]:
    for topic in subject.topics:
        factor, needed = topic.replication_factor, _min_insync(topic)
        if factor is not None and needed > factor:
            yield Hit(
                topic.at(_MIN_INSYNC),
                f"min.insync.replicas={needed} of a replication factor of {factor}",
            )


def _one_in_sync_is_enough(subject: Subject) -> Iterator[Hit]:
    for topic in subject.topics:
        factor = topic.replication_factor
        sent_to = _sent_to(subject, topic)
        waits = not sent_to or any(producer.settings.acks_all for producer in sent_to)
        if factor is not None and factor > 1 and _min_insync(topic) == 1 and waits:
            yield Hit(
                topic.at(_MIN_INSYNC),
                f"replication factor {factor} and min.insync.replicas=1",
            )


def _unclean_election(subject: Subject) -> Iterator[Hit]:
    for topic in subject.topics:
        if topic.settings.text("unclean.leader.election.enable") == "true":
            yield Hit(topic.at("unclean.leader.election.enable"), "unclean elections are allowed")


def _no_retries(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        if producer.settings.sets("retries") and producer.settings.number("retries") == 0:
            yield Hit(producer.at("retries"), "retries=0")


def _no_acks(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        if producer.settings.text("acks") == "0":
            yield Hit(producer.at("acks"), "acks=0, so that acked means written to the socket")


def _compacted_without_keys(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        if producer.topic is None or producer.spec is None or not _compacts(producer.topic.settings):
            continue
        keys = producer.spec.records.keys
        if keys.kind == "none" or keys.null_share > 0:
            yield Hit(f"{producer.path}.records.keys", "records without a key to a compacted topic")


def _compacts(settings: Settings) -> bool:
    return "compact" in settings.text("cleanup.policy")


def _tombstones_without_compaction(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        topic, spec = producer.topic, producer.spec
        if topic is None or spec is None or topic.existing or not spec.records.tombstones:
            continue
        if not _compacts(topic.settings):
            yield Hit(
                f"{producer.path}.records.tombstones",
                f"tombstones to a topic with cleanup.policy={topic.settings.text('cleanup.policy')}",
            )


RULES: Final = (
    Rule(
        "acks-below-min-insync",
        "high",
        "Brokers look at min.insync.replicas only where a producer asks for acks=all: with fewer acks a"
        " record may be on one broker alone, whatever the topic says.",
        "Kafka documentation, Topic Configs: min.insync.replicas",
        "acks: all",
        _acks_below_min_insync,
    ),
    Rule(
        "idempotence-without-acks-all",
        "high",
        "An idempotent producer needs the acks of all in-sync replicas; the client refuses to start.",
        "Kafka documentation, Producer Configs: enable.idempotence",
        "acks: all, or enable.idempotence: false",
        _idempotence_without_acks,
    ),
    Rule(
        "idempotence-in-flight",
        "high",
        "Brokers keep the last five batches of a producer to recognise what is sent again; with more in"
        " flight the client refuses to start.",
        "Kafka documentation, Producer Configs: enable.idempotence",
        "max.in.flight.requests.per.connection: 5, or less",
        _idempotence_in_flight,
    ),
    Rule(
        "compacted-without-keys",
        "high",
        "A compacted topic keeps the last record of each key: brokers refuse records that have none.",
        "Kafka documentation, Design: Log Compaction",
        "give the records keys, or the topic cleanup.policy: delete",
        _compacted_without_keys,
    ),
    Rule(
        "unclean-election",
        "high",
        "A replica that is behind may become leader: records that were acked are gone, also with acks=all.",
        "Kafka documentation, Topic Configs: unclean.leader.election.enable",
        "unclean.leader.election.enable: false",
        _unclean_election,
    ),
    Rule(
        "no-acks",
        "high",
        "With acks=0 no broker answers: publish latency ends at the socket, lost records count as acked, and"
        " retries do nothing.",
        "Kafka documentation, Producer Configs: acks",
        "acks: all, or 1",
        _no_acks,
    ),
    Rule(
        "one-replica-called-durable",
        "high",
        "With one replica acks=all is the ack of one broker: its disk is the only copy.",
        "Kafka documentation, Design: Replication",
        "replication_factor: 3 and min.insync.replicas: 2, or leave the word out",
        _one_replica_called_durable,
    ),
    Rule(
        "promise-without-idempotence",
        "medium",
        "A retry after an ack that got lost writes the record again, and a retry may come behind the records"
        " after it: the threshold then fails for what the producer does.",
        "librdkafka, INTRODUCTION.md: Idempotent Producer",
        "enable.idempotence: true",
        _promises_without_idempotence,
    ),
    Rule(
        "reordering-retries",
        "medium",
        "A batch that is sent again may come behind later ones, and may be there twice.",
        "Kafka documentation, Producer Configs: max.in.flight.requests.per.connection",
        "enable.idempotence: true",
        _reordering_retries,
    ),
    Rule(
        "no-retries",
        "medium",
        "A leader that moves, which every restart of a broker brings about, then costs records.",
        "Kafka documentation, Producer Configs: retries",
        "leave retries out, and set delivery.timeout.ms instead",
        _no_retries,
    ),
    Rule(
        "no-spare-replica",
        "medium",
        "One broker that is away, for a restart also, ends all writes with NOT_ENOUGH_REPLICAS.",
        "Kafka documentation, Topic Configs: min.insync.replicas",
        "min.insync.replicas: one less than replication_factor",
        _no_spare_replica,
    ),
    Rule(
        "unreachable-min-insync",
        "high",
        "No write with acks=all can have as many replicas in sync: each fails with NOT_ENOUGH_REPLICAS.",
        "Kafka documentation, Topic Configs: min.insync.replicas",
        "min.insync.replicas: at most the replication factor, better one less",
        _unreachable_min_insync,
    ),
    Rule(
        "one-in-sync-is-enough",
        "medium",
        "All in-sync replicas may be one: when the others fall behind, acks=all is the ack of the leader"
        " alone.",
        "Kafka documentation, Topic Configs: min.insync.replicas",
        "min.insync.replicas: 2",
        _one_in_sync_is_enough,
    ),
    Rule(
        "tombstones-without-compaction",
        "low",
        "A tombstone deletes its key by compaction; elsewhere it is a record without a value.",
        "Kafka documentation, Design: Log Compaction",
        "cleanup.policy: compact, or no tombstones",
        _tombstones_without_compaction,
    ),
)
"""What an ack promises."""

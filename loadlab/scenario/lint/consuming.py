"""Rules about consumers: who reads what, when a fetch is answered, and when a member is taken for dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.client.settings import LATEST, TopicSettings, most_holders
from loadlab.scenario.lint.limits import END_TO_END, latency_limits
from loadlab.scenario.lint.rule import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.lint.subject import Consumer, Subject

_HEARTBEATS_A_SESSION: Final = 3


def _idle_members(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        topic = consumer.topic
        if subject.scenario is None or consumer.spec is None or topic is None or topic.existing:
            continue
        workers, spec = consumer.spec.workers, subject.scenario.topics[consumer.spec.topic]
        topics = [TopicSettings(consumer.spec.topic, spec.partitions)] * spec.count
        if workers > most_holders(consumer.spec.config, topics):
            partitions = f"{spec.partitions} partition{'s' if spec.partitions > 1 else ''}"
            by_range = f" in each of {spec.count} topics, which range gives to the same members"
            few = workers <= spec.partitions * spec.count
            yield Hit(
                f"{consumer.path}.workers", f"{workers} workers for {partitions}{by_range if few else ''}"
            )


def _waiting_fetch(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        wanted, longest_ms = (
            consumer.settings.number(name) or 0 for name in ("fetch.min.bytes", "fetch.wait.max.ms")
        )
        bytes_per_s = _bytes_per_s(subject, consumer)
        if wanted <= 1 or bytes_per_s is None:
            continue
        wait_ms = min(longest_ms, wanted / bytes_per_s * 1000) if bytes_per_s else longest_ms
        for limit in latency_limits(subject, consumer=consumer.name):
            if limit.metric == END_TO_END and wait_ms * 1000 >= limit.value_us:
                yield Hit(
                    consumer.at("fetch.min.bytes"),
                    f"a fetch waits {wait_ms:.0f} ms for {wanted:.0f} B, beside {limit.expression}",
                )


def _bytes_per_s(subject: Subject, consumer: Consumer) -> float | None:
    """What comes in at most for a consumer; None where a producer's rate or size is not known."""
    total = 0.0
    for producer in subject.producers:
        if producer.topic is consumer.topic:
            if producer.peak_per_s is None or producer.mean_bytes is None:
                return None
            total += producer.peak_per_s * producer.mean_bytes
    return total


def _rare_heartbeats(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        session, heartbeat = (
            consumer.settings.number(name) for name in ("session.timeout.ms", "heartbeat.interval.ms")
        )
        if session and heartbeat and heartbeat * _HEARTBEATS_A_SESSION > session:
            yield Hit(
                consumer.at("heartbeat.interval.ms"),
                f"a heartbeat each {heartbeat:.0f} ms in a session of {session:.0f} ms",
            )


def _short_poll_interval(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        poll, session = (
            consumer.settings.number(name) for name in ("max.poll.interval.ms", "session.timeout.ms")
        )
        if poll and session and poll < session:
            yield Hit(
                consumer.at("max.poll.interval.ms"),
                f"max.poll.interval.ms={poll:.0f} is less than session.timeout.ms={session:.0f}",
            )


def _starts_at_the_end(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        reset = consumer.settings.text("auto.offset.reset")
        is_new = consumer.topic is not None and not consumer.topic.existing
        if is_new and reset in {*LATEST, "error"}:
            nothing = ": a new group has no offset, and reads nothing" if reset == "error" else ""
            yield Hit(consumer.at("auto.offset.reset"), f"auto.offset.reset={reset}{nothing}")


def _behind_open_transactions(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        existing = consumer.topic is not None and consumer.topic.existing
        committed = consumer.settings.text("isolation.level") == "read_committed"
        if existing and committed and not consumer.settings.sets("isolation.level"):
            yield Hit(consumer.at("isolation.level"), "read_committed, librdkafka's default")


def _small_fetch(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        whole, part = (
            consumer.settings.number(name) for name in ("fetch.max.bytes", "max.partition.fetch.bytes")
        )
        given = consumer.settings.sets("fetch.max.bytes", "max.partition.fetch.bytes")
        if given and whole is not None and part is not None and whole < part:
            yield Hit(
                consumer.at("fetch.max.bytes"),
                f"fetch.max.bytes={whole:.0f} is less than max.partition.fetch.bytes={part:.0f}",
            )


def _gone_before_it_is_read(subject: Subject) -> Iterator[Hit]:
    for consumer in subject.consumers:
        kept_ms = None if consumer.topic is None else consumer.topic.settings.number("retention.ms")
        late_s = 0.0 if consumer.spec is None else consumer.spec.start_after_s or 0.0
        if consumer.topic is not None and kept_ms is not None and 0 <= kept_ms < late_s * 1000:
            yield Hit(
                consumer.topic.at("retention.ms"),
                f"records are kept for {units.format_duration(kept_ms / 1000)}, and"
                f" {consumer.name} starts after {units.format_duration(late_s)}",
            )


RULES: Final = (
    Rule(
        "gone-before-it-is-read",
        "high",
        "Closed segments may be deleted before the group reads them: records look lost that nothing lost.",
        "Kafka documentation, Topic Configs: retention.ms",
        "a retention.ms beyond the end of the run",
        _gone_before_it_is_read,
    ),
    Rule(
        "starts-at-the-end",
        "high",
        "What was sent before the group had its partitions is never read: it counts as earlier, and lag and"
        " end-to-end latency are those of the rest.",
        "Kafka documentation, Consumer Configs: auto.offset.reset",
        "auto.offset.reset: earliest",
        _starts_at_the_end,
    ),
    Rule(
        "short-poll-interval",
        "high",
        "A member is out of the group for polling late before it can be for silence; librdkafka refuses it.",
        "librdkafka, CONFIGURATION.md: max.poll.interval.ms",
        "max.poll.interval.ms: at least session.timeout.ms",
        _short_poll_interval,
    ),
    Rule(
        "idle-members",
        "medium",
        "A partition has one reader in a group: the members beyond the partitions read nothing.",
        "Kafka documentation, Design: The Consumer",
        "as many partitions as workers at least",
        _idle_members,
    ),
    Rule(
        "waiting-fetch",
        "medium",
        "A broker answers a fetch when fetch.min.bytes are there or fetch.wait.max.ms is over: that alone"
        " takes as long as the threshold allows.",
        "Kafka documentation, Consumer Configs: fetch.min.bytes",
        "fetch.min.bytes: 1, or a fetch.wait.max.ms well below the limit",
        _waiting_fetch,
    ),
    Rule(
        "rare-heartbeats",
        "medium",
        "Two heartbeats that are late, by a pause of a broker or a client, already end a member's session:"
        " the group rebalances and reads nothing meanwhile.",
        "Kafka documentation, Consumer Configs: heartbeat.interval.ms",
        "heartbeat.interval.ms: a third of session.timeout.ms at most",
        _rare_heartbeats,
    ),
    Rule(
        "small-fetch",
        "low",
        "A fetch ends at fetch.max.bytes, so the larger limit of a partition is never reached.",
        "Kafka documentation, Consumer Configs: fetch.max.bytes",
        "fetch.max.bytes: max.partition.fetch.bytes or more",
        _small_fetch,
    ),
    Rule(
        "behind-open-transactions",
        "low",
        "On a topic that others write to, records wait behind their open transactions; Java's consumers read"
        " uncommitted ones unless told otherwise.",
        "librdkafka, CONFIGURATION.md: isolation.level",
        "name the isolation.level that the real consumer has",
        _behind_open_transactions,
    ),
)
"""How consumers read."""

"""Rules about producers: batching, compression, timeouts and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.scenario.lint.limits import END_TO_END, latency_limits
from loadlab.scenario.lint.rule import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.lint.subject import Producer, Subject

_SMALL_BYTES: Final = 1024
_HIGH_RATE_PER_S: Final = 10_000
_HARDLY_COMPRESSIBLE: Final = 0.1
_LEVELS: Final = {"gzip": 9, "lz4": 12, "zstd": 12}
_COSTLY_ZSTD_LEVEL: Final = 10


def _no_linger(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        rate, size = producer.peak_per_s or 0, producer.mean_bytes
        small = size is not None and size <= _SMALL_BYTES
        if producer.settings.number("linger.ms") == 0 and small and rate >= _HIGH_RATE_PER_S:
            yield Hit(
                producer.at("linger.ms"),
                f"linger.ms=0 with {units.format_rate(rate)} of {size:.0f} B",
            )


def _unreachable_batch(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        most, limit, size = (
            producer.settings.number("batch.num.messages"),
            producer.settings.number("batch.size"),
            producer.mean_bytes,
        )
        if not producer.settings.sets("batch.size", "batch.num.messages") or size is None:
            continue
        if most is not None and limit is not None and most * size < limit:
            yield Hit(
                producer.at("batch.size"),
                f"batch.size={limit:.0f}, but {most:.0f} records (batch.num.messages) of {size:.0f} B are"
                f" {most * size:.0f} B",
            )


def _linger_beyond_limit(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        linger_ms = producer.settings.number("linger.ms") or 0
        for limit in latency_limits(subject, producer=producer.name):
            if limit.metric != END_TO_END and linger_ms * 1000 >= limit.value_us > 0:
                yield Hit(
                    producer.at("linger.ms"),
                    f"linger.ms={linger_ms:g} beside {limit.expression}",
                )


def _compressed_noise(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        codec = producer.settings.text("compression.type")
        spec = producer.spec
        if spec is not None and codec != "none" and spec.records.compressibility < _HARDLY_COMPRESSIBLE:
            yield Hit(
                producer.at("compression.type"),
                f"{codec} for records with compressibility {spec.records.compressibility:g}",
            )


def _recompressed(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        if producer.topic is None or producer.topic.existing:
            continue
        wanted = producer.topic.settings.text("compression.type")
        sent = producer.settings.text("compression.type")
        if wanted not in {"producer", sent} and (wanted, sent) != ("uncompressed", "none"):
            yield Hit(
                producer.topic.at("compression.type"),
                f"the topic keeps {wanted}, the producer sends {sent}",
            )


def _level_of_nothing(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        level, codec = (
            producer.settings.number("compression.level"),
            producer.settings.text("compression.type"),
        )
        if level is not None and level > _LEVELS.get(codec, 0):
            yield Hit(producer.at("compression.level"), f"level {level:.0f} of codec {codec}")


def _costly_level(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        level = producer.settings.number("compression.level") or 0
        if producer.settings.text("compression.type") == "zstd" and level >= _COSTLY_ZSTD_LEVEL:
            yield Hit(producer.at("compression.level"), f"zstd at level {level:.0f}")


def _other_partitioner(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        spec = producer.spec
        keyed = spec is not None and spec.records.keys.kind != "none" and spec.records.partition is None
        one = producer.topic is not None and producer.topic.partitions == 1
        if keyed and not one and not producer.settings.sets("partitioner"):
            yield Hit(
                producer.at("partitioner"),
                "keys are placed by librdkafka's consistent_random, which is not Java's murmur2",
            )


def _short_delivery(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        names = ("delivery.timeout.ms", "linger.ms", "request.timeout.ms", "socket.timeout.ms")
        delivery, linger, asked, own = (producer.settings.number(name) for name in names)
        # librdkafka's client gives a request up by a time of its own.
        request = min((each for each in (asked, own) if each), default=None)
        if delivery and linger is not None and request is not None and delivery < linger + request:
            yield Hit(
                producer.at("delivery.timeout.ms"),
                f"delivery.timeout.ms={delivery:.0f} is less than linger.ms +"
                f" {'socket' if request == own else 'request'}.timeout.ms = {linger + request:.0f}",
            )


def _short_queue(subject: Subject) -> Iterator[Hit]:
    """By Little's law, rate times latency is how many records are on their way at once."""
    for producer in subject.producers:
        rate, workers = producer.peak_per_s, producer.spec.workers if producer.spec else 1
        for limit in latency_limits(subject, producer=producer.name) if rate else ():
            room = _room(producer)
            waiting = (rate or 0) / workers * limit.value_us / 1e6
            if limit.metric == "publish_latency" and room is not None and room[1] < waiting:
                yield Hit(
                    producer.at(room[0]),
                    f"room for {room[1]:.0f} records; a worker has {waiting:.0f} on their way at"
                    f" {limit.expression}",
                )


def _room(producer: Producer) -> tuple[str, float] | None:
    """The property that limits how many records the client's queue holds, and how many that are."""
    size = producer.mean_bytes
    kbytes, most = (
        producer.settings.number(f"queue.buffering.max.{unit}") for unit in ("kbytes", "messages")
    )
    rooms = []
    if most:  # 0 is no limit
        rooms.append(("queue.buffering.max.messages", most))
    if kbytes and size:
        rooms.append(("queue.buffering.max.kbytes", kbytes * 1024 / size))
    return min(rooms, key=lambda room: room[1]) if rooms else None


def _nagle(subject: Subject) -> Iterator[Hit]:
    for client in (*subject.producers, *subject.consumers):
        if client.settings.text("socket.nagle.disable") == "false":
            yield Hit(client.at("socket.nagle.disable"), "Nagle's algorithm is on")


def _larger_than_the_topic_takes(subject: Subject) -> Iterator[Hit]:
    for producer in subject.producers:
        taken = producer.topic.settings.number("max.message.bytes") if producer.topic else None
        largest = _largest_batch(producer)
        if producer.topic and taken is not None and largest is not None and largest[1] > taken:
            yield Hit(
                producer.at(largest[0]),
                f"batches of up to {largest[1]:.0f} B, the topic takes {taken:.0f} B"
                f" ({producer.topic.at('max.message.bytes')})",
            )


def _largest_batch(producer: Producer) -> tuple[str, float] | None:
    """The property that limits a batch, and how many bytes that leaves at least after compression."""
    most, size = producer.settings.number("batch.num.messages"), producer.mean_bytes
    limits = {name: producer.settings.number(name) for name in ("batch.size", "message.max.bytes")}
    limits["batch.num.messages"] = most * size if most and size else None
    known = [(limit, name) for name, limit in limits.items() if limit is not None]
    if not known or producer.spec is None:
        return None
    limit, name = min(known, key=lambda each: each[0])
    plain = producer.settings.text("compression.type") == "none"
    return name, limit * (1 if plain else 1 - producer.spec.records.compressibility)


def _one_in_flight(subject: Subject) -> Iterator[Hit]:
    name = "max.in.flight.requests.per.connection"
    for producer in subject.producers:
        if producer.settings.sets(name) and producer.settings.number(name) == 1:
            yield Hit(producer.at(name), "one request in flight")


RULES: Final = (
    Rule(
        "delivery-timeout",
        "high",
        "A record is given up before its first request may time out: nothing is ever sent again, and Java's"
        " producer refuses to start.",
        "Kafka documentation, Producer Configs: delivery.timeout.ms",
        "delivery.timeout.ms: at least linger.ms + request.timeout.ms",
        _short_delivery,
    ),
    Rule(
        "linger-beyond-limit",
        "high",
        "A record may wait for company as long as linger.ms: the limit is spent before anything is sent.",
        "librdkafka, CONFIGURATION.md: linger.ms",
        "a linger.ms well below the limit",
        _linger_beyond_limit,
    ),
    Rule(
        "larger-than-the-topic-takes",
        "high",
        "A full batch is refused with MSG_SIZE_TOO_LARGE, and all records in it are lost.",
        "Kafka documentation, Topic Configs: max.message.bytes",
        "a batch.size of no more than the topic takes, or a topic that takes more",
        _larger_than_the_topic_takes,
    ),
    Rule(
        "no-linger",
        "medium",
        "Each record may become a request of its own: requests, not bytes, are what brokers and clients spend"
        " their CPU on.",
        "Kafka documentation, Producer Configs: linger.ms",
        "linger.ms: 5, or measure with and without",
        _no_linger,
    ),
    Rule(
        "unreachable-batch",
        "medium",
        "A batch is full at batch.num.messages records already, so batch.size is never reached.",
        "librdkafka, CONFIGURATION.md: batch.num.messages",
        "raise batch.num.messages, or lower batch.size",
        _unreachable_batch,
    ),
    Rule(
        "short-queue",
        "medium",
        "The client's queue is full before latency is at its limit: records wait outside, and the run tells"
        " of saturation rather than of latency.",
        "librdkafka, CONFIGURATION.md: queue.buffering.max.messages, queue.buffering.max.kbytes",
        "more room, more workers, or a lower limit",
        _short_queue,
    ),
    Rule(
        "compressed-noise",
        "medium",
        "Random bytes don't get smaller: the codec's CPU is spent for nothing, and the figures say nothing of"
        " compression.",
        "librdkafka, INTRODUCTION.md: Compression",
        "compression.type: none, or a compressibility like that of real records",
        _compressed_noise,
    ),
    Rule(
        "recompressed",
        "medium",
        "The broker unpacks every batch and packs it again, on the way to the ack.",
        "Kafka documentation, Topic Configs: compression.type",
        "compression.type: producer at the topic, or the same codec at both",
        _recompressed,
    ),
    Rule(
        "level-of-nothing",
        "medium",
        "The codec has no such level: it is ignored or refused.",
        "librdkafka, CONFIGURATION.md: compression.level",
        "a level of the codec in use, or none",
        _level_of_nothing,
    ),
    Rule(
        "costly-level",
        "low",
        "Higher levels cost more CPU for less and less gain; zstd's own default is 3.",
        "librdkafka, CONFIGURATION.md: compression.level",
        "level 3, or measure both",
        _costly_level,
    ),
    Rule(
        "nagle",
        "medium",
        "Small requests wait for the ack of the packet before them, up to 40 ms on Linux where the other end"
        " delays acks.",
        "librdkafka, CONFIGURATION.md: socket.nagle.disable",
        "socket.nagle.disable: true, the default",
        _nagle,
    ),
    Rule(
        "one-in-flight",
        "low",
        "The next request waits for the answer to the last one; an idempotent producer keeps the order with"
        " five in flight.",
        "Kafka documentation, Producer Configs: enable.idempotence",
        "enable.idempotence: true and max.in.flight.requests.per.connection: 5",
        _one_in_flight,
    ),
    Rule(
        "other-partitioner",
        "low",
        "Java's producers place a key by murmur2, librdkafka's by CRC32: the same key lands elsewhere, and"
        " skew may be other than in production.",
        "librdkafka, CONFIGURATION.md: partitioner",
        "partitioner: murmur2_random to place keys as Java's producers do, or name another one",
        _other_partitioner,
    ),
)
"""How producers send."""

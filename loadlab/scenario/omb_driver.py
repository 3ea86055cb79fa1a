"""OpenMessaging Benchmark's Kafka driver file: replication, and blocks of properties.

Meanings are those of its KafkaBenchmarkDriver.java, defaults those of kafka-clients 3.6.1, which it is built
with: where a block leaves something out that librdkafka would do otherwise, the scenario says it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from loadlab.client.java_translation import Translated, of_another_codec, translated
from loadlab.client.properties import PropertyProblem
from loadlab.hints import HintedError
from loadlab.scenario import kafka_properties, properties_text
from loadlab.scenario.cluster import DEFAULT_KAFKA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.client.property_table import Client
    from loadlab.scenario.omb_keys import Keys

KNOWN: Final = (
    "name",
    "driverClass",
    "replicationFactor",
    "reset",
    "topicConfig",
    "commonConfig",
    "producerConfig",
    "consumerConfig",
)
_DRIVER: Final = "io.openmessaging.benchmark.driver.kafka.KafkaBenchmarkDriver"
_SECURITY: Final = ("security.", "sasl.", "ssl.")
_ASSIGNOR: Final = "partition.assignment.strategy"
_IN_FLIGHT: Final = "max.in.flight.requests.per.connection"
_JAVA_S: Final[Mapping[str, str]] = {
    "acks": "all",
    "linger.ms": "0",
    "batch.size": "16384",
    _IN_FLIGHT: "5",
    "message.max.bytes": "1048576",
    "queue.buffering.max.kbytes": "32768",
    "queue.buffering.max.messages": "0",
}
"""Java's producer where it is told nothing; buffer.memory, which is its only limit, and max.request.size by
librdkafka's names."""

_WHOLE: Final = re.compile("[0-9]{1,10}")
_DELIVERY_TIMEOUT_MS: Final = 120_000
_MOST_MS: Final = 2**31 - 1
_REQUEST_TIMEOUT_MS: Final = 30_000
_MOST_IN_FLIGHT: Final = 5  # with idempotence
_LIBRDKAFKA_BATCH_RECORDS: Final = 10_000
_MOST_BATCH_RECORDS: Final = "1000000"


def check_driver(keys: Keys) -> None:
    """Refuses drivers of other systems than Kafka."""
    given = keys.text("driverClass")
    if given != _DRIVER:
        keys.refused("driverClass", "is not Kafka's driver; loadlab loads Kafka", blocks=True)
    if keys.has("reset"):
        keys.mapped("reset", "nothing: a run makes its topics and takes away no others")
    keys.mapped("driverClass", "Kafka; the client is librdkafka where OMB's is Java's")


def replication_factor(keys: Keys) -> int:
    """How many replicas, and so how many brokers an own cluster needs."""
    factor = keys.whole("replicationFactor")
    if factor < 1:
        keys.refused("replicationFactor", "must be 1 or more", blocks=True)
        return 1
    keys.mapped(
        "replicationFactor", f"topics.test-topic.replication_factor: {factor}, and cluster.brokers: {factor}"
    )
    return factor


def topic_config(keys: Keys) -> dict[str, str]:
    """The topics' properties."""
    config = {}
    for name, value in _block(keys, "topicConfig").items():
        found = kafka_properties.resolve_property("topic", DEFAULT_KAFKA_VERSION, name, value)
        if isinstance(found, PropertyProblem):
            keys.refused(f"topicConfig.{name}", found.message)
        else:
            keys.mapped(f"topicConfig.{name}", f"topics.test-topic.config: {found}")
            config[name] = found
    return config


def producer_config(keys: Keys, *, keyed: bool, smallest_bytes: int) -> dict[str, str]:
    """The producers' properties, with Java's defaults where librdkafka has others."""
    config = _client_config(keys, "producer")
    for name, value in _JAVA_S.items():
        if name not in config:
            _default(keys, config, name, value)
    if "delivery.timeout.ms" not in config:
        _default(keys, config, "delivery.timeout.ms", _delivery_timeout_ms(keys, config))
    if "enable.idempotence" not in config:
        _default(keys, config, "enable.idempotence", _idempotent(config))
    if keyed and "partitioner" not in config:
        _default(keys, config, "partitioner", "murmur2_random")
    if int(config["batch.size"]) > _LIBRDKAFKA_BATCH_RECORDS * max(smallest_bytes, 1):
        _default(keys, config, "batch.num.messages", _MOST_BATCH_RECORDS)
    return config


def consumer_config(keys: Keys, topics: int) -> dict[str, str]:
    """The consumers' properties; where OMB's driver says nothing, Java and librdkafka fetch alike.

    OMB has consumers of each topic by itself. Those of loadlab read all, and share them evenly by an assignor
    that does not begin with the same member for each.
    """
    config = _client_config(keys, "consumer")
    if topics > 1 and _ASSIGNOR not in config and "group.protocol" not in config:
        config[_ASSIGNOR] = "roundrobin"
        told = f"roundrobin: each worker reads of all {topics:,} topics"
        keys.defaulted(f"consumerConfig.{_ASSIGNOR}", told)
    return config


def _default(keys: Keys, config: dict[str, str], name: str, value: str) -> None:
    config[name] = value
    keys.defaulted(f"producerConfig.{name}", f"{value}: what Java's producer does")


def _delivery_timeout_ms(keys: Keys, config: Mapping[str, str]) -> str:
    """Java's producer waits longer than its two minutes where linger.ms and request.timeout.ms ask for it.

    That holds for a request.timeout.ms, too, that librdkafka does not take.
    """
    given = {**_block(keys, "commonConfig"), **_block(keys, "producerConfig")}
    request = given.get("request.timeout.ms", "")
    request_ms = int(request) if _WHOLE.fullmatch(request) else _REQUEST_TIMEOUT_MS
    longest_ms = max(_DELIVERY_TIMEOUT_MS, round(float(config["linger.ms"]) + request_ms))
    return str(min(longest_ms, _MOST_MS))


def _idempotent(config: Mapping[str, str]) -> str:
    """Java's producer is idempotent unless something that it was told forbids it."""
    fits = config["acks"] in {"all", "-1"} and int(config[_IN_FLIGHT]) <= _MOST_IN_FLIGHT
    return "true" if fits and config.get("retries") != "0" else "false"


def _client_config(keys: Keys, client: Client) -> dict[str, str]:
    """What a client is given: the common block, and its own over it."""
    config: dict[str, str] = {}
    blocks = {block: _block(keys, block) for block in ("commonConfig", f"{client}Config")}
    codec = blocks[f"{client}Config"].get("compression.type", "none").lower()
    for block, properties in blocks.items():
        for name, value in properties.items():
            label = f"{block}.{name}"
            if _of_cluster(keys, label, name):
                continue
            label = f"{label} ({client}s)" if block == "commonConfig" else label
            found = translated(client, name, value)
            if of_another_codec(name, codec):
                keys.refused(label, "is the level of another codec than compression.type")
            elif isinstance(found, Translated):
                config[found.name] = found.value
                keys.mapped(label, f"{found.name}: {found.value}")
            else:
                keys.refused(label, found.reason)
    return config


def _of_cluster(keys: Keys, label: str, name: str) -> bool:
    """Whether a property says where and how to connect, which is the cluster's part."""
    if name == "bootstrap.servers":
        why = "loadlab starts a cluster of its own; for this one set cluster.provider: external"
        keys.refused(label, why)
        return True
    if name.startswith(_SECURITY):
        keys.refused(label, "belongs in a file of its own: `loadlab run --client-properties FILE`")
        return True
    return False


def _block(keys: Keys, key: str) -> dict[str, str]:
    """The properties of a block."""
    if keys.has(key) and not isinstance(keys.data[key], str):
        keys.refused(key, "must be a text of key=value lines, as a | after the colon makes it", blocks=True)
        return {}
    try:
        return {each.key: each.value for each in properties_text.entries(keys.text(key))}
    except HintedError as error:
        keys.refused(key, str(error), blocks=True)
        return {}

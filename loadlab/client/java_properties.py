"""Properties of Java's clients that librdkafka has under another name, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTERPARTS: Final[Mapping[str, str]] = {
    "buffer.memory": "queue.buffering.max.kbytes",
    "compression.gzip.level": "compression.level",
    "compression.lz4.level": "compression.level",
    "compression.zstd.level": "compression.level",
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "max.request.size": "message.max.bytes",
    "partitioner.class": "partitioner",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "sasl.jaas.config": "sasl.username",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms": "socket.connection.setup.timeout.ms",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.truststore.location": "ssl.ca.location",
}
"""Java's name of a property, and librdkafka's."""

NOTES: Final[Mapping[str, str]] = {
    "buffer.memory": "in KiB instead of bytes",
    "partitioner.class": "with a name such as murmur2_random instead of a class",
    "sasl.jaas.config": "with sasl.password beside it",
    "ssl.truststore.location": "with a PEM file instead of a JKS store",
}
"""What else differs between a property and its counterpart."""

_BYTES: Final = "records are bytes here; nothing is serialized"
_BATCHES: Final = "librdkafka hands records over in batches of the engine's choosing"
_METRICS: Final = "loadlab measures by itself"
_JAVA_CODE: Final = "it names Java code"

WITHOUT_COUNTERPART: Final[Mapping[str, str]] = {
    "auto.include.jmx.reporter": _METRICS,
    "config.providers": _JAVA_CODE,
    "default.api.timeout.ms": "librdkafka has socket.timeout.ms for all requests",
    "exclude.internal.topics": "a consumer reads the topics that its group names",
    "interceptor.classes": _JAVA_CODE,
    "key.deserializer": _BYTES,
    "key.serializer": _BYTES,
    "max.block.ms": "schedule.when_full says what happens when the client's queue is full",
    "max.poll.records": _BATCHES,
    "metric.reporters": _METRICS,
    "metrics.num.samples": _METRICS,
    "metrics.recording.level": _METRICS,
    "metrics.sample.window.ms": _METRICS,
    "partitioner.adaptive.partitioning.enable": "librdkafka's partitioners don't adapt to slow brokers",
    "partitioner.availability.timeout.ms": "librdkafka's partitioners don't adapt to slow brokers",
    "partitioner.ignore.keys": "choose a partitioner that ignores keys: partitioner: random",
    "sasl.client.callback.handler.class": _JAVA_CODE,
    "sasl.login.callback.handler.class": _JAVA_CODE,
    "sasl.login.class": _JAVA_CODE,
    "security.providers": _JAVA_CODE,
    "ssl.enabled.protocols": "OpenSSL chooses the protocol",
    "ssl.engine.factory.class": _JAVA_CODE,
    "ssl.keymanager.algorithm": _JAVA_CODE,
    "ssl.keystore.type": "librdkafka reads PKCS#12 (ssl.keystore.location) and PEM (ssl.key.location)",
    "ssl.protocol": "OpenSSL chooses the protocol",
    "ssl.provider": _JAVA_CODE,
    "ssl.trustmanager.algorithm": _JAVA_CODE,
    "ssl.truststore.password": "a PEM file (ssl.ca.location) has none",
    "ssl.truststore.type": "librdkafka reads PEM (ssl.ca.location)",
    "value.deserializer": _BYTES,
    "value.serializer": _BYTES,
}
"""Java's properties that nothing in librdkafka corresponds to, each with the reason."""

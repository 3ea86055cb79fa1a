"""Checks of the cluster, and of what topics ask of it."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from loadlab import units
from loadlab.client.property_table import NEW_PROTOCOL
from loadlab.errors import UsageError
from loadlab.scenario.client_properties import read_client_properties
from loadlab.scenario.cluster import KAFKA_PROVIDERS, ClusterSpec, is_loopback, set_aside
from loadlab.scenario.finding import found
from loadlab.scenario.kafka_properties import is_kafka_3
from loadlab.scenario.providers import refusal
from loadlab.scenario.shape import keys
from loadlab.scenario.source import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.document import Path
    from loadlab.scenario.finding import Finding, View

_PROVIDER = ("cluster", "provider")
_SECURITY = "security.protocol"
_SESSION = "session.timeout.ms"
_SESSION_LIMITS = (
    ("group.min.session.timeout.ms", "6000", "least", operator.lt),
    ("group.max.session.timeout.ms", "1800000", "most", operator.gt),
)
"""What classic groups may ask for, and Kafka's defaults."""

_MIN_INSYNC = "min.insync.replicas"
_OFFSETS_COPIES = "offsets.topic.replication.factor"
_PROTOCOLS = "group.coordinator.rebalance.protocols"


def provider_fields(view: View) -> Iterator[Finding]:
    """Each field belongs to the provider beside it."""
    cluster = view.data.get("cluster")
    if not isinstance(cluster, Mapping):
        return
    provider = view.scenario.cluster.provider
    known = keys((ClusterSpec,))
    for path in set_aside(cluster, provider):
        if path[0] in known:
            yield found(("cluster", *path), refusal(path, provider), about=(_PROVIDER,), at_key=True)


def external_target(view: View) -> Iterator[Finding]:
    """An external cluster has an address, and one that is not this machine has our user's consent."""
    cluster = view.scenario.cluster
    servers = ("cluster", "bootstrap_servers")
    if cluster.provider != "external":
        return
    if cluster.bootstrap_servers is None:
        yield found(servers, "is required for provider external", about=(_PROVIDER,))
        return
    away = [target for target in cluster.bootstrap_servers.split(",") if not is_loopback(target)]
    if away and cluster.cluster_id is None:
        message = (
            f"{away[0].strip()} is not this machine: put load on it only with consent, "
            "by giving the cluster's id as cluster.cluster_id"
        )
        yield found(servers, message, about=(_PROVIDER, ("cluster", "cluster_id")))


def client_properties_file(view: View) -> Iterator[Finding]:
    """The file of client properties is there, and librdkafka can be given what it holds."""
    cluster = view.scenario.cluster
    given, path = cluster.client_properties, ("cluster", "client_properties")
    if given is None:
        return
    if is_missing(given):
        yield found(path, f"no such file: {given}", about=(_PROVIDER,))
        return
    try:
        read_client_properties(given, cluster.bootstrap_servers)
    except UsageError as error:
        fix = f"; fix: {error.fix}" if error.fix else ""
        yield found(path, f"{error.message}{fix}", about=(_PROVIDER, ("cluster", "bootstrap_servers")))


def heap_within_memory(view: View) -> Iterator[Finding]:
    """A broker's heap leaves room for what a JVM needs besides, and for the page cache."""
    resources = view.scenario.cluster.resources
    if resources is None or resources.heap_bytes is None or resources.memory_bytes is None:
        return
    if resources.heap_bytes >= resources.memory_bytes:
        heap, memory = units.format_size(resources.heap_bytes), units.format_size(resources.memory_bytes)
        message = f"a heap of {heap} leaves no room in memory of {memory} for what a JVM needs besides"
        yield found(("cluster", "resources", "heap"), message, about=(("cluster", "resources", "memory"),))


def group_protocols(view: View) -> Iterator[Finding]:
    """Consumer groups use a protocol that the brokers speak: KIP-848's is on from Kafka 4.0."""
    cluster = view.scenario.cluster
    if cluster.provider not in KAFKA_PROVIDERS or not is_kafka_3(cluster.kafka_version):
        return
    if NEW_PROTOCOL in cluster.config.get(_PROTOCOLS, ""):
        return
    about: tuple[Path, ...] = (_PROVIDER, ("cluster", "kafka_version"), ("cluster", "config", _PROTOCOLS))
    for name, consumer in view.scenario.consumers.items():
        if consumer.config.get("group.protocol", "").lower() == NEW_PROTOCOL:
            message = f"{NEW_PROTOCOL} needs Kafka 4.0 or later, and the cluster has {cluster.kafka_version}"
            yield found(("consumers", name, "config", "group.protocol"), message, about=about)


def client_protocols(view: View) -> Iterator[Finding]:
    """Clients speak to a cluster of ours as it listens: in plain text."""
    if view.scenario.cluster.provider == "external":
        return
    for path, group in view.groups():
        protocol = group.config.get(_SECURITY, "plaintext")
        if protocol.lower() != "plaintext":
            message = (
                f"{protocol} needs a cluster of yours (external): those started here listen in plain text"
            )
            yield found((*path, "config", _SECURITY), message, about=(_PROVIDER,))


def session_timeouts(view: View) -> Iterator[Finding]:
    """The group coordinator lets a session be as short or long as it is asked to be."""
    cluster = view.scenario.cluster
    if cluster.provider not in KAFKA_PROVIDERS:
        return
    for name, consumer in view.scenario.consumers.items():
        config: Path = ("consumers", name, "config")
        asked = consumer.config.get(_SESSION, "")
        if not units.is_digits(asked) or consumer.config.get("group.protocol", "").lower() == NEW_PROTOCOL:
            continue
        for limit, default_ms, word, beyond in _SESSION_LIMITS:
            allowed = cluster.config.get(limit, default_ms)
            if units.is_digits(allowed) and beyond(int(asked), int(allowed)):
                message = f"{asked} ms are refused by the brokers: {limit} is {allowed}, the {word} they take"
                yield found(
                    (*config, _SESSION),
                    message,
                    about=(_PROVIDER, ("cluster", "config", limit), (*config, "group.protocol")),
                )


def replication(view: View) -> Iterator[Finding]:
    """Replicas have brokers to live on, and writes have enough replicas to be acked."""
    cluster = view.scenario.cluster
    for name, topic in view.scenario.topics.items():
        path: Path = ("topics", name, "replication_factor")
        factor = topic.replication_factor
        if topic.existing or cluster.provider == "external":
            continue
        if factor > cluster.brokers:
            message = f"{factor} replicas need {factor} brokers, and the cluster has {cluster.brokers}"
            yield found(path, message, about=(("cluster", "brokers"), _PROVIDER))
    copies = cluster.config.get(_OFFSETS_COPIES, "1")
    if cluster.provider != "external" and units.is_digits(copies) and int(copies) > cluster.brokers:
        message = f"{copies} replicas need {copies} brokers, and the cluster has {cluster.brokers}"
        yield found(
            ("cluster", "config", _OFFSETS_COPIES), message, about=(("cluster", "brokers"), _PROVIDER)
        )
    yield from _min_insync(view)


def _min_insync(view: View) -> Iterator[Finding]:
    everywhere: Path = ("cluster", "config", _MIN_INSYNC)
    for name, topic in view.scenario.topics.items():
        own: Path = ("topics", name, "config", _MIN_INSYNC)
        path = own if _MIN_INSYNC in topic.config else everywhere
        asked = {**view.scenario.cluster.config, **topic.config}.get(_MIN_INSYNC, "")
        factor = topic.replication_factor
        if not topic.existing and units.is_digits(asked) and int(asked) > factor:
            message = f"{asked} in-sync replicas can't be had: {name} has a replication_factor of {factor}"
            yield found(path, message, about=(("topics", name, "replication_factor"),))

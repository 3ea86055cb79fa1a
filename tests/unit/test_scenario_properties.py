from __future__ import annotations

import pytest

from loadlab.client.properties import PropertyProblem
from loadlab.scenario.kafka_properties import OWNED, definitions, is_owned, resolve_property


@pytest.mark.parametrize(
    ("owner", "name", "value", "plain"),
    [
        ("topic", "retention.ms", "1h", "3600000"),
        ("topic", "retention.ms", "-1", "-1"),
        ("topic", "max.message.bytes", "2MiB", "2097152"),
        ("topic", "cleanup.policy", "compact,delete", "compact,delete"),
        ("topic", "min.cleanable.dirty.ratio", "0.5", "0.5"),
        ("topic", "compression.gzip.level", "-1", "-1"),
        ("broker", "num.io.threads", "4", "4"),
        ("broker", "log.flush.interval.messages", "9223372036854775807", "9223372036854775807"),
        ("broker", "auto.leader.rebalance.enable", "false", "false"),
    ],
)
def test_a_right_property_comes_back_as_kafka_takes_it(owner: str, name: str, value: str, plain: str) -> None:
    assert resolve_property(owner, "4.3.1", name, value) == plain  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("owner", "name", "value", "message"),
    [
        ("broker", "num.io.threads", "0", "must be at least 1"),
        ("broker", "num.io.threads", "2147483648", "must be at most 2147483647"),
        ("broker", "num.io.threads", "9" * 5000, "must be a whole number"),
        ("broker", "log.retention.ms", "9223372036854775808", "must be at most 9223372036854775807"),
        ("topic", "min.cleanable.dirty.ratio", "1.5", "must be at most 1.0"),
        ("topic", "min.cleanable.dirty.ratio", "nan", "must be a number"),
        ("topic", "preallocate", "yes", "must be true or false"),
        ("topic", "compression.type", "none", "must be one of uncompressed"),
        ("topic", "segment.bytes", "1kB", "must be at least"),
    ],
)
def test_a_wrong_value_is_refused(owner: str, name: str, value: str, message: str) -> None:
    found = resolve_property(owner, "4.3.1", name, value)  # type: ignore[arg-type]
    assert isinstance(found, PropertyProblem)
    assert message in found.message


@pytest.mark.parametrize(
    ("owner", "name", "suggestion"),
    [
        ("broker", "num.io.thread", "num.io.threads"),
        ("broker", "retention.ms", "log.retention.ms"),
        ("topic", "log.retention.ms", "retention.ms"),
        ("topic", "min_insync_replicas", "min.insync.replicas"),
    ],
)
def test_an_unknown_name_gets_the_near_one(owner: str, name: str, suggestion: str) -> None:
    found = resolve_property(owner, "4.3.1", name, "1")  # type: ignore[arg-type]
    assert isinstance(found, PropertyProblem)
    assert found.suggestion == suggestion


@pytest.mark.parametrize(
    ("version", "name", "other"),
    [
        ("4.3.1", "inter.broker.protocol.version", "3.9.1"),
        ("4.0.0", "zookeeper.connect", "3.9.1"),
        ("3.9.1", "share.coordinator.threads", "4.3.1"),
    ],
)
def test_a_name_of_another_version_is_told_as_that_and_no_near_one(
    version: str, name: str, other: str
) -> None:
    found = resolve_property("broker", version, name, "1")
    assert isinstance(found, PropertyProblem)
    assert found.message == f"Kafka {version} has no broker property of this name; Kafka {other} has"
    assert found.suggestion is None


def test_each_version_has_its_own_list() -> None:
    assert "share.coordinator.threads" in definitions("broker", "4.3.1")
    assert "share.coordinator.threads" not in definitions("broker", "3.9.1")
    assert "message.format.version" in definitions("topic", "3.9.1")
    assert "message.format.version" not in definitions("topic", "4.0.0")


@pytest.mark.parametrize("name", sorted(OWNED))
def test_what_the_provider_owns_is_known_to_some_kafka_and_refused(name: str) -> None:
    known = {*definitions("broker", "4.3.1"), *definitions("broker", "3.9.1")}
    assert name in known or name == "metadata.log.dir"
    assert is_owned(name)


def test_every_listed_property_can_be_asked_about() -> None:
    for version in ("3.9.1", "4.3.1"):
        for owner in ("topic", "broker"):
            for name in definitions(owner, version):  # type: ignore[arg-type]
                for value in ("", "1", "nonsense", "true"):
                    assert resolve_property(owner, version, name, value) is not None  # type: ignore[arg-type]

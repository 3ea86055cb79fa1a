from __future__ import annotations

import re

import pytest

from loadlab.client.property_table import names_for
from loadlab.scenario import load_document
from loadlab.scenario.kafka_properties import definitions
from loadlab.tuning.java_settings import _RULES, _UNKNOWN, java_setting
from loadlab.tuning.properties_files import Handover, java_properties, librdkafka_properties

VERSION = "4.3.1"
PACKAGE = "org.apache.kafka.clients.consumer"
SCENARIO = {
    "name": "orders",
    "cluster": {
        "provider": "local",
        "config": {"num.io.threads": 16, "socket.send.buffer.bytes": 262144},
        "resources": {"heap": "1GiB"},
    },
    "topics": {"orders": {"partitions": 12, "config": {"min.insync.replicas": 1}}},
    "producers": {
        "checkout": {
            "topic": "orders",
            "schedule": {"rate": "20k/s"},
            "records": {"size": 100},
            "config": {
                "acks": "all",
                "linger.ms": 7.5,
                "batch.size": "256KiB",
                "compression.type": "zstd",
                "compression.level": 3,
                "batch.num.messages": 5000,
                "max.in.flight": 20,
                "queue.buffering.max.kbytes": 65536,
                "sticky.partitioning.linger.ms": 20,
                "socket.send.buffer.bytes": 0,
                "sasl.password": "hunter2",
            },
        }
    },
    "consumers": {
        "billing": {"topic": "orders", "config": {"fetch.wait.max.ms": 20, "fetch.min.bytes": 4096}}
    },
}
BILLING = {"fetch.wait.max.ms": "20", "fetch.min.bytes": "4096"}
CHOSEN = (
    "producers.checkout.config.linger.ms",
    "producers.checkout.config.batch.size",
    "topics.orders.partitions",
    "topics.orders.config.min.insync.replicas",
    "cluster.config.num.io.threads",
    "cluster.config.socket.send.buffer.bytes",
    "cluster.resources.heap",
)


def handover(document: dict[str, object] = SCENARIO, chosen: tuple[str, ...] = CHOSEN) -> Handover:
    return Handover("orders-throughput", load_document(document).scenario, chosen, "1.34 times the default")


def with_producer_config(**config: object) -> Handover:
    producer = {**SCENARIO["producers"]["checkout"], "config": config}  # type: ignore[index]
    return handover({**SCENARIO, "cluster": {}, "producers": {"checkout": producer}}, ())


def settings(text: str) -> dict[str, str]:
    """What a reader of .properties files takes from it; each may be set but once."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_librdkafkas_file_has_the_clients_properties_and_no_secret() -> None:
    text = librdkafka_properties(handover())
    found = settings(text)
    assert found["linger.ms"] == "7.5"
    assert found["fetch.wait.max.ms"] == "20"
    assert "hunter2" not in text
    assert "# sasl.password is a secret and is not written" in text
    assert set(found) <= {*names_for("producer"), *names_for("consumer")}


def test_javas_file_has_javas_names_and_types() -> None:
    found = settings(java_properties(handover()))
    assert found["linger.ms"] == "8"
    assert found["compression.zstd.level"] == "3"
    assert found["buffer.memory"] == str(64 * 1024 * 1024)
    assert found["send.buffer.bytes"] == "-1"
    assert found["fetch.max.wait.ms"] == "20"
    assert not {"compression.level", "fetch.wait.max.ms", "batch.num.messages"} & set(found)
    known = {**definitions("producer", VERSION), **definitions("consumer", VERSION)}
    assert set(found) <= set(known)
    for name, value in found.items():
        if known[name].kind in {"INT", "LONG"}:
            assert re.fullmatch(r"-?\d+", value), name


def test_comments_stand_wherever_the_two_clients_differ() -> None:
    text = java_properties(handover())
    assert "a whole number of ms in Java; librdkafka takes fractions (librdkafka: linger.ms=7.5)" in text
    assert "# batch.num.messages=5000 is librdkafka's: Java ends a batch by its bytes" in text
    assert "# sticky.partitioning.linger.ms=20 is librdkafka's: Java goes on to another partition" in text
    assert "murmur2" in text
    assert "measure again before" in text


def test_what_the_study_chose_stands_apart_from_what_the_scenario_had() -> None:
    chosen, rest = librdkafka_properties(handover()).split("# producer checkout, as in the scenario")
    assert "linger.ms=7.5" in chosen
    assert "acks=all" not in chosen
    assert "acks=all" in rest


def test_topics_and_brokers_are_comments_with_the_commands_that_set_them() -> None:
    for text in (librdkafka_properties(handover()), java_properties(handover())):
        assert "kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic orders --partitions 12" in text
        assert "--entity-type topics --entity-name orders --add-config min.insync.replicas=1" in text
        assert "--entity-type brokers --entity-default --add-config num.io.threads=16" in text
        assert "# brokers: socket.send.buffer.bytes=262144, in each server.properties" in text
        assert 'KAFKA_HEAP_OPTS="-Xms1024m -Xmx1024m"' in text
        assert not any(name.startswith(("num.", "partitions")) for name in settings(text))


def test_a_name_that_begins_as_another_keeps_its_own_settings() -> None:
    producer = {**SCENARIO["producers"]["checkout"], "config": {"linger.ms": 5}}  # type: ignore[index]
    document = {
        **SCENARIO,
        "topics": {"orders": {"partitions": 3}, "orders.eu": {"partitions": 6}},
        "producers": {"web": producer, "web.eu": {**producer, "topic": "orders.eu"}},
    }
    chosen = ("topics.orders.eu.partitions", "producers.web.eu.config.linger.ms")
    text = librdkafka_properties(handover(document, chosen))
    assert "--alter --topic orders.eu --partitions 6" in text
    assert "--topic orders --" not in text
    assert "# producer web, as in the scenario" in text
    assert "# producer web.eu, chosen by the study" in text


def test_librdkafkas_defaults_are_told_where_java_has_others() -> None:
    text = java_properties(with_producer_config(acks="all"))
    found = settings(text)
    assert found["batch.size"] == "1000000"
    assert found["linger.ms"] == "5"
    assert found["isolation.level"] == "read_committed"
    assert "Java's default is 16384" in text
    assert found["delivery.timeout.ms"] == "300000"
    assert "Java's is true, the safer" in text
    assert "# measured: max.in.flight=1000000, librdkafka's default" in text
    assert "Java's buffer.memory is 32 MiB" in text.replace("\n# ", " ")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {},
            "measured: queue.buffering.max.kbytes=1048576 and queue.buffering.max.messages=100000, librd",
        ),
        (
            {"queue.buffering.max.messages": 7},
            "measured: queue.buffering.max.kbytes=1048576, librdkafka's default.",
        ),
    ],
)
def test_a_queue_of_librdkafkas_own_size_is_told_and_one_that_was_set_is_not(
    config: dict[str, object], words: str
) -> None:
    text = java_properties(with_producer_config(**config)).replace("\n# ", " ")
    assert words in text
    assert ("queue.buffering.max.messages=100000" in text) == (not config)


@pytest.mark.parametrize("config", [{"acks": 1}, {"request.required.acks": 0}, {"retries": 0}])
def test_what_rules_idempotence_out_is_told_to_switch_it_off_in_java(config: dict[str, object]) -> None:
    text = java_properties(with_producer_config(**config)).replace("\n# ", " ")
    assert "Java switches it off by itself" in text
    assert "the safer" not in text


def test_more_in_flight_than_java_lets_idempotent_producers_have_is_not_written() -> None:
    text = java_properties(with_producer_config(**{"max.in.flight": 20}))
    assert settings(text)["max.in.flight.requests.per.connection"] == "5"
    assert "# measured: max.in.flight=20, with enable.idempotence=false" in text
    off = java_properties(with_producer_config(**{"max.in.flight": 20, "enable.idempotence": False}))
    assert settings(off)["max.in.flight.requests.per.connection"] == "20"
    assert settings(off)["enable.idempotence"] == "false"


def test_what_java_refuses_together_is_not_written() -> None:
    config = {"message.timeout.ms": 10000, "linger.ms": 7.5, "queue.buffering.max.kbytes": 512}
    text = java_properties(with_producer_config(**config))
    found = settings(text)
    assert int(found["delivery.timeout.ms"]) == int(found["linger.ms"]) + int(found["request.timeout.ms"])
    assert found["batch.size"] == found["buffer.memory"] == str(512 * 1024)
    assert "# measured: batch.size=1000000. Java can't send any record where" in text
    assert "# measured: request.timeout.ms=30000. Java refuses more than" in text
    roomy = settings(java_properties(with_producer_config(**{"message.timeout.ms": 30005, "batch.size": 1})))
    assert not {"request.timeout.ms", "buffer.memory"} & roomy.keys()


def test_a_consumer_of_javas_gets_no_heartbeat_that_it_refuses() -> None:
    config = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 10000, "group.remote.assignor": "range"}
    billing = {"topic": "orders", "config": config}
    text = java_properties(handover({**SCENARIO, "cluster": {}, "consumers": {"billing": billing}}, ()))
    assert settings(text)["heartbeat.interval.ms"] == "2000"
    assert "# measured: heartbeat.interval.ms=10000. Java refuses" in text
    assert "group.remote.assignor" not in settings(text)


def test_groups_that_disagree_are_told_that_one_file_is_not_enough() -> None:
    first = {**SCENARIO["producers"]["checkout"], "config": {"linger.ms": 5}}  # type: ignore[index]
    document = {**SCENARIO, "producers": {"one": first, "two": {**first, "config": {"linger.ms": 50}}}}
    java = java_properties(handover(document, ()))
    assert "# batch.size=1000000, as above" in java
    for text in (librdkafka_properties(handover(document, ())), java):
        assert settings(text)["linger.ms"] == "5"
        assert "# linger.ms=50\n#   is set to 5 above: this group needs a file of its own" in text


@pytest.mark.parametrize(
    ("first", "second", "is_said"),
    [
        ({"fetch.wait.max.ms": 500}, {}, ""),
        ({}, {"fetch.wait.max.ms": 500}, ""),
        ({"fetch.wait.max.ms": 100}, {}, "is set to 100 above, and was not for consumer audit"),
    ],
)
def test_javas_default_by_javas_name_is_as_good_as_not_set(
    first: dict[str, object], second: dict[str, object], is_said: str
) -> None:
    consumers = {
        name: {"topic": "orders", "config": config}
        for name, config in (("billing", first), ("audit", second))
    }
    text = java_properties(handover({**SCENARIO, "cluster": {}, "consumers": consumers}, ()))
    assert ("of its own" in text) is bool(is_said)
    assert is_said in text


def test_a_list_is_handed_to_kafka_configs_in_brackets() -> None:
    topic = {"partitions": 3, "config": {"cleanup.policy": "compact,delete"}}
    handed = handover({**SCENARIO, "topics": {"orders": topic}}, ("topics.orders.config.cleanup.policy",))
    for text in (librdkafka_properties(handed), java_properties(handed)):
        assert "--add-config cleanup.policy=[compact,delete]" in text


def two_producers(first: dict[str, object], second: dict[str, object]) -> Handover:
    plain = {**SCENARIO["producers"]["checkout"]}  # type: ignore[index]
    producers = {"one": {**plain, "config": first}, "two": {**plain, "config": second}}
    return handover({**SCENARIO, "producers": producers}, ())


def test_a_property_by_its_other_name_is_set_once() -> None:
    handed = two_producers(
        {"linger.ms": 5, "acks": "all"}, {"queue.buffering.max.ms": 50, "request.required.acks": 0}
    )
    text = librdkafka_properties(handed)
    assert settings(text) == {"linger.ms": "5", "acks": "all", **BILLING}
    assert "# request.required.acks=0\n#   is set to all above: this group needs a file of its own" in text


def test_what_one_group_sets_is_not_passed_over_for_another_that_has_the_default() -> None:
    handed = two_producers({"acks": 0}, {})
    for text in (librdkafka_properties(handed), java_properties(handed)):
        assert "# acks is set to 0 above, and was not for producer two, which needs a file of its own" in text
        # What a consumer has no use for does it no harm.
        assert text.count("of its own") == 1


def test_what_a_later_group_sets_is_not_set_for_one_that_was_measured_without() -> None:
    """acks=1 beside idempotence is refused by both clients."""
    handed = two_producers({"acks": 1}, {"acks": "all", "enable.idempotence": True})
    for text in (librdkafka_properties(handed), java_properties(handed)):
        assert settings(text)["acks"] == "1"
        assert "enable.idempotence" not in settings(text)
        assert "# enable.idempotence=true\n#   is not set: producer one above was measured without it" in text


def test_what_the_study_chose_is_set_whatever_other_groups_have() -> None:
    plain = {**SCENARIO["producers"]["checkout"], "config": {}}  # type: ignore[index]
    chosen = {"topic": "orders", "config": {"socket.receive.buffer.bytes": 1_048_576}}
    document = {**SCENARIO, "producers": {"one": plain}, "consumers": {"billing": chosen}}
    handed = handover(document, ("consumers.billing.config.socket.receive.buffer.bytes",))
    assert settings(librdkafka_properties(handed))["socket.receive.buffer.bytes"] == "1048576"
    java = java_properties(handed)
    assert settings(java)["receive.buffer.bytes"] == "1048576"
    assert "# receive.buffer.bytes=-1\n#   is set to 1048576 above: this group needs" in java


def test_java_s_buffers_of_sockets_are_the_system_s_as_librdkafka_s_are() -> None:
    found = settings(java_properties(with_producer_config()))
    assert (found["send.buffer.bytes"], found["receive.buffer.bytes"]) == ("-1", "-1")


def test_what_one_group_sets_to_its_default_needs_no_other_file_for_another_that_has_it() -> None:
    handed = two_producers({"acks": "all", "linger.ms": 5}, {})
    for text in (librdkafka_properties(handed), java_properties(handed)):
        assert "of its own" not in text


def test_pools_of_threads_are_changed_in_steps_that_kafka_takes() -> None:
    text = librdkafka_properties(handover())
    assert "Kafka refuses more than double or less than half of what it is" in text


def test_java_s_gzip_has_no_level_0() -> None:
    setting = java_setting("producer", "compression.level", "0", {"compression.type": "gzip"}, VERSION)
    assert (setting.name, setting.value) == (None, None)


@pytest.mark.parametrize(
    ("name", "value", "java"),
    [
        ("linger.ms", "0", ("linger.ms", "0")),
        ("linger.ms", "0.5", ("linger.ms", "1")),
        ("queue.buffering.max.ms", "5", ("linger.ms", "5")),
        ("message.max.bytes", "2000000", ("max.request.size", "2000000")),
        ("request.required.acks", "1", ("acks", "1")),
        ("message.send.max.retries", "3", ("retries", "3")),
        ("message.timeout.ms", "60000", ("delivery.timeout.ms", "60000")),
        ("partitioner", "random", ("partitioner.ignore.keys", "true")),
        ("partitioner", "murmur2_random", (None, None)),
        ("queue.buffering.max.messages", "1000", (None, None)),
        ("socket.nagle.disable", "true", (None, None)),
        ("ssl.ca.location", "ca.pem", (None, None)),
        ("topic.metadata.refresh.interval.ms", "60000", ("metadata.max.age.ms", "60000")),
        ("topic.metadata.refresh.interval.ms", "-1", ("metadata.max.age.ms", None)),
    ],
)
def test_a_producers_property_has_javas_name_and_value(
    name: str, value: str, java: tuple[str | None, str | None]
) -> None:
    setting = java_setting("producer", name, value, {name: value}, VERSION)
    assert (setting.name, setting.value) == java
    assert setting.name is not None or setting.note


@pytest.mark.parametrize(
    ("name", "value", "java"),
    [
        ("auto.offset.reset", "smallest", ("auto.offset.reset", "earliest")),
        ("fetch.message.max.bytes", "1000", ("max.partition.fetch.bytes", "1000")),
        (
            "partition.assignment.strategy",
            "range,cooperative-sticky",
            (
                "partition.assignment.strategy",
                f"{PACKAGE}.RangeAssignor,{PACKAGE}.CooperativeStickyAssignor",
            ),
        ),
        ("queued.min.messages", "1000", (None, None)),
        ("fetch.queue.backoff.ms", "1000", (None, None)),
    ],
)
def test_a_consumers_property_has_javas_name_and_value(
    name: str, value: str, java: tuple[str | None, str | None]
) -> None:
    setting = java_setting("consumer", name, value, {name: value}, VERSION)
    assert (setting.name, setting.value) == java


@pytest.mark.parametrize(
    ("codec", "level", "name"),
    [
        ("zstd", "9", "compression.zstd.level"),
        ("gzip", "-1", "compression.gzip.level"),
        ("lz4", "0", None),
        ("lz4", "-1", None),
        ("snappy", "3", None),
    ],
)
def test_a_level_is_translated_by_its_codec_and_javas_range(codec: str, level: str, name: str | None) -> None:
    config = {"compression.type": codec, "compression.level": level}
    assert java_setting("producer", "compression.level", level, config, VERSION).name == name


def test_the_names_in_the_table_are_librdkafkas_and_javas_own() -> None:
    own = {*names_for("producer"), *names_for("consumer")}
    java = {*definitions("producer", VERSION), *definitions("consumer", VERSION)}
    assert set(_RULES) | set(_UNKNOWN) <= own
    assert {rule.name for rule in _RULES.values() if rule.name} <= java
    assert not set(_UNKNOWN) & java


@pytest.mark.parametrize(
    ("level", "java"),
    [("1", None), ("2", None), ("3", "3"), ("8", "8"), ("9", None), ("12", "12")],
)
def test_levels_of_lz4_are_those_of_its_high_compressor_alone(level: str, java: str | None) -> None:
    config = {"compression.type": "lz4", "compression.level": level}
    setting = java_setting("producer", "compression.level", level, config, VERSION)

    assert setting.value == java
    assert "compressor" in (setting.note or "")


def test_for_ever_is_said_as_java_has_it() -> None:
    setting = java_setting("producer", "message.timeout.ms", "0", {}, VERSION)

    assert (setting.name, setting.value) == ("delivery.timeout.ms", "2147483647")


def test_a_number_of_processes_is_handed_over_too() -> None:
    producer = {**SCENARIO["producers"]["checkout"], "workers": 4}  # type: ignore[index]
    chosen = (*CHOSEN, "producers.checkout.workers")
    told = librdkafka_properties(handover({**SCENARIO, "producers": {"checkout": producer}}, chosen))

    assert "# producer checkout: measured with 4 processes, each with a client of its own" in told

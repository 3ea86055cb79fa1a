from __future__ import annotations

import pytest

from loadlab.client.java_properties import COUNTERPARTS, WITHOUT_COUNTERPART
from loadlab.client.properties import OWNED, PropertyProblem, check_together, resolve_property
from loadlab.client.property_table import known_properties, names_for


def refused(client: str, name: str, value: str = "1") -> PropertyProblem:
    found = resolve_property(client, name, value)  # type: ignore[arg-type]
    assert isinstance(found, PropertyProblem)
    return found


def test_the_table_is_that_of_the_librdkafka_at_hand() -> None:
    table = known_properties()
    assert len(table) > 150
    assert table["linger.ms"].clients == {"producer"}
    assert table["fetch.min.bytes"].clients == {"consumer"}
    assert table["client.rack"].clients <= {"producer", "consumer"}
    assert table["acks"].kind == "integer"
    assert table["compression.type"].choices == ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.mark.parametrize(
    ("client", "name", "value", "plain"),
    [
        ("producer", "acks", "all", "all"),
        ("producer", "linger.ms", "5ms", "5"),
        ("producer", "linger.ms", "0.5", "0.5"),
        ("producer", "batch.size", "64KiB", "65536"),
        ("producer", "compression.type", "zstd", "zstd"),
        ("producer", "compression.level", "3", "3"),
        ("producer", "partitioner", "murmur2_random", "murmur2_random"),
        ("producer", "enable.idempotence", "true", "true"),
        ("producer", "delivery.timeout.ms", "30s", "30000"),
        ("producer", "sasl.mechanism", "SCRAM-SHA-512", "SCRAM-SHA-512"),
        ("consumer", "fetch.wait.max.ms", "100ms", "100"),
        ("consumer", "auto.offset.reset", "latest", "latest"),
        ("consumer", "isolation.level", "read_committed", "read_committed"),
        ("consumer", "client.rack", "", ""),
    ],
)
def test_a_right_property_comes_back_as_librdkafka_takes_it(
    client: str, name: str, value: str, plain: str
) -> None:
    assert resolve_property(client, name, value) == plain  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch.size", "64K"),
        ("max.in.flight", "5.5"),
        ("linger.ms", "5 "),
        ("batch.size", "64KiBi"),
        ("retries", "0x10"),
    ],
)
def test_a_value_that_librdkafka_would_cut_short_is_refused(name: str, value: str) -> None:
    assert not refused("producer", name, value).at_key


@pytest.mark.parametrize(
    ("client", "name", "value", "highest"),
    [
        ("producer", "batch.size", "4294967396", "2,147,483,647"),
        ("producer", "message.timeout.ms", "5000000000", "2,147,483,647"),
        ("producer", "delivery.timeout.ms", "5000000000", "2,147,483,647"),
        ("producer", "retries", "-4294967295", "2,147,483,647"),
        ("consumer", "fetch.min.bytes", "4294967297", "2,147,483,647"),
    ],
)
def test_a_whole_number_that_librdkafka_would_wrap_is_refused_with_the_largest_that_it_takes(
    client: str, name: str, value: str, highest: str
) -> None:
    message = refused(client, name, value).message
    assert f" to {highest}, not {value}, which librdkafka takes for " in message


def test_a_number_of_any_length_is_refused_and_never_raises() -> None:
    assert not refused("producer", "batch.size", "9" * 5000).at_key
    assert not refused("producer", "message.timeout.ms", "0" * 5000 + "1").at_key


def test_librdkafkas_own_message_is_told() -> None:
    assert "outside allowed range 0..900000" in refused("producer", "linger.ms", "1h").message


@pytest.mark.parametrize(
    ("name", "written", "known"),
    [
        ("security.protocol", "SASL_SSL", "sasl_ssl"),
        ("compression.type", "ZSTD", "zstd"),
        ("acks", "ALL", "all"),
    ],
)
def test_a_choice_may_be_written_as_kafka_s_documents_have_it(name: str, written: str, known: str) -> None:
    assert resolve_property("producer", name, written) == known


def test_a_near_choice_is_suggested() -> None:
    assert refused("producer", "compression.type", "zst").suggestion == "zstd"


def test_a_near_name_is_suggested_from_the_clients_own() -> None:
    assert refused("producer", "batch_size").suggestion == "batch.size"
    assert refused("consumer", "fetch.min.byte").suggestion == "fetch.min.bytes"


def test_a_property_of_the_other_client_is_refused() -> None:
    assert "is a consumer property" in refused("producer", "fetch.min.bytes").message
    assert "is a producer property" in refused("consumer", "acks").message


def test_a_callback_cannot_be_set() -> None:
    assert "takes code" in refused("producer", "dr_msg_cb").message


@pytest.mark.parametrize("name", sorted(OWNED))
def test_an_owned_property_is_one_of_librdkafkas_and_refused(name: str) -> None:
    assert name in known_properties()
    assert refused("consumer", name).message == f"can't be set: {OWNED[name]}"


@pytest.mark.parametrize(("java", "here"), sorted(COUNTERPARTS.items()))
def test_a_java_property_gets_a_counterpart_that_exists(java: str, here: str) -> None:
    assert java not in known_properties()
    assert here in known_properties()
    assert refused("producer", java).suggestion == here


@pytest.mark.parametrize("name", sorted(WITHOUT_COUNTERPART))
def test_a_java_property_without_counterpart_tells_why(name: str) -> None:
    assert "without a counterpart" in refused("consumer", name).message


def test_every_property_that_can_be_set_is_refused_or_taken_but_never_raises() -> None:
    for name in [*names_for("producer"), *names_for("consumer")]:
        for value in ("", "1", "nonsense", "5ms"):
            for client in ("producer", "consumer"):
                assert resolve_property(client, name, value) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("client", "config", "name"),
    [
        ("producer", {"acks": "1", "enable.idempotence": "true"}, "acks"),
        ("producer", {"message.timeout.ms": "1000", "linger.ms": "5000"}, "message.timeout.ms"),
        ("producer", {"linger.ms": "360000"}, "linger.ms"),
        ("consumer", {"group.protocol": "consumer", "session.timeout.ms": "6000"}, "session.timeout.ms"),
        ("consumer", {"partition.assignment.strategy": "foo"}, "partition.assignment.strategy"),
        ("consumer", {"fetch.max.bytes": "100"}, "fetch.max.bytes"),
    ],
)
def test_properties_that_do_not_fit_each_other_are_told_at_one_of_them(
    client: str, config: dict[str, str], name: str
) -> None:
    found = check_together(client, config)  # type: ignore[arg-type]
    assert found is not None
    assert found.name == name
    assert found.message.startswith("librdkafka refuses it: ")


def test_properties_that_fit_are_taken() -> None:
    assert check_together("producer", {"acks": "all", "enable.idempotence": "true"}) is None
    assert check_together("consumer", {"group.protocol": "consumer"}) is None


def test_no_client_is_built_where_building_one_would_act() -> None:
    kinit = {"security.protocol": "sasl_plaintext", "sasl.kerberos.kinit.cmd": "touch /nowhere"}
    assert check_together("producer", kinit) is None
    assert check_together("producer", {"ssl.providers": "nonsense", "security.protocol": "ssl"}) is None

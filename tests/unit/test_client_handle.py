from __future__ import annotations

import pytest

from loadlab.client.handle import effective_properties, new_configuration, property_of
from loadlab.client.library import error_name, error_text, librdkafka, version
from loadlab.errors import WorkerError


def test_effective_properties_are_those_given_and_the_defaults_of_all_others() -> None:
    effective = effective_properties({"socket.timeout.ms": "12345"})

    assert effective["socket.timeout.ms"] == "12345"
    assert effective["fetch.min.bytes"] == "1"
    assert len(effective) > 80


def test_effective_properties_hold_no_addresses() -> None:
    assert not [name for name, value in effective_properties({}).items() if value.startswith("0x")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("request.required.acks", "1"), ("message.timeout.ms", "2000"), ("partitioner", "murmur2")],
)
def test_effective_properties_tell_acks_and_partitioner(name: str, value: str) -> None:
    assert effective_properties({name: value})[name] == value


def test_a_property_may_be_set_by_its_other_name() -> None:
    configuration = new_configuration({"linger.ms": "7", "acks": "all"})

    assert property_of(configuration, "queue.buffering.max.ms") == "7"
    assert property_of(configuration, "request.required.acks") == "-1"
    librdkafka().rd_kafka_conf_destroy(configuration)


def test_a_refused_property_is_named_and_its_value_is_not() -> None:
    with pytest.raises(WorkerError) as raised:
        new_configuration({"sasl.mechanisms": "PLAIN", "ssl.key.passwort": "hunter2"})

    assert "ssl.key.passwort" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_an_unknown_property_has_no_value() -> None:
    configuration = new_configuration({})

    with pytest.raises(WorkerError, match="knows no property such"):
        property_of(configuration, "such")
    librdkafka().rd_kafka_conf_destroy(configuration)


def test_errors_have_kafkas_names() -> None:
    assert error_name(-192) == "_MSG_TIMED_OUT"
    assert error_name(3) == "UNKNOWN_TOPIC_OR_PART"
    assert "timed out" in error_text(-192)


def test_a_code_that_nobody_knows_still_has_a_name() -> None:
    assert error_name(-31_337) == "ERR_-31337?"


def test_the_version_is_librdkafkas() -> None:
    major, minor, *_ = version().split(".")

    assert (int(major), int(minor)) >= (2, 3)


def test_effective_properties_tell_the_codec_that_topics_inherit() -> None:
    assert effective_properties({"compression.type": "lz4"})["compression.codec"] == "lz4"
    assert effective_properties({})["compression.codec"] == "none"

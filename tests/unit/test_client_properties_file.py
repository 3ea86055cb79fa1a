"""Files of client properties: what librdkafka gets of them, and what it can't be given."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from loadlab.client.java_security import UnusableSecurityError, parse_jaas
from loadlab.client.java_translation import Translated, Untranslatable
from loadlab.cluster import external
from loadlab.errors import ClusterError, ScenarioError, UsageError
from loadlab.scenario import client_properties, load_document
from loadlab.scenario.client_properties import read_client_properties, without_secrets
from loadlab.scenario.properties_text import entries

if TYPE_CHECKING:
    from loadlab.client.property_table import Client

Read = Callable[..., dict[str, str]]
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reads(*lines: str) -> dict[str, str]:
        file = tmp_path / "client.properties"
        file.write_text("\n".join(lines))
        return read_client_properties(file, "broker:9092")

    return reads


def test_a_byte_order_mark_is_no_part_of_the_first_name(read: Read) -> None:
    assert read("\ufeffsecurity.protocol=ssl") == read("security.protocol=ssl")


def test_librdkafka_s_own_names_are_taken_as_they_are(read: Read) -> None:
    lines = ("# comment", "", "security.protocol = SASL_SSL", "sasl.password=a=b c", "! also a comment")
    assert read(*lines) == {"security.protocol": "sasl_ssl", "sasl.password": "a=b c"}


@pytest.mark.parametrize(("module", "mechanism"), [(PLAIN, "PLAIN"), (SCRAM, "SCRAM-SHA-512")])
def test_a_jaas_line_becomes_user_and_password(read: Read, module: str, mechanism: str) -> None:
    made = read(
        "security.protocol=SASL_SSL",
        f"sasl.mechanism={mechanism}",
        f"sasl.jaas.config={module} required \\",
        '  username="alice" \\',
        '  password="p=\\\\"w; d";',
    )
    assert made == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": mechanism,
        "sasl.username": "alice",
        "sasl.password": 'p="w; d',
    }


def test_javas_minus_one_is_librdkafka_s_zero(read: Read) -> None:
    made = read("connections.max.idle.ms=-1", "send.buffer.bytes=-1")
    assert set(made.values()) == {"0"}


def test_the_scenario_s_own_bootstrap_servers_may_be_there(read: Read) -> None:
    assert read("bootstrap.servers=broker:9092", "client.dns.lookup=use_all_dns_ips") == {
        "client.dns.lookup": "use_all_dns_ips"
    }


def test_pem_stores_become_librdkafka_s_files(read: Read) -> None:
    made = read(
        "security.protocol=SSL",
        "ssl.truststore.type=PEM",
        "ssl.truststore.location=/keys/ca.pem",
        "ssl.keystore.type=PEM",
        "ssl.keystore.location=/keys/client.pem",
        "ssl.key.password=hunter2",
        "ssl.endpoint.identification.algorithm=",
    )
    assert made == {
        "security.protocol": "ssl",
        "ssl.ca.location": "/keys/ca.pem",
        "ssl.certificate.location": "/keys/client.pem",
        "ssl.key.location": "/keys/client.pem",
        "ssl.key.password": "hunter2",
        "ssl.endpoint.identification.algorithm": "none",
    }


def test_a_pkcs12_key_store_is_librdkafka_s_too(read: Read) -> None:
    made = read("ssl.keystore.type=PKCS12", "ssl.keystore.location=c.store", "ssl.keystore.password=hunter2")
    assert made == {"ssl.keystore.location": "c.store", "ssl.keystore.password": "hunter2"}


def test_pem_texts_get_their_line_breaks_back_and_openssl_reads_them(read: Read, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(
        [*command, "-nodes", "-subj", "/CN=me", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    one_line = {path: " ".join(path.read_text().split("\n")) for path in (key, certificate)}
    made = read(
        "security.protocol=SSL",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.key={one_line[key]}",
        f"ssl.keystore.certificate.chain={one_line[certificate]}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.certificates={one_line[certificate]}",
    )
    assert made["ssl.key.pem"] == key.read_text()
    assert made["ssl.ca.pem"] == made["ssl.certificate.pem"] == certificate.read_text()
    Producer(made).flush(0)  # librdkafka loads them when a client is built


@pytest.mark.parametrize(
    ("lines", "words", "fix"),
    [
        (["hunter2"], "line 1 is not of the form key=value", "one property a line"),
        (["bootstrap.servers=hunter2"], ":1: bootstrap.servers belongs in the scenario", "bootstrap_servers"),
        (
            ["sasl.mechanism=PLAIN", "sasl.jaas.config=hunter2"],
            ":2: sasl.jaas.config: is no line",
            "username",
        ),
        (
            [f'sasl.jaas.config={PLAIN} required username="u" password="hunter2";'],
            "sasl.mechanism: is missing",
            "PLAIN",
        ),
        (
            [
                "sasl.mechanism=SCRAM-SHA-256",
                f'sasl.jaas.config={PLAIN} required username="u" password="hunter2";',
            ],
            "does not go with sasl.mechanism=SCRAM-SHA-256",
            "PLAIN",
        ),
        (
            [
                "sasl.mechanism=SCRAM-SHA-256",
                f'sasl.jaas.config={SCRAM} required username="u" password="hunter2" tokenauth="true";',
            ],
            "delegation tokens",
            "password",
        ),
        (
            [
                "sasl.mechanism=OAUTHBEARER",
                "sasl.jaas.config=a.OAuthBearerLoginModule required clientSecret='hunter2';",
            ],
            "is Java code",
            "sasl.oauthbearer.method",
        ),
        (
            ["sasl.mechanism=GSSAPI", "sasl.jaas.config=a.Krb5LoginModule required keyTab='hunter2';"],
            "is Java code",
            "sasl.kerberos.keytab",
        ),
        (
            ["ssl.truststore.location=hunter2.jks"],
            "ssl.truststore.location: librdkafka reads",
            "keytool -list",
        ),
        (["ssl.keystore.location=hunter2"], "ssl.keystore.location: librdkafka reads", "-importkeystore"),
        (["ssl.truststore.location=hunter2.p12"], "PKCS#12", "keytool"),
        (
            ["ssl.truststore.type=PEM", "ssl.truststore.location=a", "ssl.truststore.password=hunter2"],
            ":3: ssl.truststore.password: a PEM file has none",
            "leave it out",
        ),
        (["ssl.provider=hunter2"], "it names Java code", "leave it out"),
        (["acks=all"], ":1: acks is of producers alone", "producers.NAME.config"),
        (["session.timeout.ms=45000"], "is of consumers alone", "consumers.NAME.config"),
        (["client.id=hunter2"], "names each worker's client", "leave it out"),
        (["fetch.max.wait.ms=100"], ":1: fetch.max.wait.ms is of consumers alone", "consumers.NAME.config"),
        (["buffer.memory=100"], ":1: buffer.memory is of producers alone", "producers.NAME.config"),
        (["security.protocol=hunter2"], ":1: security.protocol: must be one of", "leave it out"),
        (["", "sasl.username=\\ud800hunter2"], "line 2 has an escape that is half a character", "text file"),
        (["", "ssl.ca.location=\\u0000hunter2"], "line 2 has a character 0", "text file"),
        (["security.protocl=ssl"], "no consumer property of this name", "did you mean security.protocol"),
    ],
)
def test_what_librdkafka_cannot_be_given_is_told_without_its_value(
    read: Read, lines: list[str], words: str, fix: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        read(*lines)
    assert words in refusal.value.message
    assert fix in (refusal.value.fix or "")
    assert "hunter2" not in f"{refusal.value.message} {refusal.value.fix}"


def test_what_is_wrong_with_a_part_of_a_line_is_told_by_that_line(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_password(_client: Client, name: str, value: str) -> Translated | Untranslatable:
        return Untranslatable(f'not "{value}"') if name == "sasl.password" else Translated(name, value)

    monkeypatch.setattr(client_properties, "translated", no_password)
    with pytest.raises(UsageError, match=r":3: sasl\.password: not \"\[redacted\]\""):
        read(
            "security.protocol=SASL_SSL",
            "sasl.mechanism=PLAIN",
            f'sasl.jaas.config={PLAIN} required username="u" password="hunter2";',
        )


@pytest.mark.parametrize("make", [Path.exists, Path.mkdir, lambda path: path.write_bytes(b"\xff")])
def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path, make: object) -> None:
    file = tmp_path / "client.properties"
    make(file)  # type: ignore[operator]
    with pytest.raises(UsageError, match="can't be read"):
        read_client_properties(file)


def test_a_scenario_is_refused_for_what_its_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("ssl.truststore.location=ca.jks\n")
    cluster = {"provider": "external", "bootstrap_servers": "127.0.0.1:9092", "client_properties": str(file)}
    producer = {"topic": "a", "schedule": {"rate": 1}, "records": {"size": 100}}
    document = {"name": "a", "cluster": cluster, "topics": {"a": {}}, "producers": {"p": producer}}
    with pytest.raises(ScenarioError, match=r"cluster\.client_properties: .*:1: ssl\.truststore\.location"):
        load_document(document)
    file.write_bytes(b"\xff")
    with pytest.raises(
        ScenarioError, match="can't be read: it is not UTF-8 text; fix: a text file"
    ) as refusal:
        load_document(document)
    assert refusal.value.message.count("cluster.client_properties: ") == 1


def test_secret_values_leave_no_text() -> None:
    properties = {"sasl.password": "hunter2", "sasl.username": "me"}
    assert without_secrets("me hunter2", properties) == "me [redacted]"


def test_a_login_that_fails_again_and_again_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        def __init__(self, *_: object) -> None:
            lines = (f"SASL authentication error: no (after {ms}ms in state AUTH_REQ)" for ms in (301, 302))
            self.connection_errors = dict.fromkeys(lines)

        def metadata(self, timeout_s: float) -> None:
            raise ClusterError(f"nothing within {timeout_s}")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing is open."""

    monkeypatch.setattr(external, "KafkaAdmin", Refused)
    with pytest.raises(ClusterError) as refusal:
        external._ask("127.0.0.1:9092", {})
    assert refusal.value.message.splitlines()[1:] == ["  SASL authentication error: no"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1\nb: 2\nc 3\n  d\t=  4", {"a": "1", "b": "2", "c": "3", "d": "4"}),
        ("a=", {"a": ""}),
        ("a=x\\\n   y\\\n# z", {"a": "xy# z"}),
        ("# c\\\na=1", {"a": "1"}),
        ("a\\:b=\\u0041\\n\\t\\\\", {"a:b": "A\n\t\\"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=\\ud83d\\ude00", {"a": "😀"}),
        ("a=x\\\\\nb=2", {"a": "x\\", "b": "2"}),
        ("a=x \t\nb= \\ \\  ", {"a": "x", "b": "  "}),
        ("a=x\\\\  \nb=x\\\\ \nc=x\\\\\\ ", {"a": "x\\", "b": "x\\", "c": "x\\ "}),
    ],
)
def test_properties_are_read_as_java_reads_them(text: str, expected: dict[str, str]) -> None:
    assert {entry.key: entry.value for entry in entries(text)} == expected


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=20))
def test_any_password_comes_through_a_jaas_line(password: str) -> None:
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_jaas(f'{PLAIN} required username="u" password="{quoted}";', "PLAIN").password == password


@given(st.text(max_size=40))
def test_no_text_gets_more_than_a_refusal(text: str) -> None:
    with pytest.raises(UnusableSecurityError):
        parse_jaas(f"{text} hunter2", "PLAIN")

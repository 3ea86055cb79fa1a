from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from result_samples import result

from loadlab.results.artifacts import Artifacts
from loadlab.results.model import ClusterUsed, Reason, Verdict, Warned
from loadlab.results.redact import Redactor, redact
from loadlab.results.store import save
from loadlab.scenario.secrets import REDACTED

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.jaas.config",
        "sasl.oauthbearer.client.secret",
        "password.encoder.secret",
        "delegation.token.master.key",
        "delegation.token.secret.key",
        "basic.auth.user.info",
        "KAFKA_PASSWORD",
    ],
)
def test_a_secret_is_known_by_its_key(key: str) -> None:
    assert redact({"config": {key: "hunter2"}}) == {"config": {key: REDACTED}}


@pytest.mark.parametrize(
    "key",
    [
        "ssl.key.location",
        "sasl.oauthbearer.token.endpoint.url",
        "key",
        "keys",
        "delegation.token.expiry.time.ms",
    ],
)
def test_a_property_that_only_sounds_like_a_secret_stays(key: str) -> None:
    assert redact({key: "orders"}) == {key: "orders"}


def test_a_topic_may_be_called_secret() -> None:
    assert redact({"topics": {"secret": {"partitions": 6}}}) == {"topics": {"secret": {"partitions": 6}}}


def test_what_is_told_of_a_group_that_is_called_like_a_secret_stays() -> None:
    document = {
        "thresholds": {"publish_latency{producer=password-resets}": ["p99 < 50ms"]},
        "traces": {"password-resets": "2ab7"},
        "assignment": {"producers.password-resets.config.compression.type": "zstd"},
    }
    assert redact(document) == document
    secret = {"producers.web.config.sasl.password": "hunter2"}
    assert redact({"assignment": secret}) == {"assignment": {"producers.web.config.sasl.password": REDACTED}}


def test_a_known_value_goes_wherever_it_stands() -> None:
    document = {"message": "login of app with s3cr3t-pw failed", "list": ["s3cr3t-pw"], "s3cr3t-pw": 1}

    assert "s3cr3t-pw" not in str(Redactor(["s3cr3t-pw"]).document(document))


def test_a_short_value_does_not_mangle_other_words() -> None:
    assert Redactor(["abc"]).document("abc abcdef cab abc.") == f"{REDACTED} abcdef cab {REDACTED}."


def test_the_longer_of_two_values_goes_first() -> None:
    assert Redactor(["password", "password1234"]).document("password1234") == REDACTED


def test_each_line_of_a_key_is_secret() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n"

    assert "MIIEvQIBADANBg" not in Redactor([pem]).text("line: MIIEvQIBADANBg")


@pytest.mark.parametrize(
    "text",
    [
        'LoginModule required username="app" password="hunter2";',
        "ssl.key.password = hunter2",
        "client_secret: hunter2",
    ],
)
def test_a_log_line_that_names_a_password_loses_it(text: str) -> None:
    assert "hunter2" not in Redactor().text(text)


def test_no_stored_file_holds_a_secret(tmp_path: Path) -> None:
    secret = "hunter2-hunter2"  # noqa: S105
    log = tmp_path / "broker.log"
    log.write_text(f"trying {secret}\n")
    told = result(
        scenario={
            "producers": {"checkout": {"config": {"sasl.password": secret, "client.id": f"x{secret}"}}}
        },
        verdict=Verdict(
            status="suspect", reasons=(Reason(code="x", message=secret, fix=secret, severity="suspect"),)
        ),
        warnings=(Warned(message=f"{secret} is weak"),),
        cluster=ClusterUsed(
            provider="external", kind="kafka", brokers=1, reason=secret, config={"a": secret}
        ),
    )
    artifacts = Artifacts(events=[{"kind": "error", "text": secret}], logs={"broker.log": log})

    folder = save(told, artifacts, tmp_path / "results", secrets=[secret]).path

    for path in folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize(
    "secret", ["kafka", "valid", "2026", "suspect", "1", "loadlab", "client", "message", "expression"]
)
def test_a_secret_that_is_a_common_word_does_not_spoil_the_result(tmp_path: Path, secret: str) -> None:
    told = result().model_copy(update={"warnings": (Warned(message="much is written"),)})
    stored = save(told, Artifacts(), tmp_path, secrets=[secret])

    assert stored.result.cluster.kind == "kafka"
    assert stored.result.started_at == result().started_at

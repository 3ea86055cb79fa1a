"""Rules about how clients connect."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from loadlab.scenario.lint.rule import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.lint.subject import Subject


def _password_in_clear(subject: Subject) -> Iterator[Hit]:
    for client in chain(subject.producers, subject.consumers):
        protocol = client.settings.text("security.protocol")
        mechanism = client.settings.text("sasl.mechanism") or client.settings.text("sasl.mechanisms")
        if protocol == "sasl_plaintext" and mechanism == "plain":
            yield Hit(client.at("security.protocol"), "the password goes over the network as it is")


def _unverified_broker(subject: Subject) -> Iterator[Hit]:
    name = "enable.ssl.certificate.verification"
    algorithm = "ssl.endpoint.identification.algorithm"
    for client in chain(subject.producers, subject.consumers):
        if client.settings.text(name) == "false":
            yield Hit(client.at(name), "any certificate is taken")
        elif client.settings.sets(algorithm) and client.settings.text(algorithm) in {"", "none"}:
            yield Hit(client.at(algorithm), "a certificate of any host is taken")


RULES: Final = (
    Rule(
        "password-in-clear",
        "high",
        "SASL/PLAIN without TLS sends the password itself with every connection.",
        "Kafka documentation, Security: Authentication using SASL/PLAIN",
        "security.protocol: SASL_SSL, or a SCRAM mechanism",
        _password_in_clear,
    ),
    Rule(
        "unverified-broker",
        "medium",
        "Whoever answers at the address is taken for the broker, and gets the credentials.",
        "Kafka documentation, Security: Encryption and Authentication using SSL",
        "give the authority's certificate (ssl.ca.location), and leave verification on",
        _unverified_broker,
    ),
)
"""How clients connect."""

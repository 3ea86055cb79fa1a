"""The file of client properties that an external cluster asks for: TLS and SASL, by librdkafka's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.errors import UsageError
from loadlab.scenario.secrets import REDACTED, is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST_BYTES = 1 << 20
_JAVA_NAMES = {
    "sasl.jaas.config": "sasl.username and sasl.password",
    "ssl.keystore.location": "ssl.certificate.location and ssl.key.location, or a .p12 file",
    "ssl.truststore.location": "ssl.ca.location",
    "ssl.truststore.password": "ssl.ca.location, which needs none",
}


def read_client_properties(path: Path) -> dict[str, str]:
    """Read `key=value` lines; empty lines and those that begin with # say nothing.

    Raises:
        UsageError: the file can't be read, or a line is no property. No message holds a value.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"cluster.client_properties: {path} is larger than any such file")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cluster.client_properties: {path} can't be read ({type(error).__name__})"
        ) from error
    properties = {}
    for number, line in enumerate(lines, 1):
        if (text := line.strip()) and not text.startswith(("#", "!")):
            key, value = _property(path, number, text)
            properties[key] = value
    return properties


def without_secrets(text: str, properties: Mapping[str, str]) -> str:
    """Replace every secret value in a text."""
    for key, value in properties.items():
        if value and is_secret(key):
            text = text.replace(value, REDACTED)
    return text


def _property(path: Path, number: int, text: str) -> tuple[str, str]:
    key, sign, value = (part.strip() for part in text.partition("="))
    where = f"{path}:{number}"
    if not sign or not key:
        raise UsageError(
            f"{where}: not a line of the form key=value", fix="one property a line, # for comments"
        )
    if key in _JAVA_NAMES and not (key == "ssl.keystore.location" and value.endswith((".p12", ".pfx"))):
        raise UsageError(
            f"{where}: {key} is a name of Kafka's Java client", fix=f"librdkafka has {_JAVA_NAMES[key]}"
        )
    if key == "bootstrap.servers":
        raise UsageError(
            f"{where}: bootstrap.servers belongs in the scenario", fix="cluster.bootstrap_servers: …"
        )
    return key, value

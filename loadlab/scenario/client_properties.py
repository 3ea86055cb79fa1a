"""Files of client properties, as Kafka's own tools take them, by Java's or librdkafka's names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from loadlab.client.java_properties import COUNTERPARTS
from loadlab.client.java_security import GIVEN_BY, JAAS, UnusableSecurityError, security
from loadlab.client.java_translation import Untranslatable, translated
from loadlab.client.property_table import known_properties
from loadlab.errors import UsageError
from loadlab.hints import HintedError
from loadlab.scenario.properties_text import entries
from loadlab.scenario.secrets import REDACTED, is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loadlab.client.property_table import Client
    from loadlab.scenario.properties_text import Entry

_LARGEST_BYTES: Final = 1 << 20
_BOOTSTRAP: Final = "bootstrap.servers"
_AS_TEXT: Final = "a text file with one property a line, # for comments"


def read_client_properties(path: Path, bootstrap_servers: str | None = None) -> dict[str, str]:
    """Reads ``key=value`` lines, and gives them by librdkafka's names.

    Args:
        path: the file.
        bootstrap_servers: the cluster's; where the file has them too they must be the same.

    Raises:
        UsageError: the file can't be read, or librdkafka can't be given a property. No message holds a value.
    """
    found = _entries(path)
    lines = {each.key: each.line for each in found}
    given = {each.key: each.value for each in found}
    if _BOOTSTRAP in given and given.pop(_BOOTSTRAP) != bootstrap_servers:
        raise UsageError(
            f"{path}:{lines[_BOOTSTRAP]}: {_BOOTSTRAP} belongs in the scenario, which has others",
            fix="cluster.bootstrap_servers: …",
        )
    try:
        properties = security(given)
    except UnusableSecurityError as error:
        line = lines.get(error.name, lines.get(JAAS, 1))
        raise UsageError(f"{path}:{line}: {error.name}: {error.reason}", fix=error.fix) from None
    places = {name: lines.get(GIVEN_BY.get(name, name), lines.get(name, 1)) for name in properties}
    checked: dict[str, str] = {}
    wrong: list[UsageError] = []
    for name, value in properties.items():
        try:
            checked.update([_checked(path, places[name], name, value)])
        except UsageError as error:
            wrong.append(error)
    if len(wrong) > 1:
        told = "; ".join(f"{one.message} ({one.fix})" for one in wrong)
        raise UsageError(told, fix="leave them out, or use what is named")
    if wrong:
        raise wrong[0]
    return checked


def without_secrets(text: str, properties: Mapping[str, str]) -> str:
    """Replaces every secret value in a text."""
    for key, value in properties.items():
        if value and is_secret(key):
            text = text.replace(value, REDACTED)
    return text


def _without_value(text: str, name: str, value: str) -> str:
    """A text without a value, secret or not; where it is part of another word it is not what is meant."""
    whole = re.compile(rf"(?<![\w.-]){re.escape(value)}(?![\w.-])", re.IGNORECASE)
    return whole.sub(REDACTED, without_secrets(text, {name: value})) if value else text


def _entries(path: Path) -> list[Entry]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"{path} is larger than any such file", fix=_AS_TEXT)
        return entries(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}", fix=_AS_TEXT) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} can't be read: it is not UTF-8 text", fix=_AS_TEXT) from error
    except HintedError as error:
        raise UsageError(f"{path}: {error}", fix=_AS_TEXT) from error


def _checked(path: Path, line: int, name: str, value: str) -> tuple[str, str]:
    """A property by librdkafka's name, if every client may have it."""
    known = known_properties().get(COUNTERPARTS.get(name, name))
    client: Client = "consumer"
    of_one = known is not None and len(known.clients) == 1
    if known is not None and of_one:
        (client,) = known.clients
    found = translated(client, name, value)
    if of_one and not isinstance(found, Untranslatable):
        raise UsageError(
            f"{path}:{line}: {name} is of {client}s alone, and this file is for every client",
            fix=f"{client}s.NAME.config, where results show it",
        )
    if isinstance(found, Untranslatable):
        reason = _without_value(found.reason, name, value)
        meant = found.suggestion if found.at_key else None
        fix = f"did you mean {meant}?" if meant else "leave it out, or use what is named"
        raise UsageError(f"{path}:{line}: {name}: {reason}", fix=fix)
    return found.name, found.value

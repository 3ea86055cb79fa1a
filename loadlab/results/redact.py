"""Secrets never reach a file: what looks like one by its key goes, and so does every known value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from loadlab.scenario.secrets import REDACTED, is_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pydantic import JsonValue

_SECRET_IN_TEXT = re.compile(
    r"(?P<key>[\w.-]*(?:password|passwd|passphrase|secret)[\"']?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;}]+)",
    re.IGNORECASE,
)
# Of documents of ours, what is found by the names of producers, consumers and topics: no property is.
_BY_NAME = frozenset({"traces"})
# Shorter values also occur by chance inside other words and numbers: they go only where they stand alone.
_SAFE_LENGTH = 6


class Redactor:
    """Takes secrets out of documents and texts.

    Args:
        secrets: values known to be secret; a PEM's lines are each treated as one.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        values = sorted(set(_values(secrets)), key=len, reverse=True)
        self._known = re.compile("|".join(map(_pattern, values))) if values else None

    def text(self, text: str) -> str:
        """The text without known secrets and without what follows `password=` and its like."""
        shorter = self._known.sub(REDACTED, text) if self._known else text
        return _SECRET_IN_TEXT.sub(rf"\g<key>{REDACTED}", shorter)

    def model(self, document: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """A copy of a model of ours without secrets; its fields keep their names, whatever secrets are."""
        return {name: self.document(value, name) for name, value in document.items()}

    def document(self, document: JsonValue, key: str = "") -> JsonValue:
        """A copy of any JSON document without secrets; keys are searched too.

        Args:
            document: what to walk.
            key: the key under which the document stands.
        """
        if isinstance(document, dict):
            named = key in _BY_NAME
            return {
                self.text(name): self.document(value, "" if named else name)
                for name, value in document.items()
            }
        if isinstance(document, list):
            return [self.document(item, key) for item in document]
        if isinstance(document, str):
            return REDACTED if document and _is_secret(key) else self.text(document)
        return document


def redact(document: object) -> dict[str, JsonValue]:
    """Copy a JSON document without secrets.

    Args:
        document: an object, as `json.loads` gives one.

    Returns:
        The same document with `[redacted]` in the place of each secret.
    """
    return cast("dict[str, JsonValue]", Redactor(()).document(cast("JsonValue", document)))


def _is_secret(key: str) -> bool:
    """Whether a key is a secret's: by the name of a property without that of its group; no threshold's is."""
    name = key.rpartition(".config.")[2]
    return "{" not in key and is_secret(name)


def _values(secrets: Collection[str]) -> Iterator[str]:
    """Each secret, and its lines: logs break at them."""
    for secret in secrets:
        yield from filter(None, (secret, *(line.strip() for line in secret.splitlines())))


def _pattern(value: str) -> str:
    escaped = re.escape(value)
    return escaped if len(value) >= _SAFE_LENGTH else rf"(?<!\w){escaped}(?!\w)"

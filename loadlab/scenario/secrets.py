"""Secrets by the names of their properties: never in a document, a message or a quoted source line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

REDACTED: Final = "[redacted]"

_SECRET: Final = re.compile(
    r"pass?w|passphr|pwd|secret|key\.pem|ssl[._]key$|jaas\.config|oauthbearer\.config"
    r"|oauthbearer\.extensions|assertion\.private\.key(?!\.file)|keystore\.key$",
    re.IGNORECASE,
)
# What brokers and schema registries call a secret, by the last word of its key.
_ALSO_SECRET: Final = re.compile(
    r"(^|[._-])(token|credentials?|user[._]info|(private|master|api|access)[._-]key)$", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"\.(type|location|file)$", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"""(?<![\w.\-])([\w.\-]+)["']?\s*[:=]\s*(?=\S)""")


def is_secret(name: str) -> bool:
    """Whether the property called ``name`` holds a secret."""
    found = _SECRET.search(name) or _ALSO_SECRET.search(name)
    return bool(found) and not _PLAIN.search(name)


def holds_secret(path: Iterable[str | int]) -> bool:
    """Whether the keys of a path lead to a secret."""
    return any(is_secret(str(key)) for key in path)


def redacted(document: object) -> object:
    """A copy of plain data in which the value of every secret key is replaced."""
    if isinstance(document, Mapping):
        return {
            key: REDACTED
            if is_secret(str(key)) and not isinstance(value, Mapping | list)
            else redacted(value)
            for key, value in document.items()
        }
    if isinstance(document, list | tuple):
        return [redacted(value) for value in document]
    return document


def redacted_line(line: str) -> str:
    """A line of text with everything after the first secret key replaced."""
    for found in _ASSIGNED.finditer(line):
        if is_secret(found[1]):
            return line[: found.end()] + REDACTED
    return line

"""Run ids: they sort by time, can be read, and are valid in the names of topics and groups."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

# Without 0, 1, l and o, which are misread.
_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"
_SUFFIX_LENGTH = 4
_NAME_LENGTH = 64
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9._-]+")


def new_run_id(name: str, now: datetime) -> str:
    """Make an id such as "20261123T161500-quickstart-k3f9"; at most 85 characters.

    Args:
        name: the scenario's name; what Kafka refuses in a topic's name becomes "-".
        now: the time of the start, in UTC.

    Returns:
        The id; two runs that start in the same second differ in the last four characters.
    """
    readable = _NOT_ALLOWED.sub("-", name)[:_NAME_LENGTH]
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return f"{now:%Y%m%dT%H%M%S}-{readable}-{suffix}"


def is_called(identity: str, name: str) -> bool:
    """Whether people mean an id by a name: its beginning, or all that stands behind one of its dashes."""
    return identity.startswith(name) or identity.endswith(f"-{name}")

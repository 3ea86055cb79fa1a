"""Where the user's own files are."""

from __future__ import annotations

from pathlib import Path

from loadlab.errors import UsageError


def home() -> Path:
    """The user's home.

    Raises:
        UsageError: there is none, as for a user without a name that a container was given.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError("this user has no home", fix="set HOME to a folder that can be written") from error

"""What was probably meant: near names, and errors that carry one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

_LIKENESS: Final = 0.6


class HintedError(ValueError):
    """A value that is wrong, with what was probably meant.

    Args:
        message: what is wrong, in one sentence without a full stop.
        suggestion: the near value, or None.
    """

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        # Half a character, of a file or an argument, is no text that could be told.
        super().__init__(as_text(message))
        self.suggestion = suggestion


def is_text(word: str) -> bool:
    """Whether a word has no half of a character (a surrogate) in it, as JSON and arguments may bring one."""
    return as_text(word) == word


def as_text(word: str) -> str:
    """A word with a question mark for each half of a character."""
    return word.encode("utf-8", "replace").decode("utf-8")


def near(word: str, known: Collection[str], *, likeness: float = _LIKENESS) -> str | None:
    """The known word that ``word`` was probably meant to be, or None.

    Case, and underscores where dots belong, count as no difference.

    Args:
        word: as it was written.
        known: what there is.
        likeness: how alike the two must be, 0 to 1, as difflib counts it.
    """
    by_form = {_form(name): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(_form(word), by_form, n=1, cutoff=likeness)
    return by_form[found[0]] if found else None


def _form(word: str) -> str:
    return word.lower().replace("_", ".")

"""Text that goes into Markdown: of which neither Markdown, HTML nor GitHub makes anything else."""

from __future__ import annotations

import re
from typing import Final

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


def plain(text: str) -> str:
    """A text on one line that shows as it is: no mark-up, no tag, nobody mentioned."""
    escaped = _MARKUP.sub(r"\\\1", " ".join(text.split()).replace("&", "&amp;"))
    return escaped.replace("<", "&lt;").replace("@", "&#64;")

"""Summaries as HTML, for notebooks: the lines of the terminal, escaped, in colours for light and dark."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadlab.cli.output import Line, Style

# Readable on white and on black. Colour is never the only sign: the words say it too.
_LOOKS: Final[dict[Style, str]] = {
    "plain": "",
    "good": "color:#2e8540;font-weight:bold",
    "warn": "color:#b8720a;font-weight:bold",
    "bad": "color:#d0342c;font-weight:bold",
    "dim": "opacity:0.6",
}


def lines_as_html(lines: Iterable[Line]) -> str:
    """Lines of a summary as one block; whatever scenarios and results hold stays text."""
    text = "\n".join(map(_line, lines))
    return f'<pre style="line-height:1.4">{text}</pre>'


def _line(line: Line) -> str:
    text = html.escape(line.text)
    look = _LOOKS[line.style]
    return f'<span style="{look}">{text}</span>' if look else text

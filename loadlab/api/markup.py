"""HTML made of elements, so that whatever scenarios and results hold stays text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Element = ET.Element


@dataclass(frozen=True, eq=False)
class Page:
    """A part of a report, as Jupyter shows it.

    Attributes:
        elements: what it holds, in order.
    """

    elements: tuple[Element, ...]

    def _repr_html_(self) -> str:
        return "\n".join(ET.tostring(each, encoding="unicode", method="html") for each in self.elements)


def page(*elements: Element | None) -> Page:
    """A part of these elements; None stands for one that has nothing to say."""
    return Page(tuple(each for each in elements if each is not None))


def element(tag: str, *content: Element | str | None, css: str | None = None) -> Element:
    """An element.

    Args:
        tag: its name.
        content: elements and texts, in order; None is left out.
        css: its class.
    """
    made = ET.Element(tag, {"class": css} if css else {})
    for each in content:
        if isinstance(each, str):
            _append_text(made, each)
        elif each is not None:
            made.append(each)
    return made


def _append_text(made: Element, text: str) -> None:
    """Text stands before the first child, or behind the last one."""
    if len(made):
        made[-1].tail = (made[-1].tail or "") + text
    else:
        made.text = (made.text or "") + text


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int = 1) -> Element | None:
    """A table; the cells from a column on are numbers. None where there is no row."""
    body = [
        element("tr", *(_cell(text, is_number=place >= numbers_from) for place, text in enumerate(row)))
        for row in rows
    ]
    if not body:
        return None
    heads = element("thead", element("tr", *(element("th", text) for text in head)))
    return element("table", heads, element("tbody", *body))


def _cell(text: str, *, is_number: bool) -> Element:
    return element("td", text, css="number" if is_number else None)


def details(summary: str, *content: Element | None) -> Element | None:
    """Something to unfold; None where it holds nothing."""
    held = [each for each in content if each is not None]
    return element("details", element("summary", summary), *held) if held else None

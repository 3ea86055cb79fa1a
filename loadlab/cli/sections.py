"""Parts of a summary, and how they are made to fit on a screen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadlab.cli.output import Line

LABEL_WIDTH = 17

Block = tuple[Line, ...]


@dataclass(frozen=True)
class Section:
    """Blocks of lines that belong together; a block is shown whole or not at all.

    Attributes:
        blocks: the most important first.
        shown: how many of them have room.
        spare: it may be left out where there is room for nothing more.
    """

    blocks: tuple[Block, ...]
    shown: int
    spare: bool = False

    @classmethod
    def of(cls, *blocks: Block, spare: bool = False) -> Section:
        """A section that shows all its blocks."""
        return cls(blocks, len(blocks), spare)

    def lines(self) -> list[Line]:
        """The blocks that have room, and a line that counts the rest."""
        lines = [line for block in self.blocks[: self.shown] for line in block]
        hidden = len(self.blocks) - self.shown
        return (
            [*lines, Line(" " * LABEL_WIDTH + f"… {hidden} more in result.json", "dim")] if hidden else lines
        )

    def shorter(self) -> Section:
        """The section without the last block that it shows."""
        return replace(self, shown=self.shown - 1)


def row(label: str, text: str) -> Block:
    """One line: a label in its column, and what it says."""
    return (Line(f"{label:<{LABEL_WIDTH}}{text}"),)


def fit(sections: list[Section], max_lines: int) -> list[Line]:
    """Put sections together; the longest ones give up blocks until all fit.

    Each section keeps its first block; where that is still too much, those that are spare go, the last first.
    A limit that is too tight for the others is exceeded.
    """
    while _length(sections) > max_lines:
        longest = max(range(len(sections)), key=lambda index: _can_give(sections[index]))
        if not _can_give(sections[longest]):
            break
        sections = [*sections[:longest], sections[longest].shorter(), *sections[longest + 1 :]]
    spare = [section for section in sections if section.spare and section.blocks]
    while _length(sections) > max_lines and spare:
        sections = [section for section in sections if section is not spare[-1]]
        spare.pop()
    return [line for section in sections for line in section.lines()]


def _length(sections: list[Section]) -> int:
    return sum(len(section.lines()) for section in sections)


def _can_give(section: Section) -> int:
    """How long the section is if it can be shortened, else 0."""
    return len(section.lines()) if section.shown > 1 else 0

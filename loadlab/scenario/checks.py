"""Checks across a scenario: names that must match, numbers that must fit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loadlab.scenario.problems import Problem
    from loadlab.scenario.validation import Built


def check(data: Mapping[str, object], built: Built, folder: Path) -> list[Problem]:
    """The problems between parts of a scenario."""
    del data, built, folder
    return []

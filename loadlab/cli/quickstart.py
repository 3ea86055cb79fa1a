"""Where the quickstart scenario lies: in the checkout, or where the wheel put it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.cli.shipped import shipped_file

if TYPE_CHECKING:
    from pathlib import Path


def quickstart_scenario() -> Path:
    """The path of scenarios/quickstart.yaml.

    Raises:
        UsageError: this installation has none.
    """
    return shipped_file("scenarios", "quickstart.yaml")

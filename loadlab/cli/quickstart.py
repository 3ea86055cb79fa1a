"""Where the quickstart scenario lies: in the checkout, or where the wheel put it."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import loadlab
from loadlab.errors import UsageError

_NAME = "quickstart.yaml"


def quickstart_scenario() -> Path:
    """The path of scenarios/quickstart.yaml.

    Raises:
        UsageError: it is in neither place.
    """
    checkout = Path(loadlab.__file__).parent.parent / "scenarios" / _NAME
    for path in (checkout, *_installed()):
        if path.is_file():
            return path
    raise UsageError(
        f"this installation has no {_NAME}",
        fix="run loadlab from its checkout, or name a scenario: loadlab run SCENARIO",
    )


def _installed() -> list[Path]:
    """Files of that name that came with the wheel, as its record says."""
    files = importlib.metadata.files("loadlab") or []
    return [Path(str(file.locate())) for file in files if file.name == _NAME]

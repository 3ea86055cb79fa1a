"""Files that come with loadlab: in the checkout, or where the wheel put them."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import loadlab
from loadlab.errors import UsageError


def shipped_file(folder: str, name: str) -> Path:
    """The path of a file that comes with loadlab.

    Args:
        folder: of the checkout: scenarios or notebooks.
        name: of the file.

    Raises:
        UsageError: it is in neither place.
    """
    checkout = Path(loadlab.__file__).parent.parent / folder / name
    for path in (checkout, *_installed(folder, name)):
        if path.is_file():
            return path
    raise UsageError(
        f"this installation has no {folder}/{name}",
        fix="run loadlab from its checkout, or install its wheel again",
    )


def _installed(folder: str, name: str) -> list[Path]:
    """Files of that name that came with the wheel, as its record says."""
    files = importlib.metadata.files("loadlab") or []
    return [Path(str(file.locate())) for file in files if file.parts[-2:] == (folder, name)]

"""What an export came to, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_UNSAFE: Final = re.compile(r"[^\w.-]")


@dataclass(frozen=True)
class Exported:
    """An export.

    Attributes:
        contents: of each file, by its name in the export's folder; a single file has the name "".
        notes: what the reader must know of its figures and the format can't say.
    """

    contents: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


def file_name(*parts: str) -> str:
    """A name of those parts that leads nowhere else: a scenario or result may say what it likes."""
    return "-".join(_UNSAFE.sub("_", part) for part in parts).lstrip(".") or "_"


def write_files(contents: Mapping[Path, bytes], *, replace: bool) -> None:
    """Write files under temporary names, and give them their own when all are on the disk.

    Args:
        contents: by path; folders that are missing are made.
        replace: whether files that exist may go.

    Raises:
        UsageError: one exists and may not go, or can't be written; none of them is changed then.
    """
    if not replace and (existing := [path for path in contents if path.exists()]):
        raise UsageError(f"{existing[0]} exists already", fix="name another by --output, or give --force")
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in contents}
    path = next(iter(contents))
    try:
        for path, draft in drafts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(draft, contents[path])
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} can't be written: {error.strerror}", fix="name a place that can be written by --output"
        ) from error
    finally:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

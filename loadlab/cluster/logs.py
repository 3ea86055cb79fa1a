"""Brokers' own logs: the last lines for the message of a failed start, the whole for whoever looks deeper."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024
_LOOKED_AT = 1000
_ERRORS = 6
_ERROR = re.compile(r"\b(ERROR|FATAL)\b|Exception\b|Error:")
_STACK = re.compile(r"\s+(at |\.\.\. \d+ more)")
_CLASH = re.compile(r"BindException|Address already in use|port is already allocated", re.IGNORECASE)


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """Read a file's last lines; empty if it can't be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def evidence(path: Path) -> list[str]:
    """Read a log's last lines, and before them the first errors if those stand farther up.

    A broker that fails says why in one line and then, in dozens, how it goes down.
    """
    lines = [line for line in tail(path, _LOOKED_AT) if not _STACK.match(line)]
    last = lines[-TAIL_LINES:]
    errors = [line for line in lines[:-TAIL_LINES] if _ERROR.search(line)][:_ERRORS]
    return [*errors, *last[len(errors) :]]


def keep_logs(save: Callable[[Path], dict[int, Path]], directory: Path) -> dict[int, Path]:
    """Have the logs of a failed start written; none where they can't be: the failure itself is to be told.

    Args:
        save: writes each broker's log into a directory and returns the files by broker id.
        directory: where to.
    """
    try:
        return save(directory)
    except (OSError, ClusterError):
        return {}


def shows_port_clash(logs: Mapping[int, Path]) -> bool:
    """Say whether a broker's log ends with a port that another process had."""
    return any(_CLASH.search("\n".join(tail(path, 200))) for path in logs.values())


def failed_start(error: ClusterError, logs: Mapping[int, Path]) -> ClusterError:
    """Add to an error what the brokers themselves said last, and where the rest is.

    Args:
        error: what went wrong, seen from outside.
        logs: each broker's kept log.
    """
    parts = [error.message]
    for broker_id, path in logs.items():
        if lines := evidence(path):
            parts.append(f"broker {broker_id} said last ({path}):")
            parts += [f"  {line}" for line in lines]
    return ClusterError(
        "\n".join(parts), fix=error.fix or "read the broker's log; `loadlab doctor` checks the machine"
    )

"""One reason for a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "suspect", "invalid"]


@dataclass(frozen=True)
class Finding:
    """One reason for a verdict.

    Attributes:
        code: its stable name.
        message: what was found, with figure and limit.
        fix: what to do.
        figure: what was measured, None where there is no single number.
        limit: its limit, in the same unit.
        severity: what it makes of the run.
    """

    code: str
    message: str
    fix: str
    figure: float | None
    limit: float | None
    severity: Severity

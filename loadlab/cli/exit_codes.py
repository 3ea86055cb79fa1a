"""The exit code of a run that came to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_RUN_INVALID, EXIT_THRESHOLD_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadlab.results.model import RunResult


_MILDEST_FIRST = (EXIT_OK, EXIT_THRESHOLD_FAILED, EXIT_RUN_INVALID, EXIT_INTERRUPTED)


def exit_code(result: RunResult, *, strict: bool) -> int:
    """The code of the worst that holds: interrupted, invalid under --strict, a failed threshold, done.

    A run that failed (4) has raised before it comes here.

    Args:
        result: what was measured.
        strict: an invalid run is a failure.
    """
    if result.interrupted:
        return EXIT_INTERRUPTED
    if strict and result.verdict.status == "invalid":
        return EXIT_RUN_INVALID
    if not all(threshold.passed for threshold in result.thresholds):
        return EXIT_THRESHOLD_FAILED
    return EXIT_OK


def worst_exit_code(codes: Iterable[int]) -> int:
    """Of several runs' codes the one that prevails: interrupted, invalid, a failed threshold, done."""
    return max(codes, key=_MILDEST_FIRST.index, default=EXIT_OK)

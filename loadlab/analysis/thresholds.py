"""Judges what must hold: each threshold of a scenario against what a run measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.analysis.figures import figure
from loadlab.results.model import Threshold as Judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.analysis.evidence import Evidence
    from loadlab.scenario import Scenario, Threshold


def all_thresholds(scenario: Scenario) -> Iterator[Threshold]:
    """A scenario's thresholds in the order of its file."""
    for thresholds in scenario.thresholds.values():
        yield from thresholds


def judge(threshold: Threshold, evidence: Evidence) -> Judged:
    """Judges one threshold; what could not be measured has failed.

    A percentile is compared as it is reported: the midpoint of its histogram bucket. Nothing is granted for
    the bucket's width.

    Args:
        threshold: what must hold.
        evidence: what was measured.
    """
    condition = threshold.condition
    found = figure(threshold, evidence)
    return Judged(
        expression=threshold.expression,
        measured=found.value,
        limit=condition.value,
        unit=condition.unit,
        passed=found.value is not None and condition.holds(found.value),
        not_measurable=found.missing,
    )


def failing_for_good(threshold: Threshold, evidence: Evidence) -> Judged | None:
    """A threshold as failed while the run goes on, None where it has not failed or not yet for good.

    What is not measurable yet may be later. A count that only grows may still come to what `==` wants.

    Args:
        threshold: one that can be judged live.
        evidence: what was measured by now.
    """
    judged = judge(threshold, evidence)
    if judged.passed or judged.measured is None:
        return None
    may_grow = (
        threshold.live == "grows"
        and threshold.condition.op == "=="
        and judged.measured < threshold.condition.value
    )
    return None if may_grow else judged

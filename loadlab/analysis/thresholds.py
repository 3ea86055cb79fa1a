"""Judges what must hold: each threshold of a scenario against what a run measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from loadlab.analysis.figures import Figure, figure
from loadlab.results.model import Threshold as Judged
from loadlab.scenario.expressions import percentile_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.analysis.evidence import Evidence
    from loadlab.scenario import Scenario, Threshold
    from loadlab.scenario.expressions import Condition


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
    if found.value is None and _is_beyond(found.at_least, condition):
        found = Figure(found.at_least)
    return Judged(
        expression=threshold.expression,
        measured=found.value,
        limit=condition.value,
        unit=condition.unit,
        passed=found.value is not None and condition.holds(found.value),
        not_measurable=found.missing,
    )


def _is_beyond(at_least: float, condition: Condition) -> bool:
    """Whether a limit is broken whatever there is beyond a figure."""
    if condition.op == "==":
        return at_least > condition.value
    return condition.op in {"<", "<="} and not condition.holds(at_least)


def failing_for_good(threshold: Threshold, evidence: Evidence, share: float = 1.0) -> Judged | None:
    """A threshold as failed while the run goes on, None where it has not failed or not yet for good.

    What is not measurable yet may be later. A count that only grows may still come to what it has to be.

    Args:
        threshold: one that can be judged live.
        evidence: what was measured by now.
        share: of the measure phase that is over. Below 1 nothing has failed for good that could still come
            within its limit by the phase's end, with records that come evenly.
    """
    judged = judge(threshold, evidence)
    if judged.passed or judged.measured is None:
        return None
    wants_more = threshold.condition.op in {">", ">="} or (
        threshold.condition.op == "==" and judged.measured < threshold.condition.value
    )
    may_grow = threshold.live == "grows" and wants_more
    return None if may_grow or _may_recover(threshold, judged.measured, evidence, share) else judged


def _may_recover(threshold: Threshold, measured: float, evidence: Evidence, share: float) -> bool:
    """Whether what is beyond its limit may still come within it.

    A percentile does if no record to come is above: of all records that are above now, a share of *share* are
    in the end, and p99 after half of them is p98 now. A mean does if what is to come is 0. A rate may rise by
    any amount.
    """
    stat, op = threshold.condition.stat, threshold.condition.op
    if share >= 1 or threshold.live == "grows":
        return False
    if op not in {"<", "<="}:
        return True
    if stat == "mean":
        return threshold.condition.holds(measured * share)
    percentile = percentile_of(stat)
    if percentile is None:
        return stat != "max"
    now = math.floor(100 * (100 - (100 - percentile) / share)) / 100
    if now <= 0:
        return True
    _, _, limit = threshold.text.partition(op)
    text = f"p{now:g} {op} {limit}"
    return judge(threshold.model_copy(update={"text": text}), evidence).passed

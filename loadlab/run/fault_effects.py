"""What each fault cost the load, by the interval series: docs/measurement.md, `faults[]`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Final

from loadlab.results.model_brokers import FaultResult
from loadlab.run.series import INTERVAL_S
from loadlab.run.steady import is_steady, whole_intervals
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.run.ended import EndedRun
    from loadlab.run.faults import Injected

_FEWEST_BEFORE: Final = 3
"""Intervals before the first fault without which nobody knows what is usual."""

_CALM: Final = 3
"""Intervals in a row that are as before: then it is over."""

_FEWER_ACKS: Final = 0.5
_LONGER_TAIL: Final = 2.0


@dataclass(frozen=True)
class _Second:
    """One interval of all producers whose rate is to be steady.

    Attributes:
        acked: records.
        p90_us: the highest publish_latency p90 of a producer; 0 where no sample supports one.
        max_us: likewise the longest one.
    """

    acked: float
    p90_us: float
    max_us: float


def fault_results(run: EndedRun) -> tuple[FaultResult, ...]:
    """The faults of a run, in the order of the scenario."""
    injected = run.load.faults.injected
    if not injected:
        return ()
    seconds, measured = _seconds(run), whole_intervals(run.load.timeline)
    began = [_interval(run, one) for one in injected]
    begins = sorted(begin for begin in began if begin is not None)
    usual = [seconds[index] for index in measured if index in seconds and index < min(begins, default=0)]
    results = []
    for one, begin in zip(injected, began, strict=True):
        if begin is None:
            results.append(_result(run, one, [], usual))
        else:
            until = min([measured.stop, *(other for other in begins if other > begin)])
            after = [seconds[index] for index in range(begin, until) if index in seconds]
            results.append(_result(run, one, after, usual))
    return tuple(results)


def _interval(run: EndedRun, one: Injected) -> int | None:
    """The interval in which a fault began; None where it did not."""
    return None if one.begun_ns is None else int(run.load.timeline.elapsed_s(one.begun_ns) / INTERVAL_S)


def _seconds(run: EndedRun) -> dict[int, _Second]:
    """The intervals by their numbers; none where no producer's rate is to be steady."""
    warmup_s = run.scenario.phases.warmup_s
    sources = {
        f"producer/{name}" for name, spec in run.scenario.producers.items() if is_steady(spec, warmup_s)
    }
    told: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in run.rows:
        if row.source in sources:
            told[round(row.interval_start_s / INTERVAL_S)][row.metric].append(row.value)
    return {
        index: _Second(
            sum(metrics["acked_records_per_s"]) * INTERVAL_S,
            max(metrics["publish_latency_p90_us"], default=0.0),
            max(metrics["publish_latency_max_us"], default=0.0),
        )
        for index, metrics in told.items()
    }


def _result(run: EndedRun, one: Injected, after: Sequence[_Second], usual: Sequence[_Second]) -> FaultResult:
    begin_ns = run.load.timeline.warmup_end_ns
    begun_s = None if one.begun_ns is None else (one.begun_ns - begin_ns) / NS_PER_S
    return FaultResult(
        kind=one.fault.kind,
        broker=one.fault.broker,
        planned_at_s=one.fault.at_s,
        begun_s=begun_s,
        ended_s=None if one.ended_ns is None else (one.ended_ns - begin_ns) / NS_PER_S,
        failure=one.failure,
        no_acks_s=_longest_silence(after) * INTERVAL_S if after else None,
        publish_latency_max_us=max((each.max_us for each in after if each.acked), default=None),
        disturbed_s=_disturbed(after, usual),
    )


def _longest_silence(seconds: Sequence[_Second]) -> int:
    """The most intervals in a row without an ack."""
    runs = groupby(seconds, key=lambda each: each.acked == 0)
    return max((len(list(run)) for silent, run in runs if silent), default=0)


def _disturbed(after: Sequence[_Second], usual: Sequence[_Second]) -> float | None:
    """How long it took until intervals were as before the first fault, seconds; None where they never were.

    Also None where there are too few to know what is usual.
    """
    if not after or len(usual) < _FEWEST_BEFORE:
        return None
    fewest = _FEWER_ACKS * median(each.acked for each in usual)
    longest_us = _LONGER_TAIL * max(each.p90_us for each in usual)
    calm = [each.acked >= fewest and each.p90_us <= longest_us for each in after]
    for index in range(len(calm) - _CALM + 1):
        if all(calm[index : index + _CALM]):
            return index * INTERVAL_S
    return None

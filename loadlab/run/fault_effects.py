"""What each fault cost the load, by the interval series: docs/measurement.md, `faults[]`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.results.model_brokers import FaultResult
from loadlab.run.series import INTERVAL_S
from loadlab.run.steady import is_steady, whole_intervals
from loadlab.scenario.client_settings import Settings
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.run.ended import EndedRun
    from loadlab.run.faults import Injected

_FEWEST_BEFORE: Final = 3
"""Intervals before the first fault without which nobody knows what is usual."""

_CALM: Final = 3
"""Intervals in a row that are as before: then it is over."""

_FEWER_ACKS: Final = 0.9
_LONGER_TAIL: Final = 2.0


@dataclass(frozen=True)
class _Second:
    """One interval of a producer.

    Attributes:
        acked: records.
        p90_us: publish_latency's p90; 0 where no sample supports it.
        max_us: the longest publish_latency; 0 without an ack.
        first_s: when the first ack came, seconds after the common start; None without one, as is
        last_s: when the last came.
    """

    acked: float
    p90_us: float
    max_us: float
    first_s: float | None
    last_s: float | None


@dataclass(frozen=True)
class _Cost:
    """What a fault cost a producer; as FaultResult has it.

    Attributes:
        no_acks_s: the longest time without an ack, seconds.
        max_us: the longest publish_latency; 0 where nothing was acked.
        disturbed_s: until all was as before; None where it never was, or nobody knows.
    """

    no_acks_s: float
    max_us: float
    disturbed_s: float | None


def fault_results(run: EndedRun) -> tuple[FaultResult, ...]:
    """The faults of a run, in the order of the scenario."""
    injected = run.load.faults.injected
    if not injected:
        return ()
    producers, measured = _producers(run), whole_intervals(run.load.timeline)
    began = [_interval(run, one) for one in injected]
    begins = sorted(begin for begin in began if begin is not None)
    before = range(measured.start, min([measured.stop, *begins]))
    results = []
    for one, begin in zip(injected, began, strict=True):
        costs = []
        if begin is not None:
            after = range(begin, min([measured.stop, *(other for other in begins if other > begin)]))
            costs = [_cost(seconds, after, before) for seconds in producers]
        results.append(_result(run, one, [cost for cost in costs if cost is not None]))
    return tuple(results)


def _interval(run: EndedRun, one: Injected) -> int | None:
    """The interval in which a fault began; None where it did not."""
    return None if one.begun_ns is None else int(run.load.timeline.elapsed_s(one.begun_ns) / INTERVAL_S)


def _producers(run: EndedRun) -> list[Mapping[int, _Second]]:
    """By their numbers, the intervals of each steady producer whose acks tell anything.

    With acks=0 an ack is a write to a socket, which a dead broker's partitions do not hold up.
    """
    warmup_s = run.scenario.phases.warmup_s
    told = {
        f"producer/{name}": defaultdict[int, dict[str, float]](dict)
        for name, spec in run.scenario.producers.items()
        if is_steady(spec, warmup_s) and Settings.of_client(spec.config).text("acks") != "0"
    }
    for row in run.rows:
        if row.source in told:
            told[row.source][round(row.interval_start_s / INTERVAL_S)][row.metric] = row.value
    return [
        {
            index: _Second(
                metrics.get("acked_records_per_s", 0.0) * INTERVAL_S,
                metrics.get("publish_latency_p90_us", 0.0),
                metrics.get("publish_latency_max_us", 0.0),
                metrics.get("first_ack_s"),
                metrics.get("last_ack_s"),
            )
            for index, metrics in seconds.items()
        }
        for seconds in told.values()
    ]


def _within(seconds: Mapping[int, _Second], intervals: range) -> list[_Second]:
    return [seconds[index] for index in intervals if index in seconds]


def _result(run: EndedRun, one: Injected, costs: Sequence[_Cost]) -> FaultResult:
    """A fault, with what it cost the producer that felt most of it."""
    begin_ns = run.load.timeline.warmup_end_ns
    lasted = [cost.disturbed_s for cost in costs if cost.disturbed_s is not None]
    return FaultResult(
        kind=one.fault.kind,
        broker=one.fault.broker,
        planned_at_s=one.fault.at_s,
        begun_s=None if one.begun_ns is None else (one.begun_ns - begin_ns) / NS_PER_S,
        ended_s=None if one.ended_ns is None else (one.ended_ns - begin_ns) / NS_PER_S,
        failure=one.failure,
        no_acks_s=max((cost.no_acks_s for cost in costs), default=None),
        publish_latency_max_us=max((cost.max_us for cost in costs if cost.max_us), default=None),
        disturbed_s=max(lasted) if lasted and len(lasted) == len(costs) else None,
    )


def _cost(seconds: Mapping[int, _Second], after: range, before: range) -> _Cost | None:
    """What a fault cost one producer, in the intervals after it; None where none of them is known."""
    felt = _within(seconds, after)
    if not felt:
        return None
    longest_us = max(each.max_us for each in felt)
    return _Cost(_longest_silence(seconds, after), longest_us, _disturbed(felt, _within(seconds, before)))


def _longest_silence(seconds: Mapping[int, _Second], intervals: range) -> float:
    """The longest time from the last ack in an interval to the first in a later one, or to the end.

    What lies within one interval is not seen, and shorter than it. Where nothing was acked before, it counts
    from the first of the intervals on.
    """
    begin_s = intervals.start * INTERVAL_S
    acked = [each for index, each in sorted(seconds.items()) if index < intervals.stop and each.acked]
    within = _within(seconds, intervals)
    firsts = [each.first_s for each in acked] + ([] if within[-1].acked else [intervals.stop * INTERVAL_S])
    lasts = [begin_s, *(each.last_s for each in acked)]
    gaps = zip(lasts, firsts, strict=False)
    return max(
        (
            first_s - last_s
            for last_s, first_s in gaps
            if last_s is not None and first_s is not None and first_s >= begin_s
        ),
        default=0.0,
    )


def _disturbed(after: Sequence[_Second], usual: Sequence[_Second]) -> float | None:
    """How long it took until intervals were as before the first fault, seconds; None where they never were.

    Also None where there are too few to know what is usual, or it is usual that nothing is acked.
    """
    fewest = _FEWER_ACKS * min((each.acked for each in usual), default=0.0)
    if len(usual) < _FEWEST_BEFORE or not fewest:
        return None
    longest_us = _LONGER_TAIL * max(each.p90_us for each in usual)
    calm = [each.acked >= fewest and each.p90_us <= longest_us for each in after]
    for index in range(len(calm) - _CALM + 1):
        if all(calm[index : index + _CALM]):
            return index * INTERVAL_S
    return None

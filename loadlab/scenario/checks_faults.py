"""Checks of faults: brokers that are there, at times that lie in the run, one thing at a time."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

from loadlab import units
from loadlab.scenario.cluster import KAFKA_PROVIDERS
from loadlab.scenario.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.faults import Fault
    from loadlab.scenario.finding import Finding, View

_PROVIDER = ("cluster", "provider")
_BROKERS = ("cluster", "brokers")


def faults_on_own_brokers(view: View) -> Iterator[Finding]:
    """Faults are done to brokers that loadlab started, and that are there."""
    cluster = view.scenario.cluster
    if view.scenario.faults and cluster.provider not in KAFKA_PROVIDERS:
        message = f"need brokers that loadlab started: provider docker or local, not {cluster.provider}"
        yield found(("faults",), message, about=(_PROVIDER,), at_key=True)
        return
    for number, fault in enumerate(view.scenario.faults):
        if fault.broker > cluster.brokers:
            message = f"there is no broker {fault.broker}: cluster.brokers is {cluster.brokers}"
            yield found(("faults", number, fault.kind), message, about=(_PROVIDER, _BROKERS))


def pauses_that_end(view: View) -> Iterator[Finding]:
    """A broker that stands still goes on again."""
    for number, fault in enumerate(view.scenario.faults):
        if _is_endless_pause(fault):
            yield found(("faults", number), "a pause must end: say for how long (for: 2s)")


def _is_endless_pause(fault: Fault) -> bool:
    return fault.kind == "pause" and fault.for_s is None


def faults_in_time(view: View) -> Iterator[Finding]:
    """A fault begins in the measure phase, and ends before the run does."""
    phases = view.scenario.phases
    longest_s = phases.measure_s + phases.drain_s
    for number, fault in enumerate(view.scenario.faults):
        if fault.at_s >= phases.measure_s:
            measure = units.format_duration(phases.measure_s)
            message = f"is not in the measure phase, which lasts {measure} (phases.measure)"
            yield found(("faults", number, "at"), message, about=(("phases",),))
        elif fault.end_s is not None and fault.end_s > longest_s:
            end, longest = map(units.format_duration, (fault.end_s, longest_s))
            message = f"ends {end} after the measure phase began, and the run is over after {longest} at most"
            yield found(("faults", number, "for"), message, about=(("phases",), ("faults", number, "at")))


def faults_one_by_one(view: View) -> Iterator[Finding]:
    """Nothing is done to a broker that another fault holds."""
    ending = [each for each in enumerate(view.scenario.faults) if not _is_endless_pause(each[1])]
    numbered = sorted(ending, key=lambda each: each[1].at_s)
    for (first, earlier), (number, later) in combinations(numbered, 2):
        if earlier.broker == later.broker and later.at_s <= _end(earlier):
            # One that ends as the other begins would leave no moment in which the broker is as before.
            until = "still {} then" if later.at_s < _end(earlier) else "{} until then: leave time between"
            message = f"broker {later.broker} is {until.format(_held(earlier))}"
            yield found(("faults", number, "at"), message, about=(("faults", first),))


def _end(fault: Fault) -> float:
    return math.inf if fault.end_s is None else fault.end_s


def _held(fault: Fault) -> str:
    since = f"since {units.format_duration(fault.at_s)}"
    how = f"{since}, for {units.format_duration(fault.for_s)}" if fault.for_s else f"{since}, to the end"
    return f"{'paused' if fault.kind == 'pause' else 'dead'} ({how})"

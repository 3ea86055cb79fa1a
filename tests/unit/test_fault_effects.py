"""What a fault cost, worked out of the interval series."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from run_samples import S, scenario_of

from loadlab.results.artifacts import Interval
from loadlab.run.fault_effects import fault_results
from loadlab.run.faults import Injected
from loadlab.run.plan import PlannedFault
from loadlab.run.timeline import Timeline

if TYPE_CHECKING:
    from loadlab.results.model import FaultResult
    from loadlab.run.ended import EndedRun
    from loadlab.scenario import Scenario

USUAL = (1000.0, 10.0)
"""Acks a second and p90 in ms."""


@dataclass
class Run:
    """A run as far as faults are told of it: a second of warm-up, then an interval for each of `seconds`."""

    seconds: list[tuple[float, float]]
    injected: list[Injected]
    scenario: Scenario
    others: tuple[float, float] | None = None
    warmup: tuple[float, float] = USUAL

    def results(self) -> tuple[FaultResult, ...]:
        timeline = Timeline(0, S, (1 + len(self.seconds)) * S, 100 * S)
        load = SimpleNamespace(timeline=timeline, faults=SimpleNamespace(injected=self.injected))
        others = [] if self.others is None else [("others", [self.others] * (1 + len(self.seconds)))]
        rows = [
            Interval(float(index), f"producer/{name}", metric, value)
            for name, seconds in [("checkout", [self.warmup, *self.seconds]), *others]
            for index, (acked, p90_ms) in enumerate(seconds)
            for metric, value in (
                ("acked_records_per_s", acked),
                ("publish_latency_p90_us", p90_ms * 1e3),
                ("publish_latency_max_us", p90_ms * 2e3),
                ("first_ack_s", index + 0.1),
                ("last_ack_s", index + 0.9),
            )
            if acked or metric == "acked_records_per_s"
        ]
        return fault_results(cast("EndedRun", SimpleNamespace(load=load, rows=rows, scenario=self.scenario)))


def killed(at_s: float, begun_s: float | None, ended_s: float | None = None) -> Injected:
    """A fault of a run whose measure phase begins after a second."""
    begun_ns, ended_ns = (None if each is None else round((1 + each) * S) for each in (begun_s, ended_s))
    return Injected(PlannedFault("kill", 1, at_s, 2.0), begun_ns, ended_ns)


def of(
    seconds: list[tuple[float, float]],
    *injected: Injected,
    others: tuple[float, float] | None = None,
    **parts: object,
) -> tuple[FaultResult, ...]:
    return Run(seconds, list(injected), scenario_of(**parts).scenario, others).results()


def test_a_load_that_was_silent_before_its_first_fault_has_no_as_before() -> None:
    silent = (0.0, 0.0)
    (told,) = of([USUAL, silent, USUAL, USUAL] + [silent] * 10, killed(4.0, 4.2, 6.5))
    assert told.no_acks_s == pytest.approx(10.1)
    assert told.disturbed_s is None


def test_a_fault_is_told_with_its_silence_its_longest_latency_and_its_end() -> None:
    after = [(400.0, 12.0), (0.0, 0.0), (0.0, 0.0), (3000.0, 900.0), (1000.0, 15.0), (1000.0, 30.0)]
    (told,) = of([USUAL] * 4 + after + [USUAL] * 4, killed(4.0, 4.2, 6.5))

    assert (told.begun_s, told.ended_s) == (pytest.approx(4.2), pytest.approx(6.5))
    assert told.no_acks_s == pytest.approx(2.2)
    assert told.publish_latency_max_us == 1_800_000
    # The sixth second of it is the last with a tail more than twice as long as any before.
    assert told.disturbed_s == 6.0


def test_a_fault_that_nobody_felt_disturbed_nothing() -> None:
    (told,) = of([USUAL] * 10, killed(4.0, 4.0, 5.0))
    assert (told.no_acks_s, told.disturbed_s) == (pytest.approx(0.2), 0.0)


def test_a_producer_that_was_never_acked_was_silent_from_the_fault_on() -> None:
    silent = (0.0, 0.0)
    for after, no_acks_s in ((silent, 7.0), (USUAL, 5.1)):
        run = Run([silent] * 7 + [after] * 2, [killed(2.0, 2.0)], scenario_of().scenario, warmup=silent)
        (told,) = run.results()
        assert told.no_acks_s == pytest.approx(no_acks_s)


def test_each_fault_is_told_by_what_came_before_the_next() -> None:
    silent = (0.0, 0.0)
    first, second = of(
        [USUAL] * 4 + [silent, *[USUAL] * 3, silent, silent, silent], killed(4.0, 4.0, 4.5), killed(8.0, 8.0)
    )

    assert (first.no_acks_s, first.disturbed_s) == (pytest.approx(1.2), 1.0)
    assert (second.no_acks_s, second.disturbed_s) == (pytest.approx(3.1), None)
    assert second.publish_latency_max_us is None


def test_what_is_usual_is_not_known_from_two_seconds() -> None:
    (told,) = of([USUAL] * 10, killed(2.0, 2.0, 3.0))
    assert told.disturbed_s is None


def test_a_fault_that_never_was_cost_nothing() -> None:
    (told,) = of([USUAL] * 10, killed(4.0, None))
    assert (told.begun_s, told.no_acks_s, told.publish_latency_max_us, told.disturbed_s) == (None,) * 4


def producers(**acks: str) -> dict[str, object]:
    each = {"topic": "orders", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}
    return {name: {**each, "config": {"acks": value}} for name, value in acks.items()}


def test_a_producer_that_others_go_on_beside_is_not_hidden_by_them() -> None:
    silent = (0.0, 0.0)
    seconds = [USUAL] * 4 + [silent, silent] + [USUAL] * 6
    fault = killed(4.0, 4.0, 6.0)
    (told,) = of(seconds, fault, producers=producers(checkout="all", others="1"), others=USUAL)
    assert (told.no_acks_s, told.disturbed_s) == (pytest.approx(2.2), 2.0)
    # Half of the partitions are away, and what they hold up is acked by nobody.
    (told,) = of([USUAL] * 4 + [(500.0, 10.0)] * 8, killed(4.0, 4.0))
    assert (told.no_acks_s, told.disturbed_s) == (pytest.approx(0.2), None)


def test_an_ack_that_says_nothing_of_the_broker_is_none() -> None:
    (told,) = of([USUAL] * 10, killed(4.0, 4.0, 5.0), producers=producers(checkout="0"))
    assert (told.no_acks_s, told.publish_latency_max_us, told.disturbed_s) == (None, None, None)


def test_a_schedule_that_is_not_steady_has_no_usual() -> None:
    bursts = {"rate": {"bursts": {"rate": "1k/s", "every": "5s", "for": "1s"}}}
    producers = {"checkout": {"topic": "orders", "schedule": bursts, "records": {"size": 100}}}
    (told,) = of([USUAL] * 10, killed(4.0, 4.0, 5.0), producers=producers)
    assert (told.no_acks_s, told.publish_latency_max_us, told.disturbed_s) == (None, None, None)
    assert told.begun_s == 4.0

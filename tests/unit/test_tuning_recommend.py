from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loadlab.analysis.headline import Headline
from loadlab.analysis.knobs import UNSET, assignment_text
from loadlab.analysis.statistics import Interval
from loadlab.results.model_study_answer import StudyCost, StudyImportance, StudyLimit
from loadlab.tuning.confirm import Attempt
from loadlab.tuning.decision import Decision
from loadlab.tuning.drift import Drift
from loadlab.tuning.recommend import (
    Recommendation,
    costs_of,
    figure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from loadlab.tuning.confirm import State

AT = "producers.checkout.config"
MEASURED = Attempt(0, "measured", (0.01,) * 8, 8, 0.01)
USE: Mapping[str, JsonValue] = {
    f"{AT}.linger.ms": 20.0,
    f"{AT}.batch.size": 262144,
    f"{AT}.compression.type": "lz4",
    "topics.orders.partitions": 12,
}
BEATS = Decision(
    finding="beats the default",
    candidate=0,
    ratio=1.343,
    interval=Interval(1.271, 1.408, "bootstrap"),
    p_value=1 / 256,
    level=0.01,
    floor=0.05,
    noise=0.031,
    more_pairs=0,
    visible=0.05,
    attempts=(),
)
NOT_SEEN = Decision(
    "not seen", 0, 1.01, Interval(0.98, 1.04, "bootstrap"), 0.3, 0.01, 0.05, 0.031, 24, 0.05, (MEASURED,)
)


def recommendation(decision: Decision = BEATS, **changes: object) -> Recommendation:
    fields: dict[str, object] = {
        "decision": decision,
        "goal": "records a second",
        "use": USE,
        "weakened": {},
        "unlocked": (),
        "limits": [StudyLimit(label="publish p99", measured=41_200.0, limit=50_000.0, unit="µs")],
        "costs": [StudyCost(label="p50", unit="µs", default=3_000.0, recommended=12_100.0)],
        "importances": [
            StudyImportance(knob=f"{AT}.linger.ms", share=0.5, low=0.3, high=0.7),
            StudyImportance(knob=f"{AT}.compression.type", share=0.2, low=0.02, high=0.4),
            StudyImportance(knob="topics.orders.partitions", share=0.01, low=0.0, high=0.03),
        ],
        "drift": "no drift could be seen: the default was run too seldom",
    }
    return Recommendation(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_gain_is_told_with_its_interval_its_limits_and_its_cost() -> None:
    assert recommendation().sentences() == (
        "Use linger.ms=20 batch.size=256KiB compression.type=lz4 partitions=12: 1.34 (1.27–1.41) times the"
        " records a second of the default at publish p99 41 ms (limit 50 ms); cost: +9.1 ms p50."
        " Knobs that mattered: linger.ms. That did not: partitions. Not clear: compression.type."
        " No drift could be seen: the default was run too seldom."
    )


def test_without_a_gain_it_is_told_what_could_have_been_seen() -> None:
    said = recommendation(NOT_SEEN, use={}, importances=()).sentences()
    assert said.startswith(
        "Nothing beat the default by more than noise (±3.1%); with 24 more pairs a gain of 5% could be seen."
    )
    assert "Use " not in said


def test_a_default_that_breaks_a_constraint_itself_is_told_with_what_that_means() -> None:
    said = recommendation(NOT_SEEN, use={}, default_breaks=("publish_latency p99 < 50ms",)).sentences()
    assert said.startswith("The default itself breaks publish_latency p99 < 50ms: what holds that is")
    assert "The default itself" not in recommendation(NOT_SEEN, use={}).sentences()


def test_ratios_and_gains_are_told_with_digits_that_say_something() -> None:
    small = replace(BEATS, ratio=0.0045, interval=Interval(0.0041, 0.0052, "bootstrap"))
    assert ": 0.0045 (0.0041–0.0052) times the records a second" in recommendation(small).sentences()
    for visible, told in ((0.004, "0.4%"), (0.025, "2.5%"), (0.125, "12.5%")):
        said = recommendation(replace(NOT_SEEN, visible=visible), use={}).sentences()
        assert f"a gain of {told} could be seen" in said


def test_where_a_gain_would_have_been_seen_no_more_pairs_are_asked_for() -> None:
    enough = replace(NOT_SEEN, noise=0.008, more_pairs=0)
    assert "(±0.8%); a gain of 5% would have been seen." in recommendation(enough, use={}).sentences()


def test_blocks_that_tell_nothing_are_given_no_figure() -> None:
    wide = replace(NOT_SEEN, noise=228.2, more_pairs=60)
    said = recommendation(wide, use={}).sentences()
    assert said.startswith(
        "The blocks are too few, or vary too much, to tell whether anything beats the default;"
    )
    assert "±" not in said


def test_a_gain_below_the_floor_is_told_and_not_recommended() -> None:
    small = Decision(
        "too small", 0, 1.03, Interval(1.02, 1.04, "bootstrap"), 0.004, 0.01, 0.05, 0.01, 0, 0.05, ()
    )
    said = recommendation(small).sentences()
    assert said.startswith("Nothing beat the default by the 5.0% that count: linger.ms=20")
    assert "has 1.03 (1.02–1.04) times the records a second of the default" in said
    assert not recommendation(small).beats


@pytest.mark.parametrize("decision", [BEATS, NOT_SEEN, replace(BEATS, finding="too small")])
def test_what_is_compared_with_is_called_by_its_name(decision: Decision) -> None:
    said = recommendation(
        decision,
        baseline_name="scenario",
        drift=Drift(0.01, 0.001, 0.02, 0, 9).sentence("scenario"),
        default_breaks=("lost == 0",),
    )
    assert " the scenario" in said.sentences()
    assert "default" not in said.sentences()


def test_searched_durability_comes_first() -> None:
    said = recommendation(weakened={f"{AT}.acks": "1"}, unlocked=(f"{AT}.acks",)).sentences()
    assert said.startswith("Warning: durability was searched, and acks=1 may lose or double records. Use ")
    kept = recommendation(unlocked=(f"{AT}.acks",)).sentences()
    assert kept.startswith(
        "Warning: durability was searched (acks); what is recommended promises no less than the scenario."
    )


def tried(*states: State) -> Decision:
    """A decision of contenders that came to this."""
    return replace(
        NOT_SEEN, attempts=tuple(Attempt(place, state, (), 8, 0.01) for place, state in enumerate(states))
    )


@pytest.mark.parametrize(
    ("decision", "reason", "noise"),
    [
        (tried("breaks a constraint"), "the only contender broke a constraint in half of its runs", False),
        (tried("fails", "does not lead"), "1 of 2 contenders failed.", True),
        (tried("breaks a constraint", "fails"), "or more; 1 of 2 contenders failed.", False),
    ],
)
def test_what_spoke_against_contenders_other_than_noise_is_said(
    decision: Decision, reason: str, noise: bool
) -> None:
    said = recommendation(decision).sentences()
    assert said.startswith("Nothing is recommended: ")
    assert reason in said
    assert ("by more than noise" in said) == noise


def test_why_no_trial_came_to_be_confirmed_is_said() -> None:
    said = recommendation(tried(), none_left="15 of 15 trials failed, the first by: no leader").sentences()
    assert said.startswith("Nothing is recommended: 15 of 15 trials failed, the first by: no leader.")
    assert "by more than noise" not in said


def test_a_recommendation_without_costs_says_so() -> None:
    assert "; cost: none seen." in recommendation(costs=()).sentences()


def headline(label: str, path: str, better: str, unit: str = "µs") -> Headline:
    return Headline(path, "checkout", label, unit, better)  # type: ignore[arg-type]


def test_costs_are_the_numbers_that_got_worse_by_more_than_noise() -> None:
    rng = np.random.default_rng(1)

    def around(center: float) -> list[float | None]:
        return [float(center * np.exp(rng.normal(0, 0.02))) for _ in range(16)]

    rate = headline("throughput", "rate", "higher", "records/s")
    p50, p99, cpu = (headline(name, name, "lower") for name in ("p50", "p99", "cpu"))
    default = {rate: around(1000), p50: around(3000), p99: around(40_000), cpu: around(2.0)}
    recommended = {rate: around(1300), p50: around(12_000), p99: around(40_000), cpu: around(1.0)}

    (cost,) = costs_of(default, recommended, ["rate"])
    assert (cost.label, cost.unit) == ("p50", "µs")
    assert cost.recommended - cost.default == pytest.approx(9000, rel=0.05)

    lowered = {**recommended, rate: around(500)}
    assert {each.label for each in costs_of(default, lowered, [])} == {"p50", "throughput"}
    assert {each.label for each in costs_of(default, lowered, ["rate"])} == {"p50"}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (41_200.0, "µs", "41 ms"),
        (940.0, "µs", "940 µs"),
        (0.53, "µs", "0.53 µs"),
        (2_500_000.0, "µs", "2.5 s"),
        (99.7, "µs", "100 µs"),
        (812_345.6, "records/s", "812,346 records/s"),
        (1234.0, "records", "1,234 records"),
        (0.123456, "", "0.123"),
    ],
)
def test_figures_have_the_digits_that_a_reader_wants(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_a_value_that_is_to_be_taken_out_is_named() -> None:
    level = "producers.a.config.compression.level"
    assert assignment_text({"producers.a.config.compression.type": "lz4", level: UNSET}) == (
        "compression.type=lz4, without compression.level"
    )
    assert assignment_text({level: UNSET}) == "without compression.level"

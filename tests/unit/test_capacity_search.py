"""The search for the highest rate that holds, on systems whose edge is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.tuning.capacity_levels import MAX_RATE, Outcome, Probe, Verdict, answer, bracket, levels_of
from loadlab.tuning.capacity_search import Limits, next_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadlab.tuning.capacity_levels import Answer

EDGE_PER_S = 182_000.0
# The limit of p99, and p99 without load, in seconds: where latency rises late, and where it rises early.
SHAPES = {"late": (0.1, 0.002), "early": (0.0001, 0.00003)}
STARTS = [None, 1_000.0, 20_000.0, 100_000.0, 181_000.0, 400_000.0, 3_000_000.0]


def search(probe: Callable[[float], Outcome], limits: Limits, before: Sequence[Probe] = ()) -> list[Probe]:
    """All probes until the answer is as sure and precise as it can get, those of before included."""
    probes = list(before)
    while (rate_per_s := next_rate(probes, limits)) is not None:
        probes.append(Probe(rate_per_s, probe(rate_per_s)))
    return probes


def queue(
    shape: str, rng: np.random.Generator, p99_noise: float = 0.0, noise: float = 0.0
) -> Callable[..., Outcome]:
    """An M/M/1 queue whose p99 meets its limit at EDGE_PER_S; more than it can serve, it does not reach."""
    limit_s, base_s = SHAPES[shape]
    capacity_per_s = EDGE_PER_S + math.log(100.0) / (limit_s - base_s)

    def probe(rate_per_s: float) -> Outcome:
        reach_per_s = capacity_per_s * math.exp(rng.normal(0.0, noise))
        if rate_per_s >= reach_per_s:
            return Outcome(Verdict.FAILS, reach_per_s, strain=20.0)
        p99_s = (base_s + math.log(100.0) / (reach_per_s - rate_per_s)) * math.exp(rng.normal(0.0, p99_noise))
        held = p99_s < limit_s
        return Outcome(Verdict.HOLDS if held else Verdict.FAILS, rate_per_s, p99_s / limit_s)

    return probe


def rising_early(rng: np.random.Generator) -> Callable[[float], Outcome]:
    """A system whose p99 rises by the sixth power of the rate, long before it can serve no more."""

    def probe(rate_per_s: float) -> Outcome:
        if rate_per_s >= 1.6 * EDGE_PER_S:
            return Outcome(Verdict.FAILS, 1.6 * EDGE_PER_S, strain=20.0)
        strain = (rate_per_s / EDGE_PER_S) ** 6 * math.exp(rng.normal(0.0, 0.1))
        return Outcome(Verdict.HOLDS if strain < 1.0 else Verdict.FAILS, rate_per_s, strain)

    return probe


def stalling(
    system: Callable[[float], Outcome], rng: np.random.Generator, share: float
) -> Callable[[float], Outcome]:
    """The same, but a share of the probes that would hold have a stall."""

    def probe(rate_per_s: float) -> Outcome:
        outcome = system(rate_per_s)
        if outcome.verdict is Verdict.HOLDS and rng.random() < share:
            return Outcome(Verdict.FAILS, outcome.achieved_per_s, rng.uniform(1.05, 10.0))
        return outcome

    return probe


def step(edge_per_s: float) -> Callable[[float], Outcome]:
    """A system that only says whether it holds."""
    return lambda rate_per_s: Outcome(Verdict.HOLDS if rate_per_s <= edge_per_s else Verdict.FAILS)


def scripted(*verdicts: str) -> list[Probe]:
    """Probes as "100 holds"."""
    pairs = [text.split() for text in verdicts]
    return [Probe(float(rate), Outcome(Verdict(verdict))) for rate, verdict in pairs]


def ends(found: Answer) -> tuple[float, float]:
    assert found.kind == "between"
    assert found.bracket.low is not None
    assert found.bracket.high is not None
    return found.bracket.low.rate_per_s, found.bracket.high.rate_per_s


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("start_per_s", STARTS)
def test_the_edge_of_a_quiet_system_is_found_within_3_percent(shape: str, start_per_s: float | None) -> None:
    probes = search(queue(shape, np.random.default_rng(1)), Limits(start_per_s))
    low, high = ends(answer(probes))
    assert len(probes) <= 10
    assert low <= EDGE_PER_S < high
    assert low == pytest.approx(EDGE_PER_S, rel=0.03)


@pytest.mark.parametrize("start_per_s", [None, 20_000.0, 100_000.0])
def test_five_searches_of_a_noisy_system_agree_within_5_percent(start_per_s: float | None) -> None:
    """p99 comes 10 % off and what can be served 0.5 %."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        system = queue("late", rng, p99_noise=0.1, noise=0.005)
        found = [ends(answer(search(system, Limits(start_per_s))))[0] for _ in range(5)]
        assert found == pytest.approx([sorted(found)[2]] * 5, rel=0.05), seed
        assert sorted(found)[2] == pytest.approx(EDGE_PER_S, rel=0.05)


def within_5_percent(system: Callable[[np.random.Generator], Callable[[float], Outcome]]) -> int:
    """Of a hundred searches, how many find the edge so."""
    found = [
        answer(search(system(np.random.default_rng(seed)), Limits(None))).bracket.low for seed in range(100)
    ]
    return sum(low is not None and low.rate_per_s == pytest.approx(EDGE_PER_S, rel=0.05) for low in found)


def test_a_latency_that_rises_early_leads_to_the_edge() -> None:
    assert within_5_percent(rising_early) >= 85


def test_a_stall_in_each_tenth_probe_seldom_moves_the_answer() -> None:
    """That a rate failed by chance is seen at once, and not when too few probes are left to come back."""
    assert within_5_percent(lambda rng: stalling(queue("late", rng, 0.1, 0.005), rng, 0.1)) >= 88


def test_what_fails_though_it_was_reached_is_probed_again_before_any_other_rate() -> None:
    reached = Probe(MAX_RATE, Outcome(Verdict.UNMEASURED, 200.0))
    late = Probe(160.0, Outcome(Verdict.FAILS, 160.0, strain=3.0))
    assert next_rate([reached, late], Limits(None)) == 160.0
    too_much = Probe(160.0, Outcome(Verdict.FAILS, 120.0, strain=3.0))
    assert next_rate([reached, too_much], Limits(None)) == 108.0
    above = Probe(210.0, Outcome(Verdict.FAILS, 210.0, strain=3.0))
    assert next_rate([reached, *scripted("160 holds"), above], Limits(None)) != 210.0


def test_a_rate_that_failed_once_and_then_could_not_be_measured_is_not_probed_for_ever() -> None:
    def probe(rate_per_s: float) -> Outcome:
        if rate_per_s == MAX_RATE:
            return Outcome(Verdict.FAILS, 200_000.0)
        asked.append(rate_per_s)
        if rate_per_s == 160_000.0:
            return Outcome(Verdict.FAILS if asked.count(rate_per_s) == 1 else Verdict.UNMEASURED, rate_per_s)
        return step(122_000.0)(rate_per_s)

    asked: list[float] = []
    low, high = ends(answer(search(probe, Limits(100_000.0))))
    assert low == pytest.approx(122_000.0, rel=0.05)
    assert 122_000.0 < high < 130_000.0


def test_a_latency_that_does_not_rise_up_to_what_fails_by_something_else_is_no_guide() -> None:
    """Readers fall behind from 90,000/s on; the strain differs by one bucket of a histogram."""

    def probe(rate_per_s: float) -> Outcome:
        if rate_per_s > 90_000.0:
            return Outcome(Verdict.FAILS, min(rate_per_s, 500_000.0), 0.02008)
        return Outcome(Verdict.HOLDS, rate_per_s, 0.02)

    assert ends(answer(search(probe, Limits(20_000.0))))[0] == pytest.approx(90_000.0, rel=0.05)


@pytest.mark.parametrize("power", [1.0, 3.0])
@pytest.mark.parametrize("below", [20.0, 60.0])
def test_an_edge_far_below_the_start_is_come_down_to_without_doubting_each_rate(
    below: float, power: float
) -> None:
    edge_per_s = 10_000.0 / below

    def probe(rate_per_s: float) -> Outcome:
        strain = (rate_per_s / edge_per_s) ** power
        return Outcome(Verdict.HOLDS if strain < 1.0 else Verdict.FAILS, min(rate_per_s, 2e4), strain)

    low, _ = ends(answer(search(probe, Limits(10_000.0))))
    assert low == pytest.approx(edge_per_s, rel=0.2)


def test_both_ends_of_the_bracket_are_probed_again() -> None:
    found = answer(search(step(EDGE_PER_S), Limits(100_000.0)))
    assert not found.bracket.unsure


@pytest.mark.parametrize(
    ("probes", "next_per_s"),
    [
        (["100 holds", "102 fails"], 102.0),
        (["100 holds", "102 fails", "102 fails"], 100.0),
        (["100 holds", "102 fails", "100 holds"], 102.0),
        (["100 holds", "102 fails", "100 fails"], 100.0),
        (["100 holds", "102 fails", "100 holds", "102 holds"], 102.0),
        (["100 holds", "102 fails", "100 holds", "102 fails"], None),
        (["100 unmeasured"], 100.0),
        (["100 holds", "102 unmeasured", "102 fails", "100 holds"], 102.0),
    ],
)
def test_what_is_undecided_is_probed_again(probes: list[str], next_per_s: float | None) -> None:
    assert next_rate(scripted(*probes), Limits(100.0)) == next_per_s


def test_the_majority_of_repeats_decides() -> None:
    flaky = scripted("100 holds", "100 fails", "100 holds", "103 fails", "103 holds", "103 fails")
    assert ends(answer(flaky)) == (100.0, 103.0)
    assert ends(answer([*flaky, *scripted("90 holds", "100 fails", "100 fails")])) == (90.0, 100.0)


def test_a_tie_that_no_probe_is_left_for_does_not_hold() -> None:
    assert ends(answer(scripted("90 holds", "100 holds", "100 fails"))) == (90.0, 100.0)


def test_a_rate_that_failed_by_chance_is_taken_back() -> None:
    """One outlier below the edge: the bracket closes in on it, its repeats hold, and the search goes on."""
    asked: list[float] = []

    def probe(rate_per_s: float) -> Outcome:
        asked.append(rate_per_s)
        if rate_per_s == MAX_RATE:
            return Outcome(Verdict.FAILS, 190_000.0)
        by_chance = rate_per_s == 152_000.0 and asked.count(rate_per_s) == 1
        return Outcome(Verdict.FAILS) if by_chance else step(EDGE_PER_S)(rate_per_s)

    low, high = ends(answer(search(probe, Limits(100_000.0, precision=0.2))))
    assert asked.count(152_000.0) == 3
    assert 152_000.0 <= low <= EDGE_PER_S < high


def test_what_the_maximum_reached_is_where_the_search_begins_without_a_rate() -> None:
    asked: list[float] = []

    def probe(rate_per_s: float) -> Outcome:
        asked.append(rate_per_s)
        reached = min(rate_per_s, 200_000.0)
        return Outcome(Verdict.HOLDS if rate_per_s <= EDGE_PER_S else Verdict.FAILS, reached)

    search(probe, Limits(None))
    assert asked[:2] == [MAX_RATE, 160_000.0]
    assert asked.count(MAX_RATE) == 1


def test_a_maximum_that_was_not_measured_does_not_end_the_search() -> None:
    def probe(rate_per_s: float) -> Outcome:
        return Outcome(Verdict.UNMEASURED) if rate_per_s == MAX_RATE else step(EDGE_PER_S)(rate_per_s)

    assert answer(search(probe, Limits(100_000.0))).kind == "between"


def test_a_system_that_always_holds_is_told_as_at_least_the_highest_rate() -> None:
    probes = search(step(math.inf), Limits(1_000.0, highest_per_s=50_000.0))
    found = answer(probes)
    assert found.kind == "at_least"
    assert found.bracket.low is not None
    assert found.bracket.low.rate_per_s == 50_000.0
    assert found.bracket.low.is_sure


@pytest.mark.parametrize("start_per_s", [None, 1_000.0])
def test_where_a_highest_rate_is_given_no_more_than_that_is_sent(start_per_s: float | None) -> None:
    limits = Limits(start_per_s, highest_per_s=50_000.0)
    for edge_per_s in (100.0, 30_000.0, math.inf):
        probes = search(step(edge_per_s), limits)
        assert probes
        assert all(one.rate_per_s <= 50_000.0 for one in probes)


def test_what_holds_at_the_highest_rate_is_asked_no_more_than_that() -> None:
    probes = search(step(math.inf), Limits(50_000.0, highest_per_s=50_000.0))
    assert [one.rate_per_s for one in probes] == [50_000.0, 50_000.0]


def test_a_system_that_never_holds_is_asked_down_to_the_lowest_rate() -> None:
    probes = search(step(0.0), Limits(1_000.0, lowest_per_s=50.0))
    found = answer(probes)
    assert found.kind == "below"
    assert found.bracket.high is not None
    assert found.bracket.high.rate_per_s == 50.0
    assert found.bracket.high.is_sure
    assert len(probes) <= 10


def test_what_could_not_be_measured_is_never_the_system_s_limit() -> None:
    """The generator reaches 100,000/s; the system would take more."""

    def probe(rate_per_s: float) -> Outcome:
        return Outcome(Verdict.HOLDS if rate_per_s <= 100_000.0 else Verdict.UNMEASURED, min(rate_per_s, 1e5))

    probes = search(probe, Limits(30_000.0))
    found = answer(probes)
    assert found.kind == "generator"
    assert found.bracket.low is not None
    assert found.bracket.high is not None
    assert found.bracket.low.rate_per_s <= 100_000.0 < found.bracket.high.rate_per_s
    assert len(found.bracket.high.outcomes) >= 2
    assert {outcome.verdict for outcome in found.bracket.high.outcomes} == {Verdict.UNMEASURED}
    assert found.bracket.high.votes(Verdict.FAILS) == 0


def test_nothing_is_known_where_nothing_could_be_measured() -> None:
    probes = search(lambda _: Outcome(Verdict.UNMEASURED), Limits(1_000.0))
    assert answer(probes).kind == "nothing"
    assert len(probes) <= 10
    assert answer([]).kind == "nothing"


def test_what_failed_while_others_took_of_the_machine_counts_only_where_nothing_else_is_known() -> None:
    disturbed, held = Outcome(Verdict.FAILS, disturbed=True), Outcome(Verdict.HOLDS)
    (once,) = levels_of([Probe(1_000.0, disturbed)])
    assert (once.verdict, once.is_open) == (Verdict.UNMEASURED, True)
    (then_quiet,) = levels_of([Probe(1_000.0, disturbed), Probe(1_000.0, held)])
    assert (then_quiet.verdict, then_quiet.is_open, then_quiet.is_sure) == (Verdict.HOLDS, False, False)
    (always,) = levels_of([Probe(1_000.0, disturbed)] * 2)
    assert (always.verdict, always.is_open, always.is_sure) == (Verdict.FAILS, False, True)


def test_a_search_beside_others_that_come_and_go_finds_the_edge() -> None:
    probes = 0

    def probe(rate_per_s: float) -> Outcome:
        nonlocal probes
        probes += 1
        quiet = step(EDGE_PER_S)(rate_per_s)
        return Outcome(Verdict.FAILS, rate_per_s / 2.0, disturbed=True) if probes == 1 else quiet

    found = answer(search(probe, Limits(EDGE_PER_S / 2.0, 1.0)))
    low, high = ends(found)
    assert low <= EDGE_PER_S < high <= low * 1.2


def test_one_invalid_probe_is_no_vote() -> None:
    assert ends(answer(scripted("100 unmeasured", "100 holds", "120 fails"))) == (100.0, 120.0)


@settings(deadline=None)
@given(kept=st.integers(0, 10), start=st.sampled_from([None, 1_000.0, 90_000.0, 500_000.0]))
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(kept: int, start: float | None) -> None:
    system, limits = queue("early", np.random.default_rng(1)), Limits(start)
    whole = search(system, limits)
    assert search(system, limits, before=whole[:kept]) == whole


@settings(deadline=None)
@given(edge=st.floats(1.0, 1e7), start=st.floats(1.0, 1e7), precision=st.sampled_from([0.01, 0.03, 0.1]))
def test_a_bracket_always_has_the_edge_in_it(edge: float, start: float, precision: float) -> None:
    limits = Limits(start, lowest_per_s=start / 100.0, precision=precision)
    probes = search(step(edge), limits)
    found = bracket(levels_of(probes))
    assert len(probes) <= limits.max_probes
    assert found.low is None or found.low.rate_per_s <= edge
    assert found.high is None or found.high.rate_per_s > edge


@settings(deadline=None)
@given(
    verdicts=st.lists(st.sampled_from(list(Verdict)), min_size=10, max_size=10),
    reached=st.lists(st.one_of(st.none(), st.floats(0.1, 1e6)), min_size=10, max_size=10),
    strains=st.lists(st.one_of(st.none(), st.floats(0.0, 100.0)), min_size=10, max_size=10),
    start=st.one_of(st.none(), st.floats(1.0, 1e6)),
)
def test_any_system_at_all_gets_an_answer_that_its_probes_bear_out(
    verdicts: list[Verdict], reached: list[float | None], strains: list[float | None], start: float | None
) -> None:
    """Also one whose verdicts have nothing to do with the rate."""
    outcomes = map(Outcome, verdicts, reached, strains)
    limits = Limits(start, lowest_per_s=0.5, highest_per_s=2e6)
    probes = search(lambda _: next(outcomes), limits)
    found = answer(probes).bracket
    assert len(probes) <= limits.max_probes
    assert all(limits.lowest_per_s <= one.rate_per_s <= 2e6 for one in probes if one.rate_per_s != MAX_RATE)
    if found.low is not None:
        assert found.low.votes(Verdict.HOLDS) > found.low.votes(Verdict.FAILS)
    if found.high is not None:
        assert found.high.verdict is not Verdict.HOLDS
    if found.low is not None and found.high is not None:
        assert found.low.rate_per_s < found.high.rate_per_s


def test_what_could_not_be_measured_hides_no_rate_that_failed() -> None:
    below = scripted("20000 fails", "20000 fails", "10000 unmeasured", "10000 unmeasured")
    found = answer(below)
    assert (found.kind, found.bracket.low) == ("below", None)
    assert found.bracket.high is not None
    assert found.bracket.high.rate_per_s == 20_000
    assert answer(scripted("100 holds", "140 unmeasured", "140 unmeasured", "200 fails")).kind == "generator"

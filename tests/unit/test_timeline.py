from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.measurement.slab import create_slab
from loadlab.run.timeline import INTERRUPTED_DRAIN_S, Timeline

if TYPE_CHECKING:
    from loadlab.results.model import Phase

S = 1_000_000_000
START = 7_000 * S
LEAD_S = 0.02
"""A cut takes effect when all workers have had the time to hear of it."""

WHOLE = Timeline(START, START + 5 * S, START + 35 * S, START + 65 * S)


def seconds(timeline: Timeline) -> tuple[float, ...]:
    ends = (timeline.start_ns, timeline.warmup_end_ns, timeline.measure_end_ns, timeline.stop_ns)
    return tuple(timeline.elapsed_s(end_ns) for end_ns in ends)


def told(phases: tuple[Phase, ...]) -> list[tuple[str, float, float]]:
    return [(phase.name, phase.start_s, phase.end_s) for phase in phases]


def test_phases_follow_each_other() -> None:
    assert seconds(WHOLE) == (0, 5, 35, 65)
    assert WHOLE.measure_s == 30
    assert told(WHOLE.phases(START + 40 * S)) == [("warmup", 0, 5), ("measure", 5, 35), ("drain", 35, 40)]


@pytest.mark.parametrize(
    ("cut_s", "expected", "measured_s"),
    [
        (2.0, (0, 2 + LEAD_S, 2 + LEAD_S, 2 + LEAD_S + INTERRUPTED_DRAIN_S), 0.0),
        (15.0, (0, 5, 15 + LEAD_S, 15 + LEAD_S + INTERRUPTED_DRAIN_S), 10.0 + LEAD_S),
        (40.0, (0, 5, 35, 40 + LEAD_S + INTERRUPTED_DRAIN_S), 30.0),
        (62.0, (0, 5, 35, 65), 30.0),
    ],
    ids=["in warm-up", "in measure", "in drain", "at the end of drain"],
)
def test_a_run_cut_short_keeps_what_was_and_drains_briefly(
    cut_s: float, expected: tuple[float, ...], measured_s: float
) -> None:
    cut = WHOLE.cut_short(START + round(cut_s * S))

    assert seconds(cut) == pytest.approx(expected)
    assert cut.measure_s == pytest.approx(measured_s)


def test_who_interrupts_a_run_waits_five_seconds_at_the_most() -> None:
    assert INTERRUPTED_DRAIN_S == 5.0


def test_a_drain_shorter_than_that_of_an_interruption_is_not_lengthened() -> None:
    hasty = replace(WHOLE, stop_ns=START + 36 * S)

    assert hasty.cut_short(START + 34 * S).stop_ns == START + 36 * S


@given(st.lists(st.integers(-S, 80 * S), max_size=4))
def test_however_often_a_run_is_cut_its_phases_keep_their_order(moments: list[int]) -> None:
    timeline = WHOLE
    for moment in sorted(moments):
        timeline = timeline.cut_short(START + moment)

    assert timeline.warmup_end_ns <= timeline.measure_end_ns <= timeline.stop_ns
    assert timeline.start_ns == WHOLE.start_ns
    phases = timeline.phases(START + 80 * S)
    assert all(phase.end_s >= phase.start_s >= 0 for phase in phases)
    assert [phase.start_s for phase in phases[1:]] == [phase.end_s for phase in phases[:-1]]


def test_a_worker_is_told_of_all_moments() -> None:
    slab = create_slab()
    WHOLE.write(slab)

    assert tuple(slab.record[0][["start_ns", "warmup_end_ns", "measure_end_ns", "stop_ns"]]) == (
        WHOLE.start_ns,
        WHOLE.warmup_end_ns,
        WHOLE.measure_end_ns,
        WHOLE.stop_ns,
    )
    slab.close()

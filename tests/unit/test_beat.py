"""When what is asked once a second is asked."""

from __future__ import annotations

from statistics import mean

import pytest
from run_samples import S

from loadlab.run.beat import Beat

START = 7 * S


def dues(beat: Beat, count: int) -> list[float]:
    """When it is called, seconds after the start, where a call takes 20 ms."""
    found = []
    now_ns = START
    for _ in range(count):
        now_ns = beat.next_ns(START, now_ns)
        found.append((now_ns - START) / S)
        now_ns += S // 50
    return found


def test_a_beat_is_at_full_seconds() -> None:
    assert dues(Beat("any", print), 4) == [1.0, 2.0, 3.0, 4.0]


def test_a_spread_beat_is_once_in_each_second() -> None:
    assert [int(due) for due in dues(Beat("any", print, spread=True), 50)] == list(range(1, 51))


@pytest.mark.parametrize("period_s", [1.0, 0.5, 0.25, 2.0])
def test_a_spread_beat_sees_what_goes_up_and_down_with_the_seconds_at_all_its_places(period_s: float) -> None:
    """A sawtooth from 0 to 1: its mean over twenty seconds, and its top."""
    seen = [due % period_s / period_s for due in dues(Beat("any", print, spread=True), 20)]

    assert mean(seen) == pytest.approx(0.5, abs=0.08)
    assert max(seen) > 0.88


def test_a_call_that_took_seconds_is_followed_by_the_next_place_that_is_to_come() -> None:
    beat = Beat("any", print, spread=True)
    assert beat.next_ns(START, START + int(4.9 * S)) == START + int((5 + 5 * 0.6180339887 % 1) * S)

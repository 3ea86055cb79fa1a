"""Rule by rule; a sample a second, a window of ten, ends of two seconds before."""

from __future__ import annotations

import numpy as np
import pytest

from loadlab.measurement.group_status import NOT_JUDGED, GroupStatus, judge

S = 1_000_000_000
OK, WARN, STALL, STOP = GroupStatus
SAMPLES = 30


def status(ends: object, committed: object) -> list[int]:
    """One partition's status at each second, of functions of the second."""
    return judged((ends, committed))[:, 0].tolist()


def judged(*partitions: tuple[object, object]) -> np.ndarray:
    times = range(SAMPLES)
    ends = np.array([[end(at) for end, _ in partitions] for at in times])  # type: ignore[operator]
    committed = np.array([[done(at) for _, done in partitions] for at in times])  # type: ignore[operator]
    return judge(np.array([at * S for at in times]), ends, committed)


def test_a_group_that_commits_what_came_a_second_ago_is_ok() -> None:
    assert set(status(lambda at: 100 * at, lambda at: 100 * max(0, at - 1))[11:]) == {OK}


def test_commits_that_come_ever_later_within_their_second_are_no_growing_lag() -> None:
    """Commits and samples beat against each other: committed lag grows, and means nothing."""
    late = status(lambda at: 1000 * at, lambda at: 1000 * at - 500 - 15 * at)
    assert set(late[11:]) == {OK}


def test_commits_that_move_while_the_lag_never_shrinks_are_a_warning() -> None:
    assert set(status(lambda at: 100 * at, lambda at: 50 * at)[15:]) == {WARN}


def test_a_lag_that_stays_the_same_is_a_warning_too() -> None:
    assert set(status(lambda at: 1000 + 100 * at, lambda at: 100 * at)[11:]) == {WARN}


def test_a_lag_that_shrinks_once_in_the_window_is_ok() -> None:
    catching_up = status(lambda at: 9000 + 100 * at, lambda at: 90 * at + (100 if at >= 20 else 0))
    assert set(catching_up[11:20]) == {WARN}
    assert set(catching_up[20:28]) == {OK}
    assert set(catching_up[28:]) == {WARN}


def test_a_group_that_falls_behind_and_commits_in_turns_is_a_warning() -> None:
    """A commit each third second: between commits the lag grows, at each it is less than just before."""
    assert set(status(lambda at: 100 * at, lambda at: 50 * (at // 3 * 3))[18:]) == {WARN}


def test_a_lag_of_zero_anywhere_in_the_window_is_ok() -> None:
    caught_up_once = status(lambda at: 100 * at, lambda at: 100 * at if at == 15 else 10 * at)
    assert set(caught_up_once[15:25]) == {OK}
    assert caught_up_once[14] == WARN


def test_no_commit_of_the_group_for_a_window_with_lag_is_stop() -> None:
    stopped = status(lambda at: 100 * at, lambda at: 100 * min(at, 12))
    assert set(stopped[11:24]) == {OK}
    assert stopped[24:] == [STOP] * 6  # ten samples behind: from second 15, the first with lag, to second 24


def test_no_commit_without_lag_is_ok() -> None:
    assert set(status(lambda at: 100 * min(at, 5), lambda at: 100 * min(at, 5))[11:]) == {OK}


def test_a_partition_that_stands_while_the_group_commits_elsewhere_is_a_stall() -> None:
    found = judged((lambda at: 100 * at, lambda _: 10), (lambda at: 100 * at, lambda at: 100 * at))
    assert set(found[15:, 0].tolist()) == {STALL}
    assert set(found[15:, 1].tolist()) == {OK}


def test_the_group_is_as_its_worst_partition() -> None:
    assert max(OK, WARN, STALL, STOP) is STOP


@pytest.mark.parametrize("at", range(11))
def test_nothing_is_judged_before_ten_samples_have_one_from_two_seconds_before(at: int) -> None:
    assert status(lambda at: 100 * at, lambda _: 0)[at] == NOT_JUDGED


def test_samples_that_were_missed_leave_a_window_of_ten_all_the_same() -> None:
    times = np.array([*range(6), *range(20, 35)]) * S
    ends = (times // S * 100)[:, None]
    found = judge(times, ends, np.minimum(ends, 500))[:, 0].tolist()
    assert set(found[11:17]) == {OK}
    assert set(found[17:]) == {STOP}


@pytest.mark.parametrize("samples", [0, 1, 5])
def test_too_few_samples_are_judged_nowhere(samples: int) -> None:
    shape = (samples, 2)
    found = judge(np.arange(samples) * S, np.ones(shape, np.int64), np.zeros(shape, np.int64))
    assert found.shape == shape
    assert (found == NOT_JUDGED).all()

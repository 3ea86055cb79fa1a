from __future__ import annotations

import signal
import threading
from contextlib import suppress

import pytest

from loadlab.run import interrupts as interrupts_module
from loadlab.run.interrupts import Interrupts, heed_no_more


class Clock:
    """A clock that moves on by itself."""

    now_s = 0.0
    step_s = 1.0

    def monotonic(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Each signal comes a second after the one before, unless a test says otherwise."""
    clock = Clock()
    monkeypatch.setattr(interrupts_module, "time", clock)
    return clock


EACH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@EACH
def test_a_signal_before_anything_was_measured_ends_the_run(number: signal.Signals) -> None:
    interrupts = Interrupts()

    with interrupts.handled(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert not interrupts.requested


@EACH
def test_the_first_signal_to_a_load_asks_it_to_stop(number: signal.Signals) -> None:
    interrupts = Interrupts(gentle=True)

    with interrupts.handled():
        signal.raise_signal(number)

    assert interrupts.requested


@EACH
def test_the_second_signal_ends_at_once(number: signal.Signals) -> None:
    interrupts = Interrupts(gentle=True)

    with interrupts.handled():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts().handled():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_signals_are_the_callers_again_afterwards() -> None:
    before = handlers()

    with Interrupts().handled():
        during = handlers()
    with pytest.raises(KeyboardInterrupt), Interrupts().handled():
        signal.raise_signal(signal.SIGTERM)

    assert handlers() == before != during


def test_while_things_are_ended_signals_end_nothing_and_are_noted() -> None:
    interrupts = Interrupts(gentle=True)

    with interrupts.handled():
        with interrupts.undisturbed():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        assert not interrupts.requested
        assert interrupts.came
        signal.raise_signal(signal.SIGINT)
        assert interrupts.requested


def test_in_a_thread_of_the_callers_signals_stay_as_they_are() -> None:
    before, seen = handlers(), []

    def run() -> None:
        with Interrupts().handled() as interrupts, interrupts.undisturbed():
            seen.append(handlers())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [before]


@EACH
def test_a_signal_waits_until_what_must_not_be_left_half_done_is_done(number: signal.Signals) -> None:
    interrupts = Interrupts()

    with interrupts.handled(), interrupts.deferred():
        signal.raise_signal(number)
        assert interrupts.missed
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_signal_whose_exception_python_drops_is_noted_all_the_same() -> None:
    """As within a weak reference's callback."""
    interrupts = Interrupts()

    with interrupts.handled(), suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert interrupts.came


def test_the_second_signal_ends_what_the_first_began_to_store() -> None:
    interrupts = Interrupts(gentle=True)

    with interrupts.handled():
        signal.raise_signal(signal.SIGINT)
        with interrupts.deferred(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@EACH
def test_what_is_sent_to_a_process_and_then_to_its_group_is_said_once(
    number: signal.Signals, clock: Clock
) -> None:
    """As timeout(1) does."""
    interrupts = Interrupts(gentle=True)
    clock.step_s = 0.05

    with interrupts.handled():
        signal.raise_signal(number)
        signal.raise_signal(number)
    assert interrupts.requested


def test_a_terminal_that_is_closed_tells_it_twice_and_what_was_measured_is_kept() -> None:
    """The shell sends SIGHUP to its jobs, and the kernel sends it when the shell is gone."""
    interrupts = Interrupts(gentle=True)

    with interrupts.handled():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert interrupts.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_terminal_that_is_closed_amid_what_must_be_done_is_told_once() -> None:
    interrupts = Interrupts(gentle=True)

    with interrupts.deferred():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    with interrupts.handled():
        signal.raise_signal(signal.SIGHUP)
    assert interrupts.missed
    assert not interrupts.requested


def test_a_signal_from_before_a_run_ends_it_though_python_dropped_what_it_raised() -> None:
    with Interrupts().handled():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), Interrupts().handled():
            pytest.fail("the run began")


def test_who_handles_signals_again_after_a_run_knows_of_those_that_ended_it() -> None:
    with Interrupts().handled() as outer:
        with suppress(KeyboardInterrupt), Interrupts().handled():
            signal.raise_signal(signal.SIGTERM)
        assert outer.came


def test_signals_of_others_are_not_ignored_at_the_end() -> None:
    before = handlers()
    heed_no_more()

    assert handlers() == before

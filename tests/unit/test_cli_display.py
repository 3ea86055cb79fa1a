from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from loadlab.cli import watching as watching_module
from loadlab.cli.display import LiveObserver, live_observer, sparkline, view
from loadlab.cli.observers import PlainObserver, progress_line
from loadlab.cli.watching import watching
from loadlab.run.progress import Progress

PROGRESS = Progress(
    run_id="20261123T161500-quickstart-k3f9",
    name="quickstart",
    phase="measure",
    elapsed_s=12.0,
    phase_left_s=23.4,
    target_records_per_s=20_000.0,
    sent_records_per_s=20_010.0,
    acked_records_per_s=19_990.0,
    consumed_records_per_s=19_980.0,
    publish_p50_us=1_210.0,
    publish_p99_us=4_500.0,
    end_to_end_p99_us=6_300.0,
    consumer_lag=1_203,
    errors=0,
    generator_limited=False,
    saturated=False,
)

WATCHED = f"""
import sys
from loadlab.cli.watching import watching
from loadlab.run.progress import Progress
with watching() as observer:
    observer.message("starting cluster…")
    for _ in range(2):
        observer.progress({PROGRESS!r})
print("summary")
"""


def drawn(progress: Progress, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view(progress, [0, 600, 1_203]))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def on_a_terminal(code: str, environment: dict[str, str]) -> str:
    """What a program writes when stdout and stderr are a terminal."""
    parent, child = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=child, stderr=child, env=variables)
    os.close(child)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and select.select([parent], [], [], 60)[0]:
        try:
            chunk = os.read(parent, 65_536)
        except OSError:
            break
        written += chunk
    os.close(parent)
    assert process.wait(timeout=10) == 0
    return written.decode()


def test_the_view_tells_phase_rates_latencies_lag_and_errors() -> None:
    text = drawn(PROGRESS)

    for part in (
        "measure · 23 s left",
        "19,990 records/s acked · target 20,000 records/s",
        "p50 1.21 ms · p99 4.50 ms",
        "p99 6.30 ms",
        "1,203 records  ▁▄█",
        "keeps up",
    ):
        assert part in text


def test_the_light_says_who_is_the_limit() -> None:
    assert "is the limit" in drawn(replace(PROGRESS, generator_limited=True))
    assert "the cluster is the limit" in drawn(replace(PROGRESS, saturated=True))


def test_a_drain_may_end_early() -> None:
    assert "drain · at most 23 s left" in drawn(replace(PROGRESS, phase="drain"))


def test_a_narrow_terminal_cuts_lines_rather_than_breaking_them() -> None:
    narrow = drawn(PROGRESS, width=30)

    assert len(narrow.splitlines()) == len(drawn(PROGRESS).splitlines())
    assert max(map(len, narrow.splitlines())) <= 30


def test_nothing_is_drawn_of_what_has_no_sample() -> None:
    blind = replace(
        PROGRESS, publish_p50_us=None, publish_p99_us=None, end_to_end_p99_us=None, consumer_lag=None
    )

    assert "p50 - · p99 -" in drawn(blind)
    assert "lag" not in drawn(blind)


@pytest.mark.parametrize(
    ("values", "bars"), [([], ""), ([0, 0], "▁▁"), ([0, 50, 100], "▁▄█"), ([-5, 10], "▁█"), ([7], "█")]
)
def test_a_sparkline_goes_from_zero_to_the_largest_value(values: list[int], bars: str) -> None:
    assert sparkline(values) == bars


def test_a_plain_line_holds_the_whole_interval() -> None:
    assert progress_line(PROGRESS) == (
        "  12.0 s measure · 23 s left · target 20,000 records/s · acked 19,990 records/s"
        " · consumed 19,980 records/s · publish p50 1.21 ms p99 4.50 ms · end to end p99 6.30 ms"
        " · lag 1,203 records · errors 0"
    )


def test_a_plain_line_says_who_is_the_limit() -> None:
    at_max = replace(PROGRESS, target_records_per_s=None, generator_limited=True)

    assert "target max" in progress_line(at_max)
    assert progress_line(at_max).endswith("the generator is the limit")


def test_without_a_terminal_plain_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as observer:
        assert isinstance(observer, PlainObserver)
        observer.message("starting cluster…")
        observer.progress(PROGRESS)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["starting cluster…", progress_line(PROGRESS)]


def test_a_terminal_gets_the_live_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "is_terminal", lambda _stream: True)
    with watching() as observer:
        assert isinstance(observer, LiveObserver)


def test_the_live_view_follows_a_run_on_a_terminal() -> None:
    written = on_a_terminal(WATCHED, {})

    assert "starting cluster…" in written
    assert "19,990 records/s acked" in written
    assert "\x1b[" in written
    assert written.rstrip().endswith("summary")


def test_no_color_is_kept_on_a_terminal() -> None:
    written = on_a_terminal(WATCHED, {"NO_COLOR": "1"})

    assert "19,990 records/s acked" in written
    assert not any(f"\x1b[{code}m" in written for code in (31, 32, 33))


def test_a_dumb_terminal_gets_plain_lines() -> None:
    written = on_a_terminal(WATCHED, {"TERM": "dumb"})

    assert "\x1b[" not in written
    assert "errors 0" in written


def test_messages_stay_above_the_view() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True)
    with live_observer(console) as observer:
        observer.message("starting cluster…")
        observer.message("creating topics…")
    assert isinstance(console.file, io.StringIO)
    assert "creating topics…" in console.file.getvalue()


def test_what_goes_wrong_under_the_live_view_is_not_taken_for_a_closed_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching_module, "is_terminal", lambda _stream: True)
    with pytest.raises(FileNotFoundError), watching():
        raise FileNotFoundError

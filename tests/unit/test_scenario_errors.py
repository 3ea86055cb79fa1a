"""Every mistake is told, at its place: each file in tests/scenarios/invalid has what is told beside it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from loadlab.errors import EXIT_USAGE, ScenarioError
from loadlab.scenario import load

INVALID = Path(__file__).parents[1] / "scenarios" / "invalid"
CASES = sorted(path.stem for path in INVALID.glob("*.yaml"))


def told(path: Path) -> str:
    with pytest.raises(ScenarioError) as refused:
        load(path)
    assert refused.value.exit_code == EXIT_USAGE
    return refused.value.message


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_is_told_as_expected(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    assert told(Path(f"{case}.yaml")) + "\n" == (INVALID / f"{case}.txt").read_text(encoding="utf-8")


def test_no_expectation_is_left_without_its_file() -> None:
    assert sorted(path.stem for path in INVALID.glob("*.txt")) == CASES


def test_seven_mistakes_are_seven_problems_each_at_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    message = told(Path("seven-mistakes.yaml"))
    lines = [int(line) for line in re.findall(r"(?m)^seven-mistakes\.yaml:(\d+):\d+: ", message)]
    assert lines == [3, 4, 9, 10, 12, 14, 15]


def test_the_caret_stands_under_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    first, source, caret = told(Path("seven-mistakes.yaml")).splitlines()[:3]
    assert first.startswith("seven-mistakes.yaml:3:12: cluster.brokers: ")
    assert source[caret.index("^") :] == "none"


def test_secrets_are_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    assert "hunter2" in Path("secrets.yaml").read_text(encoding="utf-8")
    assert "hunter2" not in told(Path("secrets.yaml"))


@pytest.mark.parametrize("value", ['"hunter2\\n"', "&x hunter2", "@hunter2", "!hunter2! 1", "[hunter2]"])
def test_a_secret_below_its_key_is_not_quoted(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.yaml").write_text(
        f"name: a\nproducers:\n  p:\n    config:\n      sasl.password:\n        {value}\n", encoding="utf-8"
    )
    assert "hunter2" not in told(tmp_path / "a.yaml")


def test_lines_end_only_where_yaml_ends_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('name: "x\u2028y"\nseed: none\n', encoding="utf-8")
    assert "a.yaml:2:7: seed" in told(tmp_path / "a.yaml")
    assert "    seed: none\n" in told(tmp_path / "a.yaml")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    assert told(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: no such file"


def test_a_directory_is_one_line(tmp_path: Path) -> None:
    assert told(tmp_path) == f"{tmp_path}: is a directory, not a scenario file"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert told(tmp_path / "pipe") == f"{tmp_path}/pipe: is no plain file"


def test_a_path_that_no_file_can_have_is_one_line() -> None:
    assert "can't be read" in told(Path("a\0b"))
    assert "can't be read" in told(Path("x" * 5000))


def test_ten_megabytes_are_one_line_and_never_parsed(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"x" * 10 * 2**20)
    start = time.monotonic()
    assert told(tmp_path / "large.yaml").endswith("is larger than 1 MiB; a scenario is a few kB")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**6,
        "- " * 500_000,
        "a: [" + "x, " * 300_000 + "]",
        "a: " + "x" * 10**6,
        "{" * 10**6,
        "&" * 10**6,
        '"' * 10**6,
    ],
    ids=["brackets", "dashes", "list", "text", "braces", "anchors", "quotes"],
)
def test_a_hostile_megabyte_is_refused_in_seconds(tmp_path: Path, text: str) -> None:
    (tmp_path / "hostile.yaml").write_text(text, encoding="utf-8")
    start = time.monotonic()
    assert len(told(tmp_path / "hostile.yaml")) < 1000
    assert time.monotonic() - start < 60


def test_many_problems_are_cut_to_a_hundred(tmp_path: Path) -> None:
    many = "name: x\ntopics:\n" + "".join(f"  t{number}: {{partitons: 1}}\n" for number in range(300))
    (tmp_path / "many.yaml").write_text(many, encoding="utf-8")
    assert told(tmp_path / "many.yaml").endswith("… and 200 problems more")


def test_line_ends_and_a_byte_order_mark_do_not_move_places(tmp_path: Path) -> None:
    (tmp_path / "windows.yaml").write_bytes(
        b"\xef\xbb\xbfname: x\r\nseed: no\r\ntopics: {orders: {existing: true}}\r\n"
    )
    assert "windows.yaml:2:7: seed: " in told(tmp_path / "windows.yaml")

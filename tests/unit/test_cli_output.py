"""What is written to standard output when it can't be, or when the locale is not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadlab.cli.output import Line, print_lines

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
DESCRIPTION = "Größe → p99"


def loadlab(*arguments: str, stdout: object = subprocess.PIPE, **environ: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "loadlab", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **environ})  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_full_disk_is_an_error(output: str) -> None:
    with Path("/dev/full").open("wb") as full:
        process = loadlab("validate", str(QUICKSTART), "--output", output, stdout=full)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 4
    assert b"standard output can't be written: No space left on device" in errors


def test_json_is_utf_8_in_any_locale() -> None:
    asked = ("validate", str(QUICKSTART), "--output", "json", "--set", f"description={DESCRIPTION}")
    printed, _ = loadlab(*asked, PYTHONIOENCODING="latin-1").communicate(timeout=60)
    assert DESCRIPTION in printed.decode("utf-8")


def test_a_standard_output_that_is_closed_is_no_fault() -> None:
    command = f"{sys.executable} -m loadlab validate {QUICKSTART} >&-"
    told = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False, timeout=60)
    assert (told.returncode, told.stderr) == (0, b"")


def test_what_moves_a_terminal_s_cursor_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([Line("a\x1b[31mb\x9bc\rd\te")])
    assert capsys.readouterr().out == "a\ufffd[31mb\ufffdc\ufffdd\te\n"


def test_a_path_that_is_no_text_is_told_as_well_as_it_can(tmp_path: Path) -> None:
    scenario = os.path.join(os.fsencode(tmp_path), b"\xff.yaml")  # noqa: PTH118 - pathlib has no bytes
    Path(os.fsdecode(scenario)).write_bytes(QUICKSTART.read_bytes())
    asked = ("plan", os.fsdecode(scenario), "--explain", "--output", "json")
    printed, errors = loadlab(*asked).communicate(timeout=60)
    assert b"unexpected" not in errors
    assert "?.yaml" in printed.decode("utf-8")

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner, Result

from loadlab.cli import main
from loadlab.cli.main import SUBCOMMANDS, LoadlabGroup, cli
from loadlab.errors import ClusterError, RunError, ScenarioError

if TYPE_CHECKING:
    from pathlib import Path


def called(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def put_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @click.command("list")
    def failing() -> None:
        raise error

    monkeypatch.setattr(
        LoadlabGroup, "get_command", lambda _self, _ctx, name: failing if name == "list" else None
    )


def test_help_names_every_command() -> None:
    told = called("--help")

    assert told.exit_code == 0
    for name in SUBCOMMANDS:
        assert f"  {name} " in told.stdout


@pytest.mark.parametrize("name", ["validate", "list", "show", "schema"])
def test_each_command_has_help_with_an_example(name: str) -> None:
    told = called(name, "--help")

    assert told.exit_code == 0
    assert f"  loadlab {name}" in told.stdout


def test_an_error_goes_to_stderr_with_its_fix_and_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    put_command(monkeypatch, ClusterError("no container engine answers", fix="use --provider local"))
    told = called("list")

    assert told.exit_code == 3
    assert told.stdout == ""
    assert told.stderr == "error: no container engine answers\nfix: use --provider local\n"


def test_problems_of_a_scenario_start_with_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    put_command(monkeypatch, ScenarioError("a.yaml:3:5: topics: unknown"))
    told = called("list")

    assert (told.exit_code, told.stderr) == (2, "a.yaml:3:5: topics: unknown\n")


def test_a_failed_run_exits_4(monkeypatch: pytest.MonkeyPatch) -> None:
    put_command(monkeypatch, RunError("the disk is full"))

    assert called("list").exit_code == 4


def test_an_unexpected_error_is_one_line_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    put_command(monkeypatch, ZeroDivisionError("division\nby zero"))
    told = called("list")

    assert told.exit_code == 4
    assert told.stderr.splitlines()[0] == "error: unexpected ZeroDivisionError: division by zero"
    assert "--debug" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ClusterError("y")])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    put_command(monkeypatch, error)

    assert "Traceback" in called("--debug", "list").stderr


def test_debug_may_stand_after_the_command_too(tmp_path: Path) -> None:
    assert "Traceback" in called("show", "none", "--results-dir", str(tmp_path), "--debug").stderr


def test_an_interrupt_outside_a_run_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    put_command(monkeypatch, KeyboardInterrupt())
    told = called("list")

    assert (told.exit_code, told.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("arguments", [["bogus"], ["list", "--bogus"], ["show"], ["list", "--output", "xml"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    told = called(*arguments)

    assert told.exit_code == 2
    assert told.stdout == ""


def test_an_unknown_command_gets_the_nearest_name() -> None:
    assert "Did you mean validate?" in called("valdate").stderr


def in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from loadlab.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def imported_by(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom loadlab.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.split())


def test_help_imports_none_of_the_heavy_libraries() -> None:
    heavy = {"numpy", "numba", "pydantic", "rich", "pyarrow", "confluent_kafka", "docker"}

    assert not heavy & imported_by("--help")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_ctrl_c_before_a_run_has_begun(number: signal.Signals) -> None:
    ends_itself = f"main.cli = lambda prog_name: os.kill(os.getpid(), {int(number)})"
    code = f"import os; from loadlab.cli import main; {ends_itself}; main.main()"
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False, timeout=60)
    assert b"KeyboardInterrupt" in done.stderr


def test_a_run_and_what_is_stored_are_told_without_the_tuner_s_libraries(tmp_path: Path) -> None:
    """Each run would wait for them, and take their time from the machine that is measured."""
    for arguments in (["run", "--help"], ["list", "--results-dir", str(tmp_path)]):
        assert not {"scipy", "optuna", "pandas", "matplotlib"} & imported_by(*arguments)


def test_schema_needs_no_compiler() -> None:
    assert "numba" not in imported_by("schema")


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "from loadlab.cli.main import main; main()", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
        assert (process.wait(timeout=60), told) == (0, b"")


def test_a_terminal_that_cannot_show_a_letter_gets_another(tmp_path: Path) -> None:
    told = in_a_process("list", "--results-dir", str(tmp_path / "µ"), PYTHONIOENCODING="ascii")

    assert told.returncode == 0
    assert "no runs in" in told.stdout


def test_the_schema_is_json() -> None:
    assert "properties" in json.loads(called("schema").stdout)


def test_version() -> None:
    assert called("--version").stdout.startswith("loadlab, version ")


def test_every_subcommand_names_a_module_of_the_command_line() -> None:
    assert {entry.module.rpartition(".")[0] for entry in main.SUBCOMMANDS.values()} == {"loadlab.cli"}

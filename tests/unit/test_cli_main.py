from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner, Result

from loadlab.cli import main
from loadlab.cli.main import SUBCOMMANDS, LoadlabGroup, cli
from loadlab.errors import ClusterError, RunError, ScenarioError
from loadlab.run.interrupts import Interrupts, heeding

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_before_a_command_has_begun_is_an_interrupt(number: signal.Signals, times: int) -> None:
    """Twice: click's own words would be "Aborted!" where the second comes as the first is told of."""
    signals = f"[signal.raise_signal({int(number)}) for _ in range({times})]"
    code = (
        "import signal; from loadlab.cli import main;"
        f"main.print_note = lambda text, whole=main.print_note: ({signals}, whole(text));"
        f"main.cli.make_context = lambda *_, **__: {signals}; main.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (130, b"interrupted")


def test_a_terminal_that_closes_ends_no_command_under_nohup() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from loadlab.cli import main;"
        "main.cli.make_context = lambda *_, **__: signal.raise_signal(signal.SIGHUP) or exit(7); main.main()"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 7


def test_a_signal_that_python_drops_ends_the_command_all_the_same() -> None:
    """As in a weak reference's callback, which imports have; what is dropped is told nobody."""
    code = (
        "import importlib, signal, weakref; from loadlab.cli import main\n"
        "class Lock: pass\n"
        "def importing(name, whole=importlib.import_module):\n"
        "    lock = Lock()\n"
        "    ref = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGTERM))\n"
        "    del lock\n"
        "    return whole(name)\n"
        "main.importlib.import_module = importing; main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "schema"], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")


def test_an_interrupt_that_comes_as_another_error_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python wraps what is raised while a class is made."""
    put_command(monkeypatch, RuntimeError("Error calling __set_name__ on 'x'"))
    with Interrupts().handled():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        told = called("list")

    assert (told.exit_code, told.stderr) == (130, "interrupted\n")
    assert heeding() is None


def test_ctrl_c_while_the_command_line_is_imported_ends_it_without_a_word() -> None:
    code = (
        "import signal, sys; from loadlab.__main__ import main\n"
        "class Importing:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'loadlab.cli.main':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Importing()); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_a_run_and_what_is_stored_are_told_without_the_tuner_s_libraries(tmp_path: Path) -> None:
    """Each run would wait for them, and take their time from the machine that is measured."""
    for arguments in (["run", "--help"], ["list", "--results-dir", str(tmp_path)]):
        assert not {"scipy", "optuna", "pandas", "matplotlib"} & imported_by(*arguments)


@pytest.mark.parametrize("command", ["schema", "compare", "report", "show", "study"])
def test_what_runs_nothing_loads_neither_compiler_nor_statistics_for_its_help(
    command: str,
) -> None:
    """Each of the two takes longer to load than all else that these commands need."""
    assert not {"numba", "scipy.stats"} & imported_by(command, "--help")


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

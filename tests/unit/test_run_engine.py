"""The compiled engine on disk: made once, kept while it is used, and a clear word where it can't be kept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from loadlab.compiled import cache_directory
from loadlab.errors import RunError
from loadlab.run import engine

if TYPE_CHECKING:
    from pathlib import Path

OLD_S = 31 * 24 * 3600


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine code of this state of the sources, not made yet."""
    directory = tmp_path / "now"
    directory.mkdir()
    monkeypatch.setattr(engine, "cache_directory", lambda: directory)
    return directory


def made(directory: Path, age_s: float) -> Path:
    directory.mkdir(exist_ok=True)
    ready = directory / "ready"
    ready.touch()
    os.utime(ready, (time.time() - age_s,) * 2)
    return directory


def finished(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)


def test_what_is_made_already_is_not_compiled_again(cache: Path) -> None:
    made(cache, 0)
    told: list[str] = []

    assert engine.start_compiling(told.append) is None
    assert not told
    engine.await_compiled(None)


def test_what_was_compiled_is_ready_and_older_states_are_forgotten(cache: Path) -> None:
    old, recent = made(cache.parent / "old", OLD_S), made(cache.parent / "recent", 3600)
    engine.await_compiled(finished(""))

    assert (cache / "ready").exists()
    assert recent.exists()
    assert not old.exists()


def test_an_engine_that_does_not_compile_is_said_in_a_line(cache: Path) -> None:
    with pytest.raises(RunError, match="ZeroDivisionError"):
        engine.await_compiled(finished("1 / 0"))

    assert not (cache / "ready").exists()


def test_a_cache_that_can_not_be_written_is_said_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = subprocess.run(
        [sys.executable, "-c", "import loadlab.compiled"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode != 0
    assert "can't be kept" in told.stderr


def test_machine_code_of_other_sources_is_not_used_where_numba_has_a_directory_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numba looks at one file of the sources only: the name of the directory is of all of them."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    usual = cache_directory()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache_directory() == tmp_path / "loadlab" / usual.name


def test_what_is_used_is_as_good_as_new(cache: Path) -> None:
    made(cache, OLD_S)
    engine.start_compiling(print)

    assert time.time() - (cache / "ready").stat().st_mtime < OLD_S / 2

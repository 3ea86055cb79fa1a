"""Makes sure that the compiled loops are on disk before workers need them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from loadlab.compiled import cache_directory
from loadlab.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

_READY_FILE: Final = "ready"
_MODULES: Final = ("loadlab.client.producer", "loadlab.client.consumer", "loadlab.workload.keys")
_TIMEOUT_S: Final = 300.0
_KEPT_S: Final = 30 * 24 * 3600.0
_COMPILE: Final = (
    "import sys; from loadlab.client.kernel import die_with_parent; die_with_parent(int(sys.argv[1])); "
    f"import {', '.join(_MODULES)}; import numpy; loadlab.workload.keys.alias_table(numpy.ones(2) / 2)"
)


def start_compiling(message: Callable[[str], None]) -> subprocess.Popen[str] | None:
    """Compiles the engine in a process of its own, unless that has been done; the run goes on meanwhile."""
    ready = cache_directory() / _READY_FILE
    if ready.exists():
        with suppress(OSError):
            ready.touch()  # it is in use: not to be forgotten
        return None
    message("compiling the load engine for this machine (once)")
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _COMPILE, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def await_compiled(compiling: subprocess.Popen[str] | None) -> None:
    """Waits for what `start_compiling` began.

    Raises:
        RunError: the engine can't be compiled here.
    """
    if compiling is None:
        return
    try:
        _, errors = compiling.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        stop_compiling(compiling)
        raise RunError(f"the load engine was not compiled in {_TIMEOUT_S:g} s") from error
    except BaseException:
        stop_compiling(compiling)
        raise
    if compiling.returncode:
        words = errors.strip().splitlines() or [f"its process ended with {compiling.returncode}"]
        raise RunError(f"the load engine can't be compiled: {words[-1]}")
    cache_directory().mkdir(parents=True, exist_ok=True)
    (cache_directory() / _READY_FILE).touch()
    _forget_older()


def stop_compiling(compiling: subprocess.Popen[str]) -> None:
    """Ends what `start_compiling` began, if it has not ended, and all that this process holds of it."""
    compiling.kill()
    with compiling:
        pass


def _forget_older() -> None:
    """Removes machine code of other states of the sources that was made long ago."""
    for ready in cache_directory().parent.glob(f"*/{_READY_FILE}"):
        with suppress(FileNotFoundError):  # another run forgets it, too
            if time.time() - ready.stat().st_mtime > _KEPT_S:
                shutil.rmtree(ready.parent, ignore_errors=True)

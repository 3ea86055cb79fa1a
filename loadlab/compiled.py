"""How loadlab compiles its hot loops: decorators, typed, cached on disk, free of the GIL.

numba keys its cache by the file of the outermost function alone: machine code that inlined an older version
of another module would be taken for good. So the cache lies in a directory named after the text of all
modules that hold compiled code.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast

import llvmlite.binding

from loadlab.errors import UsageError
from loadlab.home import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Let imports in this context find no such module, as if it were not installed."""
    before = {module: sys.modules[module]} if module in sys.modules else {}
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
        sys.modules.update(before)


# numba loads SciPy where it finds it, for linear algebra that no loop here does: a fifth of a start's CPU.
with _hidden("scipy"):
    import numba
    import numba.np.arraymath

P = ParamSpec("P")
R = TypeVar("R")

Record: TypeAlias = Any
"""An entry of a structured array in compiled code: numba checks its fields, which mypy can't know of."""

_COMPILED_PACKAGES = ("client", "measurement", "workload")


def cache_directory() -> Path:
    """Where machine code is kept: a directory for each place and state of the sources, and each machine.

    Under NUMBA_CACHE_DIR, else XDG_CACHE_HOME.
    """
    own, cache = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")
    root = Path(own) / "loadlab" if own else Path(cache or home() / ".cache") / "loadlab" / "numba"
    digest = hashlib.sha256(Path(__file__).read_bytes())
    features = llvmlite.binding.get_host_cpu_features().flatten()
    cpu = f"{llvmlite.binding.get_host_cpu_name()} {features}"
    digest.update(f"{sys.version} {numba.__version__} {cpu}".encode())
    here = Path(__file__).parent
    digest.update(str(here).encode())  # numba finds nothing that was compiled from another place
    for package in _COMPILED_PACKAGES:
        for module in sorted((here / package).glob("*.py")):
            digest.update(module.read_bytes())
    return root / digest.hexdigest()[:16]


def _made_cache_directory() -> Path:
    directory = cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"machine code can't be kept in {directory}: {error.strerror}",
            fix="set NUMBA_CACHE_DIR or XDG_CACHE_HOME to a folder that can be written",
        ) from error
    return directory


numba.config.CACHE_DIR = str(_made_cache_directory())  # type: ignore[attr-defined]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function with numba; the machine code is kept in `cache_directory`.

    The function runs without the GIL, so that a worker's loops run side by side in threads.
    """
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True)(function))


def entry_point(signature: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compiles a function for one signature when its module is imported: for what Python code calls.

    A loop that compiled itself on its first call would be seconds late for the common start.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return cast("Callable[P, R]", numba.njit(signature, nogil=True, cache=True)(function))

    return decorate


def callback(*signature: object, result: object) -> Callable[[Callable[..., object]], Any]:
    """Compiles a function into one that C code can call; its `address` is the function pointer.

    Args:
        signature: numba's types of the arguments.
        result: numba's type of the result.
    """

    def decorate(function: Callable[..., object]) -> Any:  # noqa: ANN401 (numba's own class has no types)
        return numba.cfunc(result(*signature), cache=True)(function)  # type: ignore[operator]

    return decorate


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function into its compiled callers: for what is called once a record.

    A call that stays a call counts a reference up and down for every array that it passes, atomically:
    for a tuple of fifteen arrays that is a multiple of the work itself.
    """
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True, forceinline=True)(function))

"""How loadlab compiles its hot loops: one decorator, typed, cached on disk, free of the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function with numba; the machine code is cached beside its module.

    The function runs without the GIL, so that a worker's loops run side by side in threads.
    """
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True)(function))

"""loadlab: a load-testing and performance-tuning lab for Apache Kafka.

What notebooks and scripts use, see docs/python.md:

    load_scenario   read and check a scenario
    open_cluster    a cluster for several runs
    run             run a scenario, once or several times
    tune            run a study
    load            a stored run; load_set: a run set; load_study: a study
    results         a frame of all stored runs
    Result          what a run measured: figures, series, histograms, thresholds, plots

They are imported when they are asked for: `import loadlab` alone loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature

    from loadlab.api.result import Result, ResultSet
    from loadlab.api.running import load_scenario, open_cluster, run
    from loadlab.api.stored import load, load_set, results
    from loadlab.api.tuning import TuneResult, load_study, tune
    from loadlab.errors import LoadlabError

__version__ = "0.1.0"

__all__ = [
    "LoadlabError",
    "Result",
    "ResultSet",
    "TuneResult",
    "__version__",
    "load",
    "load_scenario",
    "load_set",
    "load_study",
    "open_cluster",
    "results",
    "run",
    "tune",
]

_HOMES: Final = {
    "LoadlabError": "loadlab.errors",
    "Result": "loadlab.api.result",
    "ResultSet": "loadlab.api.result",
    "TuneResult": "loadlab.api.tuning",
    "load": "loadlab.api.stored",
    "load_scenario": "loadlab.api.running",
    "load_set": "loadlab.api.stored",
    "load_study": "loadlab.api.tuning",
    "open_cluster": "loadlab.api.running",
    "results": "loadlab.api.stored",
    "run": "loadlab.api.running",
    "tune": "loadlab.api.tuning",
}
_PACKAGES: Final = frozenset({"results", "run"})


if not TYPE_CHECKING:  # it would make any name a good one to type checkers

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in _PACKAGES:
            return import_module(f"{__name__}.{name}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class CallablePackage(ModuleType):
    """A package that has the name of a function: `loadlab.run` holds modules, and `loadlab.run(…)` runs.

    Importing a module of such a package sets the package as an attribute of `loadlab`, in the place of
    whatever stood there. So the package itself is what is called.
    """

    @property
    def __signature__(self) -> Signature:
        """That of the function, for help and editors."""
        from inspect import signature  # noqa: PLC0415 (only who asks for help needs it)

        return signature(self._function)

    @property
    def _function(self) -> Callable[..., object]:
        name = self.__name__.rpartition(".")[2]
        function: Callable[..., object] = getattr(import_module(_HOMES[name]), name)
        return function

    def __call__(self, *arguments: object, **keywords: object) -> object:
        """Call the function of the package's name."""
        return self._function(*arguments, **keywords)

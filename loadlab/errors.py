"""Everything that loadlab raises on purpose.

    LoadlabError
    ├── UsageError              2    the call or the scenario is wrong
    │   ├── ScenarioError       2    one or more problems in a scenario file, all at once
    │   ├── CapabilityError     2    a cluster was asked for what it can't do
    │   ├── TopicsExistError    2    a run would write into topics that are not its own
    │   └── UnwritableError     2    results can't be written where they are to go
    ├── ClusterError            3    no cluster could be had
    │   └── ClusterGoneError    3    the cluster of several runs is not there, or not as it was, for the next
    └── RunError                4    the run failed
        └── WorkerError         4    a worker could not start

Each error carries the exit code of the process that ends by it and, where there is one, the fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_NO_CLUSTER = 3
EXIT_RUN_FAILED = 4
EXIT_RUN_INVALID = 5
EXIT_THRESHOLD_FAILED = 99
EXIT_INTERRUPTED = 130


class LoadlabError(Exception):
    """An error whose message is meant for the user.

    Args:
        message: what is wrong, in one sentence; further lines may hold evidence.
        fix: what the user can do about it, or None.
    """

    exit_code = EXIT_RUN_FAILED

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class UsageError(LoadlabError):
    """The command line, a name or a file that was given can't be used."""

    exit_code = EXIT_USAGE


class ScenarioError(UsageError):
    """A scenario file can't be used; the message lists every problem, each with its place."""


class CapabilityError(UsageError):
    """Something was asked of a cluster that it has not declared."""


class TopicsExistError(UsageError):
    """Topics that a run would make are there already."""


class UnwritableError(UsageError):
    """Results can't be written where they are to go, or have no room there."""


class ClusterError(LoadlabError):
    """No cluster could be had or kept."""

    exit_code = EXIT_NO_CLUSTER


class ClusterGoneError(ClusterError):
    """What several runs are made on is not there for the next, or not as it was; no run is the reason."""


class RunError(LoadlabError):
    """The run started and could not be carried through.

    Args:
        message: what is wrong.
        fix: what the user can do about it, or None.
        stored_in: the folder of what was measured all the same; None where nothing is stored.
    """

    exit_code = EXIT_RUN_FAILED

    def __init__(self, message: str, *, fix: str | None = None, stored_in: Path | None = None) -> None:
        super().__init__(message, fix=fix)
        self.stored_in = stored_in


class WorkerError(RunError):
    """A worker process could not start."""

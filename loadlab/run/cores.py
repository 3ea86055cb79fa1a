"""The cores that workers are pinned to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loadlab.errors import UsageError
from loadlab.scenario import cpuset_cores

if TYPE_CHECKING:
    from loadlab.scenario import Scenario


def pinned_cores(owner: str, cpuset: str | None) -> tuple[int, ...]:
    """The cores of a cpuset; none where there is no cpuset.

    Args:
        owner: whose it is, dotted as in scenarios.
        cpuset: as the scenario has it.

    Raises:
        UsageError: this machine does not have one of them, or this process may not use it.
    """
    if cpuset is None:
        return ()
    wanted, there = set(cpuset_cores(cpuset)), os.sched_getaffinity(0)
    if missing := wanted - there:
        raise UsageError(
            f"{owner}.cpuset {cpuset}: there is no core {min(missing)} to use here",
            fix=f"choose of {', '.join(map(str, sorted(there)))}",
        )
    return tuple(sorted(wanted))


def check_pinned(scenario: Scenario) -> None:
    """Refuses a scenario whose workers are to run on cores that this machine lacks.

    Raises:
        UsageError: a group's are.
    """
    wrong: list[UsageError] = []
    for part, groups in (("producers", scenario.producers), ("consumers", scenario.consumers)):
        for name, spec in groups.items():
            try:
                pinned_cores(f"{part}.{name}", spec.cpuset)
            except UsageError as error:
                wrong.append(error)
    if wrong:
        raise UsageError("\n".join(error.message for error in wrong), fix=wrong[0].fix)

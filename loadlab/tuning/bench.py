"""What a study measures on: a bench gives each assignment of values to knobs its figures.

The real one (`loadlab.tuning.real_bench`) makes a run of each; tests and the benchmark of the tuner itself
have benches that are simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loadlab.results.model_study import ConstraintFigure, Measurement

if TYPE_CHECKING:
    from loadlab.results.model import ClusterUsed
    from loadlab.tuning.space import Assignment

__all__ = ["Bench", "ConstraintFigure", "Measurement", "Terms"]


@dataclass(frozen=True)
class Terms:
    """How one measurement is to be made.

    Attributes:
        number: of the measurement within its study, from 1; the run's seed follows from it.
        measure_scale: by how much the measure phase is longer than the scenario's.
        may_end_early: whether it may end as soon as a constraint can't be met any more.
    """

    number: int
    measure_scale: int = 1
    may_end_early: bool = False


class Bench(Protocol):
    """Measures assignments, one after the other."""

    def measure(self, assignment: Assignment, terms: Terms) -> Measurement:
        """Measures one assignment.

        Args:
            assignment: value by path in the scenario.
            terms: how.

        Raises:
            LoadlabError: there is no result: a property was refused, a broker did not start, a worker died.
            ClusterGoneError: there is none, and the assignment can't be the reason.
            KeyboardInterrupt: the user asked for the end; the measurement under way is lost.
        """

    @property
    def cluster(self) -> ClusterUsed | None:
        """What was measured on; None before the first run."""

    @property
    def stopping(self) -> bool:
        """Whether the user has asked for the end: what was measured counts, no other is to begin."""

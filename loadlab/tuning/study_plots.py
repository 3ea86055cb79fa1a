"""All plots of a stored study by their names, for notebooks, `TuneResult.plot` and `loadlab study plot`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from loadlab.analysis.plots.plot import Missing, Plot
from loadlab.analysis.plots.study_axes import KnobAxis
from loadlab.analysis.plots.study_blocks import StudyBlocks, draw_blocks
from loadlab.analysis.plots.study_contour import draw_contour, study_contour
from loadlab.analysis.plots.study_front import draw_front, study_front
from loadlab.analysis.plots.study_history import draw_history, study_history
from loadlab.analysis.plots.study_importance import draw_importances
from loadlab.errors import UsageError
from loadlab.hints import near
from loadlab.tuning.confirm import block_gains
from loadlab.tuning.findings import baseline_values, confirm_runs
from loadlab.tuning.noise import expected_range
from loadlab.tuning.recommend import NOTABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from loadlab.results.model_study import StudyResult

_FEWEST_KNOBS: Final = 2


@dataclass(frozen=True)
class StudyPlots:
    """Draws what a study measured, finished or not; what it has nothing of is a `Missing`, which says why.

    Attributes:
        result: the study.
    """

    result: StudyResult

    def history(self) -> Plot | Missing:
        """The study run by run, with the band of the default's noise and the best trial until then."""
        history = study_history(self.result, expected_range(baseline_values(self.result)))
        return draw_history(history) if history.marks else Missing("No run of the study has a value yet.")

    def importance(self) -> Plot | Missing:
        """How much each knob mattered, with its interval."""
        shares = self.result.answer.importances if self.result.answer is not None else ()
        if shares:
            return draw_importances(shares, NOTABLE)
        return Missing("Which knobs mattered is told at the end of a study, and not of so few trials.")

    def contour(self, x: str | None = None, y: str | None = None) -> Plot | Missing:
        """The objective over two knobs, with the trials.

        Args:
            x: a knob's path in the scenario; that which mattered most if None, of those with ranges first.
            y: likewise; the next one if None.

        Raises:
            UsageError: the study has no such knob.
        """
        space = self._space()
        for name in (x, y):
            if name is not None and name not in space:
                meant = near(name, space) or f"one of {', '.join(space)}"
                raise UsageError(f"the study has no knob {name}", fix=f"did you mean {meant}?")
        rest = (knob for knob in self._by_importance(space) if knob not in {x, y})
        knobs = list(islice((*(name for name in (x, y) if name), *rest), _FEWEST_KNOBS))
        if len(knobs) < _FEWEST_KNOBS:
            return Missing("A contour is over two knobs, and the study has but one.")
        contour = study_contour(self.result, *(KnobAxis.of(knob, space[knob]) for knob in knobs))
        return draw_contour(contour) if contour.points else Missing("No trial with these knobs has a value.")

    def confirmation(self) -> Plot | Missing:
        """The contender against the default, block by block."""
        answer = self.result.answer
        order = tuple(
            dict.fromkeys(
                run.contender for run in self.result.settled("confirm") if run.contender is not None
            )
        )
        if answer is None or answer.trial not in order:
            return Missing("No trial was measured to the end beside the default.")
        candidate = order.index(answer.trial)
        runs = [run for run in confirm_runs(self.result, order) if run.candidate == candidate]
        objective = self.result.objectives[0]
        sign = 1 if objective.direction == "maximize" else -1
        blocks = StudyBlocks(
            objective=objective,
            trial=answer.trial,
            ratios=tuple(math.exp(sign * gain) for gain in block_gains(runs, objective.direction)),
            ratio=answer.ratio,
            low=answer.low,
            high=answer.high,
            floor=answer.floor,
        )
        return draw_blocks(blocks)

    def pareto(self) -> Plot | Missing:
        """The trials by the first two objectives, with the front."""
        front = study_front(self.result)
        if front is not None:
            return draw_front(front)
        return Missing("A Pareto front needs several objectives and a trial that has them.")

    def all(self) -> dict[str, Plot | Missing]:
        """Each plot by the name of its method."""
        return {
            "history": self.history(),
            "confirmation": self.confirmation(),
            "importance": self.importance(),
            "contour": self.contour(),
            "pareto": self.pareto(),
        }

    def _space(self) -> Mapping[str, Mapping[str, JsonValue]]:
        space = self.result.study["search_space"]
        return {
            name: searched
            for name, searched in (space.items() if isinstance(space, dict) else ())
            if isinstance(searched, dict)
        }

    def _by_importance(self, space: Mapping[str, Mapping[str, JsonValue]]) -> list[str]:
        """The knobs, those with ranges first, and of these those that mattered most."""
        answer = self.result.answer
        shares = {one.knob: one.share for one in answer.importances} if answer is not None else {}
        return sorted(space, key=lambda knob: ("choices" in space[knob], -shares.get(knob, 0.0)))

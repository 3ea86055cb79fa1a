"""A scenario with the values of a trial: checked like any other, before a run is spent on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loadlab.scenario import Origin, load_document
from loadlab.scenario.overrides import Setting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from loadlab.scenario import LoadedScenario
    from loadlab.tuning.space import Assignment

TRIAL: Final = Origin("set", "the trial")
_THRESHOLDS: Final = "thresholds"


def with_values(loaded: LoadedScenario, assignment: Assignment) -> LoadedScenario:
    """The scenario with the values of an assignment in place of its own.

    Raises:
        ScenarioError: Kafka, librdkafka or the scenario refuses them, or one beside another.
    """
    return changed(loaded, [Setting(name, value, TRIAL) for name, value in assignment.items()])


def without(loaded: LoadedScenario, names: Collection[str]) -> LoadedScenario:
    """The scenario without its own values for some settings, so that their defaults hold."""
    return changed(loaded, [Setting(name, None, TRIAL) for name in names])


def changed(loaded: LoadedScenario, settings: Sequence[Setting]) -> LoadedScenario:
    """The scenario with other values, from the same file and with the same warnings.

    Its thresholds are as they were, unchecked: a study's may be of what only some trials have, as a codec.

    Raises:
        ScenarioError: it is none that could be run.
    """
    document = loaded.scenario.to_secret_document()
    document.pop(_THRESHOLDS, None)
    again = load_document(document, settings=settings)
    origins = {
        path: origin if origin.kind == "set" else loaded.origins.get(path, origin)
        for path, origin in again.origins.items()
    }
    kept = {path: origin for path, origin in loaded.origins.items() if path.startswith(_THRESHOLDS)}
    scenario = again.scenario.model_copy(update={_THRESHOLDS: loaded.scenario.thresholds})
    return replace(loaded, scenario=scenario, origins={**origins, **kept})

"""Loads scenarios: file, then environment, then ``--set``; every problem at once."""

from __future__ import annotations

import copy
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.errors import ScenarioError
from loadlab.scenario.checks import check
from loadlab.scenario.document import Document, Origin, Path, value_at
from loadlab.scenario.finding import Finding
from loadlab.scenario.overrides import Setting, apply_overrides, apply_settings
from loadlab.scenario.problems import Problem, dotted, scenario_error
from loadlab.scenario.properties import resolve_properties
from loadlab.scenario.providers import fit_to_override
from loadlab.scenario.reader import parse
from loadlab.scenario.source import read_text
from loadlab.scenario.validation import SCENARIO, build

if TYPE_CHECKING:
    from loadlab.scenario.model import Scenario

_NO_FILE: Final = FilePath("scenario")


@dataclass(frozen=True, repr=False)
class LoadedScenario:
    """A scenario with where it came from.

    Attributes:
        scenario: the resolved scenario.
        path: its file.
        origins: for each value of ``scenario.to_document()``, by dotted path, where it comes from.
        warnings: what was set aside, such as a field that the provider of an override can't honour.
    """

    scenario: Scenario
    path: FilePath
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line: which scenario, from where, and who takes part in it."""
        scenario = self.scenario
        groups = ", ".join([*scenario.producers, *scenario.consumers])
        return f"<LoadedScenario {scenario.name} of {self.path}: {groups}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def load(
    path: FilePath,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    settings: Sequence[Setting] = (),
    *,
    brokers: int | None = None,
) -> LoadedScenario:
    """Loads a scenario file.

    Args:
        path: the file.
        overrides: texts of ``--set``, ``path=value`` each; they win over the environment.
        environ: the environment, of which LOADLAB_PROVIDER and LOADLAB_SET… win over the file; none if None.
        settings: what another file sets over this one; environment and overrides win over it.
        brokers: of the cluster that stands already and is to be used: the scenario's own do not count then.

    Raises:
        ScenarioError: with every problem, each at its place.
    """
    document, problems = parse(read_text(path), str(path))
    if "search_space" in document.data:
        raise ScenarioError(f"{path}: is a study, which is no scenario", fix=f"loadlab tune {path}")
    problems += apply_settings(document, settings)
    problems += apply_overrides(document, environ or {}, overrides)
    problems += _apply_brokers(document, brokers)
    _place_files(document, path.parent)
    return _loaded(document, problems, path)


def load_document(
    data: Mapping[str, object],
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    settings: Sequence[Setting] = (),
    *,
    brokers: int | None = None,
) -> LoadedScenario:
    """Loads a scenario from plain data, such as ``Scenario.to_document()`` gives; arguments as of `load`.

    Raises:
        ScenarioError: with every problem, each by its dotted path.
    """
    document = Document("scenario", [], _plain(dict(data)))
    problems = apply_settings(document, settings)
    problems += apply_overrides(document, environ or {}, overrides)
    problems += _apply_brokers(document, brokers)
    return _loaded(document, problems, _NO_FILE)


def findings_with(scenario: Scenario, settings: Sequence[Setting]) -> list[Finding]:
    """What is wrong with a sound scenario once values are set over it; nothing where it could be run."""
    document = Document("scenario", [], scenario.to_secret_document())
    problems = apply_settings(document, settings)
    refused = resolve_properties(document.data)
    built = build(document.data, SCENARIO, [problem.path for problem in refused])
    # One value may be wrong for those that stand beside it.
    beside = [Finding(problem, (problem.path[:-1],)) for problem in (*problems, *refused, *built.problems)]
    return [*beside, *check(document.data, built)]


def _plain(data: dict[str, object]) -> dict[str, object]:
    """A copy in which numbers of NumPy are Python's."""
    return {key: _plain_value(value) for key, value in data.items()}


def _plain_value(value: object) -> object:
    if isinstance(value, Mapping):
        return _plain(dict(value))
    if isinstance(value, list | tuple):
        return [_plain_value(each) for each in value]
    return value.item() if isinstance(value, np.generic) else copy.deepcopy(value)


def _loaded(document: Document, problems: list[Problem], path: FilePath) -> LoadedScenario:
    warnings = fit_to_override(document)
    refused = resolve_properties(document.data)
    problems += refused
    built = build(document.data, SCENARIO, [problem.path for problem in refused])
    problems += built.problems
    problems += (finding.problem for finding in check(document.data, built))
    if problems or built.model is None:
        raise scenario_error(problems, document)
    return LoadedScenario(built.model, path, _origins(built.model, document), warnings)


def _apply_brokers(document: Document, brokers: int | None) -> list[Problem]:
    """Replicas are checked by the brokers that there are; how many an external cluster has is not known."""
    if brokers is None or value_at(document.data, ("cluster", "provider")) == "external":
        return []
    return apply_overrides(document, {}, [f"cluster.brokers={brokers}"])


def _place_files(document: Document, folder: FilePath) -> None:
    """Files that the scenario's file names are beside it; one that was set over it is where the user is."""
    producers = document.data.get("producers")
    names = list(producers) if isinstance(producers, Mapping) else []
    traces = [("producers", name, "schedule", "rate", "trace", "file") for name in names]
    for path in (("cluster", "client_properties"), *traces):
        owner, given = value_at(document.data, path[:-1]), value_at(document.data, path)
        if isinstance(owner, dict) and isinstance(given, str) and document.origin(path).kind == "file":
            owner[path[-1]] = str(folder / given)


def _origins(scenario: Scenario, document: Document) -> dict[str, Origin]:
    return {dotted(path): document.origin(path) for path in _leaves(scenario.to_document(), ())}


def _leaves(value: object, path: Path) -> list[Path]:
    """The paths of all values that hold no others."""
    if isinstance(value, Mapping) and value:
        return [leaf for key, below in value.items() for leaf in _leaves(below, (*path, str(key)))]
    if isinstance(value, list) and value:
        return [leaf for index, below in enumerate(value) for leaf in _leaves(below, (*path, index))]
    return [path]

"""The configuration linter: what is allowed, and most likely not meant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loadlab.scenario.lint import consuming, durability, measuring, producing, security
from loadlab.scenario.lint.properties_file import of_file, of_properties
from loadlab.scenario.lint.rule import SEVERITIES, LintFinding, Rule, Severity
from loadlab.scenario.lint.subject import Subject, of_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.scenario.loader import LoadedScenario
    from loadlab.scenario.model import Scenario

__all__ = [
    "RULES",
    "SEVERITIES",
    "LintFinding",
    "Rule",
    "Severity",
    "Subject",
    "lint",
    "lint_file",
    "lint_loaded",
    "lint_scenario",
    "of_properties",
]

RULES: Final[tuple[Rule, ...]] = tuple(
    sorted(
        (*durability.RULES, *producing.RULES, *consuming.RULES, *measuring.RULES, *security.RULES),
        key=lambda rule: SEVERITIES.index(rule.severity),
    )
)
"""Every rule, the severest first."""


def lint(subject: Subject) -> list[LintFinding]:
    """All that the rules find, the severest first."""
    # Once, although a property of the brokers may be found at each topic.
    return [
        LintFinding(rule, path, message, subject.places.get(path))
        for rule in RULES
        for path, message in dict.fromkeys(rule.find(subject))
    ]


def lint_scenario(scenario: Scenario) -> list[LintFinding]:
    """What the rules find in a scenario."""
    return lint(of_scenario(scenario))


def lint_loaded(loaded: LoadedScenario) -> list[LintFinding]:
    """What the rules find in a scenario, each with its place in the file, or what set it over that."""
    given = {path: origin.place for path, origin in loaded.origins.items() if origin.kind != "default"}
    return lint(replace(of_scenario(loaded.scenario), places=given))


def lint_file(path: Path) -> list[LintFinding]:
    """What the rules find in a properties file, of a client or a broker.

    Raises:
        UsageError: it can't be read.
    """
    return lint(of_file(path))

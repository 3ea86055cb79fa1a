"""The JSON Schema of scenario files, for editors."""

from __future__ import annotations

from loadlab.scenario.model import Scenario


def json_schema() -> dict[str, object]:
    """The JSON Schema that a scenario file obeys."""
    return Scenario.model_json_schema(by_alias=True, mode="validation")

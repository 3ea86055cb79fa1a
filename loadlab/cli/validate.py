"""`loadlab validate` and `loadlab schema`: scenario files, without a cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from loadlab.cli.options import (
    OutputFormat,
    examples,
    output_option,
    provider_option,
    scenario_argument,
    set_option,
    with_provider,
)
from loadlab.cli.output import Line, print_json, print_lines
from loadlab.scenario import json_schema, load

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog=examples(
        "loadlab validate scenarios/quickstart.yaml",
        "loadlab validate scenarios/quickstart.yaml --set topics.orders.partitions=12 --output json",
    )
)
@scenario_argument
@set_option
@provider_option
@output_option
def validate(scenario: Path, overrides: tuple[str, ...], provider: str | None, output: OutputFormat) -> None:
    """Check SCENARIO and its Kafka properties; start nothing. All mistakes are told at once."""
    loaded = load(scenario, with_provider(overrides, provider), os.environ)
    if output == "json":
        print_json({"valid": True, "warnings": loaded.warnings, "scenario": loaded.scenario.to_document()})
        return
    print_lines([Line(f"{scenario}: valid", "good")])
    print_lines(Line(f"warning: {warning}", "warn") for warning in loaded.warnings)


@click.command(epilog=examples("loadlab schema > scenario.schema.json"))
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    print_json(json_schema())

"""`loadlab validate` and `loadlab schema`: scenario and study files, without a cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from loadlab.cli.options import (
    OutputFormat,
    cluster_option,
    examples,
    output_option,
    provider_option,
    scenario_argument,
    set_option,
    standing_brokers,
    with_provider,
)
from loadlab.cli.output import Line, print_json, print_lines
from loadlab.errors import ScenarioError
from loadlab.scenario import json_schema, load
from loadlab.scenario.reader import parse
from loadlab.scenario.source import read_text

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog=examples(
        "loadlab validate scenarios/quickstart.yaml",
        "loadlab validate scenarios/quickstart.yaml --set topics.orders.partitions=12 --output json",
        "loadlab validate scenarios/studies/throughput.yaml",
    )
)
@scenario_argument
@set_option
@provider_option
@cluster_option
@output_option
def validate(
    scenario: Path,
    overrides: tuple[str, ...],
    provider: str | None,
    cluster_name: str | None,
    output: OutputFormat,
) -> None:
    """Check SCENARIO and its Kafka properties; start nothing. All mistakes are told at once.

    SCENARIO may be a study as well; --set and --provider are about its scenario then.
    """
    sets = with_provider(overrides, provider)
    if _is_study(scenario):
        _validate_study(scenario, sets, standing_brokers(cluster_name), output)
        return
    loaded = load(scenario, sets, os.environ, brokers=standing_brokers(cluster_name))
    if output == "json":
        print_json({"valid": True, "warnings": loaded.warnings, "scenario": loaded.scenario.to_document()})
        return
    print_lines([Line(f"{scenario}: valid", "good")])
    print_lines(Line(f"warning: {warning}", "warn") for warning in loaded.warnings)


def _is_study(path: Path) -> bool:
    """Whether a file has a key that only studies have; one that can't be read is told of as a scenario."""
    try:
        document, _ = parse(read_text(path), str(path))
    except ScenarioError:
        return False
    return not document.data.keys().isdisjoint(("study", "search_space"))


def _validate_study(path: Path, overrides: list[str], brokers: int | None, output: OutputFormat) -> None:
    from loadlab.tuning.study_document import study_document  # noqa: PLC0415 (scenarios need no tuner)
    from loadlab.tuning.study_file import load_study  # noqa: PLC0415 (likewise)

    loaded = load_study(path, overrides, os.environ, brokers=brokers)
    if output == "json":
        document = {**study_document(loaded.study), "scenario": loaded.loaded.scenario.to_document()}
        print_json({"valid": True, "warnings": loaded.warnings, "study": document})
        return
    knobs = len(loaded.study.space.knobs)
    print_lines([Line(f"{path}: valid: a study of {knobs} knob{'s' if knobs > 1 else ''}", "good")])
    print_lines(Line(f"warning: {warning}", "warn") for warning in loaded.warnings)


@click.command(
    epilog=examples("loadlab schema > scenario.schema.json", "loadlab schema --study > study.schema.json")
)
@click.option("--study", is_flag=True, help="Of study files.")
@output_option
def schema(*, study: bool, output: OutputFormat) -> None:  # noqa: ARG001 (JSON either way)
    """Print the JSON Schema of scenario files, for editors."""
    if study:
        from loadlab.tuning.study_file import study_schema  # noqa: PLC0415 (scenarios need no tuner)

        print_json(study_schema())
        return
    print_json(json_schema())

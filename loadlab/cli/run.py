"""`loadlab run` and `loadlab demo`: run a scenario, show it, store it."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003  a TypedDict's fields are read at run time
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from loadlab.cli.demo_image import ensure_image
from loadlab.cli.exit_codes import exit_code
from loadlab.cli.options import (
    OutputFormat,
    examples,
    output_option,
    provider_option,
    results_dir_option,
    scenario_argument,
    set_option,
    with_provider,
)
from loadlab.cli.quickstart import quickstart_scenario
from loadlab.cli.stored import print_run
from loadlab.cli.watching import watching
from loadlab.results.reader import StoredRun
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., int]")


class RunKeywords(TypedDict):
    """What the options of `run` and `demo` say."""

    overrides: tuple[str, ...]
    provider: str | None
    cluster_name: str | None
    strict: bool
    keep_topics: bool
    output: OutputFormat
    results_dir: Path


def run_options(command: Command) -> Command:
    """Give a command the options of `RunKeywords`, in this order in its help."""
    options = (
        set_option,
        provider_option,
        click.option(
            "--cluster", "cluster_name", metavar="NAME", help="Use what `cluster up --name NAME` left."
        ),
        click.option("--strict", is_flag=True, help="Exit 5 where the verdict is invalid."),
        click.option("--keep-topics", is_flag=True, help="Leave the topics that the run made."),
        output_option,
        results_dir_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "loadlab run scenarios/quickstart.yaml",
        "loadlab run scenarios/quickstart.yaml --set phases.measure=60s --provider local",
        "loadlab run scenarios/durable-3-brokers.yaml --strict --output json > result.json",
    )
)
@scenario_argument
@run_options
def run(scenario: Path, **options: Unpack[RunKeywords]) -> int:
    """Run SCENARIO: start its cluster, send and read its load, store and show what was measured.

    Ctrl-C stops the load, drains for 5 s at most and keeps what was measured; the next ends it at once.
    """
    return _run(scenario, options)


@click.command(epilog=examples("loadlab demo", "loadlab demo --provider local"))
@run_options
def demo(**options: Unpack[RunKeywords]) -> int:
    """Run the quickstart scenario on the best cluster at hand: containers, Kafka's own JVM, or the mock."""
    return _run(quickstart_scenario(), options, builds_image=options["cluster_name"] is None)


def _run(scenario: Path, options: RunKeywords, *, builds_image: bool = False) -> int:
    loaded = load(scenario, with_provider(options["overrides"], options["provider"]), os.environ)
    run_choices = RunOptions(
        results_dir=options["results_dir"],
        cluster_name=options["cluster_name"],
        keep_topics=options["keep_topics"],
    )
    with watching() as observer:
        if builds_image:
            ensure_image(loaded.scenario.cluster, observer.message)
        stored = run_scenario(loaded, run_choices, observer)
    print_run(StoredRun(stored.result, stored.path), options["output"])
    return exit_code(stored.result, strict=options["strict"])

"""`loadlab run` and `loadlab demo`: run a scenario, show it, store it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from loadlab.cli.ci_report import reporting
from loadlab.cli.demo_image import ensure_image
from loadlab.cli.exit_codes import exit_code, worst_exit_code
from loadlab.cli.options import (
    OutputFormat,
    client_properties_option,
    cluster_option,
    examples,
    output_option,
    provider_option,
    results_dir_option,
    scenario_argument,
    set_option,
    standing_brokers,
    with_provider,
)
from loadlab.cli.shipped import shipped_file
from loadlab.cli.stored import print_run, print_set
from loadlab.cli.watching import watching
from loadlab.errors import EXIT_INTERRUPTED, LoadlabError, RunError
from loadlab.run.interrupts import heeding
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.cli.ci_report import CiReport
    from loadlab.scenario import LoadedScenario

Command = TypeVar("Command", bound="Callable[..., int]")


class RunKeywords(TypedDict):
    """What the options of `run` and `demo` say."""

    overrides: tuple[str, ...]
    provider: str | None
    cluster_name: str | None
    client_properties: Path | None
    strict: bool
    keep_topics: bool
    junit: Path | None
    metrics_port: int | None
    metrics_host: str | None
    output: OutputFormat
    results_dir: Path


def run_options(command: Command) -> Command:
    """Give a command the options of `RunKeywords`, in this order in its help."""
    options = (
        set_option,
        provider_option,
        cluster_option,
        client_properties_option,
        click.option("--strict", is_flag=True, help="Exit 5 where the verdict is invalid."),
        click.option("--keep-topics", is_flag=True, help="Leave the topics that the run made."),
        click.option(
            "--junit",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write verdict and thresholds as JUnit XML, also where the run fails.",
        ),
        click.option(
            "--metrics-port",
            type=click.IntRange(0, 65535),
            metavar="N",
            help="Serve /metrics for Prometheus while the run goes on; 0 takes a free port.",
        ),
        click.option(
            "--metrics-host",
            metavar="ADDRESS",
            help="Where to serve it; 127.0.0.1 unless told otherwise.",
        ),
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
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run it N times and store the run set: medians with their 95 % intervals.",
)
@click.option("--fresh-cluster", is_flag=True, help="Give each repetition a cluster of its own.")
def run(scenario: Path, *, repeat: int | None, fresh_cluster: bool, **options: Unpack[RunKeywords]) -> int:
    """Run SCENARIO: start its cluster, send and read its load, store and show what was measured.

    Ctrl-C stops the load, drains for 5 s at most and keeps what was measured; the next ends it at once.
    """
    if repeat is not None:
        return _repeat(scenario, options, repeat, fresh_clusters=fresh_cluster)
    if fresh_cluster:
        raise click.UsageError("--fresh-cluster says how to --repeat")
    return _run(scenario, options)


@click.command(epilog=examples("loadlab demo", "loadlab demo --provider local"))
@run_options
def demo(**options: Unpack[RunKeywords]) -> int:
    """Run the quickstart scenario on the best cluster at hand: containers, Kafka's own JVM, or the mock."""
    quickstart = shipped_file("scenarios", "quickstart.yaml")
    return _run(quickstart, options, builds_image=options["cluster_name"] is None)


def _run(scenario: Path, options: RunKeywords, *, builds_image: bool = False) -> int:
    with reporting(options["junit"], scenario) as report:
        loaded, choices = _prepared(scenario, options, report)
        with watching(options["metrics_host"], options["metrics_port"]) as observer:
            if builds_image:
                ensure_image(loaded.scenario.cluster, observer.message)
            stored = run_scenario(loaded, choices, observer)
        report.take(stored.result)
        with _kept_in(stored.path):
            print_run(stored, options["output"])
    return EXIT_INTERRUPTED if _asked_to_end() else exit_code(stored.result, strict=options["strict"])


def _asked_to_end() -> bool:
    """Whether a signal came when the result was whole already: who runs several in a loop is to stop, too."""
    owner = heeding()
    return owner is not None and owner.came


def _repeat(scenario: Path, options: RunKeywords, repetitions: int, *, fresh_clusters: bool) -> int:
    from loadlab.run.repetitions import RepeatOptions, repeat_scenario  # noqa: PLC0415 (SciPy takes a second)

    with reporting(options["junit"], scenario) as report:
        loaded, choices = _prepared(scenario, options, report)
        if fresh_clusters and choices.cluster_name is not None:
            raise click.UsageError("--fresh-cluster and --cluster contradict each other")
        with watching(options["metrics_host"], options["metrics_port"]) as observer:
            repeated = repeat_scenario(loaded, choices, RepeatOptions(repetitions, fresh_clusters), observer)
        for number, result in enumerate(repeated.results, start=1):
            report.take(result, number=number)
        if isinstance(repeated.error, KeyboardInterrupt):
            made = f"{len(repeated.results)} of {repetitions} repetitions"
            report.fail(LoadlabError(f"interrupted: {made} were made"))
        with _kept_in(repeated.stored.path):
            print_set(repeated.stored, options["output"])
        if repeated.error is not None and not repeated.stored.runs.interrupted:
            raise repeated.error
    codes = [exit_code(result, strict=options["strict"]) for result in repeated.results]
    return EXIT_INTERRUPTED if repeated.stored.runs.interrupted else worst_exit_code(codes)


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Shows a result; where standard output takes no more, the error says that the result is safe.

    Raises:
        RunError: it takes no more.
    """
    try:
        yield
    except RunError as error:
        where = f"{error.message}; the result is stored in {folder}"
        raise RunError(where, fix=f"loadlab show {folder}") from error


def _prepared(scenario: Path, options: RunKeywords, report: CiReport) -> tuple[LoadedScenario, RunOptions]:
    set_over = with_provider(options["overrides"], options["provider"], options["client_properties"])
    loaded = load(scenario, set_over, os.environ, brokers=standing_brokers(options["cluster_name"]))
    report.expect(loaded.scenario)
    return loaded, RunOptions(
        results_dir=options["results_dir"],
        cluster_name=options["cluster_name"],
        keep_topics=options["keep_topics"],
    )

"""`loadlab tune`: the configuration that does best, confirmed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict, Unpack

import click

from loadlab.cli.options import (
    OutputFormat,
    client_properties_option,
    cluster_option,
    examples,
    output_option,
    provider_option,
    results_dir_option,
    set_option,
    standing_brokers,
    with_provider,
)
from loadlab.cli.output import print_json, print_lines
from loadlab.cli.study_view import print_study
from loadlab.cli.tune_view import StudyWatcher, plan_document, plan_lines
from loadlab.cli.watching import watching
from loadlab.errors import EXIT_INTERRUPTED, EXIT_OK
from loadlab.tuning.begin import stands_already
from loadlab.tuning.study import TuneOptions, refuse_given_brokers, to_go_on_with, tune
from loadlab.tuning.study_file import load_study


class TuneKeywords(TypedDict):
    """What the options say."""

    overrides: tuple[str, ...]
    provider: str | None
    client_properties: Path | None
    cluster_name: str | None
    plan: bool
    resume: str | None
    warm_start: str | None
    force: bool
    warm_up: bool
    output: OutputFormat
    results_dir: Path


@click.command(
    "tune",
    epilog=examples(
        "loadlab tune scenarios/studies/throughput.yaml",
        "loadlab tune scenarios/studies/throughput.yaml --plan",
        "loadlab tune scenarios/studies/throughput.yaml --resume 20261123T161500-throughput-study-k3f9",
    ),
)
@click.argument("study", type=click.Path(path_type=Path))
@set_option
@provider_option
@client_properties_option
@cluster_option
@click.option(
    "--plan", is_flag=True, help="Show what would be measured and how long it takes; start nothing."
)
@click.option("--resume", metavar="ID", help="Go on with a study that was interrupted.")
@click.option("--warm-start", metavar="ID", help="Try the best of an earlier study first.")
@click.option("--force", is_flag=True, help="Go on although the default is noisy or breaks a constraint.")
@click.option(
    "--warm-up/--no-warm-up",
    default=True,
    help="Load each cluster that the study starts until it serves no more, before it is measured.",
)
@output_option
@results_dir_option
def tune_command(study: Path, **options: Unpack[TuneKeywords]) -> int:
    """Search the configuration that does best, as STUDY says, and confirm it against the default.

    The noise of the default is measured first, then trials are made, the best of them again, and the winner
    in turns with the default. Each is a run of its own; all are stored.
    """
    overrides = with_provider(options["overrides"], options["provider"], options["client_properties"])
    brokers = standing_brokers(options["cluster_name"])
    loaded = load_study(study, overrides, os.environ, brokers=brokers)
    choices = TuneOptions(
        results_dir=options["results_dir"],
        cluster_name=options["cluster_name"],
        resume=options["resume"],
        warm_start=options["warm_start"],
        forced=options["force"],
        warms_up=options["warm_up"],
    )
    starts_clusters = not stands_already(loaded, choices)
    if options["plan"]:
        refuse_given_brokers(loaded, choices)
        stored = to_go_on_with(loaded, choices)
        result = None if stored is None else stored.result
        if options["output"] == "json":
            print_json(plan_document(loaded, result))
        else:
            asked = choices.warms_up if result is None else result.warms_up
            print_lines(plan_lines(loaded, result, warms_up=asked and starts_clusters))
        return EXIT_OK
    with watching() as observer:
        made = tune(loaded, choices, StudyWatcher(observer, loaded, starts_clusters=starts_clusters))
    print_study(made, options["output"])
    return EXIT_OK if made.result.finished else EXIT_INTERRUPTED

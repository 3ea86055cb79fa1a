"""`loadlab study`: list, show and export tuning studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loadlab.cli.options import OutputFormat, examples, output_option, results_dir_option
from loadlab.cli.output import Line, print_json, print_lines, print_text
from loadlab.cli.study_export import trials_csv
from loadlab.cli.study_view import print_study, study_as_json, study_told
from loadlab.errors import UsageError
from loadlab.results.reader import list_studies, load_stored
from loadlab.results.study_store import JAVA_FILE, LIBRDKAFKA_FILE, STUDY_FILE, StoredStudy

if TYPE_CHECKING:
    from pathlib import Path

_PROPERTIES = {"librdkafka": LIBRDKAFKA_FILE, "java": JAVA_FILE}

_study_argument = click.argument("study")


@click.group("study", epilog=examples("loadlab study list", "loadlab study show k3f9"))
def study_group() -> None:
    """List, show and export the studies that `loadlab tune` made."""


@study_group.command("list")
@output_option
@results_dir_option
def list_command(output: OutputFormat, results_dir: Path) -> None:
    """List stored studies, oldest first."""
    entries = list_studies(results_dir)
    if output == "json":
        print_json([study_as_json(entry) for entry in entries])
    elif not entries:
        print_text(f"no studies in {results_dir}")
    else:
        width = max(len(entry.study_id) for entry in entries)
        print_lines(Line(f"{entry.study_id:<{width}}  {study_told(entry)}") for entry in entries)


@study_group.command("show")
@_study_argument
@output_option
@results_dir_option
def show_command(study: str, output: OutputFormat, results_dir: Path) -> None:
    """Show STUDY: what it came to or how far it is, and all its trials."""
    print_study(_stored(study, results_dir), output)


@study_group.command("export", epilog=examples("loadlab study export k3f9 --format csv > trials.csv"))
@_study_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", *_PROPERTIES]),
    default="csv",
    show_default=True,
    help="csv: a row for each trial; json: study.json; librdkafka, java: the recommended .properties.",
)
@results_dir_option
def export_command(study: str, form: str, results_dir: Path) -> None:
    """Print STUDY's trials, all of it, or what it recommends."""
    stored = _stored(study, results_dir)
    if form == "csv":
        print_text(trials_csv(stored.result).rstrip("\n"))
        return
    if form in _PROPERTIES and stored.result.confirmed is None:
        raise UsageError(f"{stored.result.study_id} recommends nothing", fix="loadlab study show says why")
    path = stored.path / _PROPERTIES.get(form, STUDY_FILE)
    print_text(path.read_text(encoding="utf-8").rstrip("\n"))


def _stored(study: str, results_dir: Path) -> StoredStudy:
    found = load_stored(study, results_dir)
    if not isinstance(found, StoredStudy):
        raise UsageError(f"{study} is no study", fix=f"loadlab show {study}")
    return found

"""`loadlab study`: list, show, plot and export tuning studies."""

from __future__ import annotations

from pathlib import Path

import click

from loadlab.analysis.export.files import write_files
from loadlab.analysis.plots.plot import Missing, Plot
from loadlab.cli.options import OutputFormat, examples, output_option, results_dir_option
from loadlab.cli.output import Line, print_document, print_json, print_lines, print_note, print_text
from loadlab.cli.study_export import trials_csv
from loadlab.cli.study_view import print_study, study_as_json, study_told
from loadlab.errors import UsageError
from loadlab.results.reader import list_studies, load_stored_study
from loadlab.results.study_store import JAVA_FILE, LIBRDKAFKA_FILE, STUDY_FILE
from loadlab.tuning.study_plots import StudyPlots

_PROPERTIES = {"librdkafka": LIBRDKAFKA_FILE, "java": JAVA_FILE}

_study_argument = click.argument("study")


@click.group("study", epilog=examples("loadlab study list", "loadlab study show k3f9"))
def study_group() -> None:
    """List, show, plot and export the studies that `loadlab tune` made."""


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
        width = max(len(entry.name) for entry in entries)
        print_lines(Line(f"{entry.name:<{width}}  {study_told(entry)}") for entry in entries)


@study_group.command("show")
@_study_argument
@output_option
@results_dir_option
def show_command(study: str, output: OutputFormat, results_dir: Path) -> None:
    """Show STUDY: what it came to or how far it is, and all its trials."""
    print_study(load_stored_study(study, results_dir), output)


@study_group.command("plot", epilog=examples("loadlab study plot k3f9 --output plots"))
@_study_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write them to; ID-plots if none is named.",
)
@results_dir_option
def plot_command(study: str, output: Path | None, results_dir: Path) -> None:
    """Draw STUDY's history, confirmation, importances, contour and Pareto front as PNG files.

    What the study has nothing of is said, and not drawn.
    """
    stored = load_stored_study(study, results_dir)
    drawn = StudyPlots(stored.result).all()
    folder = output or Path(f"{stored.path.name}-plots")
    files = {folder / f"{name}.png": plot.png() for name, plot in drawn.items() if isinstance(plot, Plot)}
    write_files(files, replace=True)
    for path in files:
        print_text(str(path))
    for missing in drawn.values():
        if isinstance(missing, Missing):
            print_note(f"note: {missing.why}")


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
    stored = load_stored_study(study, results_dir)
    if form == "csv":
        print_document(trials_csv(stored.result).rstrip("\n"))
        return
    if form in _PROPERTIES and stored.result.answer is None:
        raise UsageError(
            f"{stored.result.study_id} is not finished: nothing is recommended yet",
            fix=f"loadlab tune with --resume {stored.result.study_id} goes on",
        )
    if form in _PROPERTIES and stored.result.confirmed is None:
        raise UsageError(f"{stored.result.study_id} recommends nothing", fix="loadlab study show says why")
    path = stored.path / _PROPERTIES.get(form, STUDY_FILE)
    if not path.is_file():
        raise UsageError(
            f"{path} is not there: it is written as the study's last step",
            fix=f"loadlab tune with --resume {stored.result.study_id} goes on",
        )
    print_document(path.read_text(encoding="utf-8").rstrip("\n"))

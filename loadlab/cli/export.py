"""`loadlab export`: stored runs for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadlab.analysis.export import FORMATS, export_run
from loadlab.analysis.export.files import file_name, write_files
from loadlab.cli.options import examples, results_dir_option
from loadlab.cli.output import print_document, print_note, print_text
from loadlab.results.reader import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model import RunResult

_STDOUT = Path("-")


@click.command(
    epilog=examples(
        "loadlab export k3f9 --format omb",
        "loadlab export k3f9 --format hlog --output latency.hlog",
        "loadlab export k3f9 --format csv --output tables/ --force",
    )
)
@click.argument("run")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), required=True, help="See docs/exports.md."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The file, or the folder of hgrm, csv and parquet; - for stdout. Default: named after the run.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@results_dir_option
def export(run: str, form: str, output: Path | None, *, force: bool, results_dir: Path) -> None:
    """Write RUN, a stored run, in the format of another tool; print what was written."""
    stored = load(run, results_dir)
    chosen = FORMATS[form]
    if output == _STDOUT and not chosen.single:
        raise click.UsageError(f"{form} is several files: name a folder by --output")
    exported = export_run(stored, form)
    for note in (*_worth(stored.result), *_missing(stored.result), *exported.notes):
        print_note(f"note: {note}")
    if output == _STDOUT:
        print_document(exported.contents[""].decode().removesuffix("\n"))
        return
    place = output or Path(f"{file_name(stored.result.run_id)}{chosen.ending}")
    files = {place / name if name else place: content for name, content in exported.contents.items()}
    write_files(files, replace=force)
    for path in files:
        print_text(str(path))


def _missing(result: RunResult) -> Iterator[str]:
    """Latencies that lack records which never came through: percentiles of the formats know none."""
    blocks = {f"publish_latency of {name}": one.publish_latency_us for name, one in result.producers.items()}
    for name, consumer in result.consumers.items():
        if consumer.end_to_end_latency_us is not None:
            blocks[f"end_to_end_latency of {name}"] = consumer.end_to_end_latency_us
    for what, block in blocks.items():
        if block.missing:
            whole = block.count + block.missing
            yield f"{what} lacks {block.missing:,} of {whole:,} records, which never came through"


def _worth(result: RunResult) -> Iterator[str]:
    """What the formats of other tools have no field for."""
    codes = ", ".join(dict.fromkeys(reason.code for reason in result.verdict.reasons))
    if result.verdict.status != "valid":
        yield f"the run is {result.verdict.status}: {codes}"
    if result.cut_short:
        yield f"the run was cut short: {result.measured_s:.1f} s were measured"

"""`loadlab import`: files of other tools as scenarios."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadlab.analysis.export.files import unwritable
from loadlab.cli.options import examples
from loadlab.cli.output import print_document, print_note
from loadlab.errors import UsageError
from loadlab.scenario.omb import import_omb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.omb_keys import KeyReport

_FILE = click.Path(path_type=Path)
_OUTCOME_WIDTH = len("defaulted")


@click.group("import")
def import_group() -> None:
    """Make scenarios of other tools' files."""


@import_group.command(
    epilog=examples(
        "loadlab import omb --workload simple-workload.yaml --driver kafka-latency.yaml --output simple.yaml",
    )
)
@click.option("--workload", type=_FILE, required=True, help="One of OMB's workloads/*.yaml.")
@click.option("--driver", type=_FILE, required=True, help="One of OMB's driver-kafka/*.yaml.")
@click.option(
    "--output", type=_FILE, metavar="FILE", help="Write the scenario there; to stdout if not given."
)
def omb(workload: Path, driver: Path, output: Path | None) -> None:
    """Turn OpenMessaging Benchmark's files into a scenario.

    What became of each key is told on stderr: mapped, defaulted (left out, and what OMB does then), or
    refused with the reason.
    """
    imported = import_omb(workload, driver)
    for line in _told(imported.reports):
        print_note(line)
    if output is None:
        print_document(imported.text.rstrip("\n"))
    else:
        _write(output, imported.text)
        print_note(f"{output}: loadlab validate {output}; loadlab run {output}")


def _told(reports: tuple[KeyReport, ...]) -> Iterator[str]:
    width = max(len(each.key) for each in reports)
    for file in dict.fromkeys(each.file for each in reports):
        yield f"{file}:"
        for each in reports:
            if each.file == file:
                yield f"  {each.outcome:<{_OUTCOME_WIDTH}}  {each.key:<{width}}  {each.told}"


def _write(path: Path, text: str) -> None:
    """Write a new file whole or not at all."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", fix="remove it, or name another --output") from None
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise unwritable(path, error) from error

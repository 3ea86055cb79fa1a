"""`loadlab compare`: what one run or run set has of another, and whether it is more than noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import click

from loadlab.analysis.comparable import KINDS, Kind
from loadlab.cli.comparison import as_document, as_markdown, compared, text_lines
from loadlab.cli.options import examples, results_dir_option
from loadlab.cli.output import print_json, print_lines, print_text

if TYPE_CHECKING:
    from pathlib import Path

Format = Literal["text", "markdown", "json"]


def _kinds(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> frozenset[Kind]:
    """The kinds that are allowed: given one by one, or with commas between."""
    allowed: set[Kind] = set()
    for text in ",".join(texts).split(",") if texts else ():
        found = next((kind for kind in KINDS if kind == text.strip()), None)
        if found is None:
            raise click.BadParameter(f"{text!r} is none of {', '.join(KINDS)}")
        allowed.add(found)
    return frozenset(allowed)


allow_option = click.option(
    "--allow",
    "allowed",
    metavar="KINDS",
    multiple=True,
    callback=_kinds,
    help=f"Compare although these are not alike: {', '.join(KINDS)}.",
)


@click.command(
    epilog=examples(
        "loadlab compare 3tyx k3f9",
        "loadlab compare results/20261123T1*-before-set-* results/20261123T1*-after-set-* --format markdown",
        "loadlab compare 3tyx k3f9 --allow kafka,machine",
    )
)
@click.argument("baseline", metavar="A")
@click.argument("contender", metavar="B")
@click.option("--paired", is_flag=True, help="Compare the k-th run of B with the k-th of A.")
@allow_option
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(Format)),
    default="text",
    show_default=True,
    help="markdown: for a pull request.",
)
@results_dir_option
def compare(  # noqa: PLR0913  (click gives each option by its name)
    baseline: str, contender: str, *, paired: bool, allowed: frozenset[Kind], form: Format, results_dir: Path
) -> None:
    """Compare B, the contender, with A, the baseline: runs or run sets, by id, its beginning or end, or path.

    What the scenarios set of clients, topics and brokers may differ, and is listed. Another load, machine,
    version, provider or durability is refused unless it is allowed. A result of OpenMessaging Benchmark, or a
    folder of them, is a side too, with --allow tool.
    """
    found = compared(baseline, contender, allowed=allowed, paired=paired, results_dir=results_dir)
    if form == "json":
        print_json(as_document(found))
    elif form == "markdown":
        print_text(as_markdown(found))
    else:
        print_lines(text_lines(found))

"""`loadlab report`: what was measured as a page to pass on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, get_args

import click

from loadlab.analysis.export.files import write_files
from loadlab.analysis.report import make_report, write_report
from loadlab.cli.capacity_view import capacity_lines
from loadlab.cli.compare import allow_option
from loadlab.cli.comparison import as_markdown, compared
from loadlab.cli.markdown import plain
from loadlab.cli.options import examples, results_dir_option
from loadlab.cli.output import print_note, print_text
from loadlab.cli.runset import set_lines
from loadlab.cli.shipped import shipped_file
from loadlab.cli.step_summary import markdown_of
from loadlab.cli.study_view import study_lines
from loadlab.errors import UsageError
from loadlab.results.capacity_store import StoredCapacity
from loadlab.results.reader import StoredRun, StoredSet, load_stored, load_stored_study
from loadlab.results.study_store import StoredStudy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadlab.analysis.comparable import Kind
    from loadlab.cli.output import Line

Format = Literal["html", "markdown"]
Stored = StoredRun | StoredSet | StoredCapacity | StoredStudy


@dataclass(frozen=True)
class Subject:
    """What a report is of.

    Attributes:
        notebook: file name of the notebook that tells it.
        parameters: of the notebook.
        title: of the page.
        file: name of the page where the user gave none, without its ending.
    """

    notebook: str
    parameters: dict[str, object]
    title: str
    file: str


class ReportKeywords(TypedDict):
    """What the options say of the report itself."""

    form: Format
    output: Path | None
    allowed: frozenset[Kind]


@click.command(
    epilog=examples(
        "loadlab report k3f9",
        "loadlab report k3f9 --output quickstart.html",
        "loadlab report before-set after-set --format markdown",
        "loadlab report --study throughput-study-k3f9",
    )
)
@click.argument("names", metavar="[RUN]...", nargs=-1)
@click.option("--study", metavar="STUDY", help="Report a study; the same as naming it alone.")
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(Format)),
    default="html",
    show_default=True,
    help="markdown: for a pull request.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@allow_option
@results_dir_option
def report(
    names: tuple[str, ...], study: str | None, results_dir: Path, **options: Unpack[ReportKeywords]
) -> None:
    """Make a report of RUN: a run, run set, capacity search or study, or of two runs or run sets, compared.

    As HTML it is one file that needs no network, with the notebook that made it beside it, named after what
    it is of unless --output says otherwise. As Markdown it goes to standard output, or to --output.
    """
    output = options["output"]
    found = _found(names, study, results_dir)
    if options["form"] == "markdown":
        _tell(_markdown(found, options["allowed"], results_dir), output)
        return
    subject = _subject(found, options["allowed"], results_dir)
    made = make_report(shipped_file("notebooks", subject.notebook), subject.parameters, subject.title)
    page, notebook = write_report(made, output or Path(f"{subject.file}.html"))
    print_text(str(page))
    print_note(f"the notebook beside it: {notebook}")


def _found(names: tuple[str, ...], study: str | None, results_dir: Path) -> list[Stored]:
    if study is None:
        return [load_stored(name, results_dir) for name in names]
    if names:
        raise _unfitting()
    return [load_stored_study(study, results_dir)]


def _tell(text: str, output: Path | None) -> None:
    if output is None:
        print_text(text)
        return
    write_files({output: f"{text}\n".encode()}, replace=True, make_folders=False)
    print_text(str(output))


def _subject(found: list[Stored], allowed: frozenset[Kind], results_dir: Path) -> Subject:
    """What the report is of. File names come from folders' names, which can't lead elsewhere."""
    match found:
        case [StoredCapacity(result=search, path=path)]:
            return Subject("capacity.py", {"search": str(path)}, f"Capacity of {search.name}", path.name)
        case [StoredStudy(result=study, path=path)]:
            return Subject("study.py", {"study": str(path)}, f"Study {study.name}", path.name)
        case [StoredRun(result=result, path=path)]:
            return Subject("run_report.py", {"run": str(path)}, f"{result.name}: {result.run_id}", path.name)
        case [StoredSet(runs=runs, path=path)]:
            return Subject("run_report.py", {"run": str(path)}, f"{runs.name}: {runs.set_id}", path.name)
        case [StoredRun() | StoredSet() as first, StoredRun() | StoredSet() as second]:
            # What speaks against comparing them is said before a notebook is started.
            sides = str(first.path), str(second.path)
            compared(*sides, allowed=allowed, paired=False, results_dir=results_dir)
            names = first.path.name, second.path.name
            paths: dict[str, object] = {
                "baseline": str(first.path),
                "contender": str(second.path),
                "allowed": sorted(allowed),
            }
            return Subject("comparison.py", paths, " against ".join(names), "-against-".join(names))
    raise _unfitting()


def _markdown(found: list[Stored], allowed: frozenset[Kind], results_dir: Path) -> str:
    match found:
        case [StoredCapacity() as search]:
            return _fenced(f"Capacity of {search.result.name}", capacity_lines(search))
        case [StoredStudy() as study]:
            return _fenced(f"Study {study.result.name}", study_lines(study))
        case [StoredRun(result=result)]:
            return markdown_of(result)
        case [StoredSet() as runs]:
            return _fenced(f"Repetitions of {runs.runs.name}", set_lines(runs))
        case [StoredRun() | StoredSet() as first, StoredRun() | StoredSet() as second]:
            sides = str(first.path), str(second.path)
            return as_markdown(compared(*sides, allowed=allowed, paired=False, results_dir=results_dir))
    raise _unfitting()


def _fenced(heading: str, lines: Iterable[Line]) -> str:
    """Lines as they stand on a terminal; a fence that is longer than any in them ends where it should."""
    text = "\n".join(line.text for line in lines)
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"### {plain(heading)}\n\n{fence}\n{text}\n{fence}"


def _unfitting() -> UsageError:
    return UsageError(
        "a report is of one run, run set, capacity search or study, or of two runs or run sets",
        fix="name one, or two to compare",
    )

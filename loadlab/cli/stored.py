"""`loadlab list` and `loadlab show`: what is stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from loadlab.analysis import numbers
from loadlab.cli.capacity_view import capacity_as_json, capacity_told, print_capacity
from loadlab.cli.options import OutputFormat, examples, output_option, results_dir_option
from loadlab.cli.output import Line, print_json, print_lines, print_stored, print_text
from loadlab.cli.runset import set_lines
from loadlab.cli.study_view import print_study, study_as_json, study_told
from loadlab.cli.summary import summary_lines
from loadlab.results.capacity_store import StoredCapacity
from loadlab.results.reader import (
    RESULT_FILE,
    Entry,
    StoredRun,
    StoredSet,
    list_capacities,
    list_runs,
    list_sets,
    list_studies,
    load_stored,
)
from loadlab.results.runset import RUNSET_FILE
from loadlab.results.study_store import StoredStudy

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model import RunResult


@click.command("list", epilog=examples("loadlab list", "loadlab list --output json"))
@output_option
@results_dir_option
def list_command(output: OutputFormat, results_dir: Path) -> None:
    """List stored runs, then run sets, capacity searches and studies, oldest first."""
    entries, sets, searches = list_runs(results_dir), list_sets(results_dir), list_capacities(results_dir)
    studies = list_studies(results_dir)
    if output == "json":
        several = [*map(_set_as_json, sets), *map(capacity_as_json, searches), *map(study_as_json, studies)]
        print_json([*map(_as_json, entries), *several])
    elif not entries and not sets and not searches and not studies:
        print_text(f"no runs in {results_dir}")
    else:
        told = [(entry.name, _told(entry)) for entry in entries]
        told += [(entry.name, _set_told(entry)) for entry in sets]
        told += [(entry.name, capacity_told(entry)) for entry in searches]
        told += [(entry.name, study_told(entry)) for entry in studies]
        width = max(len(name) for name, _ in told)
        print_lines(Line(f"{name:<{width}}  {text}") for name, text in told)


@click.command(
    epilog=examples(
        "loadlab show 20261123T161500-quickstart-k3f9",
        "loadlab show results/20261123T161500-quickstart-k3f9 --output json",
    )
)
@click.argument("run")
@output_option
@results_dir_option
def show(run: str, output: OutputFormat, results_dir: Path) -> None:
    """Show RUN: a run, run set, capacity search or study, by its id, a part of the id, or its folder."""
    found = load_stored(run, results_dir)
    if isinstance(found, StoredSet):
        print_set(found, output)
    elif isinstance(found, StoredCapacity):
        print_capacity(found, output)
    elif isinstance(found, StoredStudy):
        print_study(found, output)
    else:
        print_run(found, output)


def print_run(stored: StoredRun, output: OutputFormat) -> None:
    """Print a stored run: the summary, or result.json as it stands on the disk."""
    print_stored(stored.path / RESULT_FILE, output, partial(summary_lines, stored))


def print_set(stored: StoredSet, output: OutputFormat) -> None:
    """Print a stored run set: the summary, or runset.json as it stands on the disk."""
    print_stored(stored.path / RUNSET_FILE, output, partial(set_lines, stored))


def _told(entry: Entry[StoredRun]) -> str:
    if entry.stored is None:
        return f"can't be read: {entry.problem}"
    result = entry.stored.result
    ended = ", interrupted" if result.interrupted else ", cut short" if result.cut_short else ""
    mock = ", mock" if result.cluster.kind == "mock" else ""
    status = f"{result.verdict.status}{ended}{mock}"
    return f"{status:<26} {numbers.duration(result.duration_s):>12}  {_rates(result)}"


def _rates(result: RunResult) -> str:
    """What was sent and received, all groups added: rates may be added, percentiles may not."""
    sent = sum(producer.throughput.records_per_s for producer in result.producers.values())
    received = sum(consumer.throughput.records_per_s for consumer in result.consumers.values())
    return f"sent {numbers.record_rate(sent)}, consumed {numbers.record_rate(received)}"


def _set_told(entry: Entry[StoredSet]) -> str:
    if entry.stored is None:
        return f"can't be read: {entry.problem}"
    runs = entry.stored.runs
    ended = ", interrupted" if runs.interrupted else ", failed" if runs.failure else ""
    return f"set of {numbers.counted(len(runs.runs), 'run')}{ended}"


def _set_as_json(entry: Entry[StoredSet]) -> dict[str, object]:
    runs = entry.stored.runs if entry.stored else None
    return {
        "kind": "set",
        "set_id": entry.name,
        "path": str(entry.path),
        "name": runs.name if runs else None,
        "started_at": runs.started_at.isoformat() if runs else None,
        "runs": [run.run_id for run in runs.runs] if runs else None,
        "interrupted": runs.interrupted if runs else None,
        "problem": entry.problem,
    }


def _as_json(entry: Entry[StoredRun]) -> dict[str, object]:
    result = entry.stored.result if entry.stored else None
    return {
        "kind": "run",
        "run_id": entry.name,
        "path": str(entry.path),
        "name": result.name if result else None,
        "started_at": result.started_at.isoformat() if result else None,
        "status": result.verdict.status if result else None,
        "interrupted": result.interrupted if result else None,
        "cut_short": result.cut_short if result else None,
        "problem": entry.problem,
    }

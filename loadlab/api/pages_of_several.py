"""What reports of several runs say beside their plots: run sets, comparisons and capacity searches."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from loadlab import units
from loadlab.analysis import numbers
from loadlab.analysis.headline import headline_numbers
from loadlab.analysis.plots.comparison import draw_ratios, ratio_rows
from loadlab.analysis.plots.plot import Missing, Plot, Plots
from loadlab.analysis.plots.repetitions import draw_repetitions, repeated_numbers
from loadlab.api import pages
from loadlab.api.markup import Page, details, element, page, table
from loadlab.api.pages import with_scenario
from loadlab.cli.capacity_view import PROBE_WORDS, answer_text
from loadlab.cli.comparison import counts, differences, method, missing, sentence, table_rows
from loadlab.cli.summary import cluster_text
from loadlab.errors import UsageError
from loadlab.results.model import MOCK_NOTE, RunResult
from loadlab.results.model_capacity import DEFAULT_MAX_PROBES, DEFAULT_PRECISION, default_lowest_per_s
from loadlab.results.reader import StoredRun, StoredSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.cli.comparison import Compared
    from loadlab.results.model_capacity import CapacityProbe, CapacityResult, CapacitySettings


def shown_run(stored: StoredRun | StoredSet) -> StoredRun:
    """The run that stands for what is stored: of a set the one whose latencies are nearest to its medians.

    Raises:
        UsageError: no run of the set counts, or one can't be read.
    """
    if isinstance(stored, StoredRun):
        return stored
    counted = {each.run_id for each in stored.runs.runs if each.used}
    runs = [run for run in stored.load_runs() if run.result.run_id in counted]
    if not runs:
        raise UsageError(f"no run of {stored.runs.set_id} counts: all are invalid or were cut short")
    return min(runs, key=lambda run: _off(run, runs))


def _off(run: StoredRun, runs: list[StoredRun]) -> float:
    """By how much the latencies of a run are off their medians, as a share, added up."""
    found = [
        {
            each.path: value
            for each, value in headline_numbers(other.result).items()
            if each.path.rpartition(".")[0].endswith("latency_us") and value and math.isfinite(value)
        }
        for other in (run, *runs)
    ]
    own, others = found[0], found[1:]
    paths = {path for each in others for path in each}
    medians = {path: median([each[path] for each in others if path in each]) for path in paths}
    return sum(abs(own[path] / at - 1.0) if path in own else math.inf for path, at in medians.items())


def repetitions(stored: StoredRun | StoredSet) -> Plots | Missing:
    """Each headline number of a run set, run by run."""
    if isinstance(stored, StoredRun):
        return Missing("One run: how far runs differ is not known. Repeat it with --repeat.")
    drawn = tuple(map(draw_repetitions, repeated_numbers(stored.runs)))
    if not drawn:
        return Missing("No run of the set counts by itself; a comparison has what --allow lets in.")
    return Plots(drawn)


def comparison_box(found: Compared) -> Page:
    """What was found, in a sentence, with what one has to know."""
    sides = (
        f"{letter}: {name}, {numbers.counted(len(runs), 'run')}"
        for letter, name, runs in (
            ("A", found.baseline, found.chosen.baseline),
            ("B", found.contender, found.chosen.contender),
        )
    )
    counted = (text for text, _ in counts(found.comparison))
    said = [*sides, *counted, *missing(found), *found.chosen.remarks]
    status = "suspect" if found.chosen.remarks else "valid"
    return page(
        element(
            "div",
            element("strong", sentence(found.comparison)),
            element("ul", *(element("li", text) for text in said)),
            css=f"box {status}",
        )
    )


def comparison_table(found: Compared) -> Page:
    """The headline numbers of both sides."""
    rows = [cells for _, cells in table_rows(found.comparison)]
    return page(
        table(("", "A", "B", "B ÷ A (95 %)", "found"), rows),
        element("p", method(found.comparison), css="note"),
    )


def comparison_plot(found: Compared) -> Plot | Missing:
    """The ratios with their intervals."""
    rows = ratio_rows(found.comparison)
    return draw_ratios(rows) if rows else Missing("No number has a ratio.")


def what_differs(found: Compared) -> Page:
    """What is not alike in what was run."""
    rows = [text.partition(": ")[::2] for text in differences(found.comparison)]
    return page(table(("what", "A → B"), rows, numbers_from=2) or element("p", "Nothing differs."))


def environments(found: Compared) -> Page:
    """Where each side was measured, to unfold."""
    return _of_sides(found, "environment", pages.environment)


def configurations(found: Compared) -> Page:
    """The effective configuration of each side, to unfold."""
    return _of_sides(found, "effective configuration", pages.configuration)


def _of_sides(found: Compared, what: str, part: Callable[[RunResult], Page]) -> Page:
    """A part of the pages of each side's first run; another tool's run has no such page."""
    firsts = (("A", found.chosen.baseline[0]), ("B", found.chosen.contender[0]))
    return page(
        *(
            details(f"{letter}: {what} of {run.run_id}", *part(run).elements)
            for letter, run in firsts
            if isinstance(run, RunResult)
        )
    )


def capacity_box(search: CapacityResult) -> Page:
    """The answer of a capacity search, and how sure it is."""
    good = search.finished and search.answer.sure and search.answer.kind in {"between", "at_least"}
    notes = [f"holds where {' · '.join(search.settings.conditions)}", *_doubts(search)]
    return page(
        element("h1", f"Capacity of {search.name}"),
        element(
            "div",
            element("strong", f"{search.name} {answer_text(search)}"),
            element("ul", *(element("li", note) for note in notes)),
            css=f"box {'valid' if good else 'suspect'}",
        ),
    )


def _doubts(search: CapacityResult) -> Iterator[str]:
    if search.cluster is not None:
        yield cluster_text(search.cluster)
        if search.cluster.kind == "mock":
            yield MOCK_NOTE
    if not search.finished:
        yield f"interrupted: {search.how_to_go_on}"
    yield from search.doubts


def probes(search: CapacityResult) -> Page:
    """The probes of a search, in the order in which they were made."""
    return page(table(("rate", "achieved", "p50", "p99", "", "run"), map(_probe, search.probes)))


def _probe(probe: CapacityProbe) -> tuple[str, ...]:
    return (
        "max" if probe.rate_per_s is None else numbers.rate(probe.rate_per_s),
        numbers.rate(probe.achieved_per_s),
        numbers.latency(probe.publish_p50_us),
        numbers.latency(probe.publish_p99_us),
        ": ".join([PROBE_WORDS[probe.verdict], *probe.failed]) + probe.aside,
        probe.run_id,
    )


def repeat_search(search: CapacityResult) -> Page:
    """The command that searches again; the thresholds of the probes are in the scenario."""
    command = ["loadlab", "capacity", f"{search.name}.yaml", *_options(search.settings)]
    if search.cluster is not None:
        command += ["--provider", search.cluster.provider]
        unwarmed = search.probes and not search.warm_up_per_s and search.cluster.kind != "mock"
        command += ["--no-warm-up"] if unwarmed else []
    return page(element("pre", element("code", with_scenario(search.name, search.scenario, command))))


def _options(settings: CapacitySettings) -> Iterator[str]:
    """What a search has to be told so that it searches as one did: what is not the default."""
    yield from ("--probe", units.format_duration(settings.measure_s))
    if settings.lowest_per_s != default_lowest_per_s(settings.start_per_s):
        yield from ("--min-rate", units.format_rate(settings.lowest_per_s))
    if settings.highest_per_s is not None:
        yield from ("--max-rate", units.format_rate(settings.highest_per_s))
    if settings.max_probes != DEFAULT_MAX_PROBES:
        yield from ("--probes", str(settings.max_probes))
    if settings.precision != DEFAULT_PRECISION:
        yield from ("--precision", str(settings.precision))

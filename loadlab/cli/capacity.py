"""`loadlab capacity`: the highest rate that holds."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from loadlab.cli.capacity_view import begun_line, print_capacity, probe_line, warm_up_line
from loadlab.cli.observers import QuietObserver
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
from loadlab.cli.watching import watching
from loadlab.errors import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_RUN_FAILED,
    EXIT_RUN_INVALID,
    EXIT_THRESHOLD_FAILED,
)
from loadlab.results.model_capacity import DEFAULT_MAX_PROBES, DEFAULT_PRECISION
from loadlab.scenario import load
from loadlab.tuning.capacity import CapacityOptions, find_capacity
from loadlab.units import UnitError, duration_s, rate_per_s

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadlab.results.capacity_store import StoredCapacity
    from loadlab.results.model_capacity import CapacityResult
    from loadlab.run.progress import RunObserver


class _Quantity(click.ParamType[float]):
    """A rate or a duration, written as in scenarios."""

    def __init__(self, name: str, parse: Callable[[object], float]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return self._parse(value)
        except UnitError as error:
            meant = f' (did you mean "{error.suggestion}"?)' if error.suggestion else ""
            self.fail(f"{error}{meant}", param, ctx)


_RATE = _Quantity("rate", rate_per_s)
_DURATION = _Quantity("duration", duration_s)


class _Precision(click.FloatRange):
    """A share; click's own range lets pass what is no number, as it is less than no limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 (as click has it)
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value} is no number", param, ctx)
        return found


class CapacityKeywords(TypedDict):
    """What the options say."""

    overrides: tuple[str, ...]
    provider: str | None
    cluster_name: str | None
    client_properties: Path | None
    p99: float | None
    probe: float | None
    min_rate: float | None
    max_rate: float | None
    probes: int
    precision: float
    warm_up: bool
    resume: str | None
    strict: bool
    output: OutputFormat
    results_dir: Path


@click.command(
    epilog=examples(
        "loadlab capacity scenarios/rate-within-50ms.yaml",
        "loadlab capacity scenarios/quickstart.yaml --p99 20ms --probe 10s --max-rate 100k/s",
        "loadlab capacity scenarios/quickstart.yaml --resume 20261123T161500-quickstart-capacity-k3f9",
    )
)
@scenario_argument
@set_option
@provider_option
@cluster_option
@client_properties_option
@click.option(
    "--p99",
    type=_DURATION,
    help="What publish latency may be at its 99th percentile, beside the scenario's thresholds; 100ms where"
    " it has none.",
)
@click.option("--probe", type=_DURATION, help="How long a probe measures; the scenario's phases.measure.")
@click.option("--min-rate", type=_RATE, help="Probe no lower rate; a hundredth of the scenario's.")
@click.option("--max-rate", type=_RATE, help="Probe no higher rate.")
@click.option(
    "--probes",
    type=click.IntRange(2, 50),
    default=DEFAULT_MAX_PROBES,
    show_default=True,
    help="At most so many.",
)
@click.option(
    "--precision",
    type=_Precision(0.005, 1.0),
    default=DEFAULT_PRECISION,
    show_default=True,
    help="How far apart the rates that hold and fail may be, as a share.",
)
@click.option(
    "--warm-up/--no-warm-up",
    default=True,
    show_default=True,
    help="Load the cluster first until it serves no more from round to round; a JVM that began just now"
    " serves a fraction of it.",
)
@click.option("--resume", metavar="ID", help="Go on with a search that was interrupted.")
@click.option("--strict", is_flag=True, help="Exit 5 where the generator, not the cluster, is the limit.")
@output_option
@results_dir_option
def capacity(scenario: Path, **options: Unpack[CapacityKeywords]) -> int:
    """Search the highest rate that SCENARIO holds.

    A rate holds where the scenario's thresholds hold, 99.5 % of the target is achieved, but for 0.1 s of acks
    on their way, and no consumer's lag grows by more. Each probe is a run of its own, on one cluster with
    fresh topics; all are stored.
    """
    set_over = with_provider(options["overrides"], options["provider"], options["client_properties"])
    loaded = load(scenario, set_over, os.environ, brokers=standing_brokers(options["cluster_name"]))
    choices = CapacityOptions(
        results_dir=options["results_dir"],
        cluster_name=options["cluster_name"],
        p99_limit_s=options["p99"],
        measure_s=options["probe"],
        lowest_per_s=options["min_rate"],
        highest_per_s=options["max_rate"],
        max_probes=options["probes"],
        precision=options["precision"],
        warm_up=options["warm_up"],
        resume=options["resume"],
    )
    with watching() as observer:
        search = find_capacity(loaded, choices, _Observer(observer, warms_up=options["warm_up"]))
    print_capacity(search, options["output"])
    return _exit_code(search.result, strict=options["strict"])


class _Observer(QuietObserver):
    """A line for each probe."""

    def __init__(self, inner: RunObserver, *, warms_up: bool) -> None:
        super().__init__(inner)
        self._warms_up = warms_up

    def begun(self, search: StoredCapacity) -> None:
        self._inner.message(begun_line(search, warms_up=self._warms_up))

    def warmed(self, search: StoredCapacity) -> None:
        self._inner.message(warm_up_line(search.result))

    def probed(self, search: StoredCapacity) -> None:
        self._inner.message(probe_line(search.result))


def _exit_code(search: CapacityResult, *, strict: bool) -> int:
    """Interrupted, nothing measured, no rate that holds, a limit that is the generator's, or done."""
    if not search.finished:
        return EXIT_INTERRUPTED
    if search.answer.kind == "nothing":
        return EXIT_RUN_FAILED
    if strict and search.answer.kind == "generator":
        return EXIT_RUN_INVALID
    return EXIT_THRESHOLD_FAILED if search.answer.kind == "below" else EXIT_OK

"""`loadlab cluster`: clusters that stand until they are told to go, and clearing what killed runs left."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadlab.cli.options import (
    OutputFormat,
    examples,
    output_option,
    provider_option,
    set_option,
)
from loadlab.cli.output import print_json, print_note, print_text
from loadlab.cluster import ListedCluster, claimed, clean_leftovers, down, list_clusters, start_cluster
from loadlab.cluster.specs import check_name, cluster_spec
from loadlab.errors import EXIT_OK, UsageError
from loadlab.run.interrupts import Interrupts
from loadlab.scenario import load
from loadlab.scenario.overrides import PROVIDER_VARIABLE, SET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.scenario.cluster import ClusterSpec

_COLUMNS = ("NAME", "PROVIDER", "KAFKA", "BROKERS", "AGE", "OWNER", "BOOTSTRAP SERVERS")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


@click.group("cluster")
def cluster_group() -> None:
    """Start, stop, list and clean clusters."""


@cluster_group.command(
    epilog=examples(
        "loadlab cluster up --name lab --brokers 3",
        "loadlab cluster up --name lab scenarios/durable-3-brokers.yaml",
        "loadlab run scenarios/quickstart.yaml --cluster lab",
    )
)
@click.argument("scenario", type=click.Path(path_type=Path), required=False)
@click.option("--name", required=True, help="The name that `run --cluster` and `cluster down` take.")
@click.option("--brokers", type=click.IntRange(1), help="How many brokers; 1 if not given.")
@click.option("--kafka-version", help="The version of Kafka, such as 3.9.1.")
@provider_option
@set_option
@output_option
def up(  # noqa: PLR0913  (click gives each option as a keyword)
    *,
    scenario: Path | None,
    name: str,
    brokers: int | None,
    kafka_version: str | None,
    provider: str | None,
    overrides: tuple[str, ...],
    output: OutputFormat,
) -> int:
    """Start a cluster that stands until `cluster down`: SCENARIO's, or one by options."""
    check_name(name)
    options = {"brokers": brokers, "kafka_version": kafka_version}
    spec = _spec(scenario, {**options, "provider": provider}, overrides)
    if spec.provider == "external":
        raise UsageError("an external cluster stands already", fix="run the scenario without --cluster")
    run_id = f"{name}-{secrets.token_hex(3)}"
    with claimed(name), Interrupts().handled():
        cluster = start_cluster(spec, progress=print_note, run_id=run_id, standing_name=name)
    cluster.stop()  # which only disconnects: it stands under its name
    listed = next(one for one in list_clusters() if one.run_id == run_id)
    if output == "json":
        print_json(asdict(listed))
    else:
        print_text(f"cluster {name} stands at {listed.bootstrap_servers}")
        print_note(
            f"use it: loadlab run SCENARIO --cluster {name}; end it: loadlab cluster down --name {name}"
        )
    return EXIT_OK


def _spec(scenario: Path | None, options: dict[str, object], overrides: Sequence[str]) -> ClusterSpec:
    """What a scenario asks for, or what options do; options over a scenario are overrides like any other."""
    if scenario is None:
        if overrides:
            raise UsageError("--set changes a scenario, and none is given", fix="name a scenario file")
        for name in os.environ:
            if name.startswith(SET_VARIABLE):
                print_note(f"{name} changes scenarios, and none is given: it is not used")
        return cluster_spec(
            {**options, "provider": options["provider"] or os.environ.get(PROVIDER_VARIABLE) or None}
        )
    given = [f"cluster.{name}={value}" for name, value in options.items() if value is not None]
    loaded = load(scenario, [*overrides, *given], os.environ)
    for warning in loaded.warnings:
        print_note(f"warning: {warning}")
    return loaded.scenario.cluster


@cluster_group.command("down", epilog=examples("loadlab cluster down --name lab"))
@click.option("--name", required=True, help="The name that it was started under.")
@click.option("--force", is_flag=True, help="End it under a run that goes on, too.")
@output_option
def take_down(name: str, output: OutputFormat, *, force: bool) -> int:
    """End the cluster that stands under a name, and remove all that it took."""
    _tell_removed(down(name, force=force), output)
    return EXIT_OK


@cluster_group.command("list", epilog=examples("loadlab cluster list", "loadlab cluster list --output json"))
@output_option
def list_command(output: OutputFormat) -> int:
    """List the clusters that stand, and those of runs."""
    clusters = list_clusters()
    if output == "json":
        print_json([asdict(cluster) for cluster in clusters])
    elif clusters:
        print_text(_table([_COLUMNS, *(_row(cluster) for cluster in clusters)]))
    else:
        print_text("no clusters")
    return EXIT_OK


@cluster_group.command(epilog=examples("loadlab cluster clean", "loadlab cluster clean --all"))
@click.option(
    "--all", "everything", is_flag=True, help="End what stands under a name too, unless a run uses it."
)
@output_option
def clean(output: OutputFormat, *, everything: bool) -> int:
    """Remove what killed runs left: nothing without loadlab's labels, nothing of a living owner."""
    _tell_removed(clean_leftovers(everything=everything), output)
    return EXIT_OK


def _tell_removed(removed: list[str], output: OutputFormat) -> None:
    if output == "json":
        print_json({"removed": removed})
    else:
        print_text("\n".join(f"removed {one}" for one in removed) or "nothing to remove")


def _row(cluster: ListedCluster) -> tuple[str, ...]:
    alive = "?" if cluster.alive is None else cluster.alive
    paused = f" ({cluster.paused} paused)" if cluster.paused else ""
    named = "stands" if cluster.ready else "never whole"
    owner = {True: "alive", False: "gone", None: "unknown"}[cluster.owner_alive]
    return (
        cluster.name or f"({cluster.run_id})",
        cluster.provider,
        cluster.kafka_version or "mock",
        f"{alive}/{cluster.brokers}{paused}",
        _age(cluster.age_s),
        named if cluster.name else owner,
        cluster.bootstrap_servers,
    )


def _age(age_s: float) -> str:
    for unit_s, letter in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if age_s >= unit_s:
            return f"{age_s // unit_s:.0f}{letter}"
    return f"{max(age_s, 0):.0f}s"


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )

"""Arguments and options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

OutputFormat = Literal["text", "json"]

PROVIDERS = ("auto", "docker", "local", "embedded", "external")


def examples(*commands: str) -> str:
    """A help text's last part: commands to copy, each on its line."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


scenario_argument = click.argument("scenario", type=click.Path(path_type=Path))

set_option = click.option(
    "--set",
    "overrides",
    metavar="PATH=VALUE",
    multiple=True,
    help="Override a value, such as producers.checkout.config.linger.ms=20; may be repeated.",
)

provider_option = click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    help="Where the cluster comes from; overrides the scenario's cluster.provider.",
)

cluster_option = click.option(
    "--cluster", "cluster_name", metavar="NAME", help="Use what `cluster up --name NAME` left."
)

output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: stdout holds the JSON and nothing else.",
)

client_properties_option = click.option(
    "--client-properties",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Kafka's client.properties (TLS, SASL) for an external cluster.",
)


class _Folder(click.Path):
    """A folder's path; an empty one, of a variable that is not set, would be where the command runs."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value):
            self.fail("the path is empty", param, ctx)
        return Path(super().convert(value, param, ctx))  # type: ignore[arg-type]


results_dir_option = click.option(
    "--results-dir",
    type=_Folder(path_type=Path),
    envvar="LOADLAB_RESULTS_DIR",
    default=Path("results"),
    show_default=True,
    show_envvar=True,
    help="The folder of all results.",
)


def standing_brokers(cluster_name: str | None) -> int | None:
    """How many brokers the cluster of --cluster has; None where none is used, or there is none."""
    if cluster_name is None:
        return None
    from loadlab.cluster import brokers_of  # noqa: PLC0415 (most commands use no cluster)

    return brokers_of(cluster_name)


def with_provider(
    overrides: tuple[str, ...], provider: str | None, client_properties: Path | None = None
) -> list[str]:
    """The overrides, and those of the provider and of client properties, which go last and so prevail."""
    of_options = [f"cluster.provider={provider}"] if provider else []
    if client_properties is not None:
        of_options.append(f"cluster.client_properties={json.dumps(str(client_properties))}")
    return [*overrides, *of_options]

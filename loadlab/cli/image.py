"""`loadlab image build`: the image that brokers run from, made where no registry answers."""

from __future__ import annotations

import click

from loadlab.cli.options import OutputFormat, examples, output_option
from loadlab.cli.output import print_json, print_note, print_text
from loadlab.cluster.docker import Engine
from loadlab.cluster.image import build_image
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import EXIT_OK
from loadlab.run.interrupts import Interrupts
from loadlab.scenario.cluster import ClusterSpec

_NEWEST = str(ClusterSpec.model_fields["kafka_version"].default)


@click.group("image")
def image_group() -> None:
    """Build the broker image."""


@image_group.command(
    epilog=examples("loadlab image build", "loadlab image build --kafka-version 3.9.1 --output json")
)
@click.option(
    "--kafka-version",
    "versions",
    multiple=True,
    default=[_NEWEST],
    show_default=True,
    help="The version of Kafka; may be repeated.",
)
@output_option
def build(versions: tuple[str, ...], output: OutputFormat) -> int:
    """Build the image of a Kafka version from a Debian root and Maven's jars; quick where it is built."""
    specs = [cluster_spec({"kafka_version": version}) for version in versions]
    engine = Engine()
    with Interrupts().handled():
        images = [build_image(engine, spec.kafka_version, print_note) for spec in specs]
    if output == "json":
        print_json({"images": images})
    else:
        print_text("\n".join(images))
    return EXIT_OK

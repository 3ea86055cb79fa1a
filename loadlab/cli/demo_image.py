"""The image that the demo's brokers run from: made where an engine answers and has none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loadlab.cluster.docker import Engine
from loadlab.cluster.image import IMAGE_VARIABLE, build_image, find_image
from loadlab.errors import ClusterError
from loadlab.run.interrupts import Interrupts

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadlab.scenario import ClusterSpec


def ensure_image(cluster: ClusterSpec, message: Callable[[str], None]) -> None:
    """Build the broker image if a container engine answers and has none; else leave the choice to `auto`.

    Args:
        cluster: what the scenario asks for; a provider other than auto is left alone.
        message: is told what is being done, and why it could not be.
    """
    if cluster.provider != "auto":
        return
    try:
        engine = Engine()
        if find_image(engine, cluster.kafka_version) is None and not os.environ.get(IMAGE_VARIABLE):
            message(
                f"no image of Kafka {cluster.kafka_version} is at hand: building one, which takes minutes"
            )
            with Interrupts().handled():
                build_image(engine, cluster.kafka_version, message)
    except ClusterError as error:
        message(f"no containers: {error.message}")

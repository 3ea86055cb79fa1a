"""The rows of a summary that tell what is worth knowing of a broker; a broker at ease has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.analysis import numbers
from loadlab.cli.sections import Section, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.results.model_brokers import BrokerResult

IDLE_NOTED: Final = 0.3
"""Below it threads are near their limit: Kafka's documentation, too, wants idle shares above 0.3."""
PAUSES_NOTED: Final = 0.05


def broker_section(brokers: Mapping[str, BrokerResult]) -> Section:
    """A row for each broker of which something is worth knowing."""
    told = {broker_id: " · ".join(_noteworthy(broker)) for broker_id, broker in brokers.items()}
    rows = (row(f"broker {broker_id}", text) for broker_id, text in told.items() if text)
    return Section.of(*rows, spare=True)


def _noteworthy(broker: BrokerResult) -> Iterator[str]:
    if broker.request_handler_idle_share < IDLE_NOTED:
        yield f"request handlers {numbers.share(broker.request_handler_idle_share)} idle"
    if broker.network_processor_idle_share < IDLE_NOTED:
        yield f"network threads {numbers.share(broker.network_processor_idle_share)} idle"
    if broker.gc.pause_share > PAUSES_NOTED:
        yield f"paused {numbers.share(broker.gc.pause_share)} of the time by garbage collection"
    if broker.under_replicated_partitions_max:
        yield f"{numbers.counted(broker.under_replicated_partitions_max, 'partition')} under-replicated"
    if broker.restarts:
        yield numbers.counted(broker.restarts, "restart")

"""How the client's loops enter records into the ledger: what a producer's side of it needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.client import symbols
from loadlab.compiled import Record, inlined
from loadlab.measurement.intrinsics import carray, pointer_to
from loadlab.measurement.ledger import UNKNOWN
from loadlab.measurement.ledger_mark import is_open, mark_acked, mark_doubtful, mark_failed, mark_void

if TYPE_CHECKING:
    import numpy.typing as npt

    from loadlab.client.settings import ProducerSettings
    from loadlab.measurement.ledger import Ledger

NO_SEQUENCE: Final = -1
"""The sequence number of a slot whose record has no stamp."""

SENDER: Final = np.dtype(
    [
        ("ledger", "<i8"),  # its address; 0: there is none
        ("worker", "<i8"),  # run-wide id
        ("place", "<i8"),  # in its group
        ("workers", "<i8"),  # of its group
        ("first_partitions", "<u8"),  # address: the run-wide number of each topic's first partition, int64
        ("partition_counts", "<u8"),  # likewise: how many each topic had when the run began
        ("topic_count", "<i8"),
        ("acks_offsets", "<i8"),  # whether an ack says at which offset the record is
    ],
)


def make_sender(
    settings: ProducerSettings,
    ledger: Ledger | None,
    first_partitions: npt.NDArray[np.int64],
    partition_counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.void]:
    """The SENDER record of a producer, shape (1,); both arrays must live as long."""
    sender = np.zeros(1, dtype=SENDER)
    # What nobody reads, or has no stamp, is not kept, though the run has a ledger for others.
    sender["ledger"] = ledger.address if ledger is not None and ledger.keeps(settings.worker) else 0
    sender["worker"] = settings.worker
    sender["place"], sender["workers"] = settings.place, settings.workers
    sender["first_partitions"] = first_partitions.ctypes.data
    sender["partition_counts"] = partition_counts.ctypes.data
    sender["topic_count"] = len(first_partitions)
    properties = settings.client_properties()
    # With acks=0 nobody tells offsets; librdkafka then counts up from its number for "no offset".
    sender["acks_offsets"] = properties.get("acks", properties.get("request.required.acks")) != "0"
    return sender


@inlined
def sender_at(address: int) -> Record:
    """The SENDER record at an address."""
    return carray(pointer_to(address), 1, SENDER)[0]


@inlined
def _run_wide_partition(sender: Record, sequence: int, partition: int) -> int:
    """UNKNOWN of a record that got none, and of one that was added to the topic while the run went on."""
    firsts = carray(pointer_to(sender.first_partitions), sender.topic_count, np.int64)
    counts = carray(pointer_to(sender.partition_counts), sender.topic_count, np.int64)
    # The group's records go round its topics in turn.
    topic = 0 if sender.topic_count == 1 else (sequence * sender.workers + sender.place) % sender.topic_count
    return int(firsts[topic]) + partition if 0 <= partition < counts[topic] else UNKNOWN


@inlined
def enter_report(address: int, message: Record, sequence: int, status: int) -> None:
    """Enters what a delivery report says of the record with a sequence number."""
    sender = sender_at(address)
    if sequence == NO_SEQUENCE or not is_open(sender.ledger):
        return
    partition = _run_wide_partition(sender, sequence, message.partition)
    if message.err == symbols.ERR_NO_ERROR:
        offset = message.offset if sender.acks_offsets else UNKNOWN
        mark_acked(sender.ledger, sender.worker, sequence, partition, offset)
    elif status == symbols.STATUS_NOT_PERSISTED:
        mark_failed(sender.ledger, sender.worker, sequence, partition)
    else:
        mark_doubtful(sender.ledger, sender.worker, sequence, partition)


@inlined
def enter_void(address: int, sequence: int) -> None:
    """Enters that no record with a stamp of this sequence number can be in the log."""
    sender = sender_at(address)
    if sequence != NO_SEQUENCE and is_open(sender.ledger):
        mark_void(sender.ledger, sender.worker, sequence)

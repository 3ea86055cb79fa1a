"""What loadlab takes from librdkafka's statistics."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchSums:
    """The batches that a producer sent in one statistics window, retries included.

    Attributes:
        batches: how many.
        records: records in them.
        size_bytes: their size on the wire, after compression, batch headers included.
    """

    batches: int
    records: int
    size_bytes: int


def batch_sums(statistics: bytes) -> BatchSums:
    """Adds the `batchcnt` and `batchsize` windows of all topics (STATISTICS.md of librdkafka)."""
    topics = json.loads(statistics)["topics"].values()
    return BatchSums(
        batches=sum(topic["batchcnt"]["cnt"] for topic in topics),
        records=sum(topic["batchcnt"]["sum"] for topic in topics),
        size_bytes=sum(topic["batchsize"]["sum"] for topic in topics),
    )

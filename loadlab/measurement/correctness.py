"""What the ledger's findings make of a verdict.

Records that were lost, duplicated or reordered are what cluster and configuration did: the run measured it
well, and says it first. Only findings that contradict each other put the measurement itself in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.measurement.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Correctness:
    """What the ledger found, in records of the whole run; 0 also where there is no ledger.

    Attributes:
        lost: by at least one group.
        duplicated: copies beyond the first.
        reordered: behind a later one of their worker and partition.
        contradicted: seen though failed, or never sent: by the group that saw most.
    """

    lost: int
    duplicated: int
    reordered: int
    contradicted: int


def incorrect(found: Correctness) -> Iterator[Finding]:
    """What is to be told of records that did not arrive once and in order."""
    if found.lost:
        message = f"{found.lost:,} acked records were lost (limit 0): the log went past them without them"
        fix = "acks=all, min.insync.replicas=2 and unclean.leader.election.enable=false keep what was acked"
        yield Finding("records_lost", message, fix, float(found.lost), 0.0, "info")
    if found.duplicated:
        message = f"the logs hold {found.duplicated:,} records twice (limit 0)"
        fix = "a retry wrote them again: set enable.idempotence=true"
        yield Finding("records_duplicated", message, fix, float(found.duplicated), 0.0, "info")
    if found.reordered:
        message = f"{found.reordered:,} records stand behind later ones of their partition (limit 0)"
        fix = "a retry overtook them: set enable.idempotence=true, or max.in.flight=1"
        yield Finding("records_reordered", message, fix, float(found.reordered), 0.0, "info")
    if found.contradicted:
        message = f"{found.contradicted:,} records were read that, by their producers, can't be in the log"
        fix = "see seen_failed and never_sent in reconciliation.groups and its examples"
        yield Finding("contradicted", message, fix, float(found.contradicted), 0.0, "invalid")

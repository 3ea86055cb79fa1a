"""The ledger's findings as a result tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadlab.measurement.ledger import UNKNOWN, Anomaly
from loadlab.measurement.ledger_judge import Fate
from loadlab.results.model import GroupReconciliation, RecordExample

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from loadlab.results.model import RecordClass
    from loadlab.run.account import Account, Found

_SHOWN_FATES: Final[dict[RecordClass, Fate]] = {
    "lost": Fate.LOST,
    "unseen": Fate.UNSEEN,
    "evicted": Fate.EVICTED,
    "seen_failed": Fate.SEEN_FAILED,
    "found": Fate.FOUND,
    "absent": Fate.ABSENT,
    "unresolved": Fate.UNRESOLVED,
    "never_sent": Fate.NEVER_SENT,
}
_SHOWN_ANOMALIES: Final[dict[RecordClass, Anomaly]] = {
    "duplicated": Anomaly.DUPLICATED,
    "redelivered": Anomaly.REDELIVERED,
    "reordered": Anomaly.REORDERED,
}


def group_reconciliations(account: Account, found: Found) -> dict[str, GroupReconciliation]:
    """What became of the records, by consumer name."""
    return {name: _group(found, number) for number, name in enumerate(account.groups)}


def _group(found: Found, number: int) -> GroupReconciliation:
    fates = {fate.name.lower(): int(found.counts[number, fate]) for fate in Fate}
    anomalies = {anomaly.name.lower(): int(found.anomalies[number, anomaly]) for anomaly in Anomaly}
    certain = fates.pop("lost")
    lost = None if fates["unknown"] else certain
    return GroupReconciliation(**fates, **anomalies, lost=lost, lost_at_least=certain)


def examples(account: Account, found: Found) -> Iterator[RecordExample]:
    """The first records of each class and group."""
    for number, name in enumerate(account.groups):
        for record_class, fate in _SHOWN_FATES.items():
            yield from _examples(account, name, record_class, found.fates["examples"][number, fate])
        for record_class, anomaly in _SHOWN_ANOMALIES.items():
            rows = account.ledger.findings["examples"][number, anomaly]
            yield from _examples(account, name, record_class, rows)


def _examples(
    account: Account, consumer: str, record_class: RecordClass, rows: npt.NDArray[np.void]
) -> Iterator[RecordExample]:
    for row in rows[rows["written"] == 1]:
        partition, offset = int(row["partition"]), int(row["offset"])
        topic, number = account.partitions[partition] if partition != UNKNOWN else ("", 0)
        yield RecordExample(
            record_class=record_class,
            consumer=consumer,
            worker=int(row["worker"]),
            sequence=int(row["sequence"]),
            partition=f"{topic}-{number}" if partition != UNKNOWN else None,
            offset=offset if offset != UNKNOWN else None,
        )

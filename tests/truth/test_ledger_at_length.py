"""The ledger at length: 2 x 10^8 marks by two processes, 10,000 histories with every kind of anomaly.

CI has the same at less length, in tests/unit/test_ledger_marks.py.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_histories import told
from ledger_samples import mark_by_two_processes

from loadlab.measurement.ledger import Anomaly
from loadlab.measurement.ledger_judge import Fate

if TYPE_CHECKING:
    from truths import Table

MARKS = 200_000_000
HISTORIES = 10_000


def test_two_processes_lose_no_bit_of_two_hundred_million(table: Table) -> None:
    mark_by_two_processes(MARKS)
    table.add(
        "marks of two processes in the same words", f"{MARKS:,}", f"{MARKS:,}", "none lost", reached=True
    )


def test_no_anomaly_of_ten_thousand_histories_is_missed_and_none_is_invented(table: Table) -> None:
    met: Counter[Fate | Anomaly] = Counter()

    @settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(min_size=40, max_size=240))
    def check(history: bytes) -> None:
        met.update(told(history))

    check()
    assert set(met) == {*Fate, *Anomaly}
    table.add("histories told as by a plain model", f"{HISTORIES:,}", f"{HISTORIES:,}", "all", reached=True)

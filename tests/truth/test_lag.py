"""A group that reads at a known rate falls behind at a known rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyarrow import parquet
from truths import Table, run, scenario

if TYPE_CHECKING:
    from pathlib import Path

SENT_PER_S, READ_PER_S = 5_000, 2_000
MEASURE_S = 20


@pytest.mark.ci
@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_lag_grows_by_what_is_sent_less_what_is_read(table: Table, tmp_path: Path) -> None:
    consumers = {"billing": {"topic": "orders", "max_rate": f"{READ_PER_S}/s"}}
    document = scenario(
        {"provider": "local"},
        {"schedule": {"rate": f"{SENT_PER_S}/s"}},
        topics={"orders": {"partitions": 3}},
        consumers=consumers,
        phases={"warmup": "3s", "measure": f"{MEASURE_S}s", "drain": "1s"},
    )
    stored = run(document, tmp_path)
    rows = parquet.read_table(stored.path / "intervals.parquet").to_pylist()
    lags = [
        (row["interval_start_s"], row["value"])
        for row in rows
        if row["source"] == "consumer/billing" and row["metric"] == "consumer_lag_records"
    ]
    at_s, lag = np.array([one for one in lags if 3.0 <= one[0] <= 3.0 + MEASURE_S]).T
    assert len(at_s) >= MEASURE_S
    slope = float(np.polyfit(at_s, lag, 1)[0])
    pairs = [(float(SENT_PER_S - READ_PER_S), slope)]
    assert table.near("consumer at 2,000/s of 5,000/s: growth of lag", pairs, "records/s", relative=0.02)

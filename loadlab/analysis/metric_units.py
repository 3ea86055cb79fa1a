"""The unit of a figure, told from its name: names end in their unit, as docs/measurement.md has them."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_RULES: Final = (
    (re.compile(r"_us\.(count|missing)$"), "records"),
    (re.compile(r"(^|[._])(records|messages)_(\w+_)?per_s$"), "records/s"),
    (re.compile(r"(^|[._])bytes_(\w+_)?per_s$"), "bytes/s"),
    (re.compile(r"(^|_)requests_per_s$"), "requests/s"),
    (re.compile(r"_us(\.\w+)?$|_us_per_record$"), "µs"),
    (re.compile(r"_ms$"), "ms"),
    (re.compile(r"_s$|(^|\.)seconds$"), "s"),
    (re.compile(r"(^|[._])bytes(_mean)?$"), "bytes"),
    (re.compile(r"(^|[._])(share|ratio)(\.\d+)?$"), "ratio"),
    (re.compile(r"^(records|lag|committed_lag|backlog|reconciliation)\."), "records"),
    (re.compile(r"(^|_)records$|^log_end_growth$|^batch\.records_mean$"), "records"),
)


@cache
def unit_of(metric: str) -> str:
    """The unit of a metric's figures.

    Args:
        metric: a metric of intervals.parquet, such as acked_records_per_s, or a figure's path in result.json
            below its group, such as publish_latency_us.p99.

    Returns:
        µs, ms, s, records, records/s, bytes, bytes/s, requests/s, ratio (1 is the whole), or count.
    """
    return next((unit for pattern, unit in _RULES if pattern.search(metric)), "count")

"""Capacity searches to test with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from result_samples import environment, result

from loadlab.results.model_capacity import (
    CapacityAnswer,
    CapacityProbe,
    CapacityResult,
    CapacitySettings,
    Knee,
)
from loadlab.results.model_environment import HostEnvironment

if TYPE_CHECKING:
    from typing import Literal

CAPACITY_ID = "20261123T161500-quickstart-capacity-k3f9"


def probe(
    rate_per_s: float | None,
    p99_us: float | None = 5_000.0,
    verdict: Literal["holds", "fails", "unmeasured"] | None = "holds",
    **changes: object,
) -> CapacityProbe:
    fields: dict[str, object] = {
        "run_id": "20261123T161500-quickstart-k3f9",
        "rate_per_s": rate_per_s,
        "achieved_per_s": rate_per_s or 190_000.0,
        "publish_p50_us": 1_200.0,
        "publish_p99_us": p99_us,
        "verdict": verdict,
        "status": "valid",
    }
    return CapacityProbe.model_validate({**fields, **changes})


PROBES = (
    probe(20_000.0, 4_500.0),
    probe(None, 900_000.0, None),
    probe(152_000.0, 8_000.0),
    probe(196_000.0, 900_000.0, "fails", failed=("publish_latency p99 < 50ms (900 ms)",)),
    probe(182_000.0, 31_000.0),
    probe(187_000.0, 71_000.0, "fails", failed=("publish_latency p99 < 50ms (71 ms)",), status="suspect"),
    probe(182_000.0, 33_000.0),
    probe(187_000.0, 68_000.0, "fails", failed=("publish_latency p99 < 50ms (68 ms)",)),
)


def capacity(**changes: object) -> CapacityResult:
    """A search that found an edge; any field can be changed."""
    host = {name: getattr(environment(), name) for name in HostEnvironment.model_fields}
    fields: dict[str, object] = {
        "loadlab_version": "0.1.0",
        "capacity_id": CAPACITY_ID,
        "name": "quickstart",
        "started_at": datetime(2026, 11, 23, 16, 15, tzinfo=UTC),
        "finished": True,
        "scenario": {"name": "quickstart", "phases": {"warmup": "5s", "measure": "30s", "drain": "10s"}},
        "settings": CapacitySettings(
            start_per_s=20_000.0,
            lowest_per_s=200.0,
            highest_per_s=None,
            precision=0.03,
            max_probes=10,
            measure_s=30.0,
            conditions=("publish_latency p99 < 50ms", "achieved >= 99.5% of the target"),
        ),
        "environment": HostEnvironment.model_validate(host),
        "cluster": result().cluster,
        "probes": PROBES,
        "answer": CapacityAnswer(kind="between", holds_per_s=182_000.0, fails_per_s=187_000.0, sure=True),
        "knee": Knee(rate_per_s=152_000.0, publish_p99_us=8_000.0),
    }
    return CapacityResult.model_validate({**fields, **changes})

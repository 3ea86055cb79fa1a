"""The metrics of a run over time: the same names while it goes on and in what is exported of it later.

All carry the labels run_id and scenario. Rates and quantiles are of one interval of a second, all groups
together. docs/exports.md lists them.
"""

from __future__ import annotations

from typing import Final

from loadlab.analysis.export.openmetrics_text import Family

_RATE: Final = "records_per_second"

PHASES: Final = ("warmup", "measure", "drain")
PHASE: Final = Family("loadlab_phase", "stateset", "The phase that the run is in.")
ELAPSED: Final = Family("loadlab_elapsed_seconds", "gauge", "Since the workers' common start.", "seconds")
PHASE_LEFT: Final = Family(
    "loadlab_phase_left_seconds", "gauge", "Until the phase ends at the latest.", "seconds"
)
TARGET: Final = Family(
    f"loadlab_target_{_RATE}", "gauge", "What the schedules ask for; absent at rate max.", _RATE
)
SENT: Final = Family(f"loadlab_sent_{_RATE}", "gauge", "Records handed to the client.", _RATE)
ACKED: Final = Family(f"loadlab_acked_{_RATE}", "gauge", "Records acked by the brokers.", _RATE)
CONSUMED: Final = Family(
    f"loadlab_consumed_{_RATE}", "gauge", "Records received, all consumer groups added.", _RATE
)
PUBLISH_LATENCY: Final = Family(
    "loadlab_publish_latency_seconds", "summary", "From the intended send time to the ack.", "seconds"
)
END_TO_END_LATENCY: Final = Family(
    "loadlab_end_to_end_latency_seconds",
    "summary",
    "From the intended send time until the consumer holds the record.",
    "seconds",
)
LAG: Final = Family(
    "loadlab_consumer_lag_records", "gauge", "Records between log end and the groups' positions.", "records"
)
ERRORS: Final = Family("loadlab_errors", "counter", "Producers' and consumers' errors since the start.")
GENERATOR_LIMITED: Final = Family(
    "loadlab_generator_limited", "gauge", "1 while the generator, not the cluster, holds the rate down."
)
SATURATED: Final = Family(
    "loadlab_saturated", "gauge", "1 while the client queue is full: the cluster holds the rate down."
)

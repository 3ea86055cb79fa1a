"""What a broker's telemetry says, as tests make it."""

from __future__ import annotations

from dataclasses import replace

from loadlab.cluster import BrokerTelemetry, RequestTimes, Timed

S = 1_000_000_000
NONE = Timed(0, 0.0)
NO_REQUESTS = RequestTimes(NONE, NONE, NONE, NONE, NONE, NONE, NONE)


def requests(count: int, total_ms: float, local_ms: float = 0.0) -> RequestTimes:
    """Requests that spent their time in all, and some of it at work."""
    return replace(NO_REQUESTS, total=Timed(count, total_ms), local=Timed(count, local_ms))


def telemetry(at_s: float, **fields: object) -> BrokerTelemetry:
    """A broker some seconds after the common start that has done nothing yet, but for what is told."""
    idle = BrokerTelemetry(
        broker_id=1,
        at_ns=round(at_s * S),
        started_ms=1_000,
        heap_used_bytes=100,
        heap_max_bytes=1_000,
        gc_count=0,
        gc_pause_ms=0,
        compile_ms=0,
        request_handler_idle_s=0.0,
        network_processor_idle_s=0.0,
        under_replicated_partitions=0,
        bytes_in=0,
        bytes_out=0,
        messages_in=0,
        log_flush=NONE,
        produce=NO_REQUESTS,
        fetch_consumer=NO_REQUESTS,
    )
    return replace(idle, **fields)  # type: ignore[arg-type]

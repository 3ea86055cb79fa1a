"""What the slabs of a run's workers hold, read and added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypedDict

import numpy as np

from loadlab.client.library import error_name
from loadlab.measurement.histogram import Histogram
from loadlab.measurement.slab import ERROR_CODES, Counter, Metric, Phase
from loadlab.results.model import LatencyBlock, Throughput
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.run.fleet import WorkerProcess

By = Literal["by_intent", "by_moment"]
"""Which grouping of a lane's counters: see `loadlab.measurement.slab`."""

_OTHER_ERRORS: Final = "OTHER"


def counted(worker: WorkerProcess, lane: int, counter: Counter, phase: Phase | None, *, by: By) -> int:
    """A counter of one worker.

    Args:
        worker: whose.
        lane: of its slab.
        counter: which.
        phase: of which phase; None for all.
        by: which grouping.
    """
    grouped = worker.slab.record["lanes"][0, lane][by]
    return int(grouped[:, counter].sum() if phase is None else grouped[phase, counter])


def total(
    workers: Sequence[WorkerProcess], lane: int, counter: Counter, phase: Phase | None, *, by: By
) -> int:
    """A counter of several workers added up."""
    return sum(counted(worker, lane, counter, phase, by=by) for worker in workers)


def merged(workers: Sequence[WorkerProcess], lane: int, metric: Metric) -> Histogram:
    """The measure phase's durations of several workers."""
    parts = [
        Histogram.read(worker.slab.record["lanes"][0, lane]["histograms"][Phase.MEASURE, metric])
        for worker in workers
    ]
    return sum(parts, Histogram())


def latency_block(histogram: Histogram) -> LatencyBlock:
    """A histogram as a result tells it."""
    return LatencyBlock.model_validate(histogram.summary_us())


def errors(
    workers: Sequence[WorkerProcess],
    lanes: Sequence[int],
    counts: Literal["error_counts", "measured_error_counts"] = "error_counts",
) -> dict[str, int]:
    """How often each error came, by Kafka's name of it: in all phases, or in the measure phase."""
    found: dict[str, int] = {}
    for worker in workers:
        for lane in lanes:
            record = worker.slab.record["lanes"][0, lane]
            for place in np.flatnonzero(record[counts]):
                named = place < ERROR_CODES - 1
                name = error_name(int(record["error_codes"][place])) if named else _OTHER_ERRORS
                found[name] = found.get(name, 0) + int(record[counts][place])
    return found


def cpu_s(worker: WorkerProcess, clock: str = "cpu_ns") -> float:
    """CPU seconds of the measure phase; 0 for a worker that did not live to its end."""
    usage = worker.slab.record["usage"][0]
    used = int(usage[clock][Phase.MEASURE]) - int(usage[clock][Phase.WARMUP])
    return max(0, used) / NS_PER_S


def busiest_s(worker: WorkerProcess) -> float:
    """CPU seconds in the measure phase of its busiest thread beside the loop's; 0 as of `cpu_s`."""
    return int(worker.slab.record["usage"][0]["busiest_ns"][Phase.MEASURE]) / NS_PER_S


def cpu_us_per_record(workers: Sequence[WorkerProcess], records: int) -> float | None:
    """The workers' CPU time in the measure phase over a number of records, in microseconds.

    None where there are no records, or a worker did not live to the phase's end: what it used is unknown.
    """
    if not all(worker.slab.record["usage"][0]["cpu_ns"][Phase.MEASURE] for worker in workers):
        return None
    return share(sum(cpu_s(worker) for worker in workers) * 1e6, records)


def _total_cpu_s(worker: WorkerProcess) -> float:
    """CPU seconds of a worker's whole life; 0 for one that did not live to its end."""
    return int(worker.slab.record["usage"][0]["cpu_ns"][Phase.DRAIN]) / NS_PER_S


def share(part: float, whole: float) -> float | None:
    """A part of a whole, None where the whole is nothing."""
    return part / whole if whole > 0 else None


class Cost(TypedDict):
    """What one worker process cost, by the names of `loadlab.results.model_groups.WorkerCost`."""

    worker: int
    pid: int
    cpu_s: float
    cpu_share: float
    max_rss_bytes: int
    total_cpu_s: float
    exit: str


def cost(worker: WorkerProcess, measured_s: float) -> Cost:
    """What a worker cost in a measure phase of this length."""
    used_s = cpu_s(worker)
    return Cost(
        worker=worker.order.worker,
        pid=worker.process.pid,
        cpu_s=used_s,
        cpu_share=share(used_s, measured_s) or 0.0,
        max_rss_bytes=int(worker.slab.record["max_rss_bytes"][0]),
        total_cpu_s=_total_cpu_s(worker),
        exit=worker.exit_text(),
    )


def throughput(records: int, size_bytes: int, measured_s: float) -> Throughput:
    """Records and bytes of the measure phase, per second of it."""
    return Throughput(
        records_per_s=share(records, measured_s) or 0.0,
        bytes_per_s=share(size_bytes, measured_s) or 0.0,
    )

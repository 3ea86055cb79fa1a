"""What a run that is under way tells a metrics system: the live view's figures, in base units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import loadlab
from loadlab.analysis.export import run_metrics
from loadlab.analysis.export.openmetrics_text import Family, Sample, exposition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.run.progress import Progress


def live_text(progress: Progress | None) -> str:
    """The latest interval as OpenMetrics text; None before the first one has ended."""
    build = Family("loadlab_build", "info", "The program that measures.")
    told = live_families(progress) if progress else ()
    return exposition([build.of(Sample({"version": loadlab.__version__}, 1)), *told])


def live_families(progress: Progress) -> Iterator[Family]:
    """The latest interval as metrics; what it doesn't know has no sample."""
    run = {"run_id": progress.run_id, "scenario": progress.name}
    states = [
        Sample({**run, "loadlab_phase": name}, float(name == progress.phase)) for name in run_metrics.PHASES
    ]
    yield run_metrics.PHASE.of(*states)
    yield _gauge(run_metrics.ELAPSED, run, progress.elapsed_s)
    yield _gauge(run_metrics.PHASE_LEFT, run, progress.phase_left_s)
    yield _gauge(run_metrics.TARGET, run, progress.target_records_per_s)
    yield _gauge(run_metrics.SENT, run, progress.sent_records_per_s)
    yield _gauge(run_metrics.ACKED, run, progress.acked_records_per_s)
    yield _gauge(run_metrics.CONSUMED, run, progress.consumed_records_per_s)
    publish = {"0.5": progress.publish_p50_us, "0.99": progress.publish_p99_us}
    yield _summary(run_metrics.PUBLISH_LATENCY, run, publish)
    yield _summary(run_metrics.END_TO_END_LATENCY, run, {"0.99": progress.end_to_end_p99_us})
    yield _gauge(run_metrics.LAG, run, progress.consumer_lag)
    yield _gauge(run_metrics.ERRORS, run, progress.errors)
    yield _gauge(run_metrics.GENERATOR_LIMITED, run, progress.generator_limited)
    yield _gauge(run_metrics.SATURATED, run, progress.saturated)


def _gauge(family: Family, run: Mapping[str, str], value: float | None) -> Family:
    return family if value is None else family.of(Sample(run, value))


def _summary(family: Family, run: Mapping[str, str], quantiles_us: Mapping[str, float | None]) -> Family:
    known = {quantile: value for quantile, value in quantiles_us.items() if value is not None}
    return family.of(*(Sample({**run, "quantile": name}, us / 1e6) for name, us in known.items()))

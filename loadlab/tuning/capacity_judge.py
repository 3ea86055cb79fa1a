"""Whether a rate holds, from the run that probed it; docs/measurement.md defines each condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.analysis.histograms import latency_histograms
from loadlab.analysis.stored_evidence import samples_that_count
from loadlab.measurement.generator import granted_share
from loadlab.results.artifacts import read_series
from loadlab.results.model_capacity import CapacityProbe
from loadlab.tuning.capacity_levels import MAX_RATE, Outcome, Probe, Verdict
from loadlab.tuning.capacity_scenario import feeding

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from loadlab.results.model import Reason, RunResult, Threshold
    from loadlab.results.reader import StoredRun
    from loadlab.scenario import Scenario

_CLIENT_CPU: Final = "client_cpu"
"""The verdict's word for a producer that may be saturated by the client's own doing."""

_BY_SENDERS: Final = "generator_limited"
"""The verdict's word for senders that may be why a rate failed; where it holds, they were no hindrance."""

_BY_READERS: Final = "worker_cpu"
"""The verdict's word for readers that may be why their lag grew."""

_BY_OTHERS: Final = frozenset({"foreign_load", "cpu_quota"})
"""The verdict's words for others that took of the machine while the run was made."""


def conditions(measure_s: float) -> tuple[str, ...]:
    """What has to hold beside the thresholds, as people read it: with what a phase of this length grants."""
    missing = granted_share(measure_s)
    return (
        f"achieved >= {_percent(1.0 - missing)} of the target",
        f"consumer lag grows by <= {_percent(missing)} of it",
    )


def _percent(share: float) -> str:
    return f"{round(100.0 * share, 2):g}%"


def judged(run: StoredRun, scenario: Scenario, rate_per_s: float) -> CapacityProbe:
    """What a run says of the rate that it was made at.

    Args:
        run: as stored.
        scenario: as it was run.
        rate_per_s: all groups together, or MAX_RATE.
    """
    result = run.result
    at_max = rate_per_s == MAX_RATE
    growth = _lag_growth(run, scenario)
    verdict, why = _verdict(result, scenario, growth)
    p50_us, p99_us = _publish_latency(run)
    return CapacityProbe(
        run_id=result.run_id,
        rate_per_s=None if at_max else rate_per_s,
        achieved_per_s=acked_per_s(result),
        publish_p50_us=p50_us,
        publish_p99_us=p99_us,
        lag_growth_per_s=max((value for value in growth.values() if value is not None), default=None),
        verdict=None if at_max else verdict.value,
        failed=() if at_max else tuple(why),
        strain=max(_strains(result.thresholds), default=None),
        status=result.verdict.status,
        disturbed=not at_max and verdict is Verdict.FAILS and _is_disturbed(result),
    )


def _is_disturbed(result: RunResult) -> bool:
    return any(reason.code in _BY_OTHERS for reason in result.verdict.reasons)


def acked_per_s(result: RunResult) -> float:
    """Records that were acked a second in the measure phase, all groups together."""
    return sum(producer.throughput.records_per_s for producer in result.producers.values())


def _verdict(
    result: RunResult, scenario: Scenario, growth: dict[str, float | None]
) -> tuple[Verdict, list[str]]:
    """What a probe says of its rate, and by which conditions."""
    invalid = _invalid(result)
    if invalid:
        return Verdict.UNMEASURED, invalid
    growing = list(_growing(result, scenario, growth))
    failed = [*_unreached(result), *growing, *_missed(result)]
    if failed:
        clients = {_BY_SENDERS, _BY_READERS} if failed == growing else {_BY_SENDERS}
        own = [_told(reason) for reason in result.verdict.reasons if reason.code in clients]
        return (Verdict.UNMEASURED, own) if own else (Verdict.FAILS, failed)
    unknown = [f"the lag of {name} is not known" for name, value in growth.items() if value is None]
    return (Verdict.UNMEASURED, unknown) if unknown else (Verdict.HOLDS, [])


def as_probe(probe: CapacityProbe) -> Probe:
    """A stored probe as the search sees it: what was reached is what was acked, and read."""
    if probe.rate_per_s is None or probe.verdict is None:
        return Probe(MAX_RATE, Outcome(Verdict.UNMEASURED, probe.achieved_per_s))
    reached_per_s = max(probe.achieved_per_s - max(probe.lag_growth_per_s or 0.0, 0.0), 0.0)
    return Probe(
        probe.rate_per_s, Outcome(Verdict(probe.verdict), reached_per_s, probe.strain, probe.disturbed)
    )


def growth_per_s(times_s: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float | None:
    """By how much something grows a second: the median slope of all pairs of samples.

    A pause that makes one sample high moves it little (Theil 1950, Sen 1968).

    Args:
        times_s: shape (n,), in seconds.
        values: shape (n,).

    Returns:
        None of fewer than two samples.
    """
    one, other = np.triu_indices(len(times_s), k=1)
    apart_s = times_s[other] - times_s[one]
    if not (apart_s > 0.0).any():
        return None
    slopes = (values[other] - values[one])[apart_s > 0.0] / apart_s[apart_s > 0.0]
    return float(np.median(slopes))


def _invalid(result: RunResult) -> list[str]:
    """Why a run is invalid, or says nothing of the cluster; nothing where it does."""
    reasons = [one for one in result.verdict.reasons if one.severity == "invalid" or one.code == _CLIENT_CPU]
    if not reasons and result.verdict.status == "invalid":
        return ["the run is invalid"]
    return [_told(reason) for reason in reasons]


def _told(reason: Reason) -> str:
    return f"{reason.code}: {reason.message}"


def _unreached(result: RunResult) -> Iterator[str]:
    """Groups that were not acked what was due; the acks of a moment may be on their way at the end."""
    measured_s = result.measured_s
    missed = False
    for name, producer in result.producers.items():
        target = producer.target_records_per_s
        if not target or not measured_s:
            continue
        achieved = producer.throughput.records_per_s / target
        limit = 1.0 - granted_share(measured_s)
        if achieved < limit:
            missed = True
            yield f"{name} achieved {_percent(achieved)} of the target (limit {_percent(limit)})"
    if result.verdict.saturated and not missed:
        yield "the cluster was the limit: the client queue was full"


def _lag_growth(run: StoredRun, scenario: Scenario) -> dict[str, float | None]:
    """By how much the lag of each group that the producers feed grew in the measure phase, records/s.

    None where it is not known.
    """
    growth: dict[str, float | None] = {}
    for name in scenario.consumers:
        if not feeding(scenario, name):
            continue
        times_s, lags = read_series(run.path, f"consumer/{name}", "consumer_lag_records")
        kept = samples_that_count(run, times_s)
        growth[name] = growth_per_s(times_s[kept], lags[kept])
    return growth


def _growing(result: RunResult, scenario: Scenario, growth: dict[str, float | None]) -> Iterator[str]:
    """Groups that fall behind: what is granted to acks is granted to reads, too."""
    measured_s = result.measured_s
    for name, per_s in growth.items():
        due_per_s = sum(
            result.producers[producer].target_records_per_s or 0.0 for producer in feeding(scenario, name)
        )
        limit_per_s = due_per_s * granted_share(measured_s) if measured_s else 0.0
        if per_s is not None and per_s > limit_per_s:
            yield f"the lag of {name} grew by {per_s:,.0f} records/s (limit {limit_per_s:,.0f})"


def _missed(result: RunResult) -> Iterator[str]:
    """Thresholds that did not hold."""
    for threshold in result.thresholds:
        if not threshold.passed:
            yield f"{threshold.expression} ({_figure(threshold)})"


def _figure(threshold: Threshold) -> str:
    if threshold.measured is None:
        return threshold.not_measurable or "not measured"
    if threshold.unit == "us":
        return f"{threshold.measured / 1_000:,.4g} ms"
    return f"{threshold.measured:,.6g} {threshold.unit or ''}".rstrip()


def _strains(thresholds: tuple[Threshold, ...]) -> Iterator[float]:
    """Of each latency that must be below its limit, how much of it was used."""
    for threshold in thresholds:
        if threshold.unit == "us" and threshold.limit and threshold.measured is not None:
            strain = threshold.measured / threshold.limit
            if threshold.passed == (strain <= 1.0):
                yield strain


def _publish_latency(run: StoredRun) -> tuple[float | None, float | None]:
    """Median and 99th percentile of publish latency in microseconds, all groups' histograms added.

    At the maximum rate it is the service time.
    """
    parts = [each for (_, name), each in latency_histograms(run).items() if name == "publish_latency"]
    if not parts:
        return None, None
    merged = sum(parts[1:], parts[0])
    return merged.percentile_us(50), merged.percentile_us(99)

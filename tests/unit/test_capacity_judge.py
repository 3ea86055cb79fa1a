"""Whether a rate holds, from a stored run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from result_samples import latency_block, producer, result

from loadlab.measurement.histogram import Histogram, lower_bounds_ns
from loadlab.results.artifacts import Artifacts, Histograms, Interval
from loadlab.results.model import Phase, ProducerResult, Reason, Threshold, Throughput, Verdict
from loadlab.results.store import save
from loadlab.scenario import load_document
from loadlab.tuning.capacity_judge import _lag_growth, as_probe, conditions, growth_per_s, judged
from loadlab.tuning.capacity_levels import MAX_RATE
from loadlab.tuning.capacity_levels import Verdict as Said

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadlab.results.model_capacity import CapacityProbe
    from loadlab.scenario import Scenario

RATE_PER_S = 20_000.0
FLAT = [300.0, 250.0, 400.0, 280.0] * 7
P99 = Threshold(
    expression="publish_latency p99 < 50ms", measured=4_500.0, limit=50_000.0, unit="us", passed=True
)


def scenario() -> Scenario:
    group = {"topic": "orders", "schedule": {"rate": RATE_PER_S}, "records": {"size": 1_024}}
    return load_document(
        {
            "name": "quickstart",
            "topics": {"orders": {}},
            "producers": {"checkout": group},
            "consumers": {"billing": {"topic": "orders"}},
        }
    ).scenario


def probe(
    folder: Path, lags: Sequence[float] = FLAT, rate_per_s: float = RATE_PER_S, **changes: object
) -> CapacityProbe:
    """A probe of 30 s from second 5 on, with a sample of lag in each; before and after it lag is high."""
    samples = [(4.0, 9e6), *((5.0 + second, lag) for second, lag in enumerate(lags)), (40.0, 9e6)]
    intervals = [Interval(at_s, "consumer/billing", "consumer_lag_records", lag) for at_s, lag in samples]
    counts = np.zeros_like(Histogram().counts)
    counts[1_000] = 2_000
    histograms = Histograms(
        lower_bounds_ns() / 1e3,
        {f"producer/{name}/publish_latency_us": counts for name in ("checkout", "refunds")},
    )
    stored = save(result(**changes), Artifacts(intervals=intervals, histograms=histograms), folder)
    return judged(stored, scenario(), rate_per_s)


def reaching(records_per_s: float) -> dict[str, object]:
    throughput = Throughput(records_per_s=records_per_s, bytes_per_s=1e6)
    return {"producers": {"checkout": producer().model_copy(update={"throughput": throughput})}}


def test_a_rate_holds_where_everything_does(tmp_path: Path) -> None:
    found = probe(tmp_path, thresholds=(P99,))
    assert (found.verdict, found.failed) == ("holds", ())
    assert found.achieved_per_s == 19_998.4
    assert found.strain == pytest.approx(0.09)
    assert found.run_id == result().run_id


def lasting(missing: int = 0) -> ProducerResult:
    """A producer with the latencies of `probe`, of which so many never came through."""
    block = latency_block().model_copy(update={"count": 2_000, "missing": missing, "min": 1.0})
    return producer().model_copy(update={"publish_latency_us": block})


def test_what_never_came_through_counts_as_longer_than_all_that_did(tmp_path: Path) -> None:
    found = probe(tmp_path, producers={"checkout": lasting(missing=500)})
    assert found.publish_p50_us is not None
    assert found.publish_p99_us is None


def test_percentiles_are_of_all_groups_together(tmp_path: Path) -> None:
    found = probe(tmp_path, producers={"checkout": lasting(), "refunds": lasting()})
    bounds = lower_bounds_ns()[1_000:1_002] / 1e3
    assert bounds[0] <= (found.publish_p50_us or 0) == (found.publish_p99_us or 0) < bounds[1]


def test_a_threshold_that_failed_fails_the_rate(tmp_path: Path) -> None:
    failed = P99.model_copy(update={"measured": 61_300.0, "passed": False})
    found = probe(tmp_path, thresholds=(failed,))
    assert found.verdict == "fails"
    assert found.failed == ("publish_latency p99 < 50ms (61.3 ms)",)
    assert found.strain == pytest.approx(1.226)


def test_a_lower_limit_is_no_strain(tmp_path: Path) -> None:
    least = P99.model_copy(update={"expression": "publish_latency min > 1ms", "limit": 1_000.0})
    assert probe(tmp_path, thresholds=(least,)).strain is None


def test_a_threshold_that_was_not_measurable_fails_with_its_reason(tmp_path: Path) -> None:
    nothing = P99.model_copy(update={"measured": None, "passed": False, "not_measurable": "too few records"})
    assert probe(tmp_path, thresholds=(nothing,)).failed == ("publish_latency p99 < 50ms (too few records)",)


@pytest.mark.parametrize(("records_per_s", "holds"), [(19_900.0, True), (19_840.0, True), (19_820.0, False)])
def test_what_was_due_must_be_acked_but_for_the_acks_on_their_way(
    tmp_path: Path, records_per_s: float, *, holds: bool
) -> None:
    """99.5 %, less the acks of 0.1 s of 30 s: 99.17 %."""
    found = probe(tmp_path, **reaching(records_per_s))
    assert (found.verdict == "holds") is holds
    if not holds:
        assert found.failed == ("checkout achieved 99.1% of the target (limit 99.17%)",)


@pytest.mark.parametrize(
    ("measure_s", "achieved", "lag"),
    [(10.0, "98.5%", "1.5%"), (30.0, "99.17%", "0.83%"), (600.0, "99.48%", "0.52%")],
)
def test_the_limits_that_are_told_are_those_that_decide(measure_s: float, achieved: str, lag: str) -> None:
    assert conditions(measure_s) == (
        f"achieved >= {achieved} of the target",
        f"consumer lag grows by <= {lag} of it",
    )


def test_a_saturated_cluster_does_not_hold(tmp_path: Path) -> None:
    found = probe(tmp_path, verdict=Verdict(status="valid", saturated=True))
    assert found.verdict == "fails"
    assert "the cluster was the limit" in found.failed[0]


def test_a_client_that_may_be_the_limit_itself_says_nothing_of_the_cluster(tmp_path: Path) -> None:
    reason = Reason(code="client_cpu", message="a thread used 98% of a core", severity="suspect")
    verdict = Verdict(status="suspect", reasons=(reason,), saturated=True)
    found = probe(tmp_path, verdict=verdict)
    assert found.verdict == "unmeasured"
    assert found.failed == ("client_cpu: a thread used 98% of a core",)


@pytest.mark.parametrize("code", ["foreign_load", "cpu_quota"])
def test_what_failed_while_others_took_of_the_machine_is_marked(tmp_path: Path, code: str) -> None:
    reason = Reason(code=code, message="others took 40% of the machine", severity="suspect")
    verdict = Verdict(status="suspect", reasons=(reason,))
    failed = probe(tmp_path / "a", verdict=verdict, **reaching(10_000.0))
    assert (failed.verdict, failed.disturbed) == ("fails", True)
    assert as_probe(failed).outcome.disturbed
    held = probe(tmp_path / "b", verdict=verdict)
    assert (held.verdict, held.disturbed) == ("holds", False)


def test_a_growing_lag_fails_the_rate(tmp_path: Path) -> None:
    """The limit is 0.5 % of 20,000/s and the records of 0.1 s over 30 s: 167/s."""
    grown = probe(tmp_path / "a", [170.0 * second for second in range(31)])
    assert grown.lag_growth_per_s == pytest.approx(170.0)
    assert grown.failed == ("the lag of billing grew by 170 records/s (limit 167)",)
    assert probe(tmp_path / "b", [160.0 * second for second in range(31)]).verdict == "holds"


def test_a_lag_that_shrinks_in_the_drain_has_grown_before(tmp_path: Path) -> None:
    """The drain phase samples within a moment of the end of the measure phase."""
    samples = [(0.0, 0.0), (1.0, 8e3), (2.0, 16e3), (2.02, 14e3), (2.05, 11e3), (2.1, 6e3), (2.2, 0.0)]
    intervals = [
        Interval(5.0 + at_s, "consumer/billing", "consumer_lag_records", lag) for at_s, lag in samples
    ]
    phases = (Phase(name="measure", start_s=5.0, end_s=7.0),)
    stored = save(result(phases=phases), Artifacts(intervals=intervals), tmp_path)
    assert _lag_growth(stored, scenario()) == {"billing": pytest.approx(8e3)}


def test_a_lag_that_one_pause_made_high_does_not_grow(tmp_path: Path) -> None:
    assert probe(tmp_path, [*FLAT[:20], 500_000.0, 300_000.0, *FLAT[22:]]).verdict == "holds"


def test_a_lag_that_is_not_known_says_nothing_of_the_rate(tmp_path: Path) -> None:
    found = probe(tmp_path, [])
    assert (found.verdict, found.failed) == ("unmeasured", ("the lag of billing is not known",))


def test_what_failed_is_told_also_where_the_lag_is_not_known(tmp_path: Path) -> None:
    failed = P99.model_copy(update={"passed": False})
    assert probe(tmp_path, [], thresholds=(failed,)).verdict == "fails"


def test_the_search_is_told_what_was_acked_and_read(tmp_path: Path) -> None:
    growing = [5_000.0 * second for second in range(31)]
    assert as_probe(probe(tmp_path / "a", growing)).outcome.achieved_per_s == pytest.approx(14_998.4)
    both = probe(tmp_path / "b", growing, **reaching(12_000.0))
    assert as_probe(both).outcome.achieved_per_s == pytest.approx(7_000.0)


@pytest.mark.parametrize(
    ("code", "reached_per_s", "said"),
    [
        ("worker_cpu", 20_000.0, "unmeasured"),
        ("worker_cpu", 15_000.0, "fails"),
        ("generator_limited", 15_000.0, "unmeasured"),
        ("other", 20_000.0, "fails"),
    ],
)
def test_what_clients_may_have_failed_by_says_nothing_of_the_cluster(
    tmp_path: Path, code: str, reached_per_s: float, said: str
) -> None:
    """A reader without CPU lets its lag grow, and nothing else."""
    reason = Reason(code=code, message="on its own", severity="suspect")
    verdict = Verdict(status="suspect", reasons=(reason,))
    growing = [170.0 * second for second in range(31)]
    found = probe(tmp_path / "grown", growing, verdict=verdict, **reaching(reached_per_s))
    assert found.verdict == said
    assert (found.failed == (f"{code}: on its own",)) is (said == "unmeasured")
    assert probe(tmp_path / "held", verdict=verdict).verdict == "holds"


def test_a_group_that_reads_what_others_send_is_not_judged(tmp_path: Path) -> None:
    rows = [
        Interval(5.0 + second, "consumer/billing", "consumer_lag_records", 10.0 * second)
        for second in range(31)
    ]
    stored = save(result(), Artifacts(intervals=rows), tmp_path)
    spec = scenario()
    readers = {"billing": spec.consumers["billing"].model_copy(update={"topic": "others"})}
    found = judged(stored, spec.model_copy(update={"consumers": readers}), RATE_PER_S)
    assert (found.verdict, found.lag_growth_per_s) == ("holds", None)


def test_an_invalid_run_is_never_the_cluster_s_limit(tmp_path: Path) -> None:
    reason = Reason(code="generator_limited", message="records were sent late", severity="invalid")
    verdict = Verdict(status="invalid", reasons=(reason,), saturated=True)
    found = probe(tmp_path, verdict=verdict, **reaching(10_000.0))
    assert (found.verdict, found.failed) == ("unmeasured", ("generator_limited: records were sent late",))
    assert as_probe(found).outcome.verdict is Said.UNMEASURED


def test_a_suspect_run_counts_and_is_marked(tmp_path: Path) -> None:
    found = probe(tmp_path, verdict=Verdict(status="suspect"))
    assert (found.verdict, found.status) == ("holds", "suspect")


def test_the_maximum_rate_is_not_judged(tmp_path: Path) -> None:
    found = probe(tmp_path, [1e5 * second for second in range(31)], MAX_RATE)
    assert (found.rate_per_s, found.verdict, found.failed) == (None, None, ())
    assert as_probe(found).rate_per_s == MAX_RATE


def test_a_run_without_consumers_has_no_lag(tmp_path: Path) -> None:
    stored = save(result(consumers={}), Artifacts(), tmp_path)
    alone = scenario().model_copy(update={"consumers": {}})
    assert judged(stored, alone, RATE_PER_S).lag_growth_per_s is None


def test_growth_is_the_slope_of_a_line() -> None:
    times_s = np.array([0.0, 1.0, 2.5, 4.0])
    assert growth_per_s(times_s, 7.0 + 3.0 * times_s) == pytest.approx(3.0)


def test_growth_of_one_sample_or_one_moment_is_not_known() -> None:
    assert growth_per_s(np.array([1.0]), np.array([5.0])) is None
    assert growth_per_s(np.array([1.0, 1.0]), np.array([5.0, 6.0])) is None

"""Thresholds judged on evidence that a test makes up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from result_samples import consumer, producer
from run_samples import scenario_of

from loadlab.analysis.evidence import Evidence
from loadlab.analysis.thresholds import all_thresholds, failing_for_good, judge
from loadlab.hints import HintedError
from loadlab.measurement.histogram import BUCKETS, LARGEST_NS, PERCENTILES, Histogram
from loadlab.measurement.lane import bucket_of
from loadlab.results.model import (
    Backlog,
    Batches,
    CommittedLag,
    ConsumerRecords,
    ConsumerResult,
    GroupReconciliation,
    Lag,
    ProducerRecords,
    ProducerResult,
    Rebalances,
    Reconciliation,
    Throughput,
    TopicResult,
    TopicThroughput,
)
from loadlab.scenario.expressions import parse_expression, percentile_of
from loadlab.scenario.metrics import METRICS, OF_GROUPS
from loadlab.scenario.metrics import PERCENTILES as METRIC_PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model import Threshold as Judged
    from loadlab.scenario import Scenario, Threshold

MS = 1_000_000
TOPICS = {"orders": {"partitions": 3}, "clicks": {"partitions": 2, "count": 2}}


def durations(*parts: tuple[int, float]) -> Histogram:
    """So many samples of so many milliseconds each."""
    counts = np.zeros(BUCKETS, dtype=np.int64)
    values = [(number, round(ms * MS)) for number, ms in parts]
    for number, value_ns in values:
        counts[bucket_of(value_ns)] += number
    return Histogram(
        counts=counts,
        total_ns=sum(number * value_ns for number, value_ns in values),
        min_ns=min(value_ns for _, value_ns in values),
        max_ns=max(value_ns for _, value_ns in values),
    )


def scenario(key: str, expression: object) -> Scenario:
    """Two groups that send and two that read, on two topics, and a threshold."""
    send = {"schedule": {"rate": "1k/s"}, "records": {"size": 100}, "config": {"compression.type": "lz4"}}
    return scenario_of(
        topics=TOPICS,
        producers={"shop": {"topic": "orders", **send}, "web": {"topic": "clicks", **send}},
        consumers={"billing": {"topic": "orders"}, "audit": {"topic": "clicks"}},
        thresholds={key: [expression]},
    ).scenario


def sender(**changes: object) -> ProducerResult:
    return producer().model_copy(update=changes)


def reader(**changes: object) -> ConsumerResult:
    return consumer().model_copy(update=changes)


def evidence(of: Scenario, **parts: object) -> Evidence:
    whole: dict[str, object] = {
        "producers": {"shop": sender(), "web": sender()},
        "consumers": {"billing": reader(), "audit": reader()},
        "level_times_s": (0.0, 1.0, 4.0),
        **parts,
    }
    return Evidence(scenario=of, measured_s=10.0, **whole)  # type: ignore[arg-type]


def judged(key: str, expression: object, **parts: object) -> Judged:
    of = scenario(key, expression)
    (threshold,) = all_thresholds(of)
    return judge(threshold, evidence(of, **parts))


def latencies(
    metric: str = "publish_latency", kind: str = "producer", **groups: Histogram
) -> dict[str, object]:
    return {"histograms": {((kind, name), metric): histogram for name, histogram in groups.items()}}


@pytest.mark.parametrize(
    ("expression", "passed"),
    [
        ("failed < 10", False),
        ("failed <= 10", True),
        ("failed == 10", True),
        ("failed == 9", False),
        ("failed >= 10", True),
        ("failed > 10", False),
        ("failed < 11", True),
        ("failed > 9", True),
    ],
)
def test_each_comparison_means_what_it_says(expression: str, passed: bool) -> None:
    records = ProducerRecords(attempted=100, acked=95, failed=5)
    groups = {"shop": sender(records=records), "web": sender(records=records)}

    outcome = judged("records", expression, producers=groups)

    assert (outcome.measured, outcome.passed) == (10.0, passed)
    assert outcome.expression == f"records {expression}"


def test_groups_are_merged_by_adding_their_histograms_and_never_their_percentiles() -> None:
    """990 records of 1 ms and 10 of 100 ms: the p99 of both is 1 ms; the mean of their p99 is 50."""
    fast, slow = durations((990, 1.0)), durations((10, 100.0))

    outcome = judged("publish_latency", "p99 < 2ms", **latencies(shop=fast, web=slow))

    assert outcome.passed
    assert outcome.unit == "us"
    assert outcome.measured == pytest.approx(1_000.0, rel=0.004)
    assert outcome.limit == 2_000.0


@pytest.mark.parametrize(
    ("key", "measured_ms"),
    [
        ("publish_latency{producer=shop}", 1.0),
        ("publish_latency{producer=web}", 5.0),
        ("publish_latency{topic=clicks}", 5.0),
        ("publish_latency", 1.0),
    ],
)
def test_a_selector_takes_one_group_or_those_of_a_topic(key: str, measured_ms: float) -> None:
    parts = latencies(shop=durations((2_000, 1.0)), web=durations((1_000, 5.0)))

    assert judged(key, "p50 < 9s", **parts).measured == pytest.approx(measured_ms * 1_000, rel=0.004)


@pytest.mark.parametrize(
    ("stat", "expected_ms"), [("mean", 3.0), ("min", 1.0), ("max", 7.0), ("p50", 2.0), ("p98.5", 7.0)]
)
def test_every_stat_of_a_latency_is_taken_of_the_merged_histogram(stat: str, expected_ms: float) -> None:
    parts = latencies(shop=durations((400, 1.0), (400, 2.0)), web=durations((200, 2.0), (250, 7.0)))
    total = 400 * 1 + 600 * 2 + 250 * 7
    expected = total / 1_250 * 1_000 if stat == "mean" else expected_ms * 1_000

    assert judged("publish_latency", f"{stat} < 9s", **parts).measured == pytest.approx(expected, rel=0.004)


def test_the_number_of_samples_can_be_judged() -> None:
    outcome = judged("publish_latency", "count == 30", **latencies(shop=durations((10, 1.0), (20, 2.0))))

    assert (outcome.measured, outcome.unit, outcome.passed) == (30.0, "records", True)


@pytest.mark.parametrize(
    ("samples", "passed", "why"),
    [
        (1_999, False, "p99.5 needs 2,000 samples, and there are 1,999"),
        (2_000, True, None),
    ],
)
def test_a_percentile_that_the_sample_does_not_support_fails_and_says_what_it_needs(
    samples: int, passed: bool, why: str | None
) -> None:
    outcome = judged("publish_latency", "p99.5 < 1s", **latencies(shop=durations((samples, 1.0))))

    assert (outcome.passed, outcome.not_measurable) == (passed, why)
    assert (outcome.measured is None) == (why is not None)


def test_the_reported_midpoint_is_what_is_compared() -> None:
    """Samples of 10 ms lie in a bucket whose midpoint is a little above or below: that decides."""
    parts = latencies(shop=durations((500, 9.0), (500, 10.0), (500, 11.0)))
    midpoint = judged("publish_latency", "p50 < 1s", **parts).measured
    assert midpoint is not None
    assert midpoint != 10_000.0

    assert judged("publish_latency", f"p50 <= {midpoint:.3f}us", **parts).passed
    assert not judged("publish_latency", f"p50 < {midpoint:.3f}us", **parts).passed


@pytest.mark.parametrize(
    ("key", "expression"),
    [
        ("send_delay", "p50 < 1s"),
        ("end_to_end_latency", "max < 1s"),
        ("publish_latency", "mean < 1s"),
        ("batch", "records_mean > 1.5"),
        ("batch", "bytes_mean > 100.5B"),
        ("consumer_lag", "mean < 0.5"),
        ("consumer_lag", "max < 10"),
        ("committed_lag", "mean < 10"),
        ("consumer_lag", "final == 0"),
        ("drain_s", "value < 1h"),
        ("cpu_us_per_record", "value < 1s"),
        ("achieved_ratio", "value >= 0"),
        ("compression_ratio", "value >= 0"),
        ("batch", "records_mean >= 0"),
        ("log_end_growth", "value >= 0"),
        ("partition_share", "max <= 1"),
        ("throughput{topic=orders}", "bytes_per_s >= 0B/s"),
        ("reconciliation", "lost == 0"),
        ("reconciliation{consumer=billing}", "lost == 0"),
        ("reconciliation", "seen > 0"),
    ],
)
def test_what_was_not_measured_fails_and_says_why(key: str, expression: str) -> None:
    blind_sender = sender(
        achieved_ratio=None, compression_ratio=None, cpu_us_per_record=None, batch=Batches()
    )
    blind_reader = reader(lag=None, committed_lag=None, backlog=None, drain_s=None)

    outcome = judged(
        key,
        expression,
        producers={"shop": blind_sender},
        consumers={"billing": blind_reader},
        topics={"orders": TopicResult(partitions=1, log_end_growth=None)},
        reconciliation=Reconciliation(acked=1, lost=None),
        histograms={(("producer", "shop"), "publish_latency"): Histogram()},
        levels={
            (("consumer", "billing"), "consumer_lag"): [None],
            (("consumer", "billing"), "committed_lag"): [None],
        },
        level_times_s=(0.0,),
    )

    assert not outcome.passed
    assert outcome.measured is None
    assert outcome.not_measurable


def test_a_run_that_never_came_to_its_measure_phase_passes_nothing() -> None:
    of = scenario("records", "failed == 0")
    (threshold,) = all_thresholds(of)
    nothing = Evidence(scenario=of, measured_s=0.0, producers={}, consumers={})

    assert not judge(threshold, nothing).passed


def test_lags_are_added_sample_by_sample() -> None:
    """Their largest values came at different moments: 60 and 50, but never more than 70 together.

    Their mean is one over time: of 60, 70 and 20 the last two stand for three seconds, the first two for one.
    """
    levels = {
        (("consumer", "billing"), "consumer_lag"): [60, 20, 10],
        (("consumer", "audit"), "consumer_lag"): [0, 50, 10],
    }
    final = {
        "billing": reader(lag=Lag(max=60, mean=30.0, final=4)),
        "audit": reader(lag=Lag(max=50, mean=20.0, final=3)),
    }

    assert judged("consumer_lag", "max < 70", levels=levels).measured == 70.0
    assert judged("consumer_lag", "mean <= 50", levels=levels).measured == (65.0 + 3 * 45.0) / 4
    assert judged("consumer_lag{topic=clicks}", "max < 70", levels=levels).measured == 50.0
    assert judged("consumer_lag", "final == 7", consumers=final).passed


def test_a_sample_without_an_answer_is_left_out_of_all() -> None:
    levels = {
        (("consumer", "billing"), "committed_lag"): [1, None, 3],
        (("consumer", "audit"), "committed_lag"): [10, 20, 30],
    }

    assert judged("committed_lag", "mean < 1k", levels=levels).measured == 22.0


@pytest.mark.parametrize(
    ("metric", "text", "meant"),
    [
        ("publish_latency", "p99 ≤ 50ms", "p99 <= 50ms"),
        ("publish_latency", "p99 => 50ms", "p99 >= 50ms"),
        ("records", "failed = 0", "failed == 0"),
        ("publish_latency", "p99 under 50ms", None),
        ("publish_latency", "p99 < 50", "50ms"),
        ("cpu_us_per_record", "value < 1.5", "1.5us"),
        ("publish_latency", "p99 < 0", "p99 == 0"),
        ("records", "failed < 0", "failed == 0"),
    ],
)
def test_what_is_no_expression_or_never_holds_is_refused_with_what_was_meant(
    metric: str, text: str, meant: str | None
) -> None:
    with pytest.raises(HintedError) as refused:
        parse_expression(metric, text)
    assert refused.value.suggestion == meant


def test_more_records_in_the_log_than_are_explained_may_be_fewer_than_none() -> None:
    assert parse_expression("reconciliation", "unexplained < 0").holds(-1.0)


def test_a_share_is_stored_as_the_ratio_that_it_is() -> None:
    assert parse_expression("achieved_ratio", "value >= 99.5%").unit == "ratio"


@pytest.mark.parametrize(
    ("key", "expression", "measured"),
    [
        ("throughput", "records_per_s > 1/s", 300.0),
        ("throughput", "bytes_per_s > 1B/s", 30_000.0),
        ("throughput{producer=web}", "records_per_s > 1/s", 200.0),
        ("throughput{consumer=audit}", "records_per_s > 1/s", 50.0),
        ("throughput{topic=clicks}", "records_per_s > 1/s", 7.0),
        ("achieved_ratio", "value > 90%", 0.95),
        ("cpu_us_per_record", "value < 1s", 5.0),
        ("batch", "records_mean > 1", 3.0),
        ("batch", "bytes_mean > 1kB", 1_500.0),
        ("compression_ratio", "value > 1", 3.0),
        ("errors", "count == 0", 6.0),
        ("errors{consumer=audit}", "count == 0", 1.0),
        ("drain_s", "value < 1s", 3.0),
        ("rebalances", "count == 0", 3.0),
        ("rebalances", "seconds < 1s", 1.5),
        ("backlog", "final == 0", 9.0),
        ("records", "consumed > 1", 30.0),
        ("records{topic=orders}", "acked > 1", 99.0),
        ("log_end_growth", "value > 1", 60.0),
        ("log_end_growth{topic=orders}", "value > 1", 10.0),
        ("partition_share{topic=clicks}", "max < 50%", 0.9),
        ("partition_share", "min > 1%", 0.1),
        ("workers", "cpu_share < 90%", 0.5),
        ("workers", "max_rss_bytes < 1GiB", 2e8),
        ("reconciliation", "consumed > 0", 12.0),
        ("reconciliation", "lost == 0", 1.0),
        ("reconciliation{consumer=audit}", "lost == 0", 3.0),
        ("reconciliation{topic=orders}", "redelivered == 0", 10.0),
        ("reconciliation", "redelivered == 0", 30.0),
    ],
)
def test_every_other_metric_is_merged_as_documented(key: str, expression: str, measured: float) -> None:
    outcome = judged(key, expression, **_whole())

    assert outcome.measured == pytest.approx(measured)
    assert outcome.not_measurable is None


def _two_senders() -> dict[str, ProducerResult]:
    shop, web = producer().workers[0], producer().workers[0]
    return {
        "shop": sender(
            target_records_per_s=100.0,
            achieved_ratio=0.85,
            throughput=Throughput(records_per_s=100.0, bytes_per_s=10_000.0),
            cpu_us_per_record=7.0,
            batch=Batches(records_mean=2.0, bytes_mean=1_000.0),
            compression_ratio=5.0,
            records=ProducerRecords(attempted=99, acked=99),
            errors={"A": 7, "B": 1},
            measured_errors={"A": 2, "B": 1},
            workers=(shop.model_copy(update={"cpu_share": 0.5, "max_rss_bytes": 100_000_000}),),
        ),
        "web": sender(
            target_records_per_s=200.0,
            achieved_ratio=1.0,
            throughput=Throughput(records_per_s=200.0, bytes_per_s=20_000.0),
            cpu_us_per_record=4.0,
            batch=Batches(records_mean=4.0, bytes_mean=2_000.0),
            compression_ratio=2.5,
            errors={"A": 2},
            measured_errors={"A": 2},
            workers=(web.model_copy(update={"cpu_share": 0.1, "max_rss_bytes": 100_000_000}),),
        ),
    }


def _two_readers() -> dict[str, ConsumerResult]:
    worker = consumer().workers[0].model_copy(update={"cpu_share": 0.2, "max_rss_bytes": 200_000_000})
    return {
        "billing": reader(
            records=ConsumerRecords(consumed=10),
            drain_s=3.0,
            rebalances=Rebalances(count=1, seconds=0.5),
            backlog=Backlog(max=9, mean=5.0, final=4),
            committed_lag=CommittedLag(max=1, mean=1.0, final=1),
            errors={},
            workers=(worker,),
        ),
        "audit": reader(
            records=ConsumerRecords(consumed=20),
            throughput=Throughput(records_per_s=50.0, bytes_per_s=5_000.0),
            drain_s=1.0,
            rebalances=Rebalances(count=2, seconds=1.0),
            backlog=Backlog(max=9, mean=5.0, final=5),
            errors={"C": 1, "D": 4},
            measured_errors={"C": 1},
            workers=(worker,),
        ),
    }


def _whole() -> dict[str, object]:
    topics = {
        "orders": _topic(10, 100.0, 0.5, 0.3, 0.2),
        "clicks-0000": _topic(20, 3.0, 0.9, 0.1),
        "clicks-0001": _topic(30, 4.0, 0.6, 0.4),
    }
    nothing = GroupReconciliation(**dict.fromkeys(GroupReconciliation.model_fields, 0))
    groups = {
        "billing": nothing.model_copy(update={"lost": 0, "redelivered": 10}),
        "audit": nothing.model_copy(update={"lost": 3, "redelivered": 20}),
    }
    reconciliation = Reconciliation(acked=99, consumed={"billing": 5, "audit": 7}, lost=1, groups=groups)
    return {
        "producers": _two_senders(),
        "consumers": _two_readers(),
        "topics": topics,
        "reconciliation": reconciliation,
    }


def _topic(growth: int, rate: float, *shares: float) -> TopicResult:
    return TopicResult(
        partitions=len(shares),
        log_end_growth=growth,
        throughput=TopicThroughput(records_per_s=rate, bytes_per_s=rate * 100),
        partition_share=shares,
    )


def test_a_worker_that_died_leaves_no_figure_of_what_workers_took() -> None:
    dead = producer().workers[0].model_copy(update={"exit": "killed by SIGKILL", "max_rss_bytes": 0})

    outcome = judged("workers", "max_rss_bytes < 1GiB", producers={"shop": sender(workers=(dead,))})

    assert not outcome.passed


def live(expression: str, key: str = "records") -> tuple[Scenario, Threshold]:
    of = scenario(key, expression)  # a study's may end a trial where a scenario's may not
    (threshold,) = all_thresholds(of)
    return of, threshold.model_copy(update={"abort_on_fail": True})


@pytest.mark.parametrize(
    ("expression", "failed", "for_good"),
    [
        ("failed < 10", 9, False),
        ("failed < 10", 10, True),
        ("failed == 10", 5, False),
        ("failed == 10", 11, True),
        ("failed == 0", 1, True),
        ("failed >= 10", 5, False),
        ("failed > 10", 10, False),
    ],
)
def test_a_count_ends_a_run_only_when_it_can_not_come_right_any_more(
    expression: str, failed: int, for_good: bool
) -> None:
    of, threshold = live(expression)
    records = ProducerRecords(attempted=failed, acked=0, failed=failed)
    now = evidence(of, producers={"shop": sender(records=records)})

    assert (failing_for_good(threshold, now) is not None) == for_good


@pytest.mark.parametrize(
    ("slow", "share", "for_good"),
    [
        (15, 0.5, False),
        (25, 0.5, True),
        (15, 0.9, True),
        (15, 1.0, True),
        (5, 0.5, False),
        (999, 0.005, False),
    ],
)
def test_a_percentile_is_given_up_only_where_no_fast_record_could_mend_it(
    slow: int, share: float, for_good: bool
) -> None:
    """Of 1,000 records by now so many are over the limit; twice as many in the end halve their share."""
    of, threshold = live("p99 < 1ms", "publish_latency")
    now = evidence(of, **latencies(shop=durations((1_000 - slow, 0.1), (slow, 5.0))))

    assert (failing_for_good(threshold, now, share) is not None) == for_good


@pytest.mark.parametrize(
    ("key", "expression", "share", "for_good"),
    [
        ("publish_latency", "mean < 3ms", 0.5, False),  # 5 ms now, 2.5 ms if the rest took no time
        ("publish_latency", "mean < 2ms", 0.5, True),
        ("publish_latency", "mean < 3ms", 1.0, True),
        ("publish_latency", "max < 3ms", 0.5, True),
        ("publish_latency", "p50 > 6ms", 0.5, False),
        ("throughput", "records_per_s >= 300000/s", 0.9, False),
        ("throughput", "records_per_s >= 300000/s", 1.0, True),
        ("throughput", "records_per_s < 10/s", 0.5, False),
        ("achieved_ratio", "value >= 100.1%", 0.9, False),
    ],
)
def test_a_trial_is_given_up_only_by_what_can_not_come_right_any_more(
    key: str, expression: str, share: float, *, for_good: bool
) -> None:
    of, threshold = live(expression, key)
    now = evidence(of, **latencies(shop=durations((1_000, 5.0))))

    assert (failing_for_good(threshold, now, share) is not None) == for_good


def test_what_is_not_measurable_yet_ends_no_run() -> None:
    of, threshold = live("p99 < 1us", "publish_latency")

    few = evidence(of, **latencies(shop=durations((999, 5.0))))
    enough = evidence(of, **latencies(shop=durations((1_000, 5.0))))

    assert failing_for_good(threshold, few) is None
    assert failing_for_good(threshold, enough) is not None


def test_thresholds_are_judged_in_the_order_of_their_file() -> None:
    keys: Sequence[str] = ("reconciliation", "records", "errors")
    of = scenario_of(
        thresholds={
            "reconciliation": ["lost == 0"],
            "records": ["failed == 0", "rejected == 0"],
            "errors": ["count == 0"],
        }
    ).scenario

    assert [one.key for one in all_thresholds(of)] == ["reconciliation", "records", "records", "errors"]
    assert {one.key for one in all_thresholds(of)} == set(keys)


def test_every_number_of_a_reconciliation_can_be_judged() -> None:
    stats = METRICS["reconciliation"].stats
    numbers = {name for name, about in Reconciliation.model_fields.items() if "int" in str(about.annotation)}

    assert numbers - {"examples"} <= set(stats)
    assert set(GroupReconciliation.model_fields) <= set(stats)
    assert set(OF_GROUPS) == set(GroupReconciliation.model_fields) - set(Reconciliation.model_fields)


def test_every_metric_can_be_judged() -> None:
    """Each stat of each metric has a figure, or a reason why there is none: never an error."""
    for name, metric in METRICS.items():
        for stat in metric.stats:
            of = scenario(name, f"{stat} >= 0")
            (threshold,) = all_thresholds(of)
            outcome = judge(
                threshold, evidence(of, **{**_whole(), "levels": _no_levels(), "level_times_s": ()})
            )
            assert (outcome.measured is None) == (outcome.not_measurable is not None), f"{name} {stat}"


def _no_levels() -> dict[object, object]:
    return {
        (("consumer", name), metric): []
        for name in ("billing", "audit")
        for metric in ("consumer_lag", "committed_lag", "backlog")
    }


def test_the_percentiles_that_results_tell_have_the_names_of_thresholds() -> None:
    assert {name: percentile_of(name) for name in METRIC_PERCENTILES} == PERCENTILES


def test_a_percentile_longer_than_what_is_told_apart_has_failed_as_not_measurable() -> None:
    backlog = durations((900, 1.0), (100, LARGEST_NS / MS))
    outcome = judged("publish_latency", "p99 < 3m", **latencies(shop=backlog))

    assert not outcome.passed
    assert outcome.measured is None
    assert outcome.not_measurable == "p99 is above 137 s, the longest that is told apart"


def test_a_latency_of_which_records_are_missing_is_not_judged_by_those_that_came() -> None:
    came = latencies(shop=replace(durations((600, 1.0)), missing=400))
    outcomes = {
        stat: judged("publish_latency", f"{stat} < 1s", **came)
        for stat in ("min", "p50", "p99", "mean", "max")
    }

    assert {stat for stat, each in outcomes.items() if each.passed} == {"p50", "min"}
    for stat in ("p99", "mean", "max"):
        assert "400 of 1,000 records never came through" in str(outcomes[stat].not_measurable)


def test_cpu_that_is_unknown_of_one_group_is_unknown_of_all() -> None:
    groups = {"shop": sender(cpu_us_per_record=2.0), "blind": sender(cpu_us_per_record=None)}
    outcome = judged("cpu_us_per_record", "value < 1s", producers=groups)

    assert (outcome.passed, outcome.measured) == (False, None)
    assert outcome.not_measurable == "a worker did not live to tell it"


@pytest.mark.parametrize(
    ("expression", "measured"),
    [
        ("lost == 0", 4.0),
        ("lost < 4", 4.0),
        ("lost < 5", None),
        ("lost <= 3", 4.0),
        ("lost == 4", None),
        ("lost > 9", None),
    ],
)
def test_what_is_lost_for_certain_breaks_a_limit_whatever_else_there_is(
    expression: str, measured: float | None
) -> None:
    found = Reconciliation(acked=99, lost=None, lost_at_least=4)
    outcome = judged("reconciliation", expression, reconciliation=found)
    assert (outcome.passed, outcome.measured) == (False, measured)
    assert (outcome.not_measurable is None) == (measured is not None)

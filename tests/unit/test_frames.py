from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
from recorded_runs import copied, recorded
from result_samples import producer, result

from loadlab.analysis.frames import intervals_frame, metrics_frame, runs_frame
from loadlab.analysis.histograms import latency_histogram
from loadlab.analysis.metric_units import unit_of
from loadlab.analysis.runs import RunRow
from loadlab.results.artifacts import Artifacts
from loadlab.results.store import save
from loadlab.run import broker_readings, series

ROOT = Path(__file__).parents[2]
MEASUREMENT = (ROOT / "docs" / "measurement.md").read_text(encoding="utf-8")


def figure(frame: pd.DataFrame, source: str, metric: str) -> float:
    (value,) = frame[(frame.source == source) & (frame.metric == metric)].value
    return float(value)


def test_the_seconds_of_a_run_add_up_to_its_totals() -> None:
    stored = recorded("pair")
    frame = intervals_frame(stored)
    acked = frame[frame.metric == "acked_records_per_s"]

    assert acked.value.sum() == stored.result.reconciliation.acked
    for name, consumer in stored.result.reconciliation.consumed.items():
        read = frame[(frame.source == f"consumer/{name}") & (frame.metric == "consumed_records_per_s")]
        assert read.value.sum() == consumer


def test_intervals_are_tidy_and_know_their_phase_and_unit() -> None:
    stored = recorded("pair")
    frame = intervals_frame(stored)

    assert list(frame.columns) == ["interval_start_s", "phase", "source", "metric", "value", "unit"]
    assert not frame.drop(columns="phase").isna().any(axis=None)
    measured = frame[(frame.phase == "measure") & (frame.metric == "attempted_records_per_s")]
    measured = measured[measured.source == "producer/checkout"]
    measure = stored.result.phase("measure")
    assert measure is not None
    assert len(measured) == round(measure.end_s - measure.start_s)
    assert measured.interval_start_s.between(measure.start_s, measure.end_s, inclusive="left").all()
    assert set(frame.unit) <= {"µs", "records", "records/s", "bytes/s"}


def test_the_largest_lag_of_the_series_is_the_result_s() -> None:
    stored = recorded("fast")
    frame = intervals_frame(stored)
    lags = frame[(frame.source == "consumer/billing") & (frame.metric == "consumer_lag_records")]
    lag = stored.result.consumers["billing"].lag

    assert lag is not None
    assert lag.max in set(lags.value)


def test_metrics_are_the_result_s_figures_by_source() -> None:
    run = recorded("pair").result
    frame = metrics_frame(run)
    checkout, billing = run.producers["checkout"], run.consumers["billing"]
    assert billing.lag is not None

    for source, metric, expected in (
        ("producer/checkout", "publish_latency_us.p99", checkout.publish_latency_us.p99),
        ("producer/checkout", "throughput.records_per_s", checkout.throughput.records_per_s),
        ("producer/checkout", "stages.batching.share", checkout.stages[1].share),
        ("producer/checkout/worker-0", "cpu_s", checkout.workers[0].cpu_s),
        ("consumer/billing", "lag.max", billing.lag.max),
        ("consumer/billing/orders-1", "lag.max", billing.lag.by_partition["orders-1"].max),
        ("consumer/billing", "reconciliation.seen", run.reconciliation.groups["billing"].seen),
        ("consumer/billing", "reconciliation.consumed", run.reconciliation.consumed["billing"]),
        ("topic/orders", "log_end_growth", run.topics["orders"].log_end_growth),
        ("topic/orders", "partition_share.2", run.topics["orders"].partition_share[2]),
        ("run", "reconciliation.acked", run.reconciliation.acked),
        ("run", "duration_s", run.duration_s),
    ):
        assert figure(frame, source, metric) == expected, metric
    assert not frame.duplicated(["source", "metric"]).any()


def test_a_percentile_that_the_sample_does_not_support_is_nan_and_a_missing_part_has_no_rows() -> None:
    frame = metrics_frame(recorded("fast").result)

    assert pd.isna(figure(metrics_frame(result()), "producer/checkout", "publish_latency_us.p9999"))
    assert not frame.metric.str.startswith("send_delay_us").any()


def _documented_units() -> dict[str, str]:
    """The units that docs/measurement.md has for the figures of groups, topics and brokers."""
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|`]*) \|", MEASUREMENT, re.MULTILINE)
    units = {"records", "records/s", "bytes", "bytes/s", "µs", "ms", "s"}
    return {
        name.replace("[]", "").replace("<name>", "orders-0"): unit.strip()
        for cell, unit in rows
        for name in re.findall(r"`([^`]+)`", cell)
        if unit.strip() in units
    }


def test_every_unit_is_the_documented_one() -> None:
    documented = _documented_units()
    assert len(documented) > 40
    wrong = {name: unit for name, unit in documented.items() if unit_of(name) != unit}
    assert wrong == {}


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("publish_latency_us.count", "records"),
        ("publish_latency_us.missing", "records"),
        ("publish_latency_us.p99", "µs"),
        ("end_to_end_latency_p999_us", "µs"),
        ("partition_share.0", "ratio"),
        ("achieved_ratio", "ratio"),
        ("errors.MSG_TIMED_OUT", "count"),
        ("gc_count", "count"),
        ("fetch_consumer_requests_per_s", "requests/s"),
        ("messages_in_per_s", "records/s"),
        ("bytes_in_per_s", "bytes/s"),
        ("committed_lag_records", "records"),
        ("under_replicated_partitions", "count"),
        *((f"produce_{stage}_mean_ms", "ms") for stage in broker_readings.STAGES),
        *((f"send_delay_{statistic}_us", "µs") for statistic in series._SHOWN),
    ],
)
def test_a_figure_s_unit_is_told_from_its_name(metric: str, unit: str) -> None:
    assert unit_of(metric) == unit


def test_all_runs_are_rows_and_one_that_is_damaged_says_why(tmp_path: Path) -> None:
    pair, fast = copied("pair", tmp_path), copied("fast", tmp_path)
    (tmp_path / "20990101T000000-spoilt-aaaa").mkdir()
    (tmp_path / "20990101T000000-spoilt-aaaa" / "result.json").write_text("{")
    frame = runs_frame(tmp_path).set_index("name")

    assert list(runs_frame(tmp_path).columns) == [column.name for column in fields(RunRow)]
    assert frame.loc["pair", "run_id"] == pair.result.run_id
    assert frame.loc["pair", "started_at"] == pd.Timestamp(pair.result.started_at)
    rates = [each.throughput.records_per_s for each in pair.result.producers.values()]
    assert frame.loc["pair", "records_per_s"] == sum(rates)
    assert frame.loc["pair", "thresholds_failed"] == 1
    assert (
        frame.loc["fast", "publish_latency_p99_us"]
        == fast.result.producers["checkout"].publish_latency_us.p99
    )
    assert pd.isna(frame.loc["fast", "target_records_per_s"])
    assert frame.loc["fast", "kind"] == "kafka"
    assert "is damaged" in frame.problem.iloc[-1]
    assert frame.problem.notna().sum() == 1


def test_the_latency_of_several_groups_is_that_of_all_their_records(tmp_path: Path) -> None:
    copied("pair", tmp_path)
    row = runs_frame(tmp_path).iloc[0]
    merged = latency_histogram(recorded("pair"), "publish_latency")

    assert row.publish_latency_p50_us == merged.percentile_us(50)
    assert row.publish_latency_p99_us == merged.percentile_us(99)


def test_a_folder_without_runs_is_a_frame_without_rows_and_the_same_columns(tmp_path: Path) -> None:
    frame = runs_frame(tmp_path / "nothing")

    assert frame.empty
    assert "publish_latency_p99_us" in frame.columns
    assert str(frame.dtypes["started_at"]) == "datetime64[us, UTC]"


def test_rates_of_groups_are_added_and_cpu_is_weighted_by_records(tmp_path: Path) -> None:
    fast = producer().model_copy(update={"cpu_us_per_record": 1.0})
    slow_rate = fast.throughput.model_copy(update={"records_per_s": fast.throughput.records_per_s / 3})
    slow = fast.model_copy(update={"cpu_us_per_record": 5.0, "throughput": slow_rate})
    save(result(producers={"fast": fast, "slow": slow}), Artifacts(), tmp_path)

    # Their percentiles can't be told without histograms, of which this run has none.
    row = runs_frame(tmp_path).iloc[0]
    assert row.cpu_us_per_record_sent == pytest.approx((3 * 1.0 + 5.0) / 4)
    assert row.records_per_s == pytest.approx(fast.throughput.records_per_s * 4 / 3)
    assert pd.isna(row.publish_latency_p99_us)


def test_cpu_time_is_not_known_where_that_of_a_group_is_not(tmp_path: Path) -> None:
    fast = producer().model_copy(update={"cpu_us_per_record": 1.0})
    died = fast.model_copy(update={"cpu_us_per_record": None})
    save(result(producers={"fast": fast, "died": died}), Artifacts(), tmp_path)
    assert pd.isna(runs_frame(tmp_path).iloc[0].cpu_us_per_record_sent)


def test_each_column_has_its_type_whatever_a_run_lacks(tmp_path: Path) -> None:
    copied("fast", tmp_path)
    whole = runs_frame(tmp_path).dtypes
    (tmp_path / "20990101T000000-spoilt-aaaa").mkdir()
    (tmp_path / "20990101T000000-spoilt-aaaa" / "result.json").write_text("{")
    frame = runs_frame(tmp_path)

    assert frame.dtypes.to_dict() == {**whole, "problem": frame.dtypes["problem"]}
    assert frame.dtypes["target_records_per_s"] == "float64"  # of this run, at the maximum, and of no other
    assert len(frame[~frame.cut_short]) == 1
    assert len(frame.query("saturated")) == int(recorded("fast").result.verdict.saturated)


def test_whole_numbers_stay_whole_beside_a_run_that_has_none(tmp_path: Path) -> None:
    """As floats, seeds of 63 bits would lose their last digits."""
    save(result(seed=7_764_949_442_709_860_949), Artifacts(), tmp_path)
    (tmp_path / "20990101T000000-spoilt-aaaa").mkdir()
    (tmp_path / "20990101T000000-spoilt-aaaa" / "result.json").write_text("{")

    assert runs_frame(tmp_path).seed.tolist() == [7_764_949_442_709_860_949, pd.NA]

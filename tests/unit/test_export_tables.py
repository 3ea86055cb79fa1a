from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from export_samples import MEASURE_END_S, WARMUP_S, Known, known, store
from pyarrow.dataset import dataset
from result_samples import RUN_ID

from loadlab.analysis.export import export_run
from loadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadlab.results.reader import StoredRun

COLUMNS = {
    "metrics": ["run_id", "source", "metric", "value", "unit"],
    "intervals": ["run_id", "interval_start_s", "phase", "source", "metric", "value", "unit"],
    "histograms": ["run_id", "source", "metric", "from_us", "to_us", "count"],
    "interval_histograms": ["run_id", "interval_start_s", "source", "metric", "from_us", "to_us", "count"],
}
READERS: dict[str, Callable[[io.BytesIO], pd.DataFrame]] = {"csv": pd.read_csv, "parquet": pd.read_parquet}


@pytest.fixture(scope="module")
def durations() -> Known:
    return known()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, durations: Known) -> StoredRun:
    return store(tmp_path_factory.mktemp("results"), durations)


@pytest.fixture(scope="module", params=list(READERS))
def tables(request: pytest.FixtureRequest, stored: StoredRun) -> dict[str, pd.DataFrame]:
    """The tables as they are read back."""
    contents = export_run(stored, str(request.param)).contents
    read = READERS[request.param]
    return {name.removesuffix(f".{request.param}"): read(io.BytesIO(text)) for name, text in contents.items()}


def test_every_table_names_its_run_first(tables: dict[str, pd.DataFrame]) -> None:
    columns = {name: list(frame.columns) for name, frame in tables.items() if name != "run"}
    assert columns == {name: expected for name, expected in COLUMNS.items() if name in columns}
    assert COLUMNS.keys() - columns.keys() <= {"interval_histograms"}
    assert all(set(frame["run_id"]) == {RUN_ID} for frame in tables.values())


def test_the_run_is_one_row(tables: dict[str, pd.DataFrame], stored: StoredRun) -> None:
    (row,) = tables["run"].to_dict("records")

    assert (row["name"], row["verdict"], row["provider"]) == ("quickstart", "valid", "docker")
    assert row["publish_latency_p99_us"] == stored.result.producers["checkout"].publish_latency_us.p99
    assert pd.Timestamp(row["started_at"]) == stored.result.started_at


def test_runs_that_lack_something_stand_below_others(tmp_path: Path, stored: StoredRun) -> None:
    """Parquet's own types are as strict as a database's."""
    bare = stored.result.model_copy(update={"consumers": {}, "run_id": f"{RUN_ID[:-4]}zzzz"})
    without = replace(stored, result=bare)
    for name, run in (("one", without), ("two", stored)):
        (tmp_path / f"{name}.parquet").write_bytes(export_run(run, "parquet").contents["run.parquet"])

    both = dataset([str(tmp_path / "one.parquet"), str(tmp_path / "two.parquet")]).to_table().to_pandas()
    assert both.run_id.tolist() == [bare.run_id, RUN_ID]
    assert both.consumed_records_per_s.isna().tolist() == [True, False]


def test_figures_are_those_of_the_result(tables: dict[str, pd.DataFrame], stored: StoredRun) -> None:
    told = tables["metrics"].set_index(["source", "metric"])["value"]
    document = json.loads((stored.path / "result.json").read_text())

    producer = document["producers"]["checkout"]
    assert told["producer/checkout", "throughput.records_per_s"] == producer["throughput"]["records_per_s"]
    assert told["producer/checkout", "publish_latency_us.p999"] == producer["publish_latency_us"]["p999"]
    assert pd.isna(told["producer/checkout", "publish_latency_us.p9999"]) == (
        producer["publish_latency_us"]["p9999"] is None
    )


def test_the_series_comes_back_row_by_row(tables: dict[str, pd.DataFrame], stored: StoredRun) -> None:
    given = pd.read_parquet(stored.path / "intervals.parquet")
    told = tables["intervals"]

    assert len(told) == len(given)
    assert (told["value"] == given["value"]).all()
    assert (told["metric"].astype(str) == given["metric"]).all()
    assert set(told.loc[told["interval_start_s"] == 5.0, "phase"].astype(str)) == {"measure"}


def test_the_buckets_hold_every_sample(tables: dict[str, pd.DataFrame], durations: Known) -> None:
    buckets = tables["histograms"].query("source == 'consumer/billing' and metric == 'end_to_end_latency'")
    samples_us = (
        durations.between("consumer/billing", "end_to_end_latency_us", WARMUP_S, MEASURE_END_S) / 1_000
    )

    assert buckets["count"].sum() == len(samples_us)
    assert (buckets["count"] > 0).all()
    first = buckets.iloc[0]
    assert ((samples_us >= first["from_us"]) & (samples_us < first["to_us"])).sum() == first["count"]


def test_the_buckets_of_a_second_hold_its_samples(stored: StoredRun, durations: Known) -> None:
    table = pd.read_parquet(io.BytesIO(export_run(stored, "parquet").contents["interval_histograms.parquet"]))
    second = table.query("interval_start_s == 7 and metric == 'publish_latency'")

    samples = durations.seconds["producer/checkout", "publish_latency_us"][7]
    assert second["count"].sum() == len(samples)
    assert second["from_us"].min() <= samples.min() / 1_000 <= second["to_us"].min()


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, durations: Known) -> None:
    stored = store(tmp_path, durations)
    intervals = stored.path / "intervals.parquet"
    intervals.chmod(0o644)
    intervals.write_bytes(intervals.read_bytes()[:200])

    with pytest.raises(UsageError, match=r"intervals\.parquet is damaged") as caught:
        export_run(stored, "csv")
    assert "\n" not in caught.value.message

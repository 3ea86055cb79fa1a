from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from export_samples import DRAIN_END_S, MEASURE_END_S, WARMUP_S, Known, known, store
from openmetrics_reader import Read, read_openmetrics
from result_samples import RUN_ID
from test_live_metrics import PROGRESS

from loadlab.analysis.export import export_run
from loadlab.results.model import Threshold
from loadlab.run.live_metrics import live_text

START = datetime(2026, 11, 23, 16, 15, 4, 500_000, tzinfo=UTC).timestamp()
"""The beginning of the run, and 4.5 s until the common start."""
RUN = {"run_id": RUN_ID, "scenario": "quickstart"}
HELD = Threshold(expression='publish_latency: "p99 < 50ms"', passed=True)
FAILED = Threshold(expression="consumer_lag: final == 0", passed=False)


@pytest.fixture(scope="module")
def durations() -> Known:
    return known()


@pytest.fixture
def text(tmp_path: Path, durations: Known) -> str:
    stored = store(tmp_path, durations, thresholds=(HELD, FAILED))
    return export_run(stored, "openmetrics").contents[""].decode()


def over_time(read: Read, wanted: str, **labels: str) -> dict[float, float]:
    """Values by seconds since the common start."""
    chosen = tuple(sorted({**RUN, **labels}.items()))
    return {
        round(at - START, 3): value
        for name, found, value, at in read.samples
        if (name, found) == (wanted, chosen) and at is not None
    }


def test_every_sample_has_its_time(text: str) -> None:
    times = [at for *_, at in read_openmetrics(text).samples]

    assert all(at is not None and START <= at <= START + DRAIN_END_S for at in times)


def test_series_have_the_names_types_and_labels_of_the_endpoint_s_metrics(text: str) -> None:
    stored, live = read_openmetrics(text), read_openmetrics(live_text(PROGRESS))
    series = {name for name in stored.kinds if not name.startswith("loadlab_run_")}

    assert series <= set(live.kinds)
    assert {name: stored.kinds[name] for name in series} == {name: live.kinds[name] for name in series}
    assert {(name, tuple(dict(labels))) for name, labels, *_ in stored.samples if name in series} <= {
        (name, tuple(dict(labels))) for name, labels, *_ in live.samples
    }


def test_rates_stand_at_the_end_of_their_second(text: str) -> None:
    read = read_openmetrics(text)

    sent = over_time(read, "loadlab_sent_records_per_second")
    assert list(sent) == [float(second + 1) for second in range(DRAIN_END_S)]
    assert sent[6.0] == 1_500
    assert over_time(read, "loadlab_acked_records_per_second")[6.0] == 1_350
    assert over_time(read, "loadlab_consumed_records_per_second")[6.0] == 1_300
    assert over_time(read, "loadlab_consumer_lag_records")[5.01] == 250


def test_the_target_is_that_of_the_schedule_until_the_measure_phase_ends(
    tmp_path: Path, durations: Known
) -> None:
    asking = {"producers": {"checkout": {"schedule": {"rate": "1k/s"}, "records": {"size": "1KiB"}}}}
    read = read_openmetrics(
        export_run(store(tmp_path, durations, scenario=asking), "openmetrics").contents[""].decode()
    )

    target = over_time(read, "loadlab_target_records_per_second")
    assert list(target.values()) == [1_000.0] * MEASURE_END_S + [0.0] * (DRAIN_END_S - MEASURE_END_S)


def test_quantiles_are_those_of_the_second_s_samples_in_seconds(text: str, durations: Known) -> None:
    told = over_time(read_openmetrics(text), "loadlab_publish_latency_seconds", quantile="0.99")

    assert len(told) == DRAIN_END_S
    samples = durations.seconds["producer/checkout", "publish_latency_us"][7]
    assert told[8.0] == pytest.approx(np.quantile(samples, 0.99, method="inverted_cdf") / 1e9, rel=0.005)


def test_a_quantile_that_too_few_samples_support_is_left_out(tmp_path: Path) -> None:
    stored = store(tmp_path, known(samples=100))
    read = read_openmetrics(export_run(stored, "openmetrics").contents[""].decode())

    assert len(over_time(read, "loadlab_publish_latency_seconds", quantile="0.5")) == DRAIN_END_S
    assert over_time(read, "loadlab_publish_latency_seconds", quantile="0.99") == {}


def test_the_phase_is_told_for_every_second(text: str) -> None:
    measure = over_time(read_openmetrics(text), "loadlab_phase", loadlab_phase="measure")

    assert [at for at, value in measure.items() if value] == [
        float(second + 1) for second in range(WARMUP_S, MEASURE_END_S)
    ]


def test_the_times_of_a_family_never_go_back(text: str) -> None:
    """The states of one moment stand together, as OpenMetrics 1.0 wants of a state set."""
    times = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("loadlab_phase{")]
    assert len(times) > DRAIN_END_S
    assert times == sorted(times)


def test_the_phase_of_a_run_that_only_reads_is_told_for_every_second(
    tmp_path: Path, durations: Known
) -> None:
    stored = store(tmp_path, durations, producers={})
    measure = over_time(
        read_openmetrics(export_run(stored, "openmetrics").contents[""].decode()),
        "loadlab_phase",
        loadlab_phase="measure",
    )
    assert len(measure) == DRAIN_END_S


def test_what_the_run_came_to_stands_at_the_end_of_its_measure_phase(text: str, durations: Known) -> None:
    read = read_openmetrics(text)
    latency = durations.between("producer/checkout", "publish_latency_us", WARMUP_S, MEASURE_END_S)
    end = float(MEASURE_END_S)

    def at_end(name: str, **labels: str) -> float:
        return over_time(read, name, **labels)[end]

    assert at_end("loadlab_run_verdict", loadlab_run_verdict="valid") == 1
    assert at_end("loadlab_run_verdict", loadlab_run_verdict="invalid") == 0
    assert at_end("loadlab_run_threshold_passed", expression=HELD.expression) == 1
    assert at_end("loadlab_run_threshold_passed", expression=FAILED.expression) == 0
    assert at_end("loadlab_run_publish_latency_seconds_count", producer="checkout") == len(latency)
    total = at_end("loadlab_run_publish_latency_seconds_sum", producer="checkout")
    assert total == pytest.approx(latency.sum() / 1e9, rel=1e-5)
    p999 = at_end("loadlab_run_publish_latency_seconds", producer="checkout", quantile="0.999")
    assert p999 == pytest.approx(np.quantile(latency, 0.999) / 1e9, rel=0.02)
    assert at_end("loadlab_run_throughput_records_per_second", consumer="billing") == 19_998.4
    assert at_end("loadlab_run_sent_records", producer="checkout", outcome="acked") == 600_000
    assert at_end("loadlab_run_consumer_lag_max_records", consumer="billing") == 1_203
    assert at_end("loadlab_run_wrong_records", outcome="lost") == 0


def test_prometheus_loads_it_into_its_store_and_gives_it_back(text: str, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    promtool = shutil.which("promtool", path=path)
    if promtool is None:
        pytest.skip("needs promtool")
    source = tmp_path / "run.txt"
    source.write_text(text)
    load = [promtool, "tsdb", "create-blocks-from", "openmetrics", source, tmp_path / "store"]
    subprocess.run(load, check=True, capture_output=True, timeout=60)
    (tmp_path / "store" / "wal").mkdir()  # a server's store has one, and the dump asks for it
    dump = [promtool, "tsdb", "dump", tmp_path / "store"]
    dumped = subprocess.run(dump, check=True, capture_output=True, text=True, timeout=60).stdout

    row = re.compile(r'\{__name__="([^"]+)", (.*)\} (\S+) (\d+)')
    given = {
        (found[1], found[2].replace(", ", ","), float(found[3]), int(found[4]))
        for line in dumped.splitlines()
        if (found := row.fullmatch(line))
    }
    assert given == {
        (name, ",".join(f'{key}="{label}"' for key, label in labels), value, round(at * 1_000))
        for name, labels, value, at in _plain(read_openmetrics(text))
    }


def _plain(read: Read) -> list[tuple[str, tuple[tuple[str, str], ...], float, float]]:
    """The samples, with labels quoted as promtool prints them."""
    return [
        (name, tuple((key, label.replace('"', '\\"')) for key, label in labels), value, at)
        for name, labels, value, at in read.samples
        if at is not None
    ]

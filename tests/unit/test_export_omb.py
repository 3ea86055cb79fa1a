from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from export_samples import MEASURE_END_S, WARMUP_S, Known, known, store
from result_samples import RUN_ID, producer, result

from loadlab.analysis.export import export_run
from loadlab.analysis.omb_result import load_omb
from loadlab.errors import UsageError
from loadlab.results.artifacts import INTERVAL_HISTOGRAMS_FILE, Artifacts
from loadlab.results.model import Phase
from loadlab.results.store import save

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.reader import StoredRun

STATISTICS = ("Avg", "50pct", "75pct", "95pct", "99pct", "999pct", "9999pct", "Max")
LATENCIES = ("publishLatency", "publishDelayLatency", "endToEndLatency")
PLAIN = {"workload": str, "driver": str} | dict.fromkeys(
    ("messageSize", "topics", "partitions", "producersPerTopic", "consumersPerTopic"), int
)
LISTS = {"publishRate": float, "publishErrorRate": float, "consumeRate": float, "backlog": int}
WINDOWS = [(WARMUP_S, 12), (12, 22)]


@pytest.fixture(scope="module")
def durations() -> Known:
    return known()


@pytest.fixture
def document(tmp_path: Path, durations: Known) -> dict[str, object]:
    return exported(store(tmp_path, durations))


def exported(stored: StoredRun) -> dict[str, object]:
    return json.loads(export_run(stored, "omb").contents[""])


def aggregated(latency: str) -> str:
    return f"aggregated{latency[0].upper()}{latency[1:]}"


def test_the_fields_are_those_of_omb_s_test_result_and_no_others(document: dict[str, object]) -> None:
    # ResultsToCsv reads the file by Jackson, which refuses a field that TestResult doesn't have.
    expected = {*PLAIN, *LISTS}
    for latency in LATENCIES:
        expected |= {f"{latency}{statistic}" for statistic in STATISTICS}
        expected |= {f"{aggregated(latency)}{statistic}" for statistic in (*STATISTICS, "Quantiles")}
    assert set(document) == expected


def test_each_field_has_the_type_that_omb_gives_it(document: dict[str, object]) -> None:
    for name, kind in PLAIN.items():
        assert isinstance(document[name], kind), name
    lists = dict(LISTS)
    for latency in LATENCIES:
        for statistic in STATISTICS:
            kind = int if latency == "publishDelayLatency" and statistic != "Avg" else float
            assert isinstance(document[f"{aggregated(latency)}{statistic}"], kind)
            lists[f"{latency}{statistic}"] = kind
    for name, kind in lists.items():
        assert [type(value) for value in document[name]] == [kind] * 2, name


def test_the_workload_is_told(document: dict[str, object]) -> None:
    assert {name: document[name] for name in PLAIN} == {
        "workload": "quickstart",
        "driver": "Kafka 4.3.1 (loadlab k3f9)",
        "messageSize": 1_024,
        "topics": 1,
        "partitions": 1,
        "producersPerTopic": 1,
        "consumersPerTopic": 1,
    }


def test_a_list_holds_a_value_for_each_ten_seconds_of_the_measure_phase(document: dict[str, object]) -> None:
    sent = [np.mean([1_000 + 100 * second for second in range(*window)]) for window in WINDOWS]

    assert document["publishRate"] == pytest.approx([0.9 * rate for rate in sent])
    assert document["publishErrorRate"] == pytest.approx([0.1 * rate for rate in sent])
    assert document["consumeRate"] == pytest.approx([0.9 * rate - 50 for rate in sent])
    assert document["backlog"] == [60 * end for _, end in WINDOWS]


@pytest.mark.parametrize(
    ("latency", "key", "unit_ns"),
    [
        ("publishLatency", ("producer/checkout", "service_time_us"), 1e6),
        ("publishDelayLatency", ("producer/checkout", "send_delay_us"), 1e3),
        ("endToEndLatency", ("consumer/billing", "end_to_end_latency_us"), 1e6),
    ],
)
def test_latencies_are_those_of_the_window_s_samples_in_omb_s_unit(
    document: dict[str, object], durations: Known, latency: str, key: tuple[str, str], unit_ns: float
) -> None:
    for place, window in enumerate(WINDOWS):
        samples = np.sort(durations.between(*key, *window)) / unit_ns
        for name, percentile in (("50pct", 50), ("99pct", 99), ("999pct", 99.9), ("Max", 100)):
            exact = samples[math.ceil(len(samples) * percentile / 100) - 1]
            assert document[f"{latency}{name}"][place] == pytest.approx(exact, rel=0.008, abs=0.5e3 / unit_ns)
        assert document[f"{latency}Avg"][place] == pytest.approx(samples.mean(), rel=0.005)

    whole = durations.between(*key, WARMUP_S, MEASURE_END_S) / unit_ns
    assert document[f"{aggregated(latency)}Max"] == pytest.approx(whole.max(), abs=0.5e3 / unit_ns)
    assert document[f"{aggregated(latency)}Avg"] == pytest.approx(whole.mean(), rel=2e-5)


def test_quantiles_rise_to_100_percent_and_agree_with_the_percentiles(document: dict[str, object]) -> None:
    for latency in LATENCIES:
        quantiles = document[f"{aggregated(latency)}Quantiles"]
        levels = [float(level) for level in quantiles]
        assert levels == sorted(levels)
        # As OMB has it: the share of samples that are no slower.
        assert 0.0 < levels[0] < levels[-1] == 100.0
        assert list(quantiles.values()) == sorted(quantiles.values())
        rounded = 1 if latency == "publishDelayLatency" else 0
        median = document[f"{aggregated(latency)}50pct"]
        of_half = next(value for level, value in quantiles.items() if float(level) >= 50.0)
        assert of_half == pytest.approx(median, rel=0.003, abs=rounded)


def test_omb_s_chart_script_can_draw_it(document: dict[str, object]) -> None:
    # What bin/create_charts.py does with the fields that it reads.
    for name in ("publishLatency99pct", "publishDelayLatency99pct", "endToEndLatency95pct", "consumeRate"):
        assert max(document[name]) * 1.20 > 0
    for latency in LATENCIES:
        values = sorted((float(x), y) for x, y in document[f"{aggregated(latency)}Quantiles"].items())
        points = [(math.log10(100 / (100 - x)), y) for x, y in values if x <= 99.999]
        assert len(points) > 100


def test_a_comparison_reads_the_figures_of_the_run_back(tmp_path: Path, durations: Known) -> None:
    stored = store(tmp_path, durations)
    file = tmp_path / "run.omb.json"
    file.write_bytes(export_run(stored, "omb").contents[""])
    side = load_omb("A", str(file))

    assert side is not None
    read = {headline.path: value for headline, value in side.runs[0].values.items()}
    producer = stored.result.producers["checkout"]
    assert producer.send_delay_us is not None
    assert read["service_time_us.p50"] == pytest.approx(producer.service_time_us.p50)
    assert read["service_time_us.p99"] == pytest.approx(producer.service_time_us.p99)
    assert read["send_delay_us.p99"] == pytest.approx(producer.send_delay_us.p99, abs=0.5)
    assert read["throughput.records_per_s"] == pytest.approx(0.9 * np.mean([1_650, 2_650]))


def test_a_run_that_lost_its_histograms_is_not_exported_as_one_without_latency(
    tmp_path: Path, durations: Known
) -> None:
    stored = store(tmp_path, durations)
    (stored.path / "histograms.npz").unlink()
    for form in ("omb", "csv", "hlog"):
        with pytest.raises(UsageError, match=r"holds no .*histograms"):
            export_run(stored, form)  # type: ignore[arg-type]


def test_seconds_that_make_no_whole_window_are_told(tmp_path: Path, durations: Known) -> None:
    # Readers take the mean of a list as if all its values were of 10 s.
    notes = export_run(store(tmp_path, durations), "omb").notes

    assert notes == ("lists are by 10 s: the last 5 s stand in the aggregated fields only",)


def test_a_delay_of_some_producers_is_told_to_be_so(tmp_path: Path, durations: Known) -> None:
    stored = store(tmp_path, durations)
    at_max = producer().model_copy(update={"send_delay_us": None})
    both = {**stored.result.producers, "flat": at_max}
    mixed = replace(stored, result=stored.result.model_copy(update={"producers": both}))
    told = "publishDelayLatency is of checkout alone: at rate max (flat) no record is due"
    assert told in export_run(mixed, "omb").notes


def test_a_shorter_phase_is_one_value_and_told(tmp_path: Path, durations: Known) -> None:
    stored = store(tmp_path, durations, phases=(Phase(name="measure", start_s=2.0, end_s=9.5),))

    assert exported(stored)["publishRate"] == [pytest.approx(0.9 * 1_500)]
    assert export_run(stored, "omb").notes == ("the one value of each list is of 7 s, not 10 s",)


def test_a_latency_that_was_not_measured_is_0_as_in_omb_and_told(tmp_path: Path, durations: Known) -> None:
    stored = store(tmp_path, durations, consumers={})
    told = export_run(stored, "omb")

    assert exported(stored)["endToEndLatency99pct"] == [0.0, 0.0]
    assert exported(stored)["aggregatedEndToEndLatencyQuantiles"] == {}
    assert "endToEndLatency is 0 where there was no sample" in told.notes[0]


def test_sizes_that_differ_are_told_by_their_mean(tmp_path: Path, durations: Known) -> None:
    drawn = {"producers": {"checkout": {"records": {"size": {"uniform": {"min": "1KiB", "max": "2KiB"}}}}}}

    assert exported(store(tmp_path, durations, scenario=drawn))["messageSize"] == 1_024


def test_a_run_without_a_whole_second_is_refused(tmp_path: Path, durations: Known) -> None:
    phases = (Phase(name="measure", start_s=2.0, end_s=2.9),)
    with pytest.raises(UsageError, match=f"{RUN_ID} measured for less than a second"):
        export_run(store(tmp_path, durations, phases=phases), "omb")


def test_percentiles_over_time_are_not_made_of_those_of_seconds(tmp_path: Path, durations: Known) -> None:
    stored = store(tmp_path, durations)
    (stored.path / INTERVAL_HISTOGRAMS_FILE).unlink()

    with pytest.raises(UsageError, match="no histograms of its intervals"):
        export_run(stored, "omb")


def test_a_run_that_measured_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no latency"):
        export_run(save(result(producers={}, consumers={}), Artifacts(), tmp_path), "hgrm")

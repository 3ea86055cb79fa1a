"""Results of OpenMessaging Benchmark as a side of a comparison."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from result_samples import producer, result

from loadlab.cli.main import cli
from loadlab.results.artifacts import Artifacts
from loadlab.results.model import ClusterUsed, Reason, Verdict
from loadlab.results.store import save

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def omb(rate: float = 20_000.0, p99_ms: float = 4.0) -> dict[str, object]:
    """The fields that are read, in the form of OMB's file: three periods of 10 s."""
    return {
        "workload": "1 topic",
        "driver": "Kafka",
        "messageSize": 1024,
        "topics": 1,
        "partitions": 6,
        "producersPerTopic": 1,
        "consumersPerTopic": 1,
        "publishRate": [rate - 300, rate, rate + 300],
        "consumeRate": [rate, rate, rate],
        "aggregatedPublishLatency50pct": 1.5,
        "aggregatedPublishLatency99pct": p99_ms,
        "aggregatedPublishDelayLatency99pct": 120,
        "aggregatedPublishLatencyQuantiles": {"99.0": p99_ms},
        "endToEndLatency99pct": [3.0, 3.0, 3.0],
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "omb.json").write_text(json.dumps(omb()))
    save(result(run_id="20261123T100000-ours-aaaa"), Artifacts(), tmp_path / "results")
    return tmp_path


def compared(place: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *arguments, "--results-dir", str(place / "results")])


def rows(done: Result) -> dict[str, tuple[float, float, float]]:
    assert done.exit_code == 0, done.stderr
    return {
        row["label"]: (row["baseline"]["figure"], row["contender"]["figure"], row["ratio"])
        for row in json.loads(done.stdout)["rows"]
    }


def test_it_is_refused_until_it_is_allowed(place: Path) -> None:
    done = compared(place, str(place / "omb.json"), "aaaa")
    assert done.exit_code == 2
    assert "tool: A was measured by OpenMessaging Benchmark" in done.stderr
    assert "--allow tool" in done.stderr


def test_what_is_allowed_of_our_own_runs_is_told(place: Path) -> None:
    late = Reason(code="generator_limited", message="late", fix=None, severity="invalid")
    invalid = Verdict(status="invalid", reasons=(late,))
    save(result(run_id="20261123T100000-ours-cccc", verdict=invalid), Artifacts(), place / "results")
    asked = (str(place / "omb.json"), "cccc", "--allow", "tool")
    assert "invalid: B" in compared(place, *asked).stderr
    done = compared(place, *asked, "--allow", "invalid")
    assert done.exit_code == 0
    assert "compared although B" in done.stdout
    assert "is invalid: generator_limited" in done.stdout


def test_a_file_of_another_kind_is_told_to_be_none_of_omb_s(place: Path) -> None:
    (place / "export.omb").write_text("{}")
    done = compared(place, str(place / "export.omb"), "aaaa", "--allow", "tool")
    assert done.exit_code == 2
    assert "export.omb is a file, and no .json" in done.stderr


def test_a_mock_is_known_by_what_loadlab_exported_of_it(place: Path) -> None:
    document = {**omb(), "driver": "librdkafka mock (loadlab k3f9)"}
    (place / "mock.json").write_text(json.dumps(document))
    done = compared(place, str(place / "mock.json"), "aaaa", "--allow", "tool")
    assert done.exit_code == 2
    assert "never: A was measured with a mock broker" in done.stderr


def test_what_loadlab_exported_is_not_said_to_be_omb_s(place: Path) -> None:
    document = {**omb(), "driver": "Kafka 4.3.1 (loadlab k3f9)"}
    (place / "own.json").write_text(json.dumps(document))
    refused = compared(place, str(place / "own.json"), "aaaa")
    assert "tool: A is an export of loadlab's to OpenMessaging Benchmark's form" in refused.stderr


def test_a_file_is_not_compared_with_itself(place: Path) -> None:
    (place / "also.json").symlink_to(place / "omb.json")
    asked = (str(place / "omb.json"), str(place / "also.json"), "--allow", "tool")
    done = compared(place, *asked)
    assert done.exit_code == 2
    assert "same-run: both have omb.json" in done.stderr
    assert compared(place, *asked, "--allow", "same-run").exit_code == 0


def test_a_mock_is_never_compared_with_it(place: Path) -> None:
    mock = ClusterUsed(provider="embedded", kind="mock", brokers=1)
    save(result(run_id="20261123T100000-mock-bbbb", cluster=mock), Artifacts(), place / "results")
    done = compared(place, str(place / "omb.json"), "bbbb", "--allow", "tool")
    assert done.exit_code == 2
    assert "never: B was measured with a mock broker" in done.stderr


@pytest.mark.parametrize("allowed", [[], ["--allow", "tool"]])
def test_a_result_of_our_own_under_another_name_is_told_to_be_one(place: Path, allowed: list[str]) -> None:
    run_id = "20261123T100000-ours-aaaa"
    stored = place / "results" / run_id / "result.json"
    (place / "before.json").write_text(stored.read_text())

    done = compared(place, str(place / "before.json"), "aaaa", *allowed)

    assert done.exit_code == 2
    assert "before.json is loadlab's own" in done.stderr
    assert f"name the run, {run_id}, its folder" in done.stderr


def test_publish_latency_is_compared_with_service_time_and_delay_with_send_delay(place: Path) -> None:
    found = rows(compared(place, str(place / "omb.json"), "aaaa", "--allow", "tool", "--format", "json"))
    ours = producer()
    assert ours.send_delay_us is not None
    expected = {
        "throughput": (20_000.0, ours.throughput.records_per_s),
        "service p99": (4_000.0, ours.service_time_us.p99),
        "service p50": (1_500.0, ours.service_time_us.p50),
        "send delay p99": (120.0, ours.send_delay_us.p99),
    }
    assert {label: found[label][:2] for label in expected} == {
        label: pytest.approx(sides) for label, sides in expected.items()
    }
    assert not any("end to end" in label for label in found)


def test_what_is_not_compared_is_said(place: Path) -> None:
    told = compared(place, "aaaa", str(place / "omb.json"), "--allow", "tool").stdout
    assert "not compared: end-to-end latency" in told
    assert 'B: OMB workload "1 topic", topics 1, partitions 6, messageSize 1024' in told
    assert "No interval can be made" in told


def test_a_folder_of_results_is_a_side_with_intervals(place: Path) -> None:
    for name, p99_ms in (("slow", 8.0), ("fast", 2.0)):
        (place / name).mkdir()
        for number in range(6):
            (place / name / f"{number}.json").write_text(json.dumps(omb(p99_ms=p99_ms + number / 100)))
    done = compared(place, str(place / "slow"), str(place / "fast"), "--allow", "tool", "--format", "json")
    assert rows(done)["service p99"][2] == pytest.approx(0.25, abs=0.01)
    found = {row["label"]: row["finding"] for row in json.loads(done.stdout)["rows"]}
    assert found["service p99"] == "lower"


def test_percentiles_of_several_producers_are_not_made_into_one(place: Path) -> None:
    both = {"web": producer(), "app": producer()}
    save(result(run_id="20261123T100000-ours-bbbb", producers=both), Artifacts(), place / "results")
    done = compared(place, str(place / "omb.json"), "bbbb", "--allow", "tool", "--format", "json")
    assert set(rows(done)) <= {"throughput", "consumed"}
    assert rows(done)["throughput"][1] == pytest.approx(2 * producer().throughput.records_per_s)
    assert any("several producers" in remark for remark in json.loads(done.stdout)["remarks"])


@pytest.mark.parametrize("rates", ["[NaN]", "[-5.0]", "[1.0, Infinity]"])
def test_what_no_benchmark_measures_is_refused(place: Path, rates: str) -> None:
    text = json.dumps({**omb(), "publishRate": []}).replace('"publishRate": []', f'"publishRate": {rates}')
    (place / "odd.json").write_text(text)
    done = compared(place, str(place / "odd.json"), "aaaa", "--allow", "tool")
    assert done.exit_code == 2
    assert "which OpenMessaging Benchmark never measures" in done.stderr


@pytest.mark.parametrize("text", ["", "[1]", '{"publishRate": []}', "\x00", "[" * 200_000])
def test_another_file_is_refused(place: Path, text: str) -> None:
    (place / "other.json").write_text(text)
    done = compared(place, str(place / "other.json"), "aaaa", "--allow", "tool")
    assert done.exit_code == 2
    assert "other.json" in done.stderr


def test_pairs_are_for_our_own_runs(place: Path) -> None:
    done = compared(place, str(place / "omb.json"), "aaaa", "--allow", "tool", "--paired")
    assert done.exit_code == 2

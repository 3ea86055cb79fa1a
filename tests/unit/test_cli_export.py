from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from export_samples import known, store
from result_samples import RUN_ID, consumer

from loadlab.cli.main import cli
from loadlab.results.model import Reason, Verdict


def called(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store(tmp_path / "results", known(100))
    return tmp_path / "results"


def test_a_file_is_named_after_the_run_unless_a_name_is_given(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = called("k3f9", "--format", "omb", "--results-dir", results)

    assert (told.exit_code, told.stdout) == (0, f"{RUN_ID}.omb.json\n")
    assert json.loads(Path(f"{RUN_ID}.omb.json").read_text())["workload"] == "quickstart"
    assert (
        called("k3f9", "--format", "omb", "--results-dir", results, "--output", "a.json").stdout == "a.json\n"
    )


def test_several_files_get_a_folder(results: Path, tmp_path: Path) -> None:
    told = called("k3f9", "--format", "hgrm", "--results-dir", results, "--output", tmp_path / "hgrm")

    assert {Path(line).name for line in told.stdout.splitlines()} == {
        "producer-checkout-send_delay.hgrm",
        "producer-checkout-service_time.hgrm",
        "producer-checkout-publish_latency.hgrm",
        "consumer-billing-end_to_end_latency.hgrm",
    }
    assert len(list((tmp_path / "hgrm").iterdir())) == 4


def test_a_single_file_may_go_to_stdout(results: Path) -> None:
    told = called("k3f9", "--format", "omb", "--results-dir", results, "--output", "-")

    assert json.loads(told.stdout)["workload"] == "quickstart"


def test_several_files_may_not_go_to_stdout(results: Path) -> None:
    told = called("k3f9", "--format", "hgrm", "--results-dir", results, "--output", "-")

    assert told.exit_code == 2
    assert "hgrm is several files" in told.stderr


def test_a_file_that_exists_is_refused_unless_forced(results: Path, tmp_path: Path) -> None:
    arguments = ("k3f9", "--format", "omb", "--results-dir", results, "--output", tmp_path / "a.json")
    called(*arguments)
    refused = called(*arguments)

    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[-2:] == [
        f"error: {tmp_path / 'a.json'} exists already",
        "fix: name another by --output, or give --force",
    ]
    assert called(*arguments, "--force").exit_code == 0


def test_a_run_that_does_not_exist_gets_the_nearest_name(results: Path) -> None:
    told = called(f"{RUN_ID[:-1]}8", "--format", "omb", "--results-dir", results)

    assert told.exit_code == 2
    assert f"did you mean {RUN_ID}" in told.stderr


def test_records_that_never_came_are_told_where_the_format_knows_only_those_that_did(tmp_path: Path) -> None:
    block = consumer().end_to_end_latency_us
    assert block is not None
    stuck = block.model_copy(update={"count": 1_778, "missing": 1_822})
    store(
        tmp_path,
        known(100),
        consumers={"billing": consumer().model_copy(update={"end_to_end_latency_us": stuck})},
    )
    told = called("k3f9", "--format", "omb", "--results-dir", tmp_path, "--output", "-")

    lacks = "end_to_end_latency of billing lacks 1,822 of 3,600 records, which never came through"
    assert f"note: {lacks}" in told.stderr


def test_what_a_run_is_worth_is_told_where_the_format_cannot(tmp_path: Path) -> None:
    reason = Reason(code="generator_limited", message="behind", severity="invalid")
    store(tmp_path, known(100), verdict=Verdict(status="invalid", reasons=(reason,)))
    told = called("k3f9", "--format", "omb", "--results-dir", tmp_path, "--output", "-")

    assert "note: the run is invalid: generator_limited" in told.stderr


def test_a_run_that_was_cut_short_is_told_to_be_so(tmp_path: Path) -> None:
    store(tmp_path / "results", known(100), interrupted=True)
    told = called("k3f9", "--format", "openmetrics", "--results-dir", tmp_path / "results", "--output", "-")
    assert "note: the run was cut short: 25.0 s were measured" in told.stderr

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from result_samples import RUN_ID, result

from loadlab.cli.main import cli
from loadlab.results.artifacts import Artifacts
from loadlab.results.store import save

if TYPE_CHECKING:
    from pathlib import Path


def called(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    save(result(), Artifacts(), tmp_path)
    return tmp_path


def test_show_prints_the_summary_of_a_stored_run(results: Path) -> None:
    told = called("show", RUN_ID, "--results-dir", results)

    assert told.exit_code == 0
    assert told.stdout.splitlines()[0] == f"VALID · quickstart · 30.0 s measured · {RUN_ID}"
    assert told.stdout.splitlines()[-1] == f"result           {results / RUN_ID}"
    assert "\x1b" not in told.stdout


def test_show_takes_a_path(results: Path) -> None:
    assert called("show", results / RUN_ID).exit_code == 0


def test_show_as_json_prints_the_stored_file(results: Path) -> None:
    told = called("show", RUN_ID, "--results-dir", results, "--output", "json")

    assert told.stdout == (results / RUN_ID / "result.json").read_text()


def test_the_folder_of_results_may_come_from_the_environment(results: Path) -> None:
    assert called("show", RUN_ID, LOADLAB_RESULTS_DIR=str(results)).exit_code == 0


def test_the_option_goes_before_the_environment(results: Path, tmp_path: Path) -> None:
    told = called("list", "--results-dir", results, LOADLAB_RESULTS_DIR=str(tmp_path / "none"))

    assert RUN_ID in told.stdout


def test_an_unknown_run_exits_2_with_the_nearest_name(results: Path) -> None:
    told = called("show", RUN_ID.replace("quickstart", "quikstart"), "--results-dir", results)

    assert told.exit_code == 2
    assert f"did you mean {RUN_ID}?" in told.stderr


@pytest.mark.parametrize("part", [RUN_ID[:15], "k3f9", "quickstart-k3f9"])
def test_an_id_s_beginning_or_end_is_enough(results: Path, part: str) -> None:
    told = called("show", part, "--results-dir", results)

    assert told.exit_code == 0
    assert RUN_ID in told.stdout


def test_a_beginning_that_two_ids_have_is_refused(results: Path) -> None:
    other = RUN_ID.replace("k3f9", "aaaa")
    save(result(run_id=other), Artifacts(), results)
    told = called("show", "20261123T161500", "--results-dir", results)

    assert told.exit_code == 2
    assert f"may be {other} or {RUN_ID}" in told.stderr


def test_list_tells_status_and_rates(results: Path) -> None:
    (line,) = called("list", "--results-dir", results).stdout.splitlines()

    assert line.split() == (f"{RUN_ID} valid 41.5 s sent 19,998 records/s, consumed 19,998 records/s").split()


@pytest.mark.parametrize("text", ["{", "[" * 200_000])
def test_list_tells_of_damaged_runs_and_goes_on(results: Path, text: str) -> None:
    damaged = results / "20261124T000000-x-aaaa"
    damaged.mkdir()
    (damaged / "result.json").write_text(text)
    lines = called("list", "--results-dir", results).stdout.splitlines()

    assert len(lines) == 2
    assert "can't be read" in lines[1]


def test_list_as_json_is_a_list_of_runs(results: Path) -> None:
    (entry,) = json.loads(called("list", "--results-dir", results, "--output", "json").stdout)

    assert entry["run_id"] == RUN_ID
    assert entry["status"] == "valid"
    assert entry["problem"] is None


def test_no_runs_is_no_error(tmp_path: Path) -> None:
    told = called("list", "--results-dir", tmp_path / "none")

    assert (told.exit_code, told.stdout) == (0, f"no runs in {tmp_path / 'none'}\n")
    assert json.loads(called("list", "--results-dir", tmp_path, "--output", "json").stdout) == []

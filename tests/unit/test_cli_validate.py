from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from loadlab import cluster
from loadlab.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """\
name: small
topics: {orders: {partitions: 2}}
producers:
  checkout:
    topic: orders
    schedule: {rate: 1k/s}
    records: {size: 100}
phases: {measure: 5s}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def called(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(cli, [str(argument) for argument in arguments])


def resolved(*arguments: str | Path, **environment: str) -> dict[str, object]:
    told = called("validate", *arguments, "--output", "json", **environment)
    assert told.exit_code == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["valid"] is True
    scenario: dict[str, object] = document["scenario"]
    return scenario


def test_a_valid_scenario_exits_0(scenario: Path) -> None:
    told = called("validate", scenario)

    assert (told.exit_code, told.stdout) == (0, f"{scenario}: valid\n")


def test_all_mistakes_are_told_on_stderr_and_exit_2(scenario: Path) -> None:
    scenario.write_text(SCENARIO.replace("size: 100", "sise: 100").replace("measure: 5s", "mesure: 5s"))
    told = called("validate", scenario, "--output", "json")

    assert told.exit_code == 2
    assert told.stdout == ""
    assert f"{scenario}:7:" in told.stderr
    assert f"{scenario}:8:" in told.stderr


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    told = called("validate", tmp_path / "none.yaml")

    assert told.exit_code == 2
    assert len(told.stderr.splitlines()) == 1


def test_set_goes_before_the_environment_and_that_before_the_file(scenario: Path) -> None:
    def provider(*arguments: str, **environment: str) -> object:
        cluster = resolved(scenario, *arguments, **environment)["cluster"]
        assert isinstance(cluster, dict)
        return cluster["provider"]

    assert provider() == "auto"
    assert provider(LOADLAB_PROVIDER="local") == "local"
    assert provider("--set", "cluster.provider=embedded", LOADLAB_PROVIDER="local") == "embedded"
    assert provider("--provider", "docker", "--set", "cluster.provider=embedded") == "docker"


def test_an_unknown_provider_is_wrong_usage(scenario: Path) -> None:
    assert called("validate", scenario, "--provider", "cloud").exit_code == 2


STUDY = """\
study: smaller
scenario: small.yaml
objective: {minimize: producers.checkout.publish_latency_us.p99}
search_space:
  producers.checkout.config.linger.ms: {low: 0.5, high: 100, log: true, special: [0]}
"""


@pytest.fixture
def study(scenario: Path) -> Path:
    path = scenario.parent / "study.yaml"
    path.write_text(STUDY)
    return path


def test_a_study_is_known_by_its_key(study: Path) -> None:
    told = called("validate", study)

    assert (told.exit_code, told.stdout) == (0, f"{study}: valid: a study of 1 knob\n")


def test_a_study_is_told_as_resolved(study: Path) -> None:
    told = called("validate", study, "--set", "phases.measure=7s", "--output", "json")
    document = json.loads(told.stdout)["study"]

    assert document["search_space"]["producers.checkout.config.linger.ms"]["special"] == [0.0]
    assert document["presets"]["default"] == {"producers.checkout.config.linger.ms": 5.0}
    assert document["scenario"]["phases"]["measure"] == "7s"


@pytest.mark.parametrize("command", [("validate",), ("tune", "--plan")])
def test_the_environment_reaches_a_study_s_scenario(command: tuple[str, ...], study: Path) -> None:
    told = called(*command, study, LOADLAB_PROVIDER="nowhere")

    assert told.exit_code == 2
    assert "LOADLAB_PROVIDER: cluster.provider: must be one of" in told.stderr


def test_mistakes_in_a_study_exit_2(study: Path) -> None:
    study.write_text(STUDY.replace("linger.ms", "lingr.ms"))
    told = called("validate", study)

    assert told.exit_code == 2
    assert f"{study}:5:3: search_space.producers.checkout.config.lingr.ms" in told.stderr
    assert 'did you mean "producers.checkout.config.linger.ms"?' in told.stderr


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_scenario_is_checked_for_the_cluster_that_stands(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `run --cluster` does: three copies need three brokers, which that one may have."""
    path = tmp_path / "three.yaml"
    path.write_text(
        "name: three\ntopics: {orders: {replication_factor: 3}}\n"
        "producers: {checkout: {topic: orders, schedule: {rate: 10}, records: {size: 100}}}\n"
    )
    monkeypatch.setattr(cluster, "brokers_of", lambda _: 3)
    assert called(command, path).exit_code == 2
    assert called(command, path, "--cluster", "lab").exit_code == 0


def test_schemas_are_json_whatever_is_asked_for() -> None:
    assert called("schema", "--output", "json").stdout == called("schema").stdout


def test_schemas_are_of_scenarios_and_of_studies() -> None:
    titles = [json.loads(called("schema", *flags).stdout)["title"] for flags in ([], ["--study"])]

    assert titles == ["loadlab scenario", "loadlab study"]

"""`loadlab lint`: what it says, as text and as JSON, and how it exits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from loadlab.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SCENARIO = """
name: small
topics: {orders: {partitions: 2}}
producers:
  web: {topic: orders, schedule: {rate: 500/s}, records: {size: 100B}}
phases: {warmup: 1s, measure: 5s, drain: 10s}
"""


def called(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["lint", *(str(argument) for argument in arguments)])


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def test_a_finding_is_told_with_reason_fix_and_source(scenario: Path) -> None:
    told = called(scenario)
    assert told.exit_code == 0, told.stderr
    first, reason, *rest = told.stdout.splitlines()
    assert first == f"medium  short-warmup  {scenario}:6:18: phases.warmup: a warm-up of 1s"
    assert reason.startswith("      Brokers compile their code")
    assert rest == ["      fix: phases.warmup: 5s or more", "      loadlab, docs/measurement.md: The verdict"]


def test_what_was_set_over_the_file_is_named(scenario: Path) -> None:
    told = called(scenario, "--set", "phases.warmup=2s").stdout
    assert told.startswith("medium  short-warmup  --set phases.warmup=2s: phases.warmup: a warm-up of 2s")


def test_what_the_brokers_are_given_for_all_topics_is_told_once_and_there(tmp_path: Path) -> None:
    path = tmp_path / "flushed.yaml"
    path.write_text(
        SCENARIO.replace("{orders: {partitions: 2}}", "{orders: {}, clicks: {existing: true}, views: {}}")
        + "cluster: {config: {log.flush.interval.messages: 1, compression.type: zstd}}\n"
    )
    told = [line for line in called(path).stdout.splitlines() if "cluster.config" in line]
    assert told == [
        (
            f"medium  recompressed  {path}:7:70: cluster.config.compression.type: the topic keeps zstd, the"
            " producer sends none"
        ),
        (
            f"low  flushed-each-time  {path}:7:49: cluster.config.log.flush.interval.messages:"
            " log.flush.interval.messages=1: each batch is flushed to the disk"
        ),
    ]


def test_a_broker_s_file_is_told_of_by_the_brokers_names(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("node.id=1\nlog.flush.interval.messages=1\n")
    assert (
        f"flushed-each-time  {file}:2: log.flush.interval.messages: log.flush.interval.messages=1"
        in called(file).stdout
    )


def test_strict_exits_with_99_where_something_is_found(scenario: Path) -> None:
    assert called(scenario, "--strict").exit_code == 99
    clean = called(scenario, "--strict", "--set", "phases.warmup=5s")
    assert clean.exit_code == 0
    assert clean.stdout == f"{scenario}: nothing found\n"


def test_json_is_all_that_stdout_holds(scenario: Path) -> None:
    findings = json.loads(called(scenario, "--output", "json").stdout)
    assert [(each["code"], each["severity"], each["path"]) for each in findings] == [
        ("short-warmup", "medium", "phases.warmup")
    ]
    assert all(each["reason"] and each["fix"] and each["source"] for each in findings)


def test_a_properties_file_is_read_by_java_s_names(tmp_path: Path) -> None:
    file = tmp_path / "producer.properties"
    file.write_text("bootstrap.servers=broker:9092\nacks=0\nbuffer.memory=1048576\nsasl.password=hunter2\n")
    told = called(file)
    assert told.exit_code == 0, told.stderr
    assert f"high  no-acks  {file}:2: acks: acks=0" in told.stdout
    assert "hunter2" not in told.output


@pytest.mark.parametrize("name", ["no-such.properties", "no-such.yaml"])
def test_a_file_that_cannot_be_read_exits_with_2(tmp_path: Path, name: str) -> None:
    told = called(tmp_path / name)
    assert told.exit_code == 2
    assert "no such file" in told.stderr


def test_a_value_that_no_client_starts_with_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "producer.properties"
    file.write_text("acks=all\nlinger.ms=abc\n")
    assert f'{file}:2: linger.ms: must be a whole number, not "abc"' in called(file, "--strict").stdout


def test_a_line_that_is_no_property_is_named_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "broken.properties"
    file.write_text("acks=all\nhunter2\n")
    told = called(file)
    assert told.exit_code == 2
    assert "line 2 is not of the form key=value" in told.stderr
    assert "hunter2" not in told.output

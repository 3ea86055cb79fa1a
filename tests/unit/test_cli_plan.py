from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from loadlab.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """\
name: small
cluster: {provider: local, brokers: 3}
topics: {orders: {partitions: 2, replication_factor: 3, config: {min.insync.replicas: 2}}}
producers:
  checkout:
    topic: orders
    workers: 2
    schedule: {rate: 1k/s}
    records: {size: 100}
    config: {linger.ms: 5}
consumers:
  billing: {topic: orders, start_after: 2s, max_rate: 500/s}
phases: {warmup: 1s, measure: 5s, drain: 10s}
"""
SHORT_WARMUP = "short-warmup: phases.warmup: a warm-up of 1s; fix: phases.warmup: 5s or more"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def called(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["plan", *(str(argument) for argument in arguments)])


def test_a_plan_tells_who_sends_what_and_when(scenario: Path) -> None:
    told = called(scenario)

    assert told.exit_code == 0, told.stderr
    assert told.stdout.splitlines() == [
        "plan of small",
        "cluster          local · 3 brokers",
        "phases           warm-up 1s · measure 5s · drain 10s at most",
        "topic            orders · 2 partitions · replication factor 3 · min.insync.replicas=2",
        "producer         checkout → orders · 2 workers · 1,000 records/s of 100 B · 6,000 records in all",
        "                 linger.ms=5",
        (
            "consumer         billing ← orders · 1 worker · group loadlab-<run-id>-billing · starts after 2s"
            " · at most 500 records/s"
        ),
        "data             660 kB sent · 1.98 MB on disk",
        f"warning: {SHORT_WARMUP}",
    ]


def test_a_plan_warns_of_batches_that_the_topic_does_not_take(scenario: Path) -> None:
    told = called(scenario, "--set", "cluster.config.message.max.bytes=20000").stdout
    assert (
        "warning: larger-than-the-topic-takes: producers.checkout.config.batch.size: batches of up to 1000000"
        " B, the topic takes 20000 B (cluster.config.message.max.bytes); fix: a batch.size of no more than"
        " the topic takes, or a topic that takes more"
    ) in told


def test_a_plan_at_the_maximum_rate_promises_no_size(scenario: Path) -> None:
    told = called(scenario, "--set", "producers.checkout.schedule.rate=max").stdout

    assert "as fast as it can of 100 B" in told
    assert "as much as the cluster takes" in told


def test_a_number_of_records_bounds_what_is_sent_at_the_maximum_rate(scenario: Path) -> None:
    told = called(scenario, "--set", "producers.checkout.schedule={rate: max, records: 1000}").stdout

    assert "as fast as it can of 100 B · 1,000 records at most" in told
    assert "data             110 kB sent at most" in told


def test_explain_tells_where_each_value_comes_from(scenario: Path) -> None:
    lines = called(scenario, "--explain", "--set", "producers.checkout.workers=4").stdout.splitlines()

    def explained(path: str) -> str:
        return next(line for line in lines if line.startswith(f"{path} "))

    assert f"  2  ({scenario}:3:31)" in explained("topics.orders.partitions")
    assert "  4  (--set producers.checkout.workers=4)" in explained("producers.checkout.workers")
    assert "(default)" in explained("cluster.kafka_version")


def test_a_plan_as_json_holds_the_same(scenario: Path) -> None:
    document = json.loads(called(scenario, "--output", "json", "--explain").stdout)

    assert document["producers"][0]["target_records_per_s"] == 1_000.0
    assert document["origins"]["cluster.brokers"] == {"kind": "file", "place": f"{scenario}:2:37"}


def test_a_plan_shows_no_secret(scenario: Path) -> None:
    for output in ("text", "json"):
        told = called(
            *(scenario, "--explain", "--output", output),
            *("--set", "producers.checkout.config.sasl.password=hunter2"),
        )
        assert told.exit_code == 0, told.stderr
        assert "hunter2" not in told.stdout


def test_a_mock_that_would_evict_is_warned_of(scenario: Path) -> None:
    told = called(scenario, "--provider", "embedded", "--set", "producers.checkout.schedule.rate=max").stdout

    assert "warning: the mock keeps 5 MiB" in told


def test_a_plan_tells_how_long_and_how_fast_a_trace_is(scenario: Path) -> None:
    (scenario.parent / "t.csv").write_text(
        "time,size,key\n" + "".join(f"{t / 10},{t},a\n" for t in range(100))
    )
    rate = "producers.checkout.schedule.rate={trace: {file: %s, scale: 3}}" % (scenario.parent / "t.csv")

    told = called(scenario, "--set", rate).stdout.splitlines()

    assert (
        told[4]
        == "producer         checkout → orders · 2 workers · 14 records/s of 100 B · 100 records in all"
    )
    assert told[5].endswith(
        "t.csv at 3 times its speed · 100 records in 3.3 s · mean 30 records/s · peak 30 records/s"
    )
    assert told[-4:] == [
        "warning: producer checkout: its trace has sizes, which records.size sets aside; it may be trace",
        "warning: producer checkout: its trace has keys, which records.keys.kind sets aside; it may be trace",
        (
            "warning: producer checkout: its trace lasts 3.3 s, and the run sends for 6s: means are over the"
            " whole measure phase"
        ),
        f"warning: {SHORT_WARMUP}",
    ]


def test_a_plan_warns_of_what_a_trace_has_left_at_the_end(scenario: Path) -> None:
    (scenario.parent / "t.csv").write_text("time\n" + "".join(f"{t / 10}\n" for t in range(100)))
    rate = "producers.checkout.schedule.rate={trace: {file: %s}}" % (scenario.parent / "t.csv")

    planned = json.loads(called(scenario, "--set", rate, "--output", "json").stdout)

    assert planned["warnings"] == [
        "producer checkout: its trace lasts 9.9 s, and the run sends for 6s: 40 records are left out",
        SHORT_WARMUP,
    ]
    assert planned["producers"][0]["records"] == 60
    assert planned["producers"][0]["trace"]["records"] == 100
    assert planned["producers"][0]["trace"]["duration_s"] == 9.9
    assert planned["producers"][0]["trace"]["records_per_s_peak"] == 10


def test_client_properties_are_read_before_anything_starts(scenario: Path) -> None:
    properties = scenario.parent / "client.properties"
    properties.write_text("security.protocol=SSL\nssl.truststore.location=ca.jks\n")
    external = "cluster={provider: external, bootstrap_servers: '127.0.0.1:9092'}"
    topic = "topics.orders={partitions: 2}"
    options = (scenario, "--set", external, "--set", topic, "--client-properties", properties)

    refused = called(*options)
    assert refused.exit_code == 2
    assert "client.properties:2: ssl.truststore.location" in refused.stderr

    properties.write_text("security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=ca.pem\n")
    assert called(*options).exit_code == 0

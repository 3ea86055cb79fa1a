"""OpenMessaging Benchmark's files as scenarios: what each key becomes, and what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from loadlab.cli.main import cli
from loadlab.errors import LoadlabError, UsageError
from loadlab.scenario import load, load_document
from loadlab.scenario.omb import import_omb
from loadlab.scenario.omb_driver import KNOWN as DRIVER_KEYS
from loadlab.scenario.omb_workload import KNOWN as WORKLOAD_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadlab.scenario.omb import Imported

WORKLOAD: dict[str, object] = {
    "name": "Small test / 2 producers",
    "topics": 1,
    "partitionsPerTopic": 6,
    "messageSize": 1024,
    "useRandomizedPayloads": True,
    "randomBytesRatio": 0.3,
    "randomizedPayloadPoolSize": 100,
    "subscriptionsPerTopic": 2,
    "consumerPerSubscription": 3,
    "producersPerTopic": 2,
    "producerRate": 5000,
    "consumerBacklogSizeGB": 0,
    "testDurationMinutes": 2,
}
JAVA_S = "org.apache.kafka.clients.consumer."
DRIVER: dict[str, object] = {
    "name": "Kafka",
    "driverClass": "io.openmessaging.benchmark.driver.kafka.KafkaBenchmarkDriver",
    "replicationFactor": 3,
    "topicConfig": "min.insync.replicas=2\n",
    "commonConfig": "bootstrap.servers=10.0.0.1:9092\n",
    "producerConfig": "acks=all\nlinger.ms=1\nbatch.size=131072\n",
    "consumerConfig": "auto.offset.reset=latest\nenable.auto.commit=false\nmax.partition.fetch.bytes=65536\n",
}


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Imported]:
    """Imports the files above with changes; None takes a key out."""

    def make(workload: dict[str, object] | None = None, driver: dict[str, object] | None = None) -> Imported:
        paths = tmp_path / "workload.yaml", tmp_path / "driver.yaml"
        for path, base, changes in zip(paths, (WORKLOAD, DRIVER), (workload, driver), strict=True):
            data = {key: value for key, value in {**base, **(changes or {})}.items() if value is not None}
            YAML().dump(data, path)
        return import_omb(*paths)

    return make


def told(imported: Imported, key: str) -> tuple[str, str]:
    return next((each.outcome, each.told) for each in imported.reports if each.key == key)


def test_each_key_of_a_workload_has_its_place(imported: Callable[..., Imported]) -> None:
    made = imported()
    assert made.document == {
        "name": "small-test-2-producers",
        "description": "Small test / 2 producers, Kafka; imported from OpenMessaging Benchmark",
        "cluster": {"brokers": 3},
        "topics": {
            "test-topic": {"partitions": 6, "replication_factor": 3, "config": {"min.insync.replicas": 2}}
        },
        "producers": {
            "producer": {
                "topic": "test-topic",
                "workers": 2,
                "schedule": {"rate": "5k/s"},
                "records": {"size": 1024, "compressibility": 0.7},
                "config": {
                    "acks": "all",
                    "linger.ms": 1,
                    "batch.size": 131072,
                    "max.in.flight.requests.per.connection": 5,
                    "message.max.bytes": 1048576,
                    "queue.buffering.max.kbytes": 32768,
                    "queue.buffering.max.messages": 0,
                    "delivery.timeout.ms": 120000,
                    "enable.idempotence": "true",
                },
            }
        },
        "consumers": {
            f"subscription-{number}": {
                "topic": "test-topic",
                "workers": 3,
                "config": {"auto.offset.reset": "latest", "max.partition.fetch.bytes": 65536},
            }
            for number in range(2)
        },
        "phases": {"warmup": "1m", "measure": "2m"},
    }


def test_the_file_that_is_written_loads_as_what_was_made(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    made = imported()
    path = tmp_path / "made.yaml"
    path.write_text(made.text)
    assert YAML(typ="safe").load(path) == made.document
    assert load(path).scenario.producers["producer"].workers == 2


def test_every_key_is_reported_once(imported: Callable[..., Imported]) -> None:
    full = {
        "keyDistributor": "NO_KEY",
        "payloadFile": "x",
        "warmupDurationMinutes": 0,
        "backlogDrainRatio": 1,
    }
    made = imported({**full, "useRandomizedPayloads": False}, {"reset": True})
    keys = [(each.file, each.key) for each in made.reports]
    assert len(keys) == len(set(keys))
    reported = {key.partition(".")[0] for _, key in keys}
    assert {*WORKLOAD_KEYS, *DRIVER_KEYS} - reported == {"messageSizeDistribution"}


@pytest.mark.parametrize(
    ("key", "outcome", "words"),
    [
        ("warmupDurationMinutes", "defaulted", "1m"),
        ("keyDistributor", "defaulted", "none"),
        ("randomizedPayloadPoolSize", "refused", "never repeat"),
        ("producerConfig.delivery.timeout.ms", "defaulted", "120000"),
        ("commonConfig.bootstrap.servers", "refused", "cluster.provider: external"),
        ("consumerConfig.enable.auto.commit", "refused", "commits every second"),
        ("producerRate", "mapped", "5k/s"),
        ("producerConfig.partitioner.class", "refused", "Java code"),
        ("producerConfig.buffer.memory", "refused", "whole number"),
    ],
)
def test_what_becomes_of_a_key_is_told(
    imported: Callable[..., Imported], key: str, outcome: str, words: str
) -> None:
    found, why = told(imported(driver={"producerConfig": "partitioner.class=a.B\nbuffer.memory=²"}), key)
    assert found == outcome
    assert words in why


def test_rate_0_is_the_maximum_and_points_to_capacity(imported: Callable[..., Imported]) -> None:
    made = imported({"producerRate": 0})
    assert made.document["producers"]["producer"]["schedule"] == {"rate": "max"}  # type: ignore[index]
    assert "loadlab capacity" in told(made, "producerRate")[1]


@pytest.mark.parametrize(
    ("distributor", "keys"),
    [
        ("NO_KEY", None),
        ("KEY_ROUND_ROBIN", {"kind": "round_robin", "count": 10000}),
        ("RANDOM_NANO", {"kind": "uniform", "count": 10000}),
    ],
)
def test_keys_are_chosen_as_the_distributor_does(
    imported: Callable[..., Imported], distributor: str, keys: object
) -> None:
    producer = imported({"keyDistributor": distributor}).document["producers"]["producer"]  # type: ignore[index]
    assert producer["records"].get("keys") == keys
    assert producer["config"].get("partitioner") == (None if keys is None else "murmur2_random")


def test_a_size_distribution_sends_the_middle_of_each_range(imported: Callable[..., Imported]) -> None:
    sizes = {"64-256": 3, "1KB - 3 kb": 6, "1MB-2MB": 0}
    made = imported({"messageSizeDistribution": sizes, "messageSize": None})
    records = made.document["producers"]["producer"]["records"]  # type: ignore[index]
    assert records["size"] == {"weighted": [{"size": 160, "weight": 3}, {"size": 2048, "weight": 6}]}


@pytest.mark.parametrize("sizes", [{"256": 1}, {"1-2": -1}, {"9-1": 1}, {"1-9": 0}, {"0-1": 1}, ["1-2"]])
def test_a_size_distribution_that_cannot_be_read_is_refused(
    imported: Callable[..., Imported], sizes: object
) -> None:
    with pytest.raises(UsageError, match="messageSizeDistribution"):
        imported({"messageSizeDistribution": sizes})


def test_small_records_go_without_a_stamp(imported: Callable[..., Imported]) -> None:
    made = imported({"messageSize": 20})
    assert made.document["producers"]["producer"]["records"]["stamp"] is False  # type: ignore[index]
    assert "no room for a stamp" in told(made, "messageSize")[1]


def test_one_payload_for_all_records_is_refused_where_codecs_see_it(
    imported: Callable[..., Imported],
) -> None:
    made = imported({"useRandomizedPayloads": None, "payloadFile": "payload/payload-1Kb.data"})
    assert "compressibility" not in made.document["producers"]["producer"]["records"]  # type: ignore[index]
    assert told(made, "payloadFile")[0] == "refused"


def test_a_backlog_is_as_large_when_consumers_join(imported: Callable[..., Imported]) -> None:
    made = imported({"consumerBacklogSizeGB": 2, "backlogDrainRatio": 0.99, "warmupDurationMinutes": 1})
    scenario = made.document
    start_s = 2 * 2**30 / (5000 * 2 * 1024)  # 5,000 records of 1 KiB a second, two groups: 209.7 s
    assert scenario["consumers"]["subscription-0"]["start_after"] == f"{start_s * 1000:.0f}ms"  # type: ignore[index]
    assert scenario["phases"] == {"warmup": "1m", "measure": f"{(start_s - 60 + 120) * 1000:.0f}ms"}
    assert scenario["thresholds"] == {"backlog": [f"final <= {round(0.01 * 2 * 2**30 / 1024)}"]}


def test_a_backlog_that_is_there_early_ends_the_warm_up(
    imported: Callable[..., Imported],
) -> None:
    """Else it would be several times as large as was asked for."""
    made = imported({"consumerBacklogSizeGB": 1, "producerRate": 100_000, "subscriptionsPerTopic": 1})
    start = f"{2**30 / (100_000 * 1024) * 1000:.0f}ms"
    assert made.document["consumers"]["subscription-0"]["start_after"] == start  # type: ignore[index]
    assert made.document["phases"] == {"warmup": start, "measure": "2m"}
    assert "as large as asked for" in told(made, "warmupDurationMinutes")[1]


def test_many_topics_are_one_that_counts(imported: Callable[..., Imported]) -> None:
    made = imported({"topics": 100})
    assert made.document["topics"]["test-topic"]["count"] == 100  # type: ignore[index]
    assert "each has all 100 topics" in told(made, "producersPerTopic")[1]


def test_batches_are_limited_by_bytes_alone_as_java_s_are(imported: Callable[..., Imported]) -> None:
    blocks = {"producerConfig": "batch.size=1048576\n"}
    assert "batch.num.messages" not in _config(imported({"messageSize": 1024}, blocks))
    assert _config(imported({"messageSize": 100}, blocks))["batch.num.messages"] == 1000000


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("acks=1", {"acks": 1, "enable.idempotence": "false"}),
        ("buffer.memory=67108864\nmax.request.size=2097152", {"queue.buffering.max.kbytes": 65536}),
        ("max.in.flight.requests.per.connection=10", {"enable.idempotence": "false"}),
        (
            "compression.type=ZSTD\ncompression.zstd.level=5",
            {"compression.type": "zstd", "compression.level": 5},
        ),
        (
            "partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner",
            {"partitioner": "random"},
        ),
        ("send.buffer.bytes=-1\nclient.rack=007", {"socket.send.buffer.bytes": 0, "client.rack": "007"}),
        ("compression.type=lz4\nbatch.size=0", {"compression.type": "lz4", "batch.size": 1}),
        ("request.timeout.ms=600000\nlinger.ms=200", {"delivery.timeout.ms": 600200}),
    ],
)
def test_java_s_names_and_defaults_become_librdkafka_s(
    imported: Callable[..., Imported], block: str, expected: dict[str, object]
) -> None:
    config = _config(imported(driver={"producerConfig": block}))
    assert {name: config[name] for name in expected} == expected


def test_the_level_of_a_codec_that_is_not_in_use_is_refused(imported: Callable[..., Imported]) -> None:
    made = imported(driver={"producerConfig": "compression.type=lz4\ncompression.gzip.level=9"})
    assert "compression.level" not in _config(made)
    assert told(made, "producerConfig.compression.gzip.level")[0] == "refused"


def test_keys_that_others_make_useless_are_refused(imported: Callable[..., Imported]) -> None:
    made = imported({"payloadFile": "x", "subscriptionsPerTopic": 0})
    assert "consumers" not in made.document
    for key in ("payloadFile", "consumerPerSubscription", "consumerConfig"):
        assert told(made, key)[0] == "refused"


def _config(made: Imported) -> dict[str, object]:
    return made.document["producers"]["producer"]["config"]  # type: ignore[index,no-any-return]


def test_a_password_reaches_neither_scenario_nor_report(imported: Callable[..., Imported]) -> None:
    jaas = 'PlainLoginModule required username="u" password="hunter2";'
    common = f"sasl.jaas.config={jaas}\nsecurity.protocol=SASL_SSL\n"
    made = imported(driver={"commonConfig": common, "producerConfig": "ssl.key.password=hunter2\n"})
    assert "hunter2" not in made.text + repr(made.reports) + repr(made.document)
    for key in ("commonConfig.sasl.jaas.config", "producerConfig.ssl.key.password"):
        assert "--client-properties" in told(made, key)[1]


def test_all_that_makes_the_load_another_is_refused_at_once(imported: Callable[..., Imported]) -> None:
    wrong = {
        "topics": 0,
        "producersPerTopic": "two",
        "keyDistributor": "ROUND_ROBIN",
        "testDurationMinutes": 0,
    }
    with pytest.raises(UsageError) as refusal:
        imported(wrong, {"driverClass": "io.example.PulsarDriver"})
    for key in (*wrong, "driverClass"):
        assert f"{key}: " in refusal.value.message
    assert 'did you mean "KEY_ROUND_ROBIN"' in refusal.value.message


@pytest.mark.parametrize(
    ("workload", "driver", "words"),
    [
        ({"useRandomizedPayloads": "yes"}, {}, "useRandomizedPayloads: must be true or false"),
        ({"useRandomizedPayloads": [True]}, {}, "useRandomizedPayloads: must be true or false"),
        ({}, {"commonConfig": {"bootstrap.servers": "x"}}, "commonConfig: must be a text of key=value lines"),
        ({}, {"producerConfig": {"acks": "1"}}, "producerConfig: must be a text of key=value lines"),
        ({}, {"topicConfig": ["flush.ms=0"]}, "topicConfig: must be a text of key=value lines"),
    ],
)
def test_what_openmessaging_benchmark_cannot_read_either_is_refused(
    imported: Callable[..., Imported], workload: dict[str, object], driver: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        imported(workload, driver)
    assert refusal.value.message.count(words) == 1


def test_more_consumer_groups_than_a_machine_can_hold_are_cut_and_told(
    imported: Callable[..., Imported],
) -> None:
    made = imported({"subscriptionsPerTopic": 10**17})
    assert len(made.document["consumers"]) == 62  # type: ignore[arg-type]
    assert told(made, "subscriptionsPerTopic")[1].startswith("62 consumer groups, the most there can be, of ")


def test_a_misspelt_key_gets_the_near_one(imported: Callable[..., Imported]) -> None:
    assert 'did you mean "producerRate"' in told(imported({"producerrate": 5}), "producerrate")[1]


def test_markup_and_line_breaks_in_a_name_stay_text(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    made = imported({"name": "a\nthresholds: {}\x1b[31m <script>"})
    path = tmp_path / "made.yaml"
    path.write_text(made.text)
    assert load(path).scenario.name == "a-thresholds-31m-script"


def test_the_command_writes_a_scenario_that_validates(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    imported()
    files = ["--workload", str(tmp_path / "workload.yaml"), "--driver", str(tmp_path / "driver.yaml")]
    output = tmp_path / "made.yaml"
    done = CliRunner().invoke(cli, ["import", "omb", *files, "--output", str(output)])
    assert done.exit_code == 0, done.stderr
    assert "defaulted  warmupDurationMinutes" in done.stderr
    assert CliRunner().invoke(cli, ["validate", str(output)]).exit_code == 0
    again = CliRunner().invoke(cli, ["import", "omb", *files, "--output", str(output)])
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    nowhere = CliRunner().invoke(
        cli, ["import", "omb", *files, "--output", str(tmp_path / "gone" / "x.yaml")]
    )
    assert nowhere.exit_code == 2
    assert "can't be written: No such file" in nowhere.stderr
    shown = CliRunner().invoke(cli, ["import", "omb", *files])
    assert shown.stdout == output.read_text()


def test_the_page_explains_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "imports.md").read_text(encoding="utf-8")
    assert [key for key in (*WORKLOAD_KEYS, *DRIVER_KEYS) if f"`{key}`" not in page] == []


_ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.sampled_from(WORKLOAD_KEYS), _ANY, max_size=3),
    st.dictionaries(st.sampled_from(DRIVER_KEYS), _ANY, max_size=2),
)
def test_whatever_a_key_holds_there_is_a_scenario_or_a_refusal(
    imported: Callable[..., Imported], workload: dict[str, object], driver: dict[str, object]
) -> None:
    with contextlib.suppress(LoadlabError):
        load_document(imported(workload, driver).document)


def test_a_file_that_is_missing_exits_with_2(tmp_path: Path) -> None:
    none = str(tmp_path / "none.yaml")
    done = CliRunner().invoke(cli, ["import", "omb", "--workload", none, "--driver", none])
    assert done.exit_code == 2
    assert "no such file" in done.stderr


def test_consumers_of_several_topics_share_them_evenly(imported: Callable[..., Imported]) -> None:
    """By range one of them would read all: each topic has one partition."""
    made = imported({"topics": 100, "partitionsPerTopic": 1})
    (consumer, *_) = load_document(made.document).scenario.consumers.values()
    assert consumer.config["partition.assignment.strategy"] == "roundrobin"
    own = {
        "consumerConfig": f"partition.assignment.strategy={JAVA_S}RangeAssignor,{JAVA_S}RoundRobinAssignor\n"
    }
    (consumer, *_) = load_document(imported({"topics": 100}, own).document).scenario.consumers.values()
    assert consumer.config["partition.assignment.strategy"] == "range,roundrobin"


def test_an_assignor_that_librdkafka_lacks_is_refused_by_itself(imported: Callable[..., Imported]) -> None:
    made = imported(driver={"consumerConfig": "partition.assignment.strategy=org.example.Own\n"})
    assert told(made, "consumerConfig.partition.assignment.strategy")[0] == "refused"
    made = imported(driver={"consumerConfig": f"partition.assignment.strategy={JAVA_S}StickyAssignor\n"})
    assert "has no such assignor" in told(made, "consumerConfig.partition.assignment.strategy")[1]


def test_a_request_timeout_that_librdkafka_refuses_still_lengthens_the_delivery(
    imported: Callable[..., Imported],
) -> None:
    """As in OMB's own kafka-throughput.yaml."""
    made = imported(driver={"commonConfig": "request.timeout.ms=1200000\n"})
    (producer,) = load_document(made.document).scenario.producers.values()
    assert producer.config["delivery.timeout.ms"] == "1200001"


def test_assignors_of_two_protocols_are_those_of_the_first(imported: Callable[..., Imported]) -> None:
    """Java's own default list, written out."""
    asked = f"partition.assignment.strategy={JAVA_S}RangeAssignor,{JAVA_S}CooperativeStickyAssignor\n"
    made = imported(driver={"consumerConfig": asked})
    (consumer, *_) = load_document(made.document).scenario.consumers.values()
    assert consumer.config["partition.assignment.strategy"] == "range"

"""Each rule of the linter finds what it is about, and leaves what is right alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from loadlab.client.property_table import CANONICAL, _printed_table, known_properties
from loadlab.scenario import load, load_document
from loadlab.scenario.client_settings import DEFAULTS
from loadlab.scenario.lint import RULES, SEVERITIES, lint, lint_scenario, of_properties
from loadlab.scenario.lint.subject import of_scenario

ROOT = Path(__file__).parents[2]
BASE: dict[str, object] = {
    "name": "orders",
    "cluster": {"brokers": 3},
    "topics": {"orders": {"partitions": 6, "replication_factor": 3, "config": {"min.insync.replicas": "2"}}},
    "producers": {
        "web": {
            "topic": "orders",
            "schedule": {"rate": "2k/s"},
            "records": {"size": "1KiB"},
            "config": {"acks": "all", "enable.idempotence": "true"},
        }
    },
    "consumers": {"billing": {"topic": "orders"}},
    "phases": {"warmup": "5s", "measure": "30s"},
    "thresholds": {"publish_latency": ["p99 < 50ms"], "end_to_end_latency": ["p99 < 100ms"]},
}


@dataclass(frozen=True)
class Case:
    """Overrides of BASE by which a rule fires, and such by which it just doesn't."""

    code: str
    fires: tuple[str, ...]
    holds: tuple[str, ...]


W, C, T = "producers.web.config", "consumers.billing.config", "topics.orders"
PLAIN = f"{W}.enable.idempotence=false"
OUTSIDE = ("cluster={provider: external, bootstrap_servers: '127.0.0.1:9092'}",)
CASES = [
    Case("acks-below-min-insync", (f"{W}.acks=1", PLAIN), (f"{W}.acks=1", PLAIN, f"{T}.config={{}}")),
    Case(
        "compacted-without-keys",
        (f"{T}.config.cleanup.policy=compact",),
        (f"{T}.config.cleanup.policy=compact", "producers.web.records.keys={kind: uniform}"),
    ),
    Case(
        "unclean-election",
        (f"{T}.config.unclean.leader.election.enable=true",),
        (f"{T}.config.unclean.leader.election.enable=false",),
    ),
    Case("no-acks", (f"{W}.acks=0", PLAIN), (f"{W}.acks=1", PLAIN)),
    Case(
        "one-replica-called-durable",
        ("description=How fast are durable writes?", f"{T}={{partitions: 6}}"),
        ("description=How fast are durable writes?",),
    ),
    Case(
        "promise-without-idempotence",
        ('thresholds.reconciliation=["reordered == 0"]', f"{W}={{acks: all}}"),
        ('thresholds.reconciliation=["lost == 0"]', f"{W}={{acks: all}}"),
    ),
    Case("reordering-retries", (PLAIN,), (PLAIN, f"{W}.max.in.flight=1")),
    Case("no-retries", (PLAIN, f"{W}.retries=0"), (f"{W}.retries=5",)),
    Case(
        "no-spare-replica",
        (f"{T}.config.min.insync.replicas=3",),
        (f"{T}={{partitions: 6, replication_factor: 1, config: {{min.insync.replicas: 1}}}}",),
    ),
    Case("one-in-sync-is-enough", (f"{T}.config={{}}",), (f"{T}={{partitions: 6}}",)),
    Case(
        "tombstones-without-compaction",
        ("producers.web.records.tombstones=0.1", "producers.web.records.keys={kind: uniform}"),
        (
            "producers.web.records.tombstones=0.1",
            "producers.web.records.keys={kind: uniform}",
            f"{T}.config.cleanup.policy=compact,delete",
        ),
    ),
    Case(
        "delivery-timeout",
        (f"{W}.delivery.timeout.ms=20s",),
        (f"{W}.delivery.timeout.ms=20s", f"{W}.socket.timeout.ms=5s"),
    ),
    Case("linger-beyond-limit", (f"{W}.linger.ms=50",), (f"{W}.linger.ms=49",)),
    Case(
        "larger-than-the-topic-takes",
        (f"{W}.message.max.bytes=2MiB", f"{W}.batch.size=2MiB"),
        (f"{W}.message.max.bytes=2MiB", f"{W}.batch.size=2MiB", f"{T}.config.max.message.bytes=2MiB"),
    ),
    Case(  # by librdkafka's defaults of both
        "larger-than-the-topic-takes",
        (f"{T}.config.max.message.bytes=999999",),
        (f"{T}.config.max.message.bytes=1000000",),
    ),
    Case(
        "larger-than-the-topic-takes",
        ("cluster.config.message.max.bytes=20000", f"{W}.batch.size=20001"),
        ("cluster.config.message.max.bytes=20000", f"{W}.batch.size=20000"),
    ),
    Case(  # whichever limit a batch meets first
        "larger-than-the-topic-takes",
        (f"{T}.config.max.message.bytes=20000", f"{W}.batch.num.messages=20"),
        (f"{T}.config.max.message.bytes=20000", f"{W}.batch.num.messages=19"),
    ),
    Case(  # random bytes are what no codec takes away
        "larger-than-the-topic-takes",
        (f"{T}.config.max.message.bytes=499999", f"{W}.compression.type=lz4"),
        (f"{T}.config.max.message.bytes=500000", f"{W}.compression.type=lz4"),
    ),
    Case(
        "no-linger",
        (f"{W}.linger.ms=0", "producers.web.schedule.rate=10k/s"),
        (f"{W}.linger.ms=0", "producers.web.schedule.rate=9k/s"),
    ),
    Case(
        "unreachable-batch",
        (f"{W}.batch.size=1MiB", f"{W}.batch.num.messages=1000"),
        (f"{W}.batch.size=1MiB", f"{W}.batch.num.messages=1024"),
    ),
    Case(
        "short-queue",
        (f"{W}.queue.buffering.max.messages=99",),
        (f"{W}.queue.buffering.max.messages=50", "producers.web.workers=2"),
    ),
    Case(
        "compressed-noise",
        (f"{W}.compression.type=lz4", "producers.web.records.compressibility=0"),
        (f"{W}.compression.type=lz4",),
    ),
    Case(
        "recompressed",
        (f"{T}.config.compression.type=zstd", f"{W}.compression.type=lz4"),
        (f"{T}.config.compression.type=lz4", f"{W}.compression.type=lz4"),
    ),
    Case(
        "level-of-nothing",
        (f"{W}.compression.level=5",),
        (f"{W}.compression.level=5", f"{W}.compression.type=gzip"),
    ),
    Case(
        "costly-level",
        (f"{W}.compression.level=10", f"{W}.compression.type=zstd"),
        (f"{W}.compression.level=9", f"{W}.compression.type=zstd"),
    ),
    Case("nagle", (f"{C}.socket.nagle.disable=false",), (f"{C}.socket.nagle.disable=true",)),
    Case("one-in-flight", (f"{W}.max.in.flight=1",), (f"{W}.max.in.flight=2",)),
    Case(
        "other-partitioner",
        ("producers.web.records.keys={kind: zipf}",),
        ("producers.web.records.keys={kind: zipf}", f"{W}.partitioner=murmur2_random"),
    ),
    Case(
        "gone-before-it-is-read",
        (f"{T}.config.retention.ms=5s", "consumers.billing.start_after=10s"),
        (f"{T}.config.retention.ms=5s",),
    ),
    Case(
        "starts-at-the-end",
        (f"{C}.auto.offset.reset=latest",),
        (f"{C}.auto.offset.reset=latest", f"{T}={{existing: true}}"),
    ),
    Case("idle-members", ("consumers.billing.workers=7",), ("consumers.billing.workers=6",)),
    Case(
        "idle-members",
        (f"{T}={{partitions: 1, count: 6}}", "consumers.billing.workers=2"),
        (
            f"{T}={{partitions: 1, count: 6}}",
            "consumers.billing.workers=6",
            f"{C}.partition.assignment.strategy=roundrobin",
        ),
    ),
    Case(
        "waiting-fetch",
        (f"{C}.fetch.min.bytes=1MiB",),  # 2.048 MB a second: 512 ms, of which 500 are waited
        (f"{C}.fetch.min.bytes=1MiB", f"{C}.fetch.wait.max.ms=50"),
    ),
    Case(
        "rare-heartbeats",
        (f"{C}.session.timeout.ms=8999",),
        (f"{C}.session.timeout.ms=9000",),
    ),
    Case(
        "small-fetch",
        (f"{C}.max.partition.fetch.bytes=64MiB",),
        (f"{C}.max.partition.fetch.bytes=8MiB",),
    ),
    Case(
        "behind-open-transactions",
        (f"{T}={{existing: true}}",),
        (f"{T}={{existing: true}}", f"{C}.isolation.level=read_uncommitted"),
    ),
    Case(
        "too-few-records",
        ('thresholds.publish_latency=["p999 < 1s"]', "phases.measure=4s"),
        ('thresholds.publish_latency=["p999 < 1s"]', "phases.measure=5s"),
    ),
    Case("more-workers-than-cores", ("producers.web.workers=5",), ("producers.web.workers=4",)),
    Case("short-warmup", ("phases.warmup=4s",), ("phases.warmup=5s",)),
    Case("unused-topic", ("topics.clicks={partitions: 3}",), ("topics.orders.partitions=12",)),
    Case(
        "flushed-each-time",
        ("cluster.config.log.flush.interval.messages=1",),
        ("cluster.config.log.flush.interval.messages=10000",),
    ),
    Case(
        "password-in-clear",
        (*OUTSIDE, f"{C}.security.protocol=sasl_plaintext", f"{C}.sasl.mechanism=PLAIN"),
        (*OUTSIDE, f"{C}.security.protocol=sasl_ssl", f"{C}.sasl.mechanism=PLAIN"),
    ),
    Case(
        "unverified-broker",
        (f"{W}.enable.ssl.certificate.verification=false",),
        (f"{W}.enable.ssl.certificate.verification=true",),
    ),
]
PROPERTIES = [
    (
        "idempotence-without-acks-all",
        {"enable.idempotence": "true", "acks": "1"},
        {"enable.idempotence": "true", "acks": "all"},
    ),
    (
        "idempotence-in-flight",
        {"enable.idempotence": "true", "max.in.flight.requests.per.connection": "6"},
        {"enable.idempotence": "true", "max.in.flight.requests.per.connection": "5"},
    ),
    # Java's producer is idempotent by default, and gives that up without a word for fewer acks or no retries.
    (
        "idempotence-in-flight",
        {"max.in.flight.requests.per.connection": "10"},
        {"max.in.flight.requests.per.connection": "10", "acks": "1"},
    ),
    ("reordering-retries", {"acks": "1"}, {"acks": "1", "retries": "0"}),
    ("reordering-retries", {"acks": "1", "enable.idempotence": "false"}, {"acks": "all"}),
    (
        "short-poll-interval",
        {"group.id": "g", "max.poll.interval.ms": "30000"},
        {"group.id": "g", "max.poll.interval.ms": "60000"},
    ),
    ("delivery-timeout", {"acks": "all", "delivery.timeout.ms": "30000"}, {"acks": "all"}),
    ("delivery-timeout", {"acks": "all", "request.timeout.ms": "130000"}, {"request.timeout.ms": "30000"}),
    (
        "delivery-timeout",
        {"acks": "all", "socket.connection.setup.timeout.ms": "9000", "delivery.timeout.ms": "30000"},
        {"group.id": "g", "request.timeout.ms": "130000"},
    ),
    (
        "unreachable-min-insync",
        {"node.id": "1", "min.insync.replicas": "2"},
        {"node.id": "1", "min.insync.replicas": "2", "default.replication.factor": "3"},
    ),
    ("no-acks", {"request.required.acks": "0"}, {"request.required.acks": "-1"}),
    ("rare-heartbeats", {"group.id": "g", "heartbeat.interval.ms": "20000"}, {"group.id": "g"}),
    (
        "unclean-election",
        {"node.id": "1", "unclean.leader.election.enable": "true"},
        {"node.id": "1"},
    ),
    (
        "one-in-sync-is-enough",
        {"node.id": "1", "default.replication.factor": "3"},
        {"node.id": "1", "default.replication.factor": "3", "min.insync.replicas": "2"},
    ),
    ("misspelt-property", {"linger_ms": "5"}, {"linger.ms": "5"}),
    ("misspelt-property", {"node.id": "1", "num.io.thread": "4"}, {"node.id": "1", "num.io.threads": "4"}),
    ("misspelt-property", {"enable.idempotance": "true"}, {"sasl.login.refresh.buffer.seconds": "1"}),
    ("refused-value", {"linger.ms": "abc"}, {"linger.ms": "5"}),
    ("refused-value", {"batch.size": "-1"}, {"batch.size": "0", "connections.max.idle.ms": "-1"}),
    ("refused-value", {"acks": "2"}, {"acks": "-1", "compression.type": "gzip"}),
    ("refused-value", {"compression.type": "ZSTD"}, {"security.protocol": "ssl", "acks": "all"}),
    ("refused-value", {"isolation.level": "READ_COMMITTED"}, {"compression.zstd.level": "-5"}),
    ("refused-value", {"batch.size": "64KiB"}, {"request.timeout.ms": "1200000"}),
    ("refused-value", {"enable.auto.commit": "yes", "group.id": "g"}, {"enable.auto.commit": "FALSE"}),
    ("refused-value", {"auto.offset.reset": "earliset"}, {"auto.offset.reset": "by_duration:PT1H"}),
    ("refused-value", {"max.poll.records": "0"}, {"max.poll.records": "1", "auto.offset.reset": "none"}),
    ("refused-value", {"buffer.memory": "much"}, {"partitioner.class": "org.example.Own"}),
    (
        "refused-value",
        {"queue.buffering.max.kbytes": "1", "request.timeout.ms": "1200000"},
        {"queue.buffering.max.kbytes": "1", "acks": "all", "linger.ms": "0.5"},
    ),
    ("refused-value", {"linger.ms": "nan", "batch.num.messages": "9"}, {"fetch.min.bytes": "${env:MIN}"}),
    (
        "refused-value",
        {"node.id": "1", "min.insync.replicas": "nan"},
        {"node.id": "1", "min.insync.replicas": "2", "log.cleaner.min.cleanable.ratio": "5e-1"},
    ),
    (
        "unverified-broker",
        {"security.protocol": "SSL", "ssl.endpoint.identification.algorithm": ""},
        {"security.protocol": "SSL"},
    ),
]


def test_a_percentile_over_all_groups_counts_the_records_of_all() -> None:
    """5,000 records of each producer, and 10,000 are needed; each consumer reads all of them."""
    short = ("phases.measure=5s", 'thresholds={"%s": ["p999 < 1s"]}', "producers.web.schedule.rate=1k/s")
    other = f"producers.app={json.dumps({**BASE['producers']['web'], 'schedule': {'rate': '1k/s'}})}"  # type: ignore[index]
    assert "too-few-records" in found((short[0], short[1] % "publish_latency", short[2]))
    assert "too-few-records" not in found((short[0], short[1] % "publish_latency", short[2], other))
    assert "too-few-records" in found((short[0], short[1] % "publish_latency{producer=web}", short[2], other))
    audit = "consumers.audit={topic: orders}"
    assert "too-few-records" in found((short[0], short[1] % "end_to_end_latency", short[2]))
    assert "too-few-records" not in found((short[0], short[1] % "end_to_end_latency", short[2], audit))


def found(overrides: tuple[str, ...]) -> set[str]:
    subject = replace(of_scenario(load_document(BASE, overrides).scenario), cores=4)
    return {finding.rule.code for finding in lint(subject)}


@pytest.mark.parametrize(
    ("thresholds", "promised"),
    [
        ('{reconciliation: ["duplicated <= 0"]}', True),
        ('{reconciliation: ["duplicated > 0"]}', False),
        ('{reconciliation: ["duplicated >= 0"]}', False),
        ('{reconciliation: ["reordered < 5"]}', False),
        ('{"reconciliation{consumer=READER}": ["reordered == 0"]}', True),
        ('{"reconciliation{consumer=elsewhere}": ["reordered == 0"]}', False),
    ],
)
def test_a_promise_is_what_allows_none_of_the_records_that_are_read(thresholds: str, promised: bool) -> None:
    reader = next(iter(BASE["consumers"]))  # type: ignore[call-overload]
    elsewhere = ("topics.other={partitions: 3}", "consumers.elsewhere={topic: other}")
    sender = "producers.other={topic: other, schedule: {rate: 1k/s}, records: {size: 100}}"
    asked = (f"thresholds={thresholds.replace('READER', reader)}", f"{W}={{acks: all}}", PLAIN)
    idempotent = "producers.other.config={acks: all, enable.idempotence: true}"
    assert ("promise-without-idempotence" in found((*elsewhere, sender, idempotent, *asked))) is promised


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_rule_fires_on_its_mistake_alone(case: Case) -> None:
    assert case.code in found(case.fires)
    assert case.code not in found(case.holds)


@pytest.mark.parametrize(("code", "fires", "holds"), PROPERTIES)
def test_a_rule_reads_properties_files_too(code: str, fires: dict[str, str], holds: dict[str, str]) -> None:
    assert code in {finding.rule.code for finding in lint(of_properties(fires))}
    assert code not in {finding.rule.code for finding in lint(of_properties(holds))}


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
@pytest.mark.parametrize("name", ["min.insync.replicas", "linger.ms", "session.timeout.ms"])
def test_a_number_that_is_none_is_told_and_ends_nothing(name: str, value: str) -> None:
    broker = {"node.id": "1", "default.replication.factor": "3"} if name.startswith("min.") else {}
    (refused,) = [
        each for each in lint(of_properties({name: value, **broker})) if each.rule.severity == "high"
    ]
    assert (refused.rule.code, refused.message) == ("refused-value", f'must be a whole number, not "{value}"')


def test_no_finding_holds_a_secret_or_what_a_terminal_would_obey() -> None:
    given = {"acks": "\x1b[31mred\n", "ssl.key.password": "hunter2", "queue.buffering.max.ms": "1"}
    (refused,) = [each for each in lint(of_properties(given)) if each.rule.code == "refused-value"]
    assert refused.message.isprintable()


def test_every_rule_has_a_case_and_a_name_of_its_own() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes)) >= 20
    assert set(codes) == {case.code for case in CASES} | {code for code, *_ in PROPERTIES}


def test_nothing_is_found_in_a_sound_scenario() -> None:
    assert found(()) == set()


def test_the_severest_come_first() -> None:
    overrides = (f"{W}.acks=0", PLAIN, "phases.warmup=1s", f"{C}.max.partition.fetch.bytes=64MiB")
    ranks = [
        SEVERITIES.index(finding.rule.severity)
        for finding in lint_scenario(load_document(BASE, overrides).scenario)
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 3


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_scenarios_that_come_with_loadlab_are_clean(path: Path) -> None:
    subject = replace(of_scenario(load(path).scenario), cores=2)
    assert [f"{finding.rule.code}: {finding.message}" for finding in lint(subject)] == []


@pytest.mark.parametrize(
    "given",
    [
        {"metadata.broker.list": "h:9092", "acks": "all", "max.in.flight.requests.per.connection": "10"},
        {"statistics.interval.ms": "1000", "linger.ms": "0.5"},
        {"enable.auto.offset.store": "false", "auto.offset.reset": "smallest"},
    ],
)
def test_a_file_with_a_name_that_only_librdkafka_has_is_its_own(given: dict[str, str]) -> None:
    """By Java's definitions each of them would be refused."""
    assert not [each for each in lint(of_properties(given)) if each.rule.severity == "high"]


def test_the_defaults_that_rules_go_by_are_librdkafka_s() -> None:
    """The table of the librdkafka at hand says so, by any of a property's names."""
    table = {row[0]: row[3] for row in _rows()}
    aliases = {canonical: alias for alias, canonical in CANONICAL.items()}
    for name, value in DEFAULTS["librdkafka"].items():
        shown = table[aliases.get(name, name)]
        same = {"-1": "all"} if name == "acks" else {"": "none"}
        assert same.get(shown, shown) == value, name
    assert set(CANONICAL) | set(CANONICAL.values()) <= set(known_properties())


def _rows() -> list[list[str]]:
    lines = [line for line in _printed_table().splitlines() if line.count("|") >= 5]
    rows = [[column.strip() for column in line.split("|")] for line in lines]
    return [row for row in reversed(rows) if row[3] != "inherit"]


def test_the_page_has_each_rule_with_its_severity_and_source() -> None:
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert rows == [(rule.code, rule.severity, rule.source) for rule in RULES]

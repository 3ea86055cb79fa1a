"""What was imported runs: OpenMessaging Benchmark's files, and Kafka's own client.properties."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from ruamel.yaml import YAML
from runs import QUICK, Recorder

from loadlab.cli.main import cli
from loadlab.cluster import local, start_cluster
from loadlab.results.reader import load_any
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import ClusterSpec, load
from loadlab.scenario.omb import import_omb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadlab.cluster import Cluster

pytestmark = pytest.mark.beside

PASSWORD = "pa55-word"  # noqa: S105  a broker of this test's own takes it
MODULES = "org.apache.kafka.common.security"
LOGINS = {
    "PLAIN": f'{MODULES}.plain.PlainLoginModule required username="alice" password="{PASSWORD}";',
    "SCRAM-SHA-256": f'{MODULES}.scram.ScramLoginModule required username="alice" password="{PASSWORD}";',
}
WORKLOAD = {
    "name": "1 topic / 3 partitions",
    "topics": 1,
    "partitionsPerTopic": 3,
    "messageSizeDistribution": {"100-300": 3, "1KB-3KB": 1},
    "useRandomizedPayloads": True,
    "randomBytesRatio": 0.5,
    "keyDistributor": "KEY_ROUND_ROBIN",
    "subscriptionsPerTopic": 2,
    "consumerPerSubscription": 1,
    "producersPerTopic": 1,
    "producerRate": 500,
    "testDurationMinutes": 1,
}
DRIVER = {
    "name": "Kafka",
    "driverClass": "io.openmessaging.benchmark.driver.kafka.KafkaBenchmarkDriver",
    "replicationFactor": 1,
    "commonConfig": "bootstrap.servers=localhost:9092\nrequest.timeout.ms=20000\n",
    "producerConfig": "acks=all\nlinger.ms=1\nbatch.size=131072\ncompression.type=lz4\n",
    "consumerConfig": "auto.offset.reset=earliest\nenable.auto.commit=false\n",
}


def test_imported_files_run(tmp_path: Path) -> None:
    paths = tmp_path / "workload.yaml", tmp_path / "driver.yaml"
    for path, data in zip(paths, (WORKLOAD, DRIVER), strict=True):
        YAML().dump(data, path)
    made = tmp_path / "made.yaml"
    made.write_text(import_omb(*paths).text)
    loaded = load(made, (*QUICK, "cluster.provider=embedded"))
    result = run_scenario(loaded, RunOptions(tmp_path / "results"), Recorder()).result
    sent = result.producers["producer"]
    assert sent.target_records_per_s == 500
    assert sent.records.failed == 0
    assert [group.records.consumed for group in result.consumers.values()] == [sent.records.acked] * 2
    assert result.reconciliation.lost == 0


@pytest.fixture(scope="module")
def broker_with_sasl(local_kafka: None) -> Iterator[tuple[Cluster, str]]:  # noqa: ARG001  a condition
    """A broker that has, beside its own listener, one for SASL_PLAINTEXT; and that one's address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
    plain = local.broker_properties

    def rendered(*arguments: object) -> dict[str, str]:
        own = plain(*arguments)  # type: ignore[arg-type]
        for name in ("listeners", "advertised.listeners"):
            own[name] += f",SASL://{address}"
        own["listener.security.protocol.map"] += ",SASL:SASL_PLAINTEXT"
        own["sasl.enabled.mechanisms"] = ",".join(LOGINS)
        users = f'{MODULES}.plain.PlainLoginModule required user_alice="{PASSWORD}";'
        own["listener.name.sasl.plain.sasl.jaas.config"] = users
        own["listener.name.sasl.scram-sha-256.sasl.jaas.config"] = (
            f"{MODULES}.scram.ScramLoginModule required;"
        )
        return own

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "broker_properties", rendered)
        cluster = start_cluster(ClusterSpec(provider="local", config={}), progress=print, run_id="sasl")
    try:
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        alice = UserScramCredentialUpsertion("alice", credential, PASSWORD.encode())
        admin.alter_user_scram_credentials([alice])["alice"].result(20)
        yield cluster, address
    finally:
        cluster.stop()


@pytest.mark.local
@pytest.mark.parametrize("mechanism", list(LOGINS))
def test_a_run_logs_in_by_kafka_s_own_file_and_keeps_its_password_to_itself(
    tmp_path: Path, broker_with_sasl: tuple[Cluster, str], mechanism: str
) -> None:
    scenario, properties = tmp_path / "secure.yaml", tmp_path / "client.properties"
    properties.write_text(
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\nsasl.jaas.config={LOGINS[mechanism]}\n"
    )
    group = {"topic": mechanism.lower(), "schedule": {"rate": 200}, "records": {"size": 100}}
    document = {
        "name": "secure",
        "cluster": {"provider": "external", "bootstrap_servers": broker_with_sasl[1]},
        "topics": {group["topic"]: {"partitions": 2}},
        "producers": {"web": group},
        "consumers": {"reader": {"topic": group["topic"]}},
    }
    YAML().dump(document, scenario)
    options = [part for override in QUICK for part in ("--set", override)]
    results = tmp_path / "results"
    done = CliRunner().invoke(
        cli,
        [
            *("run", str(scenario), "--client-properties", str(properties)),
            *(*options, "--results-dir", str(results), "--output", "json"),
        ],
    )
    assert done.exit_code == 0, done.output
    (folder,) = results.glob("*-secure-*")
    result = load_any(folder, results).result  # type: ignore[union-attr]
    acked = result.producers["web"].records.acked
    assert acked == result.consumers["reader"].records.consumed > 0
    assert PASSWORD not in done.output
    for file in folder.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file

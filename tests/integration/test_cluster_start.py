"""Real clusters of one and three brokers, of both versions, in containers and as processes; nothing stays."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psutil
import pytest
from confluent_kafka import Producer
from runs import processes_of

from loadlab.cluster import TopicRequest, start_cluster
from loadlab.cluster.capacity import data_root
from loadlab.cluster.docker import RUN_LABEL, Engine
from loadlab.cluster.image import IMAGE_VARIABLE, build_image
from loadlab.cluster.specs import cluster_spec
from loadlab.cluster.state import records, state_dir
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.beside

SMALL = {"heap": "384MiB"}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def run_id() -> str:
    return f"start-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def engine() -> Engine:
    try:
        return Engine()
    except ClusterError as error:
        pytest.skip(error.message)


def produce_one(bootstrap_servers: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all"})
    producer.produce(topic, b"x")
    assert producer.flush(30) == 0


def left_of(run_id: str) -> list[object]:
    """Everything on the machine that still bears a run's mark."""
    directories = [path for path in data_root().iterdir() if run_id in path.name]
    return [*processes_of(run_id), *directories, *(one for one in records() if one.run_id == run_id)]


def left_on(engine: Engine, run_id: str) -> list[object]:
    return [*engine.containers(run_id), *engine.volumes(run_id), *engine.networks(run_id)]


@pytest.mark.local
@pytest.mark.parametrize(("brokers", "version"), [(1, "3.9.1"), (3, "4.3.1")])
def test_local_brokers_start_whole_and_leave_nothing(run_id: str, brokers: int, version: str) -> None:
    spec = cluster_spec(
        {"provider": "local", "brokers": brokers, "kafka_version": version, "resources": SMALL}
    )
    cluster = start_cluster(spec, progress=print, run_id=run_id)
    try:
        assert len(processes_of(run_id)) == brokers + 1  # and the guard
        offsets_topic = cluster.describe_topics(["__consumer_offsets"])["__consumer_offsets"]
        assert offsets_topic is not None
        assert all(len(one.in_sync_replicas) == min(3, brokers) for one in offsets_topic.partitions)
        cluster.create_topics([TopicRequest("t", 2, brokers)])
        produce_one(cluster.bootstrap_servers, "t")
        assert sum(cluster.end_offsets([("t", 0), ("t", 1)]).offsets.values()) == 1
    finally:
        cluster.stop()
    cluster.stop()
    assert left_of(run_id) == []


@pytest.fixture
def image_as_built(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine, with the image that users get and not one that CI names."""
    monkeypatch.delenv(IMAGE_VARIABLE, raising=False)
    return engine


@pytest.mark.docker
@pytest.mark.parametrize(
    ("brokers", "version", "network"), [(1, "4.3.1", "auto"), (3, "3.9.1", "auto"), (1, "4.3.1", "bridge")]
)
def test_containers_start_whole_and_leave_nothing(
    image_as_built: Engine, run_id: str, brokers: int, version: str, network: str
) -> None:
    engine = image_as_built
    build_image(engine, version, print)
    fields = {"provider": "docker", "brokers": brokers, "kafka_version": version, "network": network}
    cluster = start_cluster(cluster_spec({**fields, "resources": SMALL}), progress=print, run_id=run_id)
    try:
        assert cluster.info.network == ("host" if network == "auto" else "bridge")
        assert len(engine.containers(run_id)) == brokers
        cluster.create_topics([TopicRequest("t", 2, brokers)])
        produce_one(cluster.bootstrap_servers, "t")
        assert sum(cluster.end_offsets([("t", 0), ("t", 1)]).offsets.values()) == 1
    finally:
        cluster.stop()
    cluster.stop()
    assert left_on(engine, run_id) == left_of(run_id) == []


@pytest.mark.docker
def test_containers_have_the_limits_that_were_asked_for_and_no_rights(engine: Engine, run_id: str) -> None:
    build_image(engine, "4.3.1", print)
    resources = {"cpus": 1, "memory": "900MiB", "heap": "400MiB"}
    spec = cluster_spec({"provider": "docker", "resources": resources, "cpuset": "0"})
    cluster = start_cluster(spec, progress=print, run_id=run_id)
    try:
        (container,) = engine.containers(run_id)
        host = engine.inspect(container.name)["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["NanoCpus"] == 10**9
        assert host["Memory"] == 900 << 20
        assert host["CpusetCpus"] == "0"
        assert host["LogConfig"]["Config"]["max-size"]
        assert container.labels[RUN_LABEL] == run_id
        assert engine.inspect(container.name)["Config"]["User"] not in {"", "root", "0"}
        assert engine.run_inside(container.name, ["nproc"]).strip() == "1"
    finally:
        cluster.stop()


@pytest.mark.local
def test_local_brokers_can_be_pinned_to_cores(run_id: str) -> None:
    spec = cluster_spec({"provider": "local", "cpuset": "0", "resources": SMALL})
    here = psutil.Process().cpu_affinity()
    cluster = start_cluster(spec, progress=print, run_id=run_id)
    try:
        pid = int(cluster.broker_states()[0].detail.removeprefix("pid "))
        assert psutil.Process(pid).cpu_affinity() == [0]
        assert psutil.Process().cpu_affinity() == here
    finally:
        cluster.stop()


@pytest.mark.parametrize(
    "provider",
    [pytest.param("local", marks=pytest.mark.local), pytest.param("docker", marks=pytest.mark.docker)],
)
def test_a_failed_start_shows_the_brokers_words_keeps_its_log_and_leaves_nothing(
    provider: str, run_id: str, request: pytest.FixtureRequest
) -> None:
    if provider == "docker":
        build_image(request.getfixturevalue("engine"), "4.3.1", print)
    config = {"metric.reporters": "no.such.Reporter"}
    spec = cluster_spec({"provider": provider, "config": config, "resources": SMALL})
    with pytest.raises(ClusterError) as failure:
        start_cluster(spec, progress=print, run_id=run_id)
    kept = state_dir() / "logs" / run_id / "broker-1.log"
    assert "no.such.Reporter" in failure.value.message
    assert str(kept) in failure.value.message
    assert len(failure.value.message.splitlines()) <= 25
    assert "KafkaConfig values" in kept.read_text()
    assert left_of(run_id) == []
    if provider == "docker":
        assert left_on(request.getfixturevalue("engine"), run_id) == []


@pytest.mark.local
def test_a_bad_broker_property_is_told_in_kafkas_words_without_a_stack(run_id: str) -> None:
    spec = cluster_spec({"provider": "local", "config": {"num.io.threads": "many"}, "resources": SMALL})
    with pytest.raises(
        ClusterError, match=r"Invalid value many for configuration num\.io\.threads"
    ) as failure:
        start_cluster(spec, progress=print, run_id=run_id)
    assert "refuses to format: Invalid value many" in failure.value.message.splitlines()[0]
    assert left_of(run_id) == []

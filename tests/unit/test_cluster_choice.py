"""Which provider is taken, and what is said where none can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import checks, doctor_checks, local, maven, providers
from loadlab.cluster.api import Availability, StartRequest
from loadlab.cluster.ports import PortClashError
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import EXIT_NO_CLUSTER, ClusterError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.scenario.cluster import ClusterSpec


@dataclass
class FakeProvider:
    name: str
    available: bool
    requests: list[StartRequest] = field(default_factory=list)

    def check(self, spec: ClusterSpec) -> Availability:
        return Availability(self.available, f"{self.name} says so for {spec.brokers}", f"mend {self.name}")

    def start(self, spec: ClusterSpec, request: StartRequest) -> str:
        self.requests.append(request)
        return f"{self.name} cluster of {spec.brokers}"


def fake(monkeypatch: pytest.MonkeyPatch, **available: bool) -> dict[str, FakeProvider]:
    fakes = {name: FakeProvider(name, is_available) for name, is_available in available.items()}
    monkeypatch.setattr(providers, "PROVIDERS", fakes)
    return fakes


@pytest.mark.parametrize(
    ("docker", "local", "taken"), [(True, True, "docker"), (False, True, "local"), (False, False, "embedded")]
)
def test_auto_takes_the_first_that_can_and_records_why(
    monkeypatch: pytest.MonkeyPatch, docker: bool, local: bool, taken: str
) -> None:
    fakes = fake(monkeypatch, docker=docker, local=local, embedded=True)
    told: list[str] = []
    cluster = providers.start_cluster(cluster_spec({"brokers": 2}), progress=told.append, run_id="r")
    assert cluster == f"{taken} cluster of 2"
    (request,) = fakes[taken].requests
    assert request.reason.startswith(f"auto: {taken} says so")
    assert all(
        f"not {name}: {name} says so" in request.reason for name in ("docker", "local")[: docker is False]
    )
    assert request.reason in told[0]


def test_what_is_asked_for_is_taken_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = fake(monkeypatch, docker=True, local=False, embedded=True)
    assert providers.choose(cluster_spec({"provider": "embedded"})) == (fakes["embedded"], "asked for")
    with pytest.raises(ClusterError, match="provider local: local says so") as refusal:
        providers.choose(cluster_spec({"provider": "local"}))
    assert refusal.value.fix == "mend local"
    assert refusal.value.exit_code == EXIT_NO_CLUSTER


@pytest.mark.parametrize(
    ("local", "words"), [(True, "--provider local works here"), (False, "needs: mend local")]
)
def test_docker_without_an_engine_names_the_local_way_and_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, local: bool, words: str
) -> None:
    fake(monkeypatch, docker=False, local=local, embedded=True)
    with pytest.raises(ClusterError) as refusal:
        providers.choose(cluster_spec({"provider": "docker"}))
    assert words in (refusal.value.fix or "")
    assert "mend docker" in (refusal.value.fix or "")


@pytest.mark.parametrize("address", ["10.0.0.1:9092", "kafka.example:9092", "127.0.0.1:9092,10.0.0.1:9092"])
def test_what_is_not_this_machine_is_refused_without_its_cluster_id(address: str) -> None:
    spec = cluster_spec({"provider": "external", "bootstrap_servers": address})
    with pytest.raises(UsageError, match="owner's consent"):
        providers.start_cluster(spec, progress=print, run_id="r")


def test_external_without_an_address_is_refused() -> None:
    with pytest.raises(UsageError, match="bootstrap_servers"):
        providers.start_cluster(cluster_spec({"provider": "external"}), progress=print, run_id="r")


@pytest.mark.parametrize(("clashes", "started"), [(0, True), (2, True), (3, False)])
def test_a_port_lost_to_another_process_is_tried_again_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, clashes: int, started: bool
) -> None:
    attempts: list[int] = []

    class Start:
        def __init__(self, *_: object) -> None:
            pass

        def run(self) -> str:
            attempts.append(1)
            if len(attempts) <= clashes:
                raise PortClashError("taken")
            return "cluster"

    monkeypatch.setattr(local, "_Start", Start)
    monkeypatch.setattr(local, "_installation", lambda *_: None)
    request = StartRequest("r", lambda _: None, "asked for")
    if started:
        assert local.LocalProvider().start(cluster_spec({"provider": "local"}), request) == "cluster"
        assert len(attempts) == clashes + 1
    else:
        with pytest.raises(ClusterError, match="taken"):
            local.LocalProvider().start(cluster_spec({"provider": "local"}), request)


def test_the_doctor_looks_at_all_that_providers_need_and_each_failure_names_its_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    monkeypatch.setattr(maven.shutil, "which", lambda _: None)
    checks = {check.name: check for check in doctor_checks()}
    assert {
        "container engine",
        "Java",
        "Kafka's jars",
        "memory for brokers",
        "disk for brokers",
        "state directory",
    } == checks.keys()
    assert not checks["container engine"].ok
    assert not checks["Kafka's jars"].ok
    assert all(check.ok or check.fix for check in checks.values())


def test_the_doctor_s_words_on_an_engine_that_is_of_no_use_have_a_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = SimpleNamespace(is_near=False, why_far="on another machine")
    engine = SimpleNamespace(version="docker 29", place=place, data_root=None)
    monkeypatch.setattr(checks, "Engine", lambda: engine)
    monkeypatch.setattr(checks, "find_image", lambda *_: None)
    (far,) = checks._engine_checks("4.3.1")
    place.is_near = True
    _, none = checks._engine_checks("4.3.1")

    def refuses(*_: object) -> None:
        raise ClusterError("the container engine refuses (list of images)")

    monkeypatch.setattr(checks, "find_image", refuses)
    _, refused = checks._engine_checks("4.3.1")
    assert [check.ok for check in (far, none, refused)] == [False] * 3
    assert all(check.fix for check in (far, none, refused))


def test_the_doctor_looks_where_a_start_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At the engine's own disk too, and at the memory that this process's control groups leave."""
    place = SimpleNamespace(is_near=True)
    engine = SimpleNamespace(version="docker 29", place=place, data_root=tmp_path)
    monkeypatch.setattr(checks, "Engine", lambda: engine)
    monkeypatch.setattr(checks, "find_image", lambda *_: "image")
    monkeypatch.setattr(checks, "available_bytes", lambda: 1 << 30)
    disks = [check for check in doctor_checks() if check.name.startswith("disk for ")]
    assert [(disk.name, disk.needed_by) for disk in disks] == [
        ("disk for containers", "docker"),
        ("disk for brokers", "local"),
    ]
    assert str(tmp_path) in disks[0].detail
    monkeypatch.setattr(checks, "free_bytes", lambda _: 0)
    full = [check for check in doctor_checks() if check.name.startswith("disk for ")]
    assert ["LOADLAB_DATA_DIR" in str(disk.fix) for disk in full] == [False, True]
    memory = checks._memory_check()
    assert (memory.ok, memory.detail) == (False, "1.0 GiB available")

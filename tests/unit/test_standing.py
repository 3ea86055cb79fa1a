"""What a run says of a cluster that stands already, beside what its scenario asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from run_samples import FakeCluster

from loadlab.cli import cluster as cluster_commands
from loadlab.cluster import ClusterInfo
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import ClusterError, UsageError
from loadlab.run import opening
from loadlab.run.events import Events
from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import Opening
from loadlab.run.standing import ignored_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loadlab.run.opening import OpenCluster

GIB = 1 << 30
CONFIG = {"num.io.threads": "4"}
STANDING = ClusterInfo("local", "kafka", "3.9.1", 1, None, CONFIG, "asked for", "id", cores="0")


@pytest.mark.parametrize(
    ("asked", "ignored"),
    [
        ({}, []),
        ({"provider": "local", "kafka_version": "3.9.1", "cpuset": "0"}, []),
        ({"config": {"num.io.threads": "4"}}, []),
        (
            {"config": {"num.io.threads": "8", "log.retention.ms": "1h"}},
            ["cluster.config.num.io.threads", "cluster.config.log.retention.ms"],
        ),
        (
            {"provider": "docker", "brokers": 3, "kafka_version": "3.8.0", "resources": {"heap": "1GiB"}},
            ["cluster.provider", "cluster.brokers", "cluster.kafka_version", "cluster.resources"],
        ),
        ({"provider": "embedded", "round_trip": "5ms"}, ["cluster.provider", "cluster.round_trip"]),
    ],
)
def test_what_a_scenario_asks_for_and_does_not_get_is_named(
    asked: Mapping[str, object], ignored: list[str]
) -> None:
    assert ignored_keys(cluster_spec(asked), STANDING) == ignored


@dataclass
class Standing(FakeCluster):
    """A cluster that `cluster up` left."""

    info: ClusterInfo = STANDING
    bootstrap_servers: str = "127.0.0.1:9092"
    stopped: list[str] = field(default_factory=list)

    def stop(self) -> None:
        self.stopped.append("stopped")


class Listener:
    def __init__(self) -> None:
        self.told: list[str] = []

    def message(self, text: str) -> None:
        self.told.append(text)

    def warn(self, text: str) -> None:
        self.message(text)


def opened(
    cluster: Standing,
    monkeypatch: pytest.MonkeyPatch,
    asked: Mapping[str, object],
    needed_disk_bytes: int = 0,
) -> tuple[OpenCluster, list[str]]:
    monkeypatch.setattr(opening, "attach", lambda *_: cluster)
    monkeypatch.setattr(opening, "clean_leftovers", list)
    monkeypatch.setattr(opening, "start_compiling", lambda _: None)
    monkeypatch.setattr(opening, "await_compiled", lambda _: None)
    listener = Listener()
    events = Events(listener)  # type: ignore[arg-type]
    to_open = Opening(cluster_spec(asked), needed_disk_bytes, "lab", "run-1", events, Interrupts())
    with to_open.opened() as found:
        return found, listener.told


def test_a_run_on_a_standing_cluster_says_what_it_ignores_at_once_and_in_its_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, told = opened(Standing(), monkeypatch, {"brokers": 3})

    warning = "cluster.brokers is ignored: cluster lab stands already and is used as it is"
    assert found.warnings == (warning,)
    assert warning in told


def test_nothing_is_said_where_nothing_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(Standing(free_bytes=9 * GIB), monkeypatch, {})[0].warnings == ()


def test_a_standing_cluster_whose_disk_is_too_small_is_refused_and_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Standing(free_bytes=3 * GIB)

    told = r"needs 4.0 GiB of disk .* 3.0 GiB are free on the disk of cluster lab"
    with pytest.raises(ClusterError, match=told):
        opened(cluster, monkeypatch, {}, needed_disk_bytes=4 * GIB)
    assert cluster.stopped == ["stopped"]


def test_options_without_a_scenario_are_all_that_a_cluster_is_made_by(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, object] = {"brokers": 3, "kafka_version": None, "provider": None}
    monkeypatch.setenv("LOADLAB_PROVIDER", "embedded")
    made = cluster_commands._spec(None, options, [])
    assert (made.provider, made.brokers) == ("embedded", 3)
    assert cluster_commands._spec(None, {**options, "provider": "local"}, []).provider == "local"

    with pytest.raises(UsageError, match="--set changes a scenario"):
        cluster_commands._spec(None, options, ["cluster.provider=local"])
    monkeypatch.setenv("LOADLAB_SET", "cluster.brokers=5")
    assert cluster_commands._spec(None, options, []).brokers == 3
    assert "LOADLAB_SET changes scenarios, and none is given" in capsys.readouterr().err


def test_what_a_scenario_s_cluster_loses_by_another_provider_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "name: x\ncluster: {provider: docker, resources: {cpus: 1}}\ntopics: {t: {partitions: 1}}\n"
    text += "producers: {p: {topic: t, schedule: {rate: 1/s}, records: {size: 100}}}\nphases: {measure: 1s}\n"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    cluster_commands._spec(tmp_path / "x.yaml", {"provider": "local"}, [])

    assert "warning: cluster.resources.cpus is set aside" in capsys.readouterr().err

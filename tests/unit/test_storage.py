"""Storage of brokers is formatted by Kafka's tool once for each configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadlab.cluster.artifacts import KafkaJars
from loadlab.cluster.java import Java
from loadlab.cluster.local_broker import Installation, data_dir, log_dir, prepare
from loadlab.cluster.storage import format_storage
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

TOOL = """#!/bin/sh
echo "$@" >> {calls}
for properties; do :; done
if grep -q refused "$properties"; then echo "Exception in main IllegalArgumentException: no"; exit 1; fi
data=$(dirname "$properties")/data
printf 'version=1\\ncluster.id=%s\\nnode.id=1\\ndirectory.id=tool\\n' "tool" > "$data/meta.properties"
echo features > "$data/bootstrap.checkpoint"
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Where each call of the tool leaves a line."""
    return tmp_path / "calls"


@pytest.fixture
def installation(tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Kafka with a tool that writes what the real one does."""
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(tmp_path / "cache"))
    java = tmp_path / "java"
    java.write_text(TOOL.format(calls=calls))
    java.chmod(0o700)
    calls.touch()
    return Installation(KafkaJars("4.3.1", tmp_path, "test"), Java(java, "25", "PATH"), 1 << 29, "run")


def formatted(
    installation: Installation, root: Path, brokers: int = 1, **shared: str
) -> list[dict[str, str]]:
    """What the brokers of a new cluster, named after its folder, find as their ids."""
    directories = [root / f"broker-{number}" for number in range(1, brokers + 1)]
    for directory in directories:
        prepare(directory, shared)
    format_storage(installation, directories, root.name, shared)
    found = []
    for directory in directories:
        assert (data_dir(directory) / "bootstrap.checkpoint").read_text() == "features\n"
        lines = (data_dir(directory) / "meta.properties").read_text().splitlines()
        found.append(dict(line.split("=", 1) for line in lines))
    return found


def test_each_broker_of_each_cluster_has_ids_of_its_own(
    installation: Installation, calls: Path, tmp_path: Path
) -> None:
    found = [one for name in ("first", "second") for one in formatted(installation, tmp_path / name, 3)]
    assert len(calls.read_text().splitlines()) == 1
    assert [one["cluster.id"] for one in found] == ["first"] * 3 + ["second"] * 3
    assert [one["node.id"] for one in found] == ["1", "2", "3"] * 2
    assert len({one["directory.id"] for one in found}) == 6
    assert {one["version"] for one in found} == {"1"}


def test_another_configuration_is_checked_by_the_tool(
    installation: Installation, calls: Path, tmp_path: Path
) -> None:
    formatted(installation, tmp_path / "first")
    formatted(installation, tmp_path / "second", **{"num.io.threads": "4"})
    assert len(calls.read_text().splitlines()) == 2


def test_what_is_refused_is_told_and_not_kept(
    installation: Installation, calls: Path, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        with pytest.raises(ClusterError, match="refuses to format: no"):
            formatted(installation, tmp_path / name, **{"log.retention.ms": "refused"})
        assert (
            "IllegalArgumentException" in (log_dir(tmp_path / name / "broker-1") / "console.log").read_text()
        )
    assert len(calls.read_text().splitlines()) == 2


def test_without_a_place_to_keep_it_storage_is_formatted_each_time(
    installation: Installation, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(calls / "no-folder"))
    found = [one for name in ("first", "second") for one in formatted(installation, tmp_path / name, 2)]
    assert len(calls.read_text().splitlines()) == 2
    assert [one["node.id"] for one in found] == ["1", "2"] * 2

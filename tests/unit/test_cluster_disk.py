"""What is said of a cluster's disk where the cluster, or a command in its image, is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.container_cluster import Containers, DockerCluster
from loadlab.cluster.docker import Marked
from loadlab.cluster.local_cluster import Brokers, LocalCluster
from loadlab.cluster.processes import ProcessIdentity
from loadlab.cluster.state import ClusterRecord

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster.docker import Engine

INFO = ClusterInfo("docker", "kafka", "4.3.1", 1, None, {}, "asked for", "id")


def record(data_dir: Path | None = None) -> ClusterRecord:
    owner = ProcessIdentity.current()
    return ClusterRecord("r", None, owner, INFO, "127.0.0.1:1", data_dir=str(data_dir) if data_dir else None)


@dataclass
class FakeEngine:
    """An engine elsewhere, whose one container answers each command alike."""

    answer: str
    data_root: None = None

    def impatient(self) -> FakeEngine:
        return self

    def containers(self, run_id: str) -> list[Marked]:
        return [Marked("container", f"loadlab-{run_id}-1", {}, "running", "Up")]

    def volumes(self, run_id: str) -> list[Marked]:
        return [Marked("volume", f"loadlab-{run_id}-1", {}, "", "/not/readable/here")]

    def inspect(self, container: str) -> dict[str, dict[str, str]]:  # noqa: ARG002
        return {"State": {"StartedAt": "2026-01-01T00:00:00Z"}}

    def run_inside(self, container: str, command: list[str]) -> str:  # noqa: ARG002
        return self.answer


def containers(answer: str) -> DockerCluster:
    engine = cast("Engine", FakeEngine(answer))
    return DockerCluster(Containers(engine, record()), ends_with_owner=False)


def test_a_directory_that_was_removed_meanwhile_has_no_known_space(tmp_path: Path) -> None:
    directory = tmp_path / "loadlab-r"
    directory.mkdir()
    cluster = LocalCluster(Brokers(record(directory)), ends_with_owner=False)
    assert cluster.free_disk_bytes() is not None
    directory.rmdir()
    assert cluster.free_disk_bytes() is None


DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay 100 40 60 40% /var/lib/kafka/data\n"


@pytest.mark.parametrize(
    ("answer", "free_bytes"),
    [
        (DF, 60 * 1024),
        ('OCI runtime exec failed: exec failed: "df": executable file not found in $PATH', None),
        ("df: not found", None),
        ("", None),
    ],
)
def test_the_space_that_an_image_without_df_can_not_tell_is_unknown(
    answer: str, free_bytes: int | None
) -> None:
    assert containers(answer).free_disk_bytes() == free_bytes

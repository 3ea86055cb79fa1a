"""Kafka's jars: from KAFKA_HOME, or by Maven through a pinned pom, kept in the user's cache."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster.maven import Artifacts, fetch, has_maven
from loadlab.cluster.state import cache_dir
from loadlab.errors import ClusterError
from loadlab.scenario.kafka_properties import is_kafka_3

if TYPE_CHECKING:
    from loadlab.cluster.api import Progress

FILES = Path(__file__).parent / "files"
_MAVEN_TIMEOUT_S = 900
_CORE_JAR = re.compile(r"kafka_2\.\d+-(\d+\.\d+\.\d+)\.jar")


@dataclass(frozen=True)
class KafkaJars:
    """A directory of jars that holds one whole version of Kafka, and where it came from."""

    version: str
    directory: Path
    source: str

    @property
    def class_path(self) -> str:
        """The class path that takes all of them."""
        return f"{self.directory}/*"

    @property
    def identity(self) -> list[str]:
        """What tells them from others, and from what they were before somebody changed them."""
        files = self.directory.glob("*.jar")
        return [str(self.directory), *sorted(f"{path.name} {path.stat().st_mtime_ns}" for path in files)]


def uses_log4j2(version: str) -> bool:
    """Say whether this version of Kafka logs by Log4j 2."""
    return not is_kafka_3(version)


def find_jars(version: str) -> KafkaJars | None:
    """Find the jars that are here already; None if they must be fetched."""
    home = os.environ.get("KAFKA_HOME")
    if home and home_version() == version:
        return KafkaJars(version, Path(home, "libs"), "KAFKA_HOME")
    cached = _cached(version)
    return KafkaJars(version, cached, "Maven") if cached.is_dir() else None


def home_version() -> str | None:
    """Return the version that KAFKA_HOME holds; None without one."""
    home = os.environ.get("KAFKA_HOME")
    names = (path.name for path in Path(home, "libs").glob("kafka_2.*.jar")) if home else ()
    return next((found[1] for name in names if (found := _CORE_JAR.fullmatch(name))), None)


def get_jars(version: str, progress: Progress) -> KafkaJars:
    """Find the jars or fetch them by Maven.

    Raises:
        ClusterError: Maven is missing or could not fetch them.
    """
    if found := find_jars(version):
        return found
    if not has_maven():
        raise ClusterError(
            f"Kafka {version} is not on this machine and there is no `mvn` to fetch it", fix=missing(version)
        )
    progress(f"fetching Kafka {version} by Maven (kept for later starts)")
    wanted = Artifacts(
        name=f"Kafka {version}",
        pom=FILES / "pom.xml",
        target=_cached(version),
        options=[f"-Dkafka.version={version}", *(["-Plog4j2"] if uses_log4j2(version) else [])],
        timeout_s=_MAVEN_TIMEOUT_S,
        fix="check the version and that Maven reaches its repository, or set KAFKA_HOME",
    )
    fetch(wanted)
    return KafkaJars(version, wanted.target, "Maven")


def missing(version: str) -> str:
    """Say what to do for Kafka's jars."""
    return f"install Maven (`mvn`), or set KAFKA_HOME to an unpacked Kafka {version}"


def _cached(version: str) -> Path:
    return cache_dir() / "kafka" / version

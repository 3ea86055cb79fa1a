"""Kafka's jars: from KAFKA_HOME, or by Maven through a pinned pom, kept in the user's cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster.state import cache_dir
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from loadlab.cluster.api import Progress

FILES = Path(__file__).parent / "files"
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
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


def uses_log4j2(version: str) -> bool:
    """Say whether this version of Kafka logs by Log4j 2."""
    return not version.startswith("3.")


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
    target = _cached(version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as draft:
        _run_maven(version, Path(draft))
        _move_into_place(Path(draft, "libs"), target)
    return KafkaJars(version, target, "Maven")


def has_maven() -> bool:
    """Say whether Maven is on the PATH."""
    return shutil.which("mvn") is not None


def missing(version: str) -> str:
    """Say what to do for Kafka's jars."""
    return f"install Maven (`mvn`), or set KAFKA_HOME to an unpacked Kafka {version}"


def _cached(version: str) -> Path:
    return cache_dir() / "kafka" / version


def _run_maven(version: str, directory: Path) -> None:
    shutil.copy(FILES / "pom.xml", directory)
    command = [
        "mvn",
        "--batch-mode",
        "--no-transfer-progress",
        "--quiet",
        "--file",
        str(directory / "pom.xml"),
    ]
    command += [
        f"-Dkafka.version={version}",
        f"-DoutputDirectory={directory / 'libs'}",
        "-DincludeScope=runtime",
    ]
    command += ["-Plog4j2"] if uses_log4j2(version) else []
    try:
        done = subprocess.run(
            [*command, _COPY_GOAL], check=False, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"Maven did not fetch Kafka {version} in {_MAVEN_TIMEOUT_S} s") from error
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line][:5]
        raise ClusterError(
            f"Maven could not fetch Kafka {version}:\n" + "\n".join(lines),
            fix="check the version and that Maven reaches its repository, or set KAFKA_HOME",
        )


def _move_into_place(libs: Path, target: Path) -> None:
    """Rename a whole directory into the cache; another process that was faster has the same jars."""
    try:
        libs.rename(target)
    except OSError:
        if not target.is_dir():
            raise

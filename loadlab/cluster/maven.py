"""Fetching jars by Maven through a pom that pins what it can."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.cluster.scratch import scratch
from loadlab.cluster.state import CACHE_VARIABLE
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@dataclass(frozen=True)
class Artifacts:
    """What a pom brings.

    Attributes:
        name: for messages, such as "Kafka 4.3.1".
        pom: the file.
        target: the directory that its jars are kept in.
        options: for Maven: properties and profiles.
        timeout_s: the longest wait.
        fix: what to do where Maven can't fetch them.
    """

    name: str
    pom: Path
    target: Path
    options: Sequence[str]
    timeout_s: float
    fix: str


def has_maven() -> bool:
    """Say whether Maven is on the PATH."""
    return shutil.which("mvn") is not None


def fetch(wanted: Artifacts) -> None:
    """Fetch jars into their directory, which is there whole or not at all.

    Raises:
        ClusterError: Maven could not fetch them, or they can't be kept.
    """
    try:
        with scratch(wanted.target.parent) as draft:
            _run(wanted, draft)
            _move_into_place(draft / "libs", wanted.target)
    except OSError as error:
        raise ClusterError(
            f"{wanted.name} can't be kept in {wanted.target.parent}: {error}",
            fix=f"set {CACHE_VARIABLE} to a directory that can be written",
        ) from error


def _run(wanted: Artifacts, directory: Path) -> None:
    shutil.copy(wanted.pom, directory / "pom.xml")
    command = [
        "mvn",
        "--batch-mode",
        "--no-transfer-progress",
        "--quiet",
        "--file",
        str(directory / "pom.xml"),
        f"-DoutputDirectory={directory / 'libs'}",
        "-DincludeScope=runtime",
        *wanted.options,
        _COPY_GOAL,
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=wanted.timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            f"Maven did not fetch {wanted.name} in {wanted.timeout_s:.0f} s", fix=wanted.fix
        ) from error
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line][:5]
        raise ClusterError(f"Maven could not fetch {wanted.name}:\n" + "\n".join(lines), fix=wanted.fix)


def _move_into_place(libs: Path, target: Path) -> None:
    """Rename a whole directory into the cache; another process that was faster has the same jars."""
    try:
        libs.rename(target)
    except OSError:
        if not target.is_dir():
            raise

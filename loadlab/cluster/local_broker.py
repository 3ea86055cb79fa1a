"""One broker of the local provider as a JVM process: its files and its command line."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.cluster.artifacts import FILES, KafkaJars, uses_log4j2
from loadlab.cluster.leftovers import marker
from loadlab.cluster.properties import as_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadlab.cluster.java import Java

_DEAF = ("/bin/sh", "-c", 'trap "" HUP INT TERM; exec "$@"', "sh")
# As kafka-run-class.sh starts a broker.
_JVM_OPTIONS = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)


@dataclass(frozen=True)
class Installation:
    """What brokers are started with.

    Attributes:
        jars: Kafka.
        java: the runtime.
        heap_bytes: the heap of each broker.
        run_id: the mark on each command line.
        archive: Kafka's classes already parsed, for a quick start; None without.
    """

    jars: KafkaJars
    java: Java
    heap_bytes: int
    run_id: str
    archive: Path | None = None

    def java_command(self, log_dir: Path, main_class: str, *arguments: str) -> list[str]:
        """Build the command line of one of Kafka's main classes, marked with the run."""
        if uses_log4j2(self.jars.version):
            logging = f"-Dlog4j2.configurationFile={FILES / 'log4j2.properties'}"
        else:
            logging = f"-Dlog4j.configuration=file:{FILES / 'log4j.properties'}"
        # Where the archive does not fit, the JVM goes on without; it need not say so.
        shared = [f"-XX:SharedArchiveFile={self.archive}", "-Xlog:cds=error"] if self.archive else []
        own = [*shared, f"-D{marker(self.run_id)}", f"-Dloadlab.log.dir={log_dir}", logging]
        return [
            str(self.java.launcher),
            *_JVM_OPTIONS,
            *own,
            "-cp",
            self.jars.class_path,
            main_class,
            *arguments,
        ]

    def broker_command(self, directory: Path, *options: str) -> tuple[str, ...]:
        """Build the command line of a broker whose files are in a directory; options are the JVM's."""
        launcher, *rest = self.java_command(
            log_dir(directory), "kafka.Kafka", str(properties_file(directory))
        )
        return (launcher, f"-Xms{self.heap_bytes}", f"-Xmx{self.heap_bytes}", *options, *rest)


def prepare(directory: Path, properties: Mapping[str, str]) -> None:
    """Make a broker's directories and its server.properties."""
    data_dir(directory).mkdir(parents=True)
    log_dir(directory).mkdir()
    properties_file(directory).write_text(as_file(properties), encoding="utf-8")


def launch(directory: Path, command: Sequence[str], *, deaf: bool = False) -> subprocess.Popen[bytes]:
    """Start a broker in a session of its own: a Ctrl-C in the terminal is the run's to handle.

    Args:
        directory: its files.
        command: what starts it.
        deaf: whether it ignores what asks it to end, too: a service manager's stop reaches all processes, and
            what it means the run alone decides. A JVM leaves ignored what it finds ignored.
    """
    with (log_dir(directory) / "console.log").open("ab") as console:
        return subprocess.Popen(
            [*_DEAF, *command] if deaf else command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def data_dir(directory: Path) -> Path:
    """Where the broker's log segments are."""
    return directory / "data"


def log_dir(directory: Path) -> Path:
    """Where the broker writes what it does."""
    return directory / "logs"


def save_log(directory: Path, target: Path) -> Path:
    """Write what the broker logged and what its JVM printed into one file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as kept:
        for name in ("broker.log.1", "broker.log", "console.log"):
            source = log_dir(directory) / name
            if source.is_file():
                kept.write(source.read_bytes())
    return target


def properties_file(directory: Path) -> Path:
    """What the broker is started with."""
    return directory / "server.properties"

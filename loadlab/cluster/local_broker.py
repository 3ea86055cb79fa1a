"""One broker of the local provider as a JVM process: its files, its command line, its storage."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.cluster.artifacts import FILES, KafkaJars, uses_log4j2
from loadlab.cluster.leftovers import marker
from loadlab.cluster.properties import as_file, new_cluster_id
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadlab.cluster.java import Java

_FORMAT_TIMEOUT_S = 60
_DEAF = ("/bin/sh", "-c", 'trap "" HUP INT TERM; exec "$@"', "sh")
_OWN_OPTIONS = "Picked up "  # how a JVM begins that takes options from JAVA_TOOL_OPTIONS
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
            log_dir(directory), "kafka.Kafka", str(_properties_file(directory))
        )
        return (launcher, f"-Xms{self.heap_bytes}", f"-Xmx{self.heap_bytes}", *options, *rest)

    def format_storage(self, directories: Sequence[Path], cluster_id: str) -> None:
        """Format all brokers' storage: the first by Kafka's tool, the others as copies with own ids.

        Raises:
            ClusterError: Kafka's tool refuses.
        """
        first, *others = directories
        command = self.java_command(
            log_dir(first),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster_id,
            "-c",
            str(_properties_file(first)),
        )
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S)
        if done.returncode:
            (log_dir(first) / "console.log").write_text(done.stdout + done.stderr, encoding="utf-8")
            complaint = _first_complaint(f"{done.stderr}\n{done.stdout}")
            raise ClusterError(f"Kafka's storage tool refuses to format: {complaint}")
        for node_id, directory in enumerate(others, start=2):
            shutil.copytree(data_dir(first), data_dir(directory), dirs_exist_ok=True)
            _give_ids(data_dir(directory) / "meta.properties", node_id)


def prepare(directory: Path, properties: Mapping[str, str]) -> None:
    """Make a broker's directories and its server.properties."""
    data_dir(directory).mkdir(parents=True)
    log_dir(directory).mkdir()
    _properties_file(directory).write_text(as_file(properties), encoding="utf-8")


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


def _first_complaint(said: str) -> str:
    """Return the line that names the mistake, without Java's words around it."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(_OWN_OPTIONS)]
    line = next((line for line in lines if "Exception" in line), "; ".join(lines))
    return line.rpartition("Exception: ")[2]


def _properties_file(directory: Path) -> Path:
    return directory / "server.properties"


def _give_ids(meta: Path, node_id: int) -> None:
    own = {"node.id": str(node_id), "directory.id": new_cluster_id()}
    lines = [
        line for line in meta.read_text(encoding="utf-8").splitlines() if line.partition("=")[0] not in own
    ]
    meta.write_text(
        "\n".join([*lines, *(f"{key}={value}" for key, value in own.items())]) + "\n", encoding="utf-8"
    )

"""The tools that loadlab is compared with, each as a process of its own whose CPU time the kernel tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster.artifacts import get_jars
from loadlab.cluster.java import find_java

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KAFKA_VERSION = "4.3.1"
_PYTHON_PRODUCER = Path(__file__).parent / "confluent_producer.py"
_PRODUCER_RATE = re.compile(r"records sent, ([\d.]+) records/sec")


@dataclass(frozen=True)
class Figures:
    """What a peer reached.

    Attributes:
        records_per_s: as the tool itself reports it.
        cpu_us_per_record: user and system time of its whole process over its records.
    """

    records_per_s: float
    cpu_us_per_record: float


def _run(command: Sequence[str]) -> tuple[str, float]:
    """A command's output and its CPU seconds."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    return output, usage.ru_utime + usage.ru_stime


def _java(main: str, *arguments: str) -> tuple[str, float]:
    java = find_java()
    assert java is not None, "the peers need a JVM"
    jars = get_jars(KAFKA_VERSION, print)
    # The memory options are those of Kafka's own start scripts.
    command = [str(java.launcher), "-Xmx512M", "-cp", jars.class_path, main, *arguments]
    return _run(command)


def kafka_producer_perf_test(
    bootstrap_servers: str,
    topic: str,
    records: int,
    record_bytes: int,
    properties: Mapping[str, str],
) -> Figures:
    """Kafka's own producer tool, without its shell script."""
    given = [f"{name}={value}" for name, value in properties.items()]
    output, cpu_s = _java(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", topic, "--num-records", str(records), "--record-size", str(record_bytes)),
        *("--throughput", "-1", "--producer-props", f"bootstrap.servers={bootstrap_servers}", *given),
    )
    # The last line sums the run up.
    rate = float(_PRODUCER_RATE.findall(output)[-1])
    return Figures(rate, cpu_s * 1e6 / records)


def kafka_consumer_perf_test(bootstrap_servers: str, topic: str, records: int) -> Figures:
    """Kafka's own consumer tool; its rate is that of fetching, without the time to join the group."""
    output, cpu_s = _java(
        "org.apache.kafka.tools.ConsumerPerformance",
        *("--bootstrap-server", bootstrap_servers, "--topic", topic, "--num-records", str(records)),
        *("--timeout", "60000"),
    )
    header, values = [line.split(", ") for line in output.splitlines() if ", " in line][-2:]
    columns = dict(zip((name.strip() for name in header), values, strict=True))
    return Figures(float(columns["fetch.nMsg.sec"]), cpu_s * 1e6 / float(columns["data.consumed.in.nMsg"]))


def confluent_kafka_produce(bootstrap_servers: str, topic: str, seconds: float, record_bytes: int) -> Figures:
    """confluent-kafka's `produce` with a callback that keeps each latency."""
    arguments = [bootstrap_servers, topic, str(seconds), str(record_bytes)]
    output, cpu_s = _run([sys.executable, str(_PYTHON_PRODUCER), *arguments])
    records, elapsed_s = output.split()
    return Figures(int(records) / float(elapsed_s), cpu_s * 1e6 / int(records))

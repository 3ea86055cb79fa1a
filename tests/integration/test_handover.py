"""The files that a study hands over, read by those that they are for."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import TopicRequest
from loadlab.cluster.artifacts import get_jars
from loadlab.cluster.java import find_java
from loadlab.scenario import load_document
from loadlab.tuning.properties_files import Handover, java_properties

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster import Cluster

pytestmark = [pytest.mark.local, pytest.mark.beside]

CONFIG = {
    "message.timeout.ms": 10000,
    "linger.ms": 7.5,
    "queue.buffering.max.kbytes": 512,
    "max.in.flight": 9,
}


def test_javas_producer_takes_what_it_would_refuse_as_it_was_measured(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.create_topics([TopicRequest("taken", 1, 1)])
    loaded = load_document(
        {
            "name": "handed-over",
            "topics": {"taken": {}},
            "producers": {
                "java": {
                    "topic": "taken",
                    "schedule": {"rate": 100},
                    "records": {"size": 100},
                    "config": CONFIG,
                }
            },
        }
    )
    file = tmp_path / "java.properties"
    file.write_text(java_properties(Handover("s", loaded.scenario, (), "as measured")), encoding="utf-8")
    java = find_java()
    assert java is not None
    command = [str(java.launcher), "-cp", get_jars("4.3.1", print).class_path]
    told = subprocess.run(
        [
            *(
                *command,
                "org.apache.kafka.tools.ProducerPerformance",
                "--topic",
                "taken",
                "--num-records",
                "50",
            ),
            *("--record-size", "100", "--throughput", "-1", "--producer.config", str(file)),
            *("--producer-props", f"bootstrap.servers={cluster.bootstrap_servers}"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert cluster.end_offsets([("taken", 0)]).offsets == {("taken", 0): 50}
